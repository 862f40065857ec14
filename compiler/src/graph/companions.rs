//! What a project has installed along with a program for its use: plugins, presets, shared configurations.
//!
//! Nothing in the program names these. They are named by a configuration or an argument when the program runs, and
//! Node finds them beside it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path, PathBuf};

use serde_json::Value;
use walkdir::{DirEntry, WalkDir};

use super::walk::Walker;

/// How far files of settings are looked for.
const DEPTH: usize = 4;
const MOST_ENTRIES: usize = 2000;
const LARGEST: u64 = 1 << 16;

/// A project, and the program that is installed there.
struct Project {
    folder: PathBuf,
    /// The packages that it says it uses.
    names: Vec<String>,
    /// The program's package.
    program: String,
    /// What companions of the program are named after: `babel` for `@babel/cli`, `postcss` for `postcss-cli`.
    word: String,
}

impl Walker<'_> {
    /// The folders of the packages that are installed for the program, if it is installed itself; its own is one.
    ///
    /// The others that the project uses are among them where they are the lesser part: a project may be there for
    /// this program alone, or for many.
    pub fn companions(&self) -> Vec<PathBuf> {
        let Some(project) = self.project() else { return Vec::new() };
        let installed = |name: &String| {
            let folder = project.folder.join("node_modules").join(name);
            folder.is_dir().then(|| (name.clone(), folder))
        };
        let named = project.named_by_configurations();
        let all: Vec<_> = project.names.iter().filter_map(installed).collect();
        let (mut companions, others): (Vec<_>, Vec<_>) = all
            .into_iter()
            .filter(|(name, _)| !self.choices.is_external(name))
            .partition(|(name, folder)| named.contains(name) || project.has_for_program(name, folder));
        let unreached: Vec<_> = others
            .into_iter()
            .filter(|(_, folder)| folder.canonicalize().is_ok_and(|folder| !self.is_reached(&folder)))
            .collect();
        if unreached.len() * 2 <= project.names.len() {
            companions.extend(unreached);
        }
        companions.into_iter().map(|(_, folder)| folder).collect()
    }

    /// Packages that somebody says is used whose names begin as the program begins a name, each with the folder from
    /// which it is found. Each is given once.
    pub fn named_in_part(&self) -> Vec<(PathBuf, String)> {
        let prefixes = self.found().prefixes.clone();
        let is_meant = |name: &String| {
            let mut ends = name.match_indices(['-', '/', '_', '.']).map(|(at, _)| at + 1);
            ends.any(|end| end < name.len() && prefixes.contains(&name[..end]))
        };
        let project = self.project().map(|project| (project.folder, project.names));
        let declared = self.packages.known().into_iter().map(|package| {
            let needed = package.dependencies.iter().filter(|(_, optional)| !**optional);
            (package.directory.clone(), needed.map(|(name, _)| name.clone()).collect::<Vec<_>>())
        });
        let mut meant = Vec::new();
        for (folder, names) in declared.chain(project) {
            let names = names.into_iter().filter(|name| is_meant(name) && !self.choices.is_external(name));
            meant.extend(names.map(|name| (folder.clone(), name)));
        }
        let mut found = self.found();
        meant.retain(|pair| found.meant.insert(pair.clone()));
        meant
    }

    fn project(&self) -> Option<Project> {
        let folder = above_node_modules(self.invoked).or_else(|| above_node_modules(self.entry))?;
        let manifest = manifest(&folder)?;
        let names: Vec<String> = names(&manifest, "dependencies").chain(names(&manifest, "devDependencies")).collect();
        let program = self::manifest(&self.packages.owner(self.entry)?.directory)?["name"].as_str()?.to_owned();
        let word = word_of(&program);
        names.contains(&program).then_some(Project { folder, names, program, word })
    }
}

/// The scripts beside `entry` that are called after it: what `tool-build` is to `tool`.
pub fn subprograms(entry: &Path) -> Vec<PathBuf> {
    let stem = |path: &Path| Some(path.file_stem()?.to_str()?.to_owned());
    let (Some(folder), Some(name)) = (entry.parent(), stem(entry)) else { return Vec::new() };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_called_so = |path: &PathBuf| {
        stem(path).is_some_and(|stem| stem.strip_prefix(&name).is_some_and(|rest| rest.starts_with('-')))
    };
    let is_alike = |path: &PathBuf| path.extension() == entry.extension() || path.extension().is_none();
    let mut found: Vec<_> = entries.filter(|path| path.is_file() && is_called_so(path) && is_alike(path)).collect();
    found.sort();
    found
}

