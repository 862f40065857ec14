//! Reading the program's modules, in parallel: each is read, parsed and resolved once, and asks for the next.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kiln_payload::Format;
use rayon::Scope;

use super::choices::Choices;
use super::files;
use super::links::Links;
use super::package::{ModuleType, Packages};
use super::resolve::{EdgeKind, Resolver, Target, Unresolved};
use crate::diagnostic::Diagnostic;
use crate::progress::Progress;
use crate::scan::{self, Declared, Pattern, Purpose, Reference, ReferenceKind, Scan, SyntaxError};
use crate::transform::{self, Language, SourceMap, origin};

/// Parsers recurse as deep as the source is nested, and generated sources are nested deeply. This is address space,
/// not memory.
const STACK: usize = 256 << 20;

/// All that was found.
pub struct Walk {
    pub entry: PathBuf,
    pub modules: BTreeMap<PathBuf, Visited>,
    pub files: BTreeSet<PathBuf>,
    pub folders: BTreeSet<PathBuf>,
    pub links: BTreeMap<PathBuf, PathBuf>,
    pub aliases: BTreeMap<PathBuf, PathBuf>,
    pub warnings: Vec<Diagnostic>,
}

/// A module, with whatever is wrong with it.
pub struct Visited {
    pub format: Format,
    pub bytes: Vec<u8>,
    pub source: Arc<str>,
    /// What is in the file, if it was transformed.
    pub written: Option<Arc<str>>,
    /// Where the transformed text comes from, if code was generated.
    pub map: Option<SourceMap>,
    /// Whether Node takes the file for TypeScript.
    pub is_typescript: bool,
    pub references: Vec<(Reference, Result<Target, Unresolved>)>,
    pub failure: Option<Failure>,
}

/// Why nothing is known of a module but its bytes.
pub enum Failure {
    Unreadable(io::Error),
    Syntax(SyntaxError),
}

/// Walks the graph from the entry and from the files that the user asked for.
pub fn walk(entry: &Path, choices: &Choices, progress: &Progress) -> Result<Walk, Diagnostic> {
    let walker = Walker::new(choices, progress);
    let pool = rayon::ThreadPoolBuilder::new()
        .stack_size(STACK)
        .build()
        .map_err(|error| Diagnostic::error(format!("cannot start threads: {error}")))?;
    pool.scope(|scope| {
        walker.module(scope, entry.to_path_buf());
        for path in &choices.included {
            walker.file(scope, path.clone());
        }
    });
    let Found { modules, mut files, folders, aliases, mut warnings, .. } =
        walker.found.into_inner().unwrap_or_else(PoisonError::into_inner);
    warnings.sort_by(|a, b| a.message.cmp(&b.message));
    files.retain(|path| !modules.contains_key(path));
    Ok(Walk {
        entry: entry.to_path_buf(),
        modules,
        files,
        folders,
        links: walker.links.into_found(),
        aliases,
        warnings,
    })
}

struct Walker<'c> {
    choices: &'c Choices,
    progress: &'c Progress,
    resolver: Resolver,
    packages: Packages,
    links: Links,
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    claimed: HashSet<PathBuf>,
    modules: BTreeMap<PathBuf, Visited>,
    files: BTreeSet<PathBuf>,
    folders: BTreeSet<PathBuf>,
    aliases: BTreeMap<PathBuf, PathBuf>,
    warnings: Vec<Diagnostic>,
}

impl<'c> Walker<'c> {
    fn new(choices: &'c Choices, progress: &'c Progress) -> Self {
        Self {
            choices,
            progress,
            resolver: Resolver::default(),
            packages: Packages::default(),
            links: Links::default(),
            found: Mutex::default(),
        }
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Visits a module, unless somebody already does.
    fn module<'s>(&'s self, scope: &Scope<'s>, path: PathBuf) {
        if self.found().claimed.insert(path.clone()) {
            scope.spawn(move |scope| {
                let visited = self.visit(scope, &path);
                self.progress.module();
                self.found().modules.insert(path, visited);
            });
        }
    }

    /// Resolves a specifier, and has the program find what Node looks at on the way.
    fn resolve(&self, directory: &Path, specifier: &str, kind: EdgeKind) -> Result<Target, Unresolved> {
        if self.choices.is_external(specifier) {
            return Ok(Target::Elsewhere);
        }
        let target = self.resolver.resolve(directory, specifier, kind);
        match &target {
            Ok(Target::File { path, .. }) => {
                if let Some(path) = self.resolver.by_links(directory, specifier, kind, path) {
                    self.links.follow(&path);
                }
            }
            Ok(_) => {}
            Err(_) => {
                for trace in self.resolver.traces(directory, specifier, kind) {
                    let Some(path) = self.real(&trace) else { continue };
                    let mut found = self.found();
                    if path.is_dir() {
                        found.folders.insert(path)
                    } else {
                        found.files.insert(path)
                    };
                }
            }
        }
        target
    }

