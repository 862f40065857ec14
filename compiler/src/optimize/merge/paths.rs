//! Where modules lie, for each other and when the program runs.

use std::path::{Component, Path, PathBuf};

use kiln_payload::VIRTUAL_ROOT;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::graph::resolve::Target;

/// What means something else in a specifier.
const IN_SPECIFIERS: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'?').add(b'#').add(b'\\');

/// Where modules lie when the program runs.
pub struct Places {
    /// The folder that the virtual root stands for.
    pub root: PathBuf,
}

impl Places {
    /// The path that a module has when the program runs.
    pub fn of(&self, path: &Path) -> String {
        let inside = path.strip_prefix(&self.root).unwrap_or(path);
        format!("{VIRTUAL_ROOT}/{}", inside.to_string_lossy())
    }

    /// Whether that is the same in a URL.
    pub fn is_plain(&self, path: &Path) -> bool {
        let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.@+".contains(c);
        self.of(path).chars().all(plain)
    }
}

/// How a module at `from` asks for `target`.
pub fn specifier(from: &Path, target: &Target) -> String {
    match target {
        Target::Builtin(name) => name.clone(),
        Target::Elsewhere => String::new(),
        Target::File { path, suffix } => {
            let folder: Vec<Component> = from.parent().map(|folder| folder.components().collect()).unwrap_or_default();
            let parts: Vec<Component> = path.components().collect();
            let shared = folder.iter().zip(&parts).take_while(|(a, b)| a == b).count();
            let up = "../".repeat(folder.len() - shared);
            let down: PathBuf = parts[shared..].iter().collect();
            let down = down.to_string_lossy();
            let start = if up.is_empty() { "./" } else { &up };
            format!("{start}{}{suffix}", utf8_percent_encode(&down, IN_SPECIFIERS))
        }
    }
}
