//! TypeScript's resolution, where it goes beyond Node's: `paths`, imports without an extension, `./x.js` that means
//! `./x.ts`, packages whose entry is TypeScript.
//!
//! Node's library knows nothing of these, so such a specifier is written as the path that it leads to.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use oxc_resolver::{ResolveError, ResolveOptions, TsConfig, TsconfigDiscovery};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::resolve::{EdgeKind, Resolver, Target, is_relative};
use crate::diagnostic::{Diagnostic, display};
use crate::transform::{self, Exports, Language, Options};

/// What a path in an import has to escape.
const IN_PATHS: &AsciiSet = &CONTROLS.add(b'%').add(b'?').add(b'#').add(b'\\').add(b'"').add(b'\'');

/// Resolves as TypeScript does.
pub struct TypeScript {
    import: oxc_resolver::Resolver,
    require: oxc_resolver::Resolver,
    exports: Mutex<HashMap<PathBuf, Option<Arc<Exports>>>>,
}

/// How many files a name is followed through.
const MOST_REEXPORTS: u32 = 32;

/// What the tsconfig.json says that a file belongs to.
#[derive(Default)]
pub struct Settings {
    /// How to generate code.
    pub options: Options,
    tsconfig: Option<Arc<TsConfig>>,
    /// What is wrong with it.
    pub problem: Option<Diagnostic>,
}