    /// The real path of what is there, with the links on the way to it.
    fn real(&self, path: &Path) -> Option<PathBuf> {
        let real = path.canonicalize().ok()?;
        if real != path {
            self.links.follow(path);
        }
        Some(real)
    }

    /// Embeds a file, as a module too if its name says that it is one.
    fn file<'s>(&'s self, scope: &Scope<'s>, path: PathBuf) {
        if is_script(&path) {
            self.module(scope, path);
        } else {
            self.found().files.insert(path);
        }
    }

    fn visit<'s>(&'s self, scope: &Scope<'s>, path: &Path) -> Visited {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) => return Visited::failed(Format::CommonJs, Vec::new(), "".into(), Failure::Unreadable(error)),
        };
        let source: Arc<str> = String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes)).into();
        let package = self.packages.of(path);
        if let Some(package) = &package {
            self.found().files.insert(package.directory.join("package.json"));
        }
        let declared = match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => return Visited::new(Format::Json, bytes, source),
            Some("mjs" | "mts") => Declared::Module,
            Some("js" | "ts" | "tsx" | "jsx") | None => {
                match package.as_ref().and_then(|package| package.module_type) {
                    Some(ModuleType::Module) => Declared::Module,
                    Some(ModuleType::CommonJs) => Declared::CommonJs,
                    None => Declared::Neither,
                }
            }
            _ => Declared::CommonJs,
        };
        // A fault of the parser is no fault of the program: V8 may well read what the parser cannot.
        let scanned = |source: &str, declared: Declared| {
            catch_unwind(AssertUnwindSafe(|| scan::scan(source, path, declared)))
                .unwrap_or_else(|_| (guess(declared), Ok(Scan::default())))
        };
        let directory = path.parent().unwrap_or(path);
        let mut visited = match Language::of(path) {
            None => Visited::new(guess(declared), bytes, source),
            Some(language) => match self.transform(path, &source, language, declared) {
                Ok(output) => {
                    let new = Visited::new(output.format, bytes, output.code.into());
                    Visited { written: Some(source), map: output.map, is_typescript: true, ..new }
                }
                Err(error) => {
                    return Visited::failed(guess(declared), bytes, source, Failure::Syntax(error));
                }
            },
        };
        let declared = match visited.format {
            _ if visited.written.is_none() => declared,
            Format::Module => Declared::Module,
            _ => Declared::CommonJs,
        };
        let (format, mut scan) = scanned(&visited.source, declared);
        visited.format = format;
        if let Some(text) = self.choices.defines.apply(&visited.source, format) {
            (_, scan) = scanned(&text, declared);
            let source = std::mem::replace(&mut visited.source, text.into());
            visited.written.get_or_insert(source);
        }
        let scan = match scan {
            Ok(scan) => scan,
            Err(mut error) => {
                error.span = visited.place(error.span);
                visited.failure = Some(Failure::Syntax(error));
                return visited;
            }
        };
        for reference in scan.references {
            let resolution = self.resolve(directory, &reference.specifier, reference.kind.edge());
            if let Ok(Target::File { path, .. }) = &resolution {
                self.follow(scope, path.clone(), reference.kind.edge());
            }
            visited.references.push((reference, resolution));
        }
        for guess in scan.guesses {
            let from = guess.from.as_deref().map_or(directory, Path::new);
            let resolution = self.resolver.resolve(from, &guess.specifier, EdgeKind::Require);
            if let Ok(Target::File { path, .. }) = resolution {
                if let Some(path) = self.resolver.by_links(from, &guess.specifier, EdgeKind::Require, &path) {
                    self.links.follow(&path);
                }
                match guess.from {
                    Some(_) => self.follow(scope, path, EdgeKind::Require),
                    None => self.file(scope, path),
                }
            }
        }
        let package_root = package.as_ref().map(|package| package.directory.as_path());
        for used in scan.paths {
            let load = match used.purpose {
                Purpose::Require => Some(EdgeKind::Require),
                Purpose::Import => Some(EdgeKind::Import),
                _ => None,
            };
            if let (Some(kind), Pattern { prefix, tail: None, .. }) = (load, &used.pattern) {
                if let Ok(Target::File { path, .. }) = self.resolve(directory, prefix, kind) {
                    self.follow(scope, path, kind);
                }
                continue;
            }
            match files::find(&used, directory, package_root) {
                Ok(paths) => {
                    // A script that is named, even with a part left open, is there to be run: by a worker, a child
                    // process, or an import of a path that was put together elsewhere.
                    let named = match &used.pattern.tail {
                        None => paths.len() == 1,
                        Some(tail) => is_script(Path::new(&format!("name{tail}"))),
                    };
                    for path in paths.iter().filter_map(|path| self.real(path)) {
                        if let (Some(_), Some(tail), true) = (load, &used.pattern.tail, visited.is_typescript) {
                            let aliases = files::alias(&path, tail);
                            self.found().aliases.extend(aliases.into_iter().map(|alias| (alias, path.clone())));
                        }
                        match load {
                            Some(kind) => self.follow(scope, path, kind),
                            _ if named => self.file(scope, path),
                            _ => {
                                self.found().files.insert(path);
                            }
                        }
                    }
                }
                Err(problem) => {
                    let warning = problem.at(path, visited.original(), visited.place(used.span));
                    self.found().warnings.push(warning);
                }
            }
        }
        visited
    }

    /// Makes JavaScript of a module.
    fn transform(
        &self,
        path: &Path,
        source: &str,
        language: Language,
        declared: Declared,
    ) -> Result<transform::Output, SyntaxError> {
        let typescript = &self.resolver.typescript;
        let settings = typescript.settings(path);
        if let Some(problem) = &settings.problem {
            self.found().warnings.push(problem.clone());
        }
        let directory = path.parent().unwrap_or(path);
        let rewrite = |specifier: &str, kind| typescript.rewrite(&settings, &self.resolver, directory, specifier, kind);
        let provides = |specifier: &str, name: &str| typescript.provides(&self.resolver, path, specifier, name);
        let options = &settings.options;
        let input =
            transform::Input { source, path, language, declared, options, rewrite: &rewrite, provides: &provides };
        catch_unwind(AssertUnwindSafe(|| transform::transform(&input))).unwrap_or_else(|_| {
            let message = "this file cannot be compiled: a fault of kiln, not of your program".into();
            Err(SyntaxError { message, span: 0..0 })
        })
    }

    /// Goes on to what an edge leads to: a module, unless the loader has no use for such a file.
    fn follow<'s>(&'s self, scope: &Scope<'s>, path: PathBuf, kind: EdgeKind) {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let is_module = match extension {
            Some("node" | "wasm") => false,
            Some("js" | "mjs" | "cjs" | "json") | None => true,
            Some(_) if Language::of(&path).is_some() => true,
            // `require` takes anything else for JavaScript; `import` refuses it.
            Some(_) => kind == EdgeKind::Require,
        };
        if is_module {
            self.module(scope, path);
        } else {
            self.found().files.insert(path);
        }
    }
}

