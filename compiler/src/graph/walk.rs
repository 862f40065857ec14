//! Reading the program's modules, in parallel: each is read, parsed and resolved once, and asks for the next.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kiln_payload::Format;
use rayon::Scope;

use super::choices::Choices;
use super::companions;
use super::entry::Entry;
use super::files;
use super::links::Links;
use super::package::{ModuleType, Packages};
use super::reach::{Around, Habits};
use super::resolve::{EdgeKind, Resolver, Target, Unresolved};
use super::wasm;
use crate::diagnostic::Diagnostic;
use crate::progress::Progress;
use crate::scan::{self, Declared, Reference, ReferenceKind, Scan, SyntaxError};
use crate::transform::{self, Language, SourceMap, origin};

/// Parsers recurse as deep as the source is nested, and generated sources are nested deeply. This is address space,
/// not memory.
const STACK: usize = 256 << 20;

/// All that was found.
pub struct Walk {
    pub entry: PathBuf,
    /// What the user asked for.
    pub firm: Vec<PathBuf>,
    pub invoked: PathBuf,
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
    /// The other scripts that it certainly wants.
    pub wants: Vec<PathBuf>,
    /// Whether it does something with its own path.
    pub names_itself: bool,
    /// Where it loads what can't be known.
    pub unsure: Vec<Range<usize>>,
    pub failure: Option<Failure>,
}

/// Why nothing is known of a module but its bytes.
pub enum Failure {
    Unreadable(io::Error),
    Syntax(SyntaxError),
}

/// Threads for work on syntax trees.
pub fn pool() -> Result<rayon::ThreadPool, Diagnostic> {
    let pool = rayon::ThreadPoolBuilder::new().stack_size(STACK).build();
    pool.map_err(|error| Diagnostic::error(format!("cannot start threads: {error}")))
}

/// Walks the graph from the entry and from the files that the user asked for.
pub fn walk(entry: &Entry, choices: &Choices, progress: &Progress) -> Result<Walk, Diagnostic> {
    let walker = Walker::new(entry, choices, progress);
    let pool = pool()?;
    pool.scope(|scope| {
        walker.module(scope, entry.path.clone());
        walker.links.follow(&entry.invoked);
        for path in companions::subprograms(&entry.path).iter().filter_map(|path| walker.real(path)) {
            walker.maybe(scope, path);
        }
        for path in &choices.included {
            walker.file(scope, path.clone());
        }
    });
    while pool.scope(|scope| walker.unnamed(scope)) {}
    let Found { modules, mut files, folders, aliases, mut warnings, .. } =
        walker.found.into_inner().unwrap_or_else(PoisonError::into_inner);
    warnings.sort_by(|a, b| a.message.cmp(&b.message));
    let modules =
        split(modules, [vec![entry.path.clone()], choices.included.iter().cloned().collect()].concat(), &mut files);
    let firm = choices.included.iter().cloned().collect();
    let (entry, invoked, links) = (entry.path.clone(), entry.invoked.clone(), walker.links.into_found());
    Ok(Walk { entry, firm, invoked, modules, files, folders, links, aliases, warnings })
}

/// Keeps the modules that the program certainly wants, starting with those at `open`. Others stay files: they are
/// compiled if they are ever loaded.
fn split(
    mut modules: BTreeMap<PathBuf, Visited>,
    mut open: Vec<PathBuf>,
    files: &mut BTreeSet<PathBuf>,
) -> BTreeMap<PathBuf, Visited> {
    let mut firm = BTreeMap::new();
    while let Some(path) = open.pop() {
        let Some(visited) = modules.remove(&path) else { continue };
        open.extend(visited.wants.iter().cloned());
        open.extend(visited.references.iter().filter_map(|(_, target)| match target {
            Ok(Target::File { path, .. }) => Some(path.clone()),
            _ => None,
        }));
        firm.insert(path, visited);
    }
    // What was compiled by us is nowhere else.
    let (compiled, modules): (BTreeMap<_, _>, BTreeMap<_, _>) =
        modules.into_iter().partition(|(_, visited)| visited.written.is_some());
    firm.extend(compiled);
    let is_there = |visited: &Visited| !matches!(visited.failure, Some(Failure::Unreadable(_)));
    files.extend(modules.into_iter().filter(|(_, visited)| is_there(visited)).map(|(path, _)| path));
    files.retain(|path| !firm.contains_key(path));
    firm
}

