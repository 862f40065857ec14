//! Node's resolution, as `oxc_resolver` implements it.

use std::path::{Path, PathBuf};

use oxc_resolver::{ResolveError, ResolveOptions};
use percent_encoding::percent_decode_str;

use super::typescript::TypeScript;
use crate::diagnostic::display;

/// Which of Node's two sets of rules a specifier goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EdgeKind {
    /// `import`: extensions are mandatory, specifiers are URLs.
    Import,
    /// `require`: extensions and folders are tried.
    Require,
}

/// Where a specifier leads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A module of Node's own, with its `node:`.
    Builtin(String),
    /// A file, by its real path.
    File {
        /// The path.
        path: PathBuf,
        /// The specifier's `?query#hash`, which makes an import another instance of the module.
        suffix: String,
    },
    /// Something that is not a file: a `data:` URL, say. The runtime deals with it.
    Elsewhere,
}

/// Why a specifier leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unresolved {
    /// What happened.
    pub message: String,
    /// Why, or what to do.
    pub help: String,
}

/// Resolves specifiers, remembering what it has seen of the disk.
pub struct Resolver {
    import: oxc_resolver::Resolver,
    require: oxc_resolver::Resolver,
    /// Both again, with links left as they are.
    linked_import: oxc_resolver::Resolver,
    linked_require: oxc_resolver::Resolver,
    /// For modules in TypeScript.
    pub typescript: TypeScript,
}

impl Default for Resolver {
    fn default() -> Self {
        Self::new()
    }
}

impl Resolver {
    /// A resolver with the settings of Node 26.
    pub fn new() -> Self {
        let names = |first: &str| ["node", first, "module-sync", "node-addons", "default"].map(String::from).to_vec();
        let require = oxc_resolver::Resolver::new(ResolveOptions {
            builtin_modules: true,
            condition_names: names("require"),
            // What is built must not depend on the builder's environment.
            node_path: false,
            ..ResolveOptions::default()
        });
        let import = require.clone_with_options(ResolveOptions {
            condition_names: names("import"),
            fully_specified: true,
            ..require.options().clone()
        });
        let linked = |resolver: &oxc_resolver::Resolver| {
            resolver.clone_with_options(ResolveOptions { symlinks: false, ..resolver.options().clone() })
        };
        let (linked_import, linked_require) = (linked(&import), linked(&require));
        let typescript = TypeScript::new(&require, [names("import"), names("require")]);
        Self { import, require, linked_import, linked_require, typescript }
    }

    /// Resolves `specifier` as seen from a module in `directory`.
    pub fn resolve(&self, directory: &Path, specifier: &str, kind: EdgeKind) -> Result<Target, Unresolved> {
        let result = match kind {
            EdgeKind::Require => self.require.resolve(directory, specifier),
            EdgeKind::Import => {
                if has_scheme(specifier) && !specifier.starts_with("file:") && !specifier.starts_with("node:") {
                    return Ok(Target::Elsewhere);
                }
                match decode(specifier) {
                    Some(decoded) => self.import.resolve(directory, &decoded),
                    None => self.import.resolve(directory, specifier),
                }
            }
        };
        match result {
            Ok(found) => {
                let suffix = [found.query(), found.fragment()].into_iter().flatten().collect();
                Ok(Target::File { path: found.into_path_buf(), suffix })
            }
            Err(ResolveError::Builtin { resolved, .. }) => Ok(Target::Builtin(resolved)),
            Err(error) => Err(self.explain(&error, directory, specifier, kind)),
        }
    }

    /// The path by which `specifier` was found if that may lead through links to `real`.
    pub fn by_links(&self, directory: &Path, specifier: &str, kind: EdgeKind, real: &Path) -> Option<PathBuf> {
        if is_relative(specifier) {
            let plain = normalized(&directory.join(specifier));
            let rest = real.to_str().zip(plain.to_str()).and_then(|(real, plain)| real.strip_prefix(plain));
            if rest.is_some_and(|rest| ["", ".js", ".json", ".node", "/index.js"].contains(&rest)) {
                return None;
            }
        }
        let found = match kind {
            EdgeKind::Require => self.linked_require.resolve(directory, specifier),
            EdgeKind::Import => {
                self.linked_import.resolve(directory, decode(specifier).as_deref().unwrap_or(specifier))
            }
        };
        found.ok().map(oxc_resolver::Resolution::into_path_buf).filter(|path| path != real)
    }

    /// What there is where a specifier that leads nowhere points: folders, and files about them. Node looks at these
    /// before it says what is wrong.
    pub fn traces(&self, directory: &Path, specifier: &str, kind: EdgeKind) -> Vec<PathBuf> {
        let mut traces = Vec::new();
        let mut folder = |path: PathBuf| {
            if path.is_dir() {
                traces.extend([path.join("package.json"), path]);
            }
        };
        if is_relative(specifier) {
            folder(normalized(&directory.join(decode(specifier).as_deref().unwrap_or(specifier))));
        } else if !specifier.starts_with('#') && !has_scheme(specifier) {
            let slashes = if specifier.starts_with('@') { 1 } else { 0 };
            let name = specifier.match_indices('/').nth(slashes).map_or(specifier, |(end, _)| &specifier[..end]);
            let installed = |folder: &Path| folder.join("node_modules").join(name);
            if let Some(package) = directory.ancestors().map(installed).find(|package| package.is_dir()) {
                if let Some(rest) = specifier[name.len()..].strip_prefix('/').filter(|rest| !rest.is_empty()) {
                    folder(normalized(&package.join(rest)));
                }
                folder(package);
            }
        }
        // An error of `import` may say what `require` would have found.
        if kind == EdgeKind::Import {
            traces
                .extend(self.linked_require.resolve(directory, specifier).map(oxc_resolver::Resolution::into_path_buf));
        }
        traces
    }

