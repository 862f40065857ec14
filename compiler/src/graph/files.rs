//! From the paths that a module makes to the files that are there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::diagnostic::{Diagnostic, display};
use crate::scan::{PathUse, Pattern, Purpose};
use crate::transform::Language;

/// A folder with more than this is hardly what the program wants with it.
const MOST_FILES: usize = 5000;
const MOST_BYTES: u64 = 64 << 20;

/// A pattern of files that the user asked for.
#[derive(Debug)]
pub struct Glob {
    pattern: String,
    /// How the user said it.
    shown: String,
    /// What it is relative to.
    base: &'static str,
}

impl Glob {
    /// As given to `--include`.
    pub fn on_command_line(pattern: &str) -> Self {
        let shown = format!("--include \"{pattern}\"");
        Self { pattern: pattern.to_owned(), shown, base: "the working directory" }
    }

    /// As it stands in the package.json of `folder`.
    pub fn in_package(pattern: &str, folder: &Path) -> Self {
        let shown = format!("\"include\": \"{pattern}\" in \"{}\"", display(&folder.join("package.json")));
        let pattern = format!("{}/{pattern}", glob::Pattern::escape(&folder.to_string_lossy()));
        Self { pattern, shown, base: "the package's folder" }
    }
}

/// The files that the user asked for.
pub fn included(globs: &[Glob]) -> Result<BTreeSet<PathBuf>, Diagnostic> {
    let mut files = BTreeSet::new();
    for Glob { pattern, shown, base } in globs {
        let paths = glob::glob(pattern).map_err(|error| {
            Diagnostic::error(format!("{shown} is not a glob: {}", error.msg))
                .help("* stands for part of a name, ** for any folders, ? for one character")
        })?;
        // By itself, `**` at the end means folders.
        let all = pattern.ends_with("**").then(|| glob::glob(&format!("{pattern}/*"))).and_then(Result::ok);
        let before = files.len();
        for path in paths.chain(all.into_iter().flatten()).flatten() {
            let wanted = WalkDir::new(&path).follow_links(true).into_iter().flatten();
            files.extend(
                wanted.filter(|entry| entry.file_type().is_file()).filter_map(|entry| entry.path().canonicalize().ok()),
            );
        }
        if files.len() == before {
            return Err(Diagnostic::error(format!("{shown} matches no file"))
                .help(format!("the pattern is relative to {base}")));
        }
    }
    Ok(files)
}

/// The files that `used` may mean in a module that lies in `directory`, in the package at `package_root`.
pub fn find(used: &PathUse, directory: &Path, package_root: Option<&Path>) -> Result<Vec<PathBuf>, Diagnostic> {
    let Pattern { prefix, tail, .. } = &used.pattern;
    let place = Place { directory, package_root };
    match tail {
        None => {
            let path = Path::new(prefix);
            let Ok(metadata) = fs::metadata(path) else { return Ok(Vec::new()) };
            if metadata.is_file() {
                return Ok(vec![path.to_path_buf()]);
            }
            let is_named = !place.is_above(path) && path.file_name().is_some_and(|name| name != "node_modules");
            if !metadata.is_dir() || !(is_named || (used.purpose == Purpose::List && place.is_own(path))) {
                return Ok(Vec::new());
            }
            below(path, &place, |_| true)
        }
        Some(tail) => {
            let (folder, _) = prefix.rsplit_once('/').unwrap_or(("", prefix));
            let folder = Path::new(folder);
            if !folder.is_dir() || (place.is_above(folder) && !place.is_own(folder)) {
                return Ok(Vec::new());
            }
            let loads = matches!(used.purpose, Purpose::Require | Purpose::Import);
            below(folder, &place, |path| {
                let Some(path) = path.to_str() else { return false };
                let ends = |suffix: &str| path.ends_with(&format!("{tail}{suffix}"));
                // `require` puts the extension there by itself.
                let matches = ends("") || (loads && [".js", ".cjs", ".json", ".node"].into_iter().any(ends));
                let matches = matches || (loads && !alias(Path::new(path), tail).is_empty());
                path.starts_with(prefix.as_str()) && matches && (!loads || is_loadable(path))
            })
        }
    }
}

