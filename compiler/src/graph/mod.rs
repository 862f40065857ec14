//! The first step: every module that the program can reach, and the files that it reads from beside itself.

pub mod choices;
mod companions;
mod data;
pub mod entry;
mod files;
mod links;
pub mod package;
mod problems;
mod reach;
pub mod resolve;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
pub mod typescript;
mod walk;
mod wasm;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use kiln_payload::Format;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::progress::Progress;
use crate::transform::SourceMap;
use choices::Choices;
use resolve::{EdgeKind, Target};
pub use walk::pool;

/// The program.
#[derive(Debug)]
pub struct ModuleGraph {
    /// The real path of the module that runs first.
    pub entry: PathBuf,
    /// The path by which it is started, which may be a link.
    pub invoked: PathBuf,
    /// The modules by their real paths.
    pub modules: BTreeMap<PathBuf, Module>,
    /// The real paths of other files to embed, each package.json among them.
    pub files: BTreeSet<PathBuf>,
    /// The real paths of folders that the program has to find, even if nothing in them is embedded.
    pub folders: BTreeSet<PathBuf>,
    /// The symbolic links on the way to all of these, with their targets.
    pub links: BTreeMap<PathBuf, PathBuf>,
    /// Paths by which a module in TypeScript is loaded though nothing lies there, with the module's: no listing has them.
    pub aliases: BTreeMap<PathBuf, PathBuf>,
    /// The modules that are loaded in other ways than by an import or export declaration, with the most telling one.
    pub named: BTreeMap<PathBuf, Naming>,
    /// The modules that are parts of others now.
    pub merged: BTreeSet<PathBuf>,
    /// Modules that no listing of a folder has, since there is no such file.
    pub hidden: BTreeSet<PathBuf>,
    /// Whether it loads what only the running program knows.
    pub loads_unknown: bool,
    /// What the user should know.
    pub warnings: Vec<Diagnostic>,
}

/// How a module is loaded, if not by a declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Naming {
    /// By `import()`.
    Import,
    /// By `require`.
    Require,
    /// By a path that is made when the program runs, for whatever end.
    Path,
}

/// A module.
#[derive(Debug)]
pub struct Module {
    /// What kind it is.
    pub format: Format,
    /// The file's bytes.
    pub bytes: Vec<u8>,
    /// The text that runs, without a byte order mark: of a file that was transformed, the JavaScript.
    pub source: Arc<str>,
    /// Whether that is not what is in the file.
    pub transformed: bool,
    /// Whether the file is one that Node takes for TypeScript.
    pub is_typescript: bool,
    /// Where the text comes from, if code was generated.
    pub map: Option<SourceMap>,
    /// Whether it was made of several, whose paths that has.
    pub is_merged: bool,
    /// Where its specifiers lead.
    pub edges: BTreeMap<(EdgeKind, String), Target>,
}

/// Builds the graph of the program that starts at `entry`.
pub fn build(entry: &entry::Entry, choices: &Choices, progress: &Progress) -> Result<ModuleGraph, Diagnostics> {
    let walk = walk::walk(entry, choices, progress)?;
    problems::judge(walk)
}