    /// What to say of a specifier that leads nowhere.
    fn explain(&self, error: &ResolveError, directory: &Path, specifier: &str, kind: EdgeKind) -> Unresolved {
        let relative = is_relative(specifier);
        let (message, help) = match error {
            ResolveError::NotFound(_) if relative => {
                let help = match self.require.resolve(directory, specifier) {
                    Ok(intended) if kind == EdgeKind::Import => {
                        format!("an import needs the file's full name: {}", display(intended.path()))
                    }
                    _ => format!("there is no file {}", display(&normalized(&directory.join(specifier)))),
                };
                (format!("cannot find \"{specifier}\""), help)
            }
            ResolveError::NotFound(_) if !specifier.starts_with('#') => {
                let help = format!("is it installed? no node_modules at or above {} has it", display(directory));
                (format!("cannot find \"{specifier}\""), help)
            }
            ResolveError::Json(json) => {
                let help = format!("{} is not valid JSON: {}", display(&json.path), json.message);
                (format!("cannot resolve \"{specifier}\""), help)
            }
            error => (format!("cannot resolve \"{specifier}\""), error.to_string()),
        };
        Unresolved { message, help }
    }
}

/// Whether a specifier is a path.
pub fn is_relative(specifier: &str) -> bool {
    specifier.starts_with('.') || specifier.starts_with('/')
}

/// Whether a specifier is a URL of its own.
fn has_scheme(specifier: &str) -> bool {
    let Some((scheme, _)) = specifier.split_once(':') else { return false };
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// A relative import is a URL, so `%20` in it means a space.
fn decode(specifier: &str) -> Option<String> {
    if !is_relative(specifier) || !specifier.contains('%') {
        return None;
    }
    percent_decode_str(specifier).decode_utf8().ok().map(Into::into)
}

/// `path` without `.` and `..`, for people to read.
pub fn normalized(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::testing::project;

    /// What `from`'s folder sees of `specifier`, relative to the project.
    fn seen(files: &[(&str, &str)], from: &str, specifier: &str, kind: EdgeKind) -> Result<String, String> {
        let project = project(files);
        let root = project.path().canonicalize().unwrap();
        match Resolver::new().resolve(&root.join(from), specifier, kind).map_err(|problem| problem.help)? {
            Target::Builtin(name) => Ok(name),
            Target::Elsewhere => Ok("elsewhere".into()),
            Target::File { path, suffix } => Ok(format!("{}{suffix}", path.strip_prefix(&root).unwrap().display())),
        }
    }

    const FILES: &[(&str, &str)] = &[
        ("a.js", ""),
        ("b c.js", ""),
        ("dir/index.js", ""),
        ("package.json", r##"{"name":"self","exports":{"./a":"./a.js"},"imports":{"#x":"./a.js"}}"##),
        (
            "node_modules/dual/package.json",
            r#"{"exports":{".":{"import":"./i.mjs","require":"./r.js"},"./sub/*":"./lib/*.js"}}"#,
        ),
        ("node_modules/dual/i.mjs", ""),
        ("node_modules/dual/r.js", ""),
        ("node_modules/dual/lib/s.js", ""),
        ("node_modules/sync/package.json", r#"{"exports":{"module-sync":"./m.js","default":"./d.js"}}"#),
        ("node_modules/sync/m.js", ""),
        ("node_modules/sync/d.js", ""),
        ("node_modules/legacy/package.json", r#"{"main":"lib/main"}"#),
        ("node_modules/legacy/lib/main.js", ""),
        ("node_modules/punycode/index.js", ""),
    ];

    #[test]
    fn as_node_does() {
        use EdgeKind::{Import, Require};
        let is = |text: &str| Ok(text.to_string());
        assert_eq!(seen(FILES, "", "./a", Require), is("a.js"));
        assert!(seen(FILES, "", "./a", Import).unwrap_err().contains("/a.js"));
        assert_eq!(seen(FILES, "", "./a.js?v=1#h", Import), is("a.js?v=1#h"));
        assert_eq!(seen(FILES, "", "./b%20c.js", Import), is("b c.js"));
        assert_eq!(seen(FILES, "", "./dir", Require), is("dir/index.js"));
        assert!(seen(FILES, "", "./dir", Import).is_err());
        assert!(seen(FILES, "dir", "..", Require).is_err());
        assert_eq!(seen(FILES, "", "dual", Import), is("node_modules/dual/i.mjs"));
        assert_eq!(seen(FILES, "", "dual", Require), is("node_modules/dual/r.js"));
        assert_eq!(seen(FILES, "", "dual/sub/s", Import), is("node_modules/dual/lib/s.js"));
        assert!(seen(FILES, "", "dual/lib/s.js", Require).unwrap_err().contains("not exported"));
        assert_eq!(seen(FILES, "", "sync", Require), is("node_modules/sync/m.js"));
        assert_eq!(seen(FILES, "", "legacy", Import), is("node_modules/legacy/lib/main.js"));
        assert_eq!(seen(FILES, "dir", "self/a", Import), is("a.js"));
        assert_eq!(seen(FILES, "dir", "#x", Require), is("a.js"));
        assert_eq!(seen(FILES, "", "fs", Require), is("node:fs"));
        assert_eq!(seen(FILES, "", "node:test", Import), is("node:test"));
        assert_eq!(seen(FILES, "", "punycode", Require), is("node:punycode"));
        assert_eq!(seen(FILES, "", "punycode/", Require), is("node_modules/punycode/index.js"));
        assert_eq!(seen(FILES, "", "data:text/javascript,0", Import), is("elsewhere"));
        assert!(seen(FILES, "", "gone", Require).unwrap_err().contains("installed"));
    }
}