impl Visited {
    fn new(format: Format, bytes: Vec<u8>, source: Arc<str>) -> Self {
        Self {
            format,
            bytes,
            source,
            written: None,
            map: None,
            is_typescript: false,
            references: Vec::new(),
            failure: None,
        }
    }

    /// What is in the file.
    pub fn original(&self) -> &Arc<str> {
        self.written.as_ref().unwrap_or(&self.source)
    }

    /// Where in the file a stretch of the text comes from.
    pub fn place(&self, span: Range<usize>) -> Range<usize> {
        match &self.written {
            Some(written) => origin(&self.source, written, self.map.as_ref(), span),
            None => span,
        }
    }

    fn failed(format: Format, bytes: Vec<u8>, source: Arc<str>, failure: Failure) -> Self {
        Self { failure: Some(failure), ..Self::new(format, bytes, source) }
    }
}

impl ReferenceKind {
    /// The rules by which it resolves.
    pub fn edge(self) -> EdgeKind {
        match self {
            Self::Import | Self::DynamicImport | Self::ImportResolve => EdgeKind::Import,
            Self::Require | Self::RequireResolve => EdgeKind::Require,
        }
    }
}

fn is_script(path: &Path) -> bool {
    files::has_extension(path, &["js", "mjs", "cjs"]) || Language::of(path).is_some()
}

fn guess(declared: Declared) -> Format {
    if declared == Declared::Module { Format::Module } else { Format::CommonJs }
}
