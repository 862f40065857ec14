//! What the user chose about the graph: on the command line, and under `"kiln"` in the package.json of the program.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::files::{self, Glob};
use super::resolve::is_relative;
use crate::diagnostic::{Diagnostic, display};
use crate::transform::Defines;

/// The choices of one build.
#[derive(Debug, Default)]
pub struct Choices {
    /// Files to embed, by their real paths.
    pub included: BTreeSet<PathBuf>,
    /// Packages and other modules that are not to be embedded.
    external: BTreeSet<String>,
    /// Expressions that are known.
    pub defines: Defines,
}

impl Choices {
    /// Gathers the choices for the program at `entry`.
    pub fn gather(entry: &Path, include: &[String], external: &[String], defines: Defines) -> Result<Self, Diagnostic> {
        let package = entry.ancestors().skip(1).map(|folder| folder.join("package.json")).find(|path| path.is_file());
        let (mut globs, mut names) = match package {
            Some(path) => of_package(&path)?,
            None => Default::default(),
        };
        globs.extend(include.iter().map(|pattern| Glob::on_command_line(pattern)));
        names.extend(external.iter().cloned());
        Ok(Self { included: files::included(&globs)?, external: names, defines })
    }

    /// Whether `specifier` is left to the disk of the machine that the program runs on.
    pub fn is_external(&self, specifier: &str) -> bool {
        if self.external.is_empty() || is_relative(specifier) {
            return false;
        }
        let ends = specifier.match_indices('/').map(|(end, _)| end).chain([specifier.len()]);
        ends.into_iter().any(|end| self.external.contains(&specifier[..end]))
    }
}

/// `"kiln": { "include": [...], "external": [...] }`
fn of_package(path: &Path) -> Result<(Vec<Glob>, BTreeSet<String>), Diagnostic> {
    // Whether the rest of the file is any good is for others to say.
    let text = fs::read_to_string(path).unwrap_or_default();
    let manifest: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).unwrap_or_default();
    let list = |key: &str| -> Result<Vec<String>, Diagnostic> {
        match &manifest["kiln"][key] {
            Value::Null => Ok(Vec::new()),
            list => serde_json::from_value(list.clone()).map_err(|_| {
                Diagnostic::error(format!("\"{key}\" under \"kiln\" in \"{}\" is not a list of strings", display(path)))
                    .help(format!("write it as \"{key}\": [\"…\"]"))
            }),
        }
    };
    let folder = path.parent().unwrap_or(path);
    let globs = list("include")?.into_iter().map(|pattern| Glob::in_package(&pattern, folder)).collect();
    Ok((globs, list("external")?.into_iter().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::testing::project;

    #[test]
    fn command_line_and_package_add_up() {
        let manifest = r#"{ "kiln": { "include": ["data/*.txt"], "external": ["a"] } }"#;
        let project = project(&[("src/app.js", ""), ("package.json", manifest), ("data/x.txt", ""), ("data/y.md", "")]);
        let root = project.path().canonicalize().unwrap();
        let external = ["@s/b".to_owned()];
        let choices = Choices::gather(&root.join("src/app.js"), &[], &external, Defines::default()).unwrap();
        assert_eq!(choices.included, BTreeSet::from([root.join("data/x.txt")]));
        for (specifier, expected) in
            [("a", true), ("a/b", true), ("ab", false), ("@s/b/c", true), ("@s", false), ("./a", false)]
        {
            assert_eq!(choices.is_external(specifier), expected, "{specifier}");
        }
    }

    #[test]
    fn what_is_no_list_is_an_error() {
        let project = project(&[("app.js", ""), ("package.json", r#"{ "kiln": { "include": "data" } }"#)]);
        let error = Choices::gather(&project.path().join("app.js"), &[], &[], Defines::default()).unwrap_err();
        assert!(error.message.contains("not a list"), "{}", error.message);
    }
}