/// All files of the package in `directory`.
pub fn package(directory: &Path) -> Result<Vec<PathBuf>, Diagnostic> {
    let place = Place { directory, package_root: Some(directory) };
    below(directory, &place, |_| true)
}

/// Whether a file is an executable that lies about in a project: most likely what was built from it.
fn is_built(path: &Path) -> bool {
    use std::io::Read as _;
    let is_installed = || path.components().any(|part| part.as_os_str() == "node_modules");
    let mut magic = [0; 4];
    let mut is_elf =
        || fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && &magic == b"\x7fELF";
    !has_extension(path, &["node", "so"]) && is_elf() && !is_installed()
}

/// The wanted files in a folder, without what is installed or versioned there.
fn below(folder: &Path, place: &Place, wanted: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>, Diagnostic> {
    let is_root = place.is_own(folder);
    // Where no package.json says that a folder is the program's, only what lies right beside the module is.
    let depth = if is_root && place.package_root.is_none() { 1 } else { usize::MAX };
    let enters = |entry: &DirEntry| {
        let name = entry.file_name().to_string_lossy();
        let hidden = is_root && entry.depth() == 1 && name.starts_with('.');
        entry.depth() == 0 || !(hidden || [".git", ".hg", ".svn", "node_modules"].contains(&&*name))
    };
    let walk = WalkDir::new(folder).follow_links(true).max_depth(depth).sort_by_file_name();
    let mut files = Vec::new();
    let mut bytes = 0;
    for entry in walk.into_iter().filter_entry(enters).flatten() {
        if !entry.file_type().is_file() || !wanted(entry.path()) || is_built(entry.path()) {
            continue;
        }
        bytes += entry.metadata().map_or(0, |metadata| metadata.len());
        files.push(entry.into_path());
        if files.len() > MOST_FILES || bytes > MOST_BYTES {
            let message = format!("the folder \"{}\" is too big to be embedded unasked", display(folder));
            return Err(Diagnostic::warning(message)
                .help(format!("name what the program reads there: --include \"{}/…\"", display(folder))));
        }
    }
    Ok(files)
}

/// Where a module lies.
struct Place<'a> {
    directory: &'a Path,
    package_root: Option<&'a Path>,
}

impl Place<'_> {
    /// A folder that the module lies in: it names all of a program, and more.
    fn is_above(&self, folder: &Path) -> bool {
        self.directory.starts_with(folder)
    }

    /// A folder that the module lies in, and that still belongs to its package.
    fn is_own(&self, folder: &Path) -> bool {
        self.is_above(folder) && folder.starts_with(self.package_root.unwrap_or(self.directory))
    }
}

fn is_loadable(path: &str) -> bool {
    has_extension(Path::new(path), &["js", "mjs", "cjs", "json", "node"]) || Language::of(Path::new(path)).is_some()
}

/// The paths besides its own by which a module of TypeScript is loaded when what is loaded ends in `tail`: without its
/// extension, or with that of the JavaScript that it stands for.
pub fn alias(path: &Path, tail: &str) -> Vec<PathBuf> {
    let Some(extension) = path.extension().and_then(|it| it.to_str()).filter(|_| Language::of(path).is_some()) else {
        return Vec::new();
    };
    let stands_for = match extension {
        "mts" => "mjs",
        "cts" => "cjs",
        _ => "js",
    };
    let ends = |path: &PathBuf| path.to_str().is_some_and(|path| path.ends_with(tail));
    let by_extension = [path.with_extension(stands_for), path.with_extension("")].into_iter().filter(ends);
    // `require` of a folder.
    let index = path.file_stem().filter(|stem| *stem == "index").map(|_| path.with_extension("js"));
    let is_folder = path.parent().is_some_and(|folder| ends(&folder.to_path_buf()));
    by_extension.chain(index.filter(|_| is_folder)).filter(|alias| !alias.exists()).collect()
}

/// Whether a file's extension is one of `extensions`.
pub fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension().is_some_and(|extension| extensions.iter().any(|known| extension == *known))
}
