//! TypeScript and JSX become JavaScript. Plain JavaScript never gets here.
//!
//! Where types are all that a file has beyond JavaScript, they are replaced by blanks, as Node does it: everything stays
//! at its line and column. Where code has to be generated (enums, decorators, JSX, ES modules that run as CommonJS), a
//! source map says where it comes from.

mod common_js;
mod config;
mod define;
mod edits;
pub mod emit;
mod fields;
mod kind;
mod missing;
mod origin;
mod program;
mod specifiers;
#[cfg(test)]
mod tests;

use std::path::Path;

use kiln_payload::Format;
use swc_common::{GLOBALS, Globals};
pub use swc_sourcemap::SourceMap;

pub use config::Options;
pub use define::Defines;
pub use missing::{Exports, exports};
pub use origin::origin;

use crate::graph::resolve::EdgeKind;
use crate::scan::{Declared, SyntaxError};

/// What a file is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// `.ts`, `.mts`, `.cts`
    TypeScript,
    /// `.tsx`
    Tsx,
    /// `.jsx`
    Jsx,
}

impl Language {
    /// What a file's name says that it is written in, if that is not JavaScript.
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let (stem, extension) = name.rsplit_once('.')?;
        match extension {
            // A declaration of types holds no code.
            "ts" | "mts" | "cts" if stem.ends_with(".d") => None,
            "ts" | "mts" | "cts" => Some(Self::TypeScript),
            "tsx" => Some(Self::Tsx),
            "jsx" => Some(Self::Jsx),
            _ => None,
        }
    }
}

/// A file to transform.
pub struct Input<'a> {
    /// Its text.
    pub source: &'a str,
    /// Where it lies.
    pub path: &'a Path,
    /// What it is written in.
    pub language: Language,
    /// What its name and package say of its format.
    pub declared: Declared,
    /// What its tsconfig.json says.
    pub options: &'a Options,
    /// What to write for a specifier that leads nowhere by Node's rules, if it leads somewhere by TypeScript's.
    pub rewrite: &'a dyn Fn(&str, EdgeKind) -> Option<String>,
    /// Whether the file that a specifier leads to exports a name, types aside. True if nobody knows.
    pub provides: &'a dyn Fn(&str, &str) -> bool,
}

/// The JavaScript that a file has become.
pub struct Output {
    /// Its text.
    pub code: String,
    /// What kind of module it is.
    pub format: Format,
    /// Where it comes from, if that is not the same line and column.
    pub map: Option<SourceMap>,
}

/// Turns a file into JavaScript.
pub fn transform(input: &Input) -> Result<Output, SyntaxError> {
    GLOBALS.set(&Globals::new(), || program::transform(input))
}
