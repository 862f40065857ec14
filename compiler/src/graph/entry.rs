//! Finding the module to run: a file, or a package's folder.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::resolve::{EdgeKind, Resolver, Target};
use crate::diagnostic::{Diagnostic, display, reason};

/// Where the program starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The module's real path.
    pub path: PathBuf,
    /// The path by which it is started: that of a link to it, or the same.
    pub invoked: PathBuf,
    /// What to call the executable.
    pub name: String,
}

impl Entry {
    fn new(path: PathBuf, name: String) -> Self {
        Self { invoked: path.clone(), path, name }
    }
}

/// Finds the entry that `given` names.
pub fn find(given: &Path) -> Result<Entry, Diagnostic> {
    let shown = display(given);
    match fs::metadata(given) {
        Ok(metadata) if metadata.is_dir() => in_package(given),
        Ok(metadata) if !metadata.is_file() => {
            Err(Diagnostic::error(format!("\"{shown}\" is neither a file nor a folder"))
                .help("give the program's main file, or the folder of its package"))
        }
        Ok(_) => {
            if let Some(program) = behind(given) {
                let name = given.file_name().unwrap_or_default().to_string_lossy().into_owned();
                return Ok(Entry::new(real(&program)?, name));
            }
            let path = real(given)?;
            let name = given.file_stem().unwrap_or(given.as_os_str()).to_string_lossy().into_owned();
            // Programs call themselves after the file that was started, which may be a link in a `.bin` folder.
            let invoked = match (given.is_symlink(), given.file_name()) {
                (true, Some(file)) => {
                    let folder = given.parent().filter(|folder| !folder.as_os_str().is_empty());
                    real(folder.unwrap_or(Path::new(".")))?.join(file)
                }
                _ => path.clone(),
            };
            Ok(Entry { path, invoked, name })
        }
        Err(error) => {
            let directory = std::env::current_dir().unwrap_or_default();
            // As `node app` runs app.js.
            let absolute = std::path::absolute(given).unwrap_or_else(|_| directory.join(given));
            let found = Resolver::new().resolve(&directory, &absolute.to_string_lossy(), EdgeKind::Require);
            match found {
                Ok(Target::File { path, .. }) => {
                    let name = given.file_stem().unwrap_or(given.as_os_str()).to_string_lossy().into_owned();
                    Ok(Entry::new(path, name))
                }
                _ if error.kind() == std::io::ErrorKind::NotFound => {
                    Err(Diagnostic::error(format!("cannot find \"{shown}\""))
                        .help("give the program's main file, or the folder of its package"))
                }
                _ => Err(Diagnostic::error(format!("cannot read \"{shown}\": {}", reason(&error)))),
            }
        }
    }
}

/// The program that a script for the shell starts, as some package managers put into `.bin`.
fn behind(script: &Path) -> Option<PathBuf> {
    const LARGEST: u64 = 1 << 13;
    if script.extension().is_some() || fs::metadata(script).ok()?.len() > LARGEST {
        return None;
    }
    let text = fs::read_to_string(script).ok().filter(|text| text.starts_with("#!/bin/sh"))?;
    let line = text.lines().find(|line| line.trim_start().starts_with("exec node "))?;
    let (_, path) = line.split_once("\"$basedir/")?;
    let path = script.parent()?.join(path.split_once('"')?.0);
    path.is_file().then_some(path)
}

/// A package's program: its `bin`, else what `require` of the folder would give.
fn in_package(directory: &Path) -> Result<Entry, Diagnostic> {
    let directory = real(directory)?;
    let folder_name = || directory.file_name().map_or("app".into(), |name| name.to_string_lossy().into_owned());
    let manifest_path = directory.join("package.json");
    let manifest = match fs::read_to_string(&manifest_path) {
        Ok(text) => serde_json::from_str::<Value>(text.trim_start_matches('\u{feff}')).map_err(|error| {
            let source = text.as_str().into();
            let offset = offset_of(&text, error.line(), error.column());
            Diagnostic::error("package.json is not valid JSON").at(&manifest_path, &source, offset..offset + 1)
        })?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Value::Null,
        Err(error) => {
            let shown = display(&manifest_path);
            return Err(Diagnostic::error(format!("cannot read \"{shown}\": {}", reason(&error))));
        }
    };
    let package_name = manifest["name"].as_str().map(|name| name.rsplit('/').next().unwrap_or(name).to_string());

    if let Some((bin, target)) = bin(&manifest, package_name.as_deref()) {
        let path = directory.join(target);
        let name = bin.map(str::to_string).or(package_name).unwrap_or_else(folder_name);
        if path.is_file() {
            return Ok(Entry::new(real(&path)?, name));
        }
        return Err(Diagnostic::error(format!("cannot find \"{}\"", display(&path)))
            .help(format!("\"bin\" in {} names it; was the package built?", display(&manifest_path))));
    }

    let name = package_name.clone().unwrap_or_else(folder_name);
    let resolver = Resolver::new();
    // With `exports`, a package is entered as its own name, from within; otherwise as a folder.
    let by_exports = manifest.get("exports").filter(|exports| !exports.is_null()).and_then(|_| {
        let name = manifest["name"].as_str()?;
        [EdgeKind::Import, EdgeKind::Require].into_iter().find_map(|kind| resolver.resolve(&directory, name, kind).ok())
    });
    match by_exports.map_or_else(|| resolver.resolve(&directory, "./", EdgeKind::Require), Ok) {
        Ok(Target::File { path, .. }) => Ok(Entry::new(path, name)),
        _ => Err(Diagnostic::error(format!("\"{}\" has no entry", display(&directory))).help(
            "a package needs \"bin\", \"exports\" or \"main\" in its package.json, or an index.js; or give a file",
        )),
    }
}