pub struct Walker<'c> {
    pub entry: &'c Path,
    /// The path by which it is started, which may be a link.
    pub invoked: &'c Path,
    pub choices: &'c Choices,
    progress: &'c Progress,
    pub resolver: Resolver,
    pub packages: Packages,
    pub links: Links,
    found: Mutex<Found>,
}

#[derive(Default)]
pub struct Found {
    claimed: HashSet<PathBuf>,
    pub modules: BTreeMap<PathBuf, Visited>,
    pub files: BTreeSet<PathBuf>,
    pub folders: BTreeSet<PathBuf>,
    pub aliases: BTreeMap<PathBuf, PathBuf>,
    pub warnings: Vec<Diagnostic>,
    /// What each package does as a whole, by its folder.
    pub packages: HashMap<PathBuf, Habits>,
    /// How names of packages may begin that the program puts together.
    pub prefixes: BTreeSet<String>,
    /// The packages that were looked for because of these, each with the folder from which it was.
    pub meant: HashSet<(PathBuf, String)>,
    /// The packages that are embedded as a whole.
    pub whole: HashSet<PathBuf>,
}

impl<'c> Walker<'c> {
    fn new(entry: &'c Entry, choices: &'c Choices, progress: &'c Progress) -> Self {
        Self {
            entry: &entry.path,
            invoked: &entry.invoked,
            choices,
            progress,
            resolver: Resolver::default(),
            packages: Packages::default(),
            links: Links::default(),
            found: Mutex::default(),
        }
    }

    pub fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Visits a module, unless somebody already does.
    pub fn module<'s>(&'s self, scope: &Scope<'s>, path: PathBuf) {
        if self.found().claimed.insert(path.clone()) {
            scope.spawn(move |scope| {
                let visited = self.visit(scope, &path);
                self.progress.module();
                self.found().modules.insert(path, visited);
            });
        }
    }

    /// Resolves a specifier, and has the program find what Node looks at on the way.
    pub fn resolve(&self, directory: &Path, specifier: &str, kind: EdgeKind) -> Result<Target, Unresolved> {
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
    pub fn real(&self, path: &Path) -> Option<PathBuf> {
        let real = path.canonicalize().ok()?;
        if real != path {
            self.links.follow(path);
        }
        Some(real)
    }

    /// Embeds a file, as a module too if its name says that it is one.
    pub fn file<'s>(&'s self, scope: &Scope<'s>, path: PathBuf) {
        if is_script(&path) {
            self.module(scope, path);
        } else {
            self.data(scope, path);
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
            Some("json") => {
                self.names_in(scope, path, &source);
                return Visited::new(Format::Json, bytes, source);
            }
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
        let around = Around { walker: self, path };
        // A fault of the parser is no fault of the program: V8 may well read what the parser cannot.
        let scanned = |source: &str, declared: Declared| {
            catch_unwind(AssertUnwindSafe(|| scan::scan(source, path, declared, &around)))
                .unwrap_or_else(|_| (guess(declared), Ok(Scan::default())))
        };
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
        self.reach(scope, path, &mut visited, scan);
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
    pub fn follow<'s>(&'s self, scope: &Scope<'s>, path: PathBuf, kind: EdgeKind) {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let is_wasm = extension == Some("wasm");
        let is_module = match extension {
            Some("node" | "wasm") => false,
            Some("js" | "mjs" | "cjs" | "json") | None => true,
            Some(_) if Language::of(&path).is_some() => true,
            // `require` takes anything else for JavaScript; `import` refuses it.
            Some(_) => kind == EdgeKind::Require,
        };
        if is_module {
            return self.module(scope, path);
        }
        let is_new = self.data(scope, path.clone());
        if is_new && kind == EdgeKind::Import && is_wasm {
            let directory = path.parent().unwrap_or(&path);
            for specifier in wasm::imports(&path) {
                if let Ok(Target::File { path, .. }) = self.resolve(directory, &specifier, kind) {
                    self.follow(scope, path, kind);
                }
            }
        }
    }
}

impl Visited {
    fn new(format: Format, bytes: Vec<u8>, source: Arc<str>) -> Self {
        let (references, wants, unsure) = (Vec::new(), Vec::new(), Vec::new());
        let (written, map, is_typescript, failure) = (None, None, false, None);
        Self {
            format,
            bytes,
            source,
            written,
            map,
            is_typescript,
            references,
            wants,
            names_itself: false,
            unsure,
            failure,
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

pub fn is_script(path: &Path) -> bool {
    files::has_extension(path, &["js", "mjs", "cjs"]) || Language::of(path).is_some()
}

fn guess(declared: Declared) -> Format {
    if declared == Declared::Module { Format::Module } else { Format::CommonJs }
}
