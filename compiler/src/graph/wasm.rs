//! WebAssembly modules, which import by specifiers as ES modules do.

use std::path::Path;

use wasmparser::{Parser, Payload};

/// The specifiers that the module at `path` imports from. One that can't be read has none: what is wrong with it is
/// for V8 to say.
pub fn imports(path: &Path) -> Vec<String> {
    let bytes = std::fs::read(path).unwrap_or_default();
    let mut specifiers = Vec::new();
    for payload in Parser::new(0).parse_all(&bytes) {
        match payload {
            Ok(Payload::ImportSection(section)) => {
                let imports = section.into_imports().flatten();
                specifiers.extend(imports.map(|import| import.module.to_owned()));
            }
            // Imports come before whatever is long.
            Ok(Payload::FunctionSection(_) | Payload::CodeSectionStart { .. }) | Err(_) => break,
            Ok(_) => {}
        }
    }
    specifiers.sort();
    specifiers.dedup();
    specifiers
}