/// The `bin` to run and its name: the only one, the one called like the package, or the first.
fn bin<'a>(manifest: &'a Value, package_name: Option<&str>) -> Option<(Option<&'a str>, &'a str)> {
    match &manifest["bin"] {
        Value::String(target) => Some((None, target)),
        Value::Object(bins) => {
            let own = package_name.and_then(|name| bins.get_key_value(name));
            let (name, target) = own.or_else(|| bins.iter().next())?;
            Some((Some(name), target.as_str()?))
        }
        _ => None,
    }
}

fn real(path: &Path) -> Result<PathBuf, Diagnostic> {
    fs::canonicalize(path)
        .map_err(|error| Diagnostic::error(format!("cannot read \"{}\": {}", display(path), reason(&error))))
}

fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    before + column.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::testing::project;

    fn found(files: &[(&str, &str)], entry: &str) -> Result<(String, String), String> {
        let project = project(files);
        let root = fs::canonicalize(project.path()).unwrap();
        find(&root.join(entry))
            .map_err(|error| error.message)
            .map(|entry| (entry.path.strip_prefix(&root).unwrap().to_str().unwrap().to_string(), entry.name))
    }

    #[test]
    fn a_script_for_the_shell_leads_to_its_program() {
        let script = "#!/bin/sh\nbasedir=$(dirname \"$0\")\nexec node  \"$basedir/../tool/bin.js\" \"$@\"\n";
        let files = [("node_modules/.bin/tool", script), ("node_modules/tool/bin.js", "")];
        assert_eq!(found(&files, "node_modules/.bin/tool"), Ok(("node_modules/tool/bin.js".into(), "tool".into())));
    }

    #[test]
    fn files() {
        let is = |path: &str, name: &str| Ok((path.to_string(), name.to_string()));
        assert_eq!(found(&[("a.js", "")], "a.js"), is("a.js", "a"));
        assert_eq!(found(&[("a.js", "")], "a"), is("a.js", "a"));
        assert_eq!(found(&[("a.b.mjs", "")], "a.b.mjs"), is("a.b.mjs", "a.b"));
        assert!(found(&[("b.js", "")], "a.js").unwrap_err().starts_with("cannot find"));
    }

    #[test]
    fn packages() {
        let is = |path: &str, name: &str| Ok((path.to_string(), name.to_string()));
        let files = |manifest| [("p/package.json", manifest), ("p/cli.js", ""), ("p/index.js", ""), ("p/x.mjs", "")];
        assert_eq!(found(&files(r#"{"name":"@s/n","bin":"cli.js"}"#), "p"), is("p/cli.js", "n"));
        assert_eq!(found(&files(r#"{"name":"n","bin":{"b":"x.mjs","n":"./cli.js"}}"#), "p"), is("p/cli.js", "n"));
        assert_eq!(found(&files(r#"{"name":"n","bin":{"b":"x.mjs","a":"cli.js"}}"#), "p"), is("p/x.mjs", "b"));
        assert_eq!(found(&files(r#"{"name":"n","main":"cli"}"#), "p"), is("p/cli.js", "n"));
        assert_eq!(found(&files(r#"{"name":"n","exports":"./x.mjs","main":"cli"}"#), "p"), is("p/x.mjs", "n"));
        assert_eq!(found(&files("{}"), "p"), is("p/index.js", "p"));
        assert_eq!(found(&[("p/index.js", "")], "p"), is("p/index.js", "p"));
        assert!(found(&[("p/a.txt", "")], "p").unwrap_err().ends_with("has no entry"));
        assert!(found(&files(r#"{"bin":"gone.js"}"#), "p").unwrap_err().starts_with("cannot find"));
        assert!(found(&files("{"), "p").unwrap_err().contains("not valid JSON"));
    }
}
