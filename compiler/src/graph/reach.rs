//! What a module leads to, beyond what it asks for by name: the files that it reads, and what its package may load.
//!
//! A script that is only guessed at becomes a file rather than a module: it is there if the program loads it, and
//! costs nothing if not.

use std::path::{Path, PathBuf};

use rayon::Scope;

use super::files;
use super::package::Package;
use super::resolve::{EdgeKind, Target};
use super::walk::{Visited, Walker, is_script};
use crate::scan::{Guess, PathUse, Pattern, Purpose, ReferenceKind, Scan, Surroundings, package_name};
use crate::transform::Language;

/// A script of more than this is a bundle, which has in it what it needs: nobody follows guesses into it.
const BUNDLE: u64 = 1 << 20;

/// What the modules of a package have in common.
#[derive(Default)]
pub struct Habits {
    /// One of them loads what can't be known.
    unsure: bool,
    /// One of them lets its own place go out of sight.
    escapes: bool,
    /// What they may load if any of them is unsure, each with the folder from which it is asked for.
    pub guesses: Vec<(PathBuf, Guess)>,
}

/// What a module that lies at `path` has around it.
pub struct Around<'w> {
    pub walker: &'w Walker<'w>,
    pub path: &'w Path,
}

impl Surroundings for Around<'_> {
    fn resolve(&self, specifier: &str, kind: ReferenceKind) -> Option<PathBuf> {
        match self.walker.resolver.resolve(self.path.parent()?, specifier, kind.edge()) {
            Ok(Target::File { path, .. }) => Some(path),
            _ => None,
        }
    }

    fn declares(&self, package: &str) -> bool {
        self.walker.packages.owner(self.path).is_some_and(|owner| owner.dependencies.contains_key(package))
    }

    fn declared_with(&self, prefix: &str) -> Vec<String> {
        let owner = self.walker.packages.owner(self.path);
        let names = owner.iter().flat_map(|owner| owner.dependencies.keys());
        names.filter(|name| name.starts_with(prefix)).cloned().collect()
    }

    fn package_folder(&self, package: &str) -> Option<PathBuf> {
        self.walker.real(&installed(self.path.parent()?, package)?)
    }
}