impl Project {
    /// The packages that its files of settings name.
    fn named_by_configurations(&self) -> BTreeSet<String> {
        let is_own = |entry: &DirEntry| {
            let is_hidden_folder = || entry.file_type().is_dir() && entry.file_name().as_encoded_bytes()[0] == b'.';
            entry.depth() == 0 || (entry.file_name() != "node_modules" && !is_hidden_folder())
        };
        let walk = WalkDir::new(&self.folder).max_depth(DEPTH).into_iter().filter_entry(is_own).take(MOST_ENTRIES);
        let files = walk.flatten().filter(|entry| entry.file_type().is_file() && is_configuration(entry.file_name()));
        let mut named = BTreeSet::new();
        for file in files.filter(|file| file.metadata().is_ok_and(|metadata| metadata.len() <= LARGEST)) {
            let Ok(text) = fs::read_to_string(file.path()) else { continue };
            // That a project depends on a package is not what is asked.
            let names = self.names.iter().filter(|name| match file.file_name() == "package.json" {
                true => text.match_indices(&format!("\"{name}\"")).any(|(at, it)| !is_key(&text[at + it.len()..])),
                false => ['"', '\'', '`'].iter().any(|quote| text.contains(&format!("{quote}{name}"))),
            });
            named.extend(names.cloned());
        }
        named
    }

    /// Whether the package `name` in `folder` is there for the program.
    fn has_for_program(&self, name: &str, folder: &Path) -> bool {
        let mut words = name.split(['@', '/', '-', '.', '_']);
        if words.any(|word| word == self.word) {
            return true;
        }
        let Some(manifest) = manifest(folder) else { return false };
        let is_about = |keyword: &Value| {
            keyword.as_str().and_then(|keyword| keyword.strip_prefix(&self.word)).is_some_and(|rest| !rest.is_empty())
        };
        let expects = names(&manifest, "peerDependencies").any(|name| name == self.program || name == self.word);
        // What can be run by itself may want the program for its own ends.
        let is_part = manifest["bin"].is_null() || manifest["keywords"].as_array().into_iter().flatten().any(is_about);
        expects && is_part
    }
}

/// Whether what is before `rest` is a key in an object.
fn is_key(rest: &str) -> bool {
    rest.trim_start().starts_with(':')
}

/// Whether a file of that name holds settings.
fn is_configuration(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let stem = name.split_once('.').map_or(&*name, |(stem, _)| stem);
    name.starts_with('.') || name.contains(".config.") || name == "package.json" || stem.ends_with("file")
}

/// The folder whose `node_modules` have `path`: that of the project, not of a package.
fn above_node_modules(path: &Path) -> Option<PathBuf> {
    let before = path.components().take_while(|part| part.as_os_str() != "node_modules");
    let folder: PathBuf = before.collect();
    (folder != path && folder.components().next() == Some(Component::RootDir)).then_some(folder)
}

/// What is before and after this in a package's name says little.
fn word_of(program: &str) -> String {
    let (scope, name) = program.strip_prefix('@').and_then(|name| name.split_once('/')).unwrap_or(("", program));
    match name.strip_suffix("-cli").unwrap_or(name) {
        "cli" | "core" | "node" if !scope.is_empty() => scope.to_owned(),
        name => name.to_owned(),
    }
}

fn manifest(folder: &Path) -> Option<Value> {
    let text = fs::read_to_string(folder.join("package.json")).ok()?;
    serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()
}

fn names(manifest: &Value, list: &str) -> impl Iterator<Item = String> {
    manifest[list].as_object().into_iter().flat_map(|list| list.keys()).cloned().collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::testing::project;

    #[test]
    fn a_program_lends_its_name() {
        for (program, word) in
            [("eslint", "eslint"), ("postcss-cli", "postcss"), ("@babel/cli", "babel"), ("@x/tool", "tool")]
        {
            assert_eq!(word_of(program), word);
        }
    }

    #[test]
    fn companions_say_whose_they_are() {
        let peer = |more: &str| format!(r#"{{ "peerDependencies": {{ "postcss": "*" }} {more} }}"#);
        let project = project(&[
            ("node_modules/postcss-nested/package.json", "{}"),
            ("node_modules/plain/package.json", "{}"),
            ("node_modules/part/package.json", &peer("")),
            ("node_modules/tool/package.json", &peer(r#", "bin": "x""#)),
            ("node_modules/both/package.json", &peer(r#", "bin": "x", "keywords": ["postcss-plugin"]"#)),
        ]);
        let folder = project.path().to_path_buf();
        let project = Project { folder, names: Vec::new(), program: "postcss-cli".into(), word: "postcss".into() };
        for (name, expected) in
            [("postcss-nested", true), ("plain", false), ("part", true), ("tool", false), ("both", true)]
        {
            let folder = project.folder.join("node_modules").join(name);
            assert_eq!(project.has_for_program(name, &folder), expected, "{name}");
        }
    }
}
