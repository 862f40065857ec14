//! Reading one module: what kind it is, what it asks for, and which files it will want.
//!
//! Nothing here touches the disk or knows of other modules; what is around a module is asked of its [`Surroundings`].

mod bind;
mod early;
mod parse;
mod pattern;
mod text;
mod value;
mod visit;

use std::ops::Range;
use std::path::{Path, PathBuf};

use kiln_payload::Format;

pub use parse::{parse, range};
pub use pattern::Pattern;
pub use visit::package_name;

/// What a module's source says.
#[derive(Debug, Clone, Default)]
pub struct Scan {
    /// What it asks for by name.
    pub references: Vec<Reference>,
    /// The paths that it makes from its own place.
    pub paths: Vec<PathUse>,
    /// What it may ask for: a guess, for packages that load what can't be known.
    pub guesses: Vec<Guess>,
    /// Where it loads what can't be known.
    pub unsure: Vec<Range<usize>>,
    /// How names of packages may begin that it puts together.
    pub prefixes: Vec<String>,
    /// Where its own place goes out of sight: to a function of another module, into an object.
    pub escape: Option<Range<usize>>,
}

/// What is around a module.
pub trait Surroundings {
    /// The file that a specifier in the module leads to.
    fn resolve(&self, specifier: &str, kind: ReferenceKind) -> Option<PathBuf>;
    /// Whether the module's package says that it uses the package of that name.
    fn declares(&self, package: &str) -> bool;
    /// The packages that the module's package says it uses whose names begin so.
    fn declared_with(&self, prefix: &str) -> Vec<String>;
    /// The folder of the installed package of that name.
    fn package_folder(&self, package: &str) -> Option<PathBuf>;
}

/// A specifier that a module may ask for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Guess {
    /// The specifier.
    pub specifier: String,
    /// The folder from which it is asked for, if that is not the module's own.
    pub from: Option<String>,
}

/// A specifier in a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The specifier.
    pub specifier: String,
    /// What it stands in.
    pub kind: ReferenceKind,
    /// Where it stands.
    pub span: Range<usize>,
    /// Whether the program is prepared for a failure.
    pub guarded: bool,
}

/// What a specifier stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReferenceKind {
    /// `import … from` or `export … from`.
    Import,
    /// `import()`.
    DynamicImport,
    /// `import.meta.resolve()`.
    ImportResolve,
    /// `require()`.
    Require,
    /// `require.resolve()`.
    RequireResolve,
}

/// A path that a module makes from its own place, such as `path.join(__dirname, "templates", name)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathUse {
    /// The path.
    pub pattern: Pattern,
    /// What it is for.
    pub purpose: Purpose,
    /// Where it stands.
    pub span: Range<usize>,
}

/// What a path is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Nobody can tell.
    Unknown,
    /// It is the argument of a function that lists a folder.
    List,
    /// It is the argument of another function on files.
    Read,
    /// It is the argument of `require` or `require.resolve`.
    Require,
    /// It is the argument of `import()`.
    Import,
}

/// What a file's name and package say about its format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Declared {
    /// A .cjs, or `"type": "commonjs"`.
    CommonJs,
    /// An .mjs, or `"type": "module"`.
    Module,
    /// Nothing: the source decides.
    Neither,
}

/// Why a source cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// What is wrong.
    pub message: String,
    /// Where.
    pub span: Range<usize>,
}

/// Reads a module's source. The format is known even if there is a syntax error.
pub fn scan(
    source: &str,
    path: &Path,
    declared: Declared,
    surroundings: &dyn Surroundings,
) -> (Format, Result<Scan, SyntaxError>) {
    let (format, program) = parse::parse(source, declared);
    let scan = program.and_then(|program| {
        early::check(&program, format)?;
        Ok(visit::visit(program, format, path, surroundings))
    });
    (format, scan)
}

#[cfg(test)]
mod tests;