impl Walker<'_> {
    /// Goes on to all that a scan has found.
    pub fn reach<'s>(&'s self, scope: &Scope<'s>, path: &Path, visited: &mut Visited, scan: Scan) {
        let directory = path.parent().unwrap_or(path);
        for reference in scan.references {
            let resolution = self.resolve(directory, &reference.specifier, reference.kind.edge());
            if let Ok(Target::File { path, .. }) = &resolution {
                self.follow(scope, path.clone(), reference.kind.edge());
            }
            visited.references.push((reference, resolution));
        }
        let package = self.packages.of(path);
        let package_root = package.as_ref().map(|package| package.directory.as_path());
        for used in scan.paths {
            self.path_use(scope, path, package_root, visited, used);
        }

        self.found().prefixes.extend(scan.prefixes);
        let owner = self.packages.owner(path);
        let is_unsure = !scan.unsure.is_empty();
        visited.unsure = scan.unsure;
        // What stands right beside the load is likely to be what is loaded.
        let is_likely = |guess: &Guess| guess.from.is_some() || is_unsure;
        let (likely, guesses): (Vec<Guess>, _) = scan.guesses.into_iter().partition(is_likely);
        for guess in likely {
            visited.wants.extend(self.guess(scope, directory, &guess, owner.as_deref()));
        }
        // A path that is no argument of a load may be one elsewhere: of a helper in another package.
        for guess in guesses.iter().filter(|guess| guess.specifier.starts_with('.')) {
            self.guess_script(scope, directory, &guess.specifier);
        }
        let Some(owner) = owner else { return };
        let mut ready: Vec<(PathBuf, Guess)> =
            guesses.into_iter().map(|guess| (directory.to_path_buf(), guess)).collect();
        let mut escapes_now = false;
        {
            let mut found = self.found();
            let habits = found.packages.entry(owner.directory.clone()).or_default();
            let was_unsure = habits.unsure;
            habits.unsure |= is_unsure;
            if !habits.unsure {
                habits.guesses.append(&mut ready);
            } else if !was_unsure {
                ready.append(&mut habits.guesses);
            }
            if scan.escape.is_some() && !habits.escapes {
                habits.escapes = true;
                escapes_now = true;
            }
        }
        for (directory, guess) in ready {
            self.guess(scope, &directory, &guess, Some(&owner));
        }
        // What the program's own package loads may name the package in turn, as a configuration or a plugin does.
        let is_installed = || owner.directory.components().any(|part| part.as_os_str() == "node_modules");
        if escapes_now || (is_unsure && is_installed() && self.entry.starts_with(&owner.directory)) {
            self.whole(scope, &owner.directory);
        }
    }

    /// Embeds what a path that the module at `path` makes may mean.
    fn path_use<'s>(
        &'s self,
        scope: &Scope<'s>,
        path: &Path,
        package_root: Option<&Path>,
        visited: &mut Visited,
        used: PathUse,
    ) {
        let own = path;
        let directory = path.parent().unwrap_or(path);
        let load = match used.purpose {
            Purpose::Require => Some(EdgeKind::Require),
            Purpose::Import => Some(EdgeKind::Import),
            _ => None,
        };
        if let (Some(kind), Pattern { prefix, tail: None, .. }) = (load, &used.pattern) {
            if let Ok(Target::File { path, .. }) = self.resolve(directory, prefix, kind) {
                visited.wants.push(path.clone());
                self.follow(scope, path, kind);
            }
            return;
        }
        let paths = match files::find(&used, directory, package_root) {
            Ok(paths) => paths,
            Err(problem) => {
                let warning = problem.at(path, visited.original(), visited.place(used.span));
                self.found().warnings.push(warning);
                return;
            }
        };
        if used.pattern.tail.is_none() && !Path::new(&used.pattern.prefix).exists() {
            // It may be for `require`, which finds the extension by itself.
            if let Ok(Target::File { path, .. }) =
                self.resolver.resolve(directory, &used.pattern.prefix, EdgeKind::Require)
            {
                visited.wants.push(path.clone());
                self.file(scope, path);
            }
            return;
        }
        // A script that is named, even with a part left open, is there to be run: by a worker, a child process, or an
        // import of a path that was put together elsewhere.
        let named = match &used.pattern.tail {
            None => paths.len() == 1,
            Some(tail) => is_script(Path::new(&format!("name{tail}"))),
        };
        for path in paths.iter().filter_map(|path| self.real(path)) {
            // Most that a module does with its own path is to find others by it.
            if path == *own && used.purpose == Purpose::Unknown {
                visited.names_itself = true;
                continue;
            }
            if let (Some(_), Some(tail), true) = (load, &used.pattern.tail, visited.is_typescript) {
                let aliases = files::alias(&path, tail);
                self.found().aliases.extend(aliases.into_iter().map(|alias| (alias, path.clone())));
            }
            match load {
                Some(kind) => {
                    visited.wants.push(path.clone());
                    self.follow(scope, path, kind);
                }
                _ if named => {
                    visited.wants.push(path.clone());
                    self.file(scope, path);
                }
                _ => self.maybe(scope, path),
            }
        }
        if used.pattern.tail.is_none() && paths.is_empty() && Path::new(&used.pattern.prefix).is_dir() {
            self.found().folders.extend(self.real(Path::new(&used.pattern.prefix)));
        }
    }

    /// Embeds what a specifier leads to that may be asked for.
    fn guess<'s>(
        &'s self,
        scope: &Scope<'s>,
        directory: &Path,
        guess: &Guess,
        owner: Option<&Package>,
    ) -> Vec<PathBuf> {
        let mut found = Vec::new();
        if self.choices.is_external(&guess.specifier) {
            return found;
        }
        let from = guess.from.as_deref().map_or(directory, Path::new);
        let name = package_name(&guess.specifier);
        // What may be missing is looked for, and then used in ways of its own.
        let is_optional = owner.and_then(|owner| owner.dependencies.get(name)) == Some(&true);
        let whole = || {
            if let Some(folder) = installed(from, name).and_then(|folder| self.real(&folder)) {
                self.whole(scope, &folder);
            }
        };
        if is_optional || (guess.from.is_none() && name == guess.specifier && has_collection(from, name)) {
            whole();
        }
        for kind in [EdgeKind::Require, EdgeKind::Import] {
            let Ok(Target::File { path, .. }) = self.resolver.resolve(from, &guess.specifier, kind) else { continue };
            if let Some(path) = self.resolver.by_links(from, &guess.specifier, kind, &path) {
                self.links.follow(&path);
            }
            match guess.from {
                Some(_) => self.follow(scope, path.clone(), kind),
                None => self.file(scope, path.clone()),
            }
            found.push(path);
        }
        if found.is_empty() && name == guess.specifier {
            // A package of programs, or of data.
            whole();
        }
        found
    }

    /// Embeds a script that a module names without saying what for.
    fn guess_script<'s>(&'s self, scope: &Scope<'s>, directory: &Path, specifier: &str) {
        if let Ok(Target::File { path, .. }) = self.resolver.resolve(directory, specifier, EdgeKind::Require)
            && is_script(&path)
        {
            self.maybe(scope, path);
        }
    }

    /// A file of which nobody knows what it is wanted for; if it is a script, what that needs is wanted too.
    pub fn maybe<'s>(&'s self, scope: &Scope<'s>, path: PathBuf) {
        // Node runs no TypeScript out of node_modules.
        let is_foreign =
            Language::of(&path).is_some() && path.components().any(|part| part.as_os_str() == "node_modules");
        if is_script(&path) && !is_foreign && path.metadata().is_ok_and(|metadata| metadata.len() <= BUNDLE) {
            self.module(scope, path);
        } else {
            self.data(scope, path);
        }
    }

    /// Where something loads what can't be known: goes on to what any package names and says that it needs, then to
    /// what the program's own says that it needs and nothing names. Whether that leads anywhere new.
    pub fn unnamed<'s>(&'s self, scope: &Scope<'s>) -> bool {
        let mut found = self.found();
        if !found.modules.values().any(|visited| !visited.unsure.is_empty()) {
            return false;
        }
        let guesses: Vec<_> =
            found.packages.values_mut().flat_map(|habits| std::mem::take(&mut habits.guesses)).collect();
        drop(found);
        let mut leads_on = false;
        for (directory, guess) in &guesses {
            let owner = self.packages.owner(&directory.join("package.json"));
            let dependencies = owner.as_ref().map(|owner| &owner.dependencies);
            let is_needed = dependencies.and_then(|them| them.get(package_name(&guess.specifier))) == Some(&false);
            leads_on |= is_needed && !self.guess(scope, directory, guess, owner.as_deref()).is_empty();
        }
        for (directory, specifier) in self.named_in_part() {
            leads_on |= !self.guess(scope, &directory, &Guess { specifier, from: None }, None).is_empty();
        }
        if leads_on {
            return true;
        }
        let unnamed = [self.unreached(), self.companions()].concat();
        for folder in unnamed.iter().filter_map(|folder| self.real(folder)) {
            leads_on |= self.whole(scope, &folder);
        }
        leads_on
    }

    /// The folders of the packages that the program says it needs and of which nothing was found.
    fn unreached(&self) -> Vec<PathBuf> {
        let Some(owner) = self.packages.owner(self.entry) else { return Vec::new() };
        let needed = owner.dependencies.iter().filter(|(_, optional)| !**optional);
        let folders: Vec<_> = needed.filter_map(|(name, _)| installed(&owner.directory, name)).collect();
        let all = folders.len();
        let is_unreached = |folder: &PathBuf| folder.canonicalize().is_ok_and(|folder| !self.is_reached(&folder));
        let unreached: Vec<_> = folders.into_iter().filter(is_unreached).collect();
        // What an installed package says is said for this program. A project may have many: where this one reaches the
        // lesser part of what is said, it is said for the others too.
        let is_installed = owner.directory.components().any(|part| part.as_os_str() == "node_modules");
        if is_installed || unreached.len() * 2 <= all { unreached } else { Vec::new() }
    }

    /// Whether a script is beside the entry of a project: what names it has been followed, else it is started by itself.
    fn is_other_program(&self, path: &Path) -> bool {
        let is_installed = path.components().any(|part| part.as_os_str() == "node_modules");
        path.parent() == self.entry.parent() && !is_installed && is_script(path)
    }

    /// Whether anything of the package in `folder` is embedded.
    pub fn is_reached(&self, folder: &Path) -> bool {
        let found = self.found();
        let mut paths = found.modules.keys().chain(&found.files);
        paths.any(|path| path.starts_with(folder) && !path.ends_with("package.json"))
    }

    /// Embeds all of the package in `directory`. Whether that is news.
    fn whole<'s>(&'s self, scope: &Scope<'s>, directory: &Path) -> bool {
        if !self.found().whole.insert(directory.to_path_buf()) {
            return false;
        }
        match files::package(directory) {
            Ok(paths) => {
                for path in paths.iter().filter_map(|path| self.real(path)) {
                    match self.is_other_program(&path) {
                        true => drop(self.found().files.insert(path)),
                        false => self.maybe(scope, path),
                    }
                }
            }
            Err(problem) => self.found().warnings.push(problem),
        }
        true
    }
}

/// Whether the manifest of a package says where a list of what it has is, for others to load: `"schematics"`.
fn has_collection(directory: &Path, name: &str) -> bool {
    let Some(folder) = installed(directory, name) else { return false };
    let manifest = std::fs::read(folder.join("package.json")).ok();
    let manifest: Option<serde_json::Value> = manifest.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let is_list = |value: &serde_json::Value| {
        value.as_str().is_some_and(|path| path.ends_with(".json") && folder.join(path).is_file())
    };
    manifest.as_ref().and_then(|manifest| manifest.as_object()).is_some_and(|fields| fields.values().any(is_list))
}

/// The folder of the package `name` as a module in `directory` finds it.
fn installed(directory: &Path, name: &str) -> Option<PathBuf> {
    directory.ancestors().map(|folder| folder.join("node_modules").join(name)).find(|folder| folder.is_dir())
}
