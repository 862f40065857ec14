//! What packages say of the effects of their modules: `sideEffects` in package.json.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use glob::Pattern;
use serde_json::Value;

/// Looks it up, reading each package.json once.
#[derive(Default)]
pub struct Effects {
    known: HashMap<PathBuf, Option<Value>>,
}

impl Effects {
    /// Whether a module's package says that loading it has no effects.
    pub fn none(&mut self, path: &Path) -> bool {
        for folder in path.ancestors().skip(1) {
            if folder.file_name().is_some_and(|name| name == "node_modules") {
                return false;
            }
            let Some(said) = self.manifest(folder) else { continue };
            let relative = path.strip_prefix(folder).unwrap_or(path);
            return match &said["sideEffects"] {
                Value::Bool(has) => !has,
                Value::Array(with) => !with.iter().filter_map(Value::as_str).any(|pattern| matches(pattern, relative)),
                Value::String(pattern) => !matches(pattern, relative),
                _ => false,
            };
        }
        false
    }

    fn manifest(&mut self, folder: &Path) -> Option<&Value> {
        let read = || serde_json::from_str(&fs::read_to_string(folder.join("package.json")).ok()?).ok();
        self.known.entry(folder.to_path_buf()).or_insert_with(read).as_ref()
    }
}

/// A pattern without a folder means files in any.
fn matches(pattern: &str, path: &Path) -> bool {
    let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
    let pattern = if pattern.contains('/') { pattern.to_owned() } else { format!("**/{pattern}") };
    // What can't be read may mean anything.
    Pattern::new(&pattern).map_or(true, |pattern| pattern.matches_path(path))
}
