//! What others can load of a package by its name.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// Whether a module lies in a package from where another can load it by a name: anything, unless the package says what it
/// offers.
pub fn is_nameable(path: &Path) -> bool {
    let parts: Vec<_> = path.components().collect();
    let Some(at) = parts.iter().rposition(|part| part.as_os_str() == "node_modules") else { return false };
    let is_scoped = parts.get(at + 1).is_some_and(|name| name.as_os_str().as_encoded_bytes().starts_with(b"@"));
    let folder: std::path::PathBuf = parts[..(at + 2 + usize::from(is_scoped)).min(parts.len())].iter().collect();
    let Ok(inside) = path.strip_prefix(&folder) else { return true };
    let manifest =
        fs::read_to_string(folder.join("package.json")).ok().and_then(|text| serde_json::from_str(&text).ok());
    let exports = manifest.as_ref().map_or(&Value::Null, |manifest: &Value| &manifest["exports"]);
    exports.is_null() || offers(exports, &inside.to_string_lossy())
}

/// Whether `inside`, a path in the package, is among its exports.
fn offers(exports: &Value, inside: &str) -> bool {
    match exports {
        Value::String(target) => {
            let target = target.strip_prefix("./").unwrap_or(target);
            match target.split_once('*') {
                Some((before, after)) => inside.starts_with(before) && inside.ends_with(after),
                None => target == inside || (target.ends_with('/') && inside.starts_with(target)),
            }
        }
        Value::Array(choices) => choices.iter().any(|choice| offers(choice, inside)),
        Value::Object(conditions) => conditions.values().any(|choice| offers(choice, inside)),
        _ => false,
    }
}
