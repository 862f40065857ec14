//! What a project has installed along with a program for its use: plugins, presets, shared configurations.
//!
//! Nothing in the program names these. They are named by a configuration or an argument when the program runs, and
//! Node finds them beside it.

use std::fs;
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use super::walk::Walker;

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
    /// The folders of the packages that are installed for the program, if it is installed itself.
    ///
    /// The others that the project uses are among them where they are the lesser part: a project may be there for
    /// this program alone, or for many.
    pub fn companions(&self) -> Vec<PathBuf> {
        let Some(project) = self.project() else { return Vec::new() };
        let installed = |name: &String| {
            let folder = project.folder.join("node_modules").join(name).canonicalize().ok()?;
            Some((name.clone(), folder))
        };
        let all: Vec<_> = project.names.iter().filter_map(installed).collect();
        let (mut companions, others): (Vec<_>, Vec<_>) = all
            .into_iter()
            .filter(|(name, _)| *name != project.program && !self.choices.is_external(name))
            .partition(|(name, folder)| project.has_for_program(name, folder));
        let unreached: Vec<_> = others.into_iter().filter(|(_, folder)| !self.is_reached(folder)).collect();
        if unreached.len() * 2 <= project.names.len() {
            companions.extend(unreached);
        }
        companions.into_iter().map(|(_, folder)| folder).collect()
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

impl Project {
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
