//! Files that are no modules, and what those of them that are JSON name: configurations name further ones, and packages.

use std::path::{Path, PathBuf};

use rayon::Scope;
use serde_json::Value;

use super::walk::Walker;
use crate::scan::{Guess, package_name};

/// A file of more than this is data, not a configuration.
const LARGEST: usize = 1 << 18;

impl Walker<'_> {
    /// Embeds a file that is no module. Whether that is news.
    pub fn data<'s>(&'s self, scope: &Scope<'s>, path: PathBuf) -> bool {
        if !self.found().files.insert(path.clone()) {
            return false;
        }
        if super::files::has_extension(&path, &["json"]) {
            scope.spawn(move |scope| {
                if let Ok(text) = std::fs::read_to_string(&path) {
                    self.names_in(scope, &path, &text);
                }
            });
        }
        true
    }

    /// Goes on to what the strings in a JSON file name.
    pub fn names_in<'s>(&'s self, scope: &Scope<'s>, path: &Path, text: &str) {
        // A manifest names what the package is made of, which is wanted only as far as it is used.
        if text.len() > LARGEST || path.ends_with("package.json") || path.ends_with("package-lock.json") {
            return;
        }
        // Configurations may have comments.
        let mut text = text.to_owned();
        let _ = json_strip_comments::strip(&mut text);
        let Ok(value) = serde_json::from_str(&text) else { return };
        let mut strings = Vec::new();
        collect(&value, &mut strings);
        let directory = path.parent().unwrap_or(path);
        let owner = self.packages.owner(path);
        let mut names = Vec::new();
        for string in strings {
            if is_path(string)
                && let Some(named) = self.real(&directory.join(string)).filter(|named| named.is_file())
            {
                self.maybe(scope, named);
            } else if owner.as_ref().is_some_and(|owner| owner.dependencies.contains_key(package_name(string))) {
                names.push((directory.to_path_buf(), Guess { specifier: string.to_owned(), from: None }));
            }
        }
        if let Some(owner) = owner {
            self.found().packages.entry(owner.directory.clone()).or_default().guesses.append(&mut names);
        }
    }
}

/// Whether a string may be a relative path to a file.
fn is_path(string: &str) -> bool {
    const LONGEST: usize = 256;
    let is_odd = |byte: u8| byte.is_ascii_whitespace() || b":*?\"<>|".contains(&byte);
    string.len() < LONGEST && string.contains('.') && !string.starts_with('/') && !string.bytes().any(is_odd)
}

fn collect<'v>(value: &'v Value, strings: &mut Vec<&'v str>) {
    match value {
        Value::String(string) => strings.push(string),
        Value::Array(values) => values.iter().for_each(|value| collect(value, strings)),
        Value::Object(values) => values.values().for_each(|value| collect(value, strings)),
        _ => {}
    }
}