impl TypeScript {
    /// Resolvers with the conditions of Node's.
    pub fn new(node: &oxc_resolver::Resolver, conditions: [Vec<String>; 2]) -> Self {
        let alias = |from: &str, to: &[&str]| (from.to_owned(), to.iter().map(|&to| to.to_owned()).collect());
        let extensions = [".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".json", ".node"];
        let [import, require] = conditions.map(|condition_names| {
            node.clone_with_options(ResolveOptions {
                condition_names,
                tsconfig: Some(TsconfigDiscovery::Auto),
                extensions: extensions.map(String::from).to_vec(),
                extension_alias: vec![
                    alias(".js", &[".ts", ".tsx", ".js"]),
                    alias(".jsx", &[".tsx", ".jsx"]),
                    alias(".mjs", &[".mts", ".mjs"]),
                    alias(".cjs", &[".cts", ".cjs"]),
                ],
                ..node.options().clone()
            })
        });
        Self { import, require, exports: Mutex::default() }
    }

    /// The settings for the file at `path`: those of the tsconfig.json that includes it, or else of the nearest.
    pub fn settings(&self, path: &Path) -> Settings {
        let find = || -> Result<Option<Arc<TsConfig>>, ResolveError> {
            if let Some(owner) = self.import.find_tsconfig(path)? {
                return Ok(Some(owner));
            }
            let is_installed = path.components().any(|part| part == Component::Normal("node_modules".as_ref()));
            let mut nearest = path.ancestors().skip(1).map(|folder| folder.join("tsconfig.json"));
            match nearest.find(|path| !is_installed && path.is_file()) {
                Some(path) => self.import.resolve_tsconfig(path).map(Some),
                None => Ok(None),
            }
        };
        match find() {
            Ok(tsconfig) => {
                let options = tsconfig.as_ref().map(|it| Options::from(&it.compiler_options)).unwrap_or_default();
                Settings { options, tsconfig, problem: None }
            }
            Err(error) => {
                let message = match &error {
                    ResolveError::TsconfigNotFound(path) => format!("cannot find \"{}\"", display(path)),
                    error => error.to_string(),
                };
                let problem = Diagnostic::warning(format!("a tsconfig.json cannot be used: {message}"))
                    .help(format!("\"{}\" is compiled as if there were none", display(path)));
                Settings { problem: Some(problem), ..Settings::default() }
            }
        }
    }

    /// What to write for `specifier` in a module in `directory`, if Node would not get where TypeScript does.
    pub fn rewrite(
        &self,
        settings: &Settings,
        node: &Resolver,
        directory: &Path,
        specifier: &str,
        kind: EdgeKind,
    ) -> Option<String> {
        let by_node = node.resolve(directory, specifier, kind).ok();
        let meant = self.resolve(settings, directory, specifier, kind, by_node.as_ref())?;
        match by_node {
            Some(Target::File { path, .. }) if path == meant => None,
            _ => relative(directory, &meant).map(|path| match kind {
                EdgeKind::Import => utf8_percent_encode(&path, IN_PATHS).to_string(),
                EdgeKind::Require => path,
            }),
        }
    }

    /// Whether the file that `specifier` leads to exports `name`, if that is TypeScript; of others nobody asks.
    pub fn provides(&self, node: &Resolver, path: &Path, specifier: &str, name: &str) -> bool {
        self.provides_within(node, path, specifier, name, MOST_REEXPORTS)
    }

    fn provides_within(&self, node: &Resolver, path: &Path, specifier: &str, name: &str, depth: u32) -> bool {
        let settings = self.settings(path);
        let directory = path.parent().unwrap_or(path);
        let by_node = node.resolve(directory, specifier, EdgeKind::Import).ok();
        let meant = self.resolve(&settings, directory, specifier, EdgeKind::Import, by_node.as_ref());
        let meant = meant.or(match by_node {
            Some(Target::File { path, .. }) => Some(path),
            _ => None,
        });
        let Some(target) = meant.filter(|_| depth > 0) else { return true };
        let Some(exports) = self.exports(&target) else { return true };
        match exports.names.get(name) {
            Some(None) => true,
            Some(Some((specifier, name))) => self.provides_within(node, &target, specifier, name, depth - 1),
            None => {
                exports.all_of.iter().any(|specifier| self.provides_within(node, &target, specifier, name, depth - 1))
            }
        }
    }

    fn exports(&self, path: &Path) -> Option<Arc<Exports>> {
        let language = Language::of(path).filter(|language| *language != Language::Jsx)?;
        if let Some(known) = self.exports.lock().unwrap_or_else(PoisonError::into_inner).get(path) {
            return known.clone();
        }
        let source = std::fs::read_to_string(path).ok();
        let exports = source.and_then(|source| transform::exports(&source, language)).map(Arc::new);
        self.exports.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), exports.clone());
        exports
    }

    /// Where TypeScript gets, unless it gets where Node does.
    fn resolve(
        &self,
        settings: &Settings,
        directory: &Path,
        specifier: &str,
        kind: EdgeKind,
        by_node: Option<&Target>,
    ) -> Option<PathBuf> {
        if matches!(by_node, Some(Target::Builtin(_) | Target::Elsewhere)) {
            return None;
        }
        let resolver = if kind == EdgeKind::Import { &self.import } else { &self.require };
        let find = |specifier: &str| {
            let found = resolver.resolve(directory, specifier).ok()?.into_path_buf();
            (!is_declaration(&found)).then_some(found)
        };
        if is_relative(specifier) {
            return find(specifier);
        }
        let aliases = settings.tsconfig.iter().flat_map(|tsconfig| tsconfig.resolve_path_alias_or_base_url(specifier));
        aliases.into_iter().find_map(|path| find(path.to_str()?)).or_else(|| match by_node {
            Some(_) => None,
            None => find(specifier),
        })
    }
}

/// Whether a file holds nothing but types.
fn is_declaration(path: &Path) -> bool {
    let is_typescript =
        path.extension().is_some_and(|extension| ["ts", "mts", "cts"].iter().any(|it| extension == *it));
    is_typescript && Language::of(path).is_none()
}

/// `path` as a specifier in a module in `directory`.
fn relative(directory: &Path, path: &Path) -> Option<String> {
    let common = directory.components().zip(path.components()).take_while(|(a, b)| a == b).count();
    let up = directory.components().count() - common;
    let down: PathBuf = path.components().skip(common).collect();
    let start = if up == 0 { "./".to_owned() } else { "../".repeat(up) };
    Some(start + down.to_str()?)
}
