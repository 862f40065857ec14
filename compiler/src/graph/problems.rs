//! Telling what ends a build from what the program may never notice.
//!
//! Node fails at once where a static import, or a module reached by nothing but static imports, is broken: so does
//! the build. Whatever is loaded on the way, Node only misses when it gets there: a warning.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::resolve::Target;
use super::walk::{Failure, Visited, Walk};
use super::{Module, ModuleGraph, Naming};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity, display, reason};
use crate::scan::ReferenceKind;

/// Turns what was found into the graph, or into the errors that stand in its way.
pub fn judge(walk: Walk) -> Result<ModuleGraph, Diagnostics> {
    let named = named(&walk);
    let Walk { entry, invoked, modules, files, folders, links, aliases, mut warnings, .. } = walk;
    let certain = reached(&entry, &modules, |kind| kind == ReferenceKind::Import);
    let possible = reached(&entry, &modules, |_| true);

    let mut errors = Vec::new();
    for (path, visited) in &modules {
        let mut problems = Vec::new();
        problems.extend(visited.failure.as_ref().map(|failure| failed(path, visited, failure)));
        problems.extend(unresolved(path, visited));
        for (is_fatal, mut problem) in problems {
            if is_fatal && certain.contains(path.as_path()) {
                errors.push(problem);
            } else if possible.contains(path.as_path()) {
                problem.severity = Severity::Warning;
                problem.help.get_or_insert_with(|| "the program fails if it gets to load this module".into());
                warnings.push(problem);
            }
        }
    }
    if !errors.is_empty() {
        return Err(Diagnostics(errors));
    }
    warnings.extend(unknown(&modules, &possible));

    let loads_unknown = modules.values().any(|visited| !visited.unsure.is_empty());
    let modules = modules
        .into_iter()
        // What could not even be read is not there at run time either.
        .filter(|(_, visited)| !matches!(visited.failure, Some(Failure::Unreadable(_))))
        .map(|(path, visited)| (path, into_module(visited)))
        .collect();
    let (merged, hidden) = Default::default();
    Ok(ModuleGraph {
        entry,
        invoked,
        modules,
        files,
        folders,
        links,
        aliases,
        named,
        merged,
        hidden,
        loads_unknown,
        warnings,
    })
}

/// How modules are loaded other than by declarations.
fn named(walk: &Walk) -> BTreeMap<PathBuf, Naming> {
    let mut named = BTreeMap::new();
    let mut declared = HashSet::new();
    let mut name = |path: &PathBuf, naming: Naming| {
        let known = named.entry(path.clone()).or_insert(naming);
        *known = naming.max(*known);
    };
    for visited in walk.modules.values() {
        visited.wants.iter().for_each(|path| name(path, Naming::Path));
        for (reference, target) in &visited.references {
            let Ok(Target::File { path, suffix }) = target else { continue };
            match reference.kind {
                // Each instance of a module needs the module's own text.
                _ if !suffix.is_empty() => name(path, Naming::Path),
                ReferenceKind::Import => {
                    declared.insert(path);
                }
                ReferenceKind::DynamicImport => name(path, Naming::Import),
                ReferenceKind::Require => name(path, Naming::Require),
                ReferenceKind::ImportResolve | ReferenceKind::RequireResolve => name(path, Naming::Path),
            }
        }
    }
    // A path is enough to start a module elsewhere.
    let elsewhere = ["node:worker_threads", "node:child_process", "node:cluster"];
    let targets = walk.modules.values().flat_map(|visited| &visited.references);
    let starts_others = targets
        .filter_map(|(_, target)| match target {
            Ok(Target::Builtin(name)) => Some(name.as_str()),
            _ => None,
        })
        .any(|name| elsewhere.contains(&name));
    let themselves = walk.modules.iter().filter(|(_, visited)| starts_others && visited.names_itself);
    themselves.for_each(|(path, _)| name(path, Naming::Require));
    walk.firm.iter().chain(walk.aliases.values()).for_each(|path| name(path, Naming::Path));
    let undeclared = walk.modules.keys().filter(|path| !declared.contains(path) && **path != walk.entry);
    let undeclared: Vec<PathBuf> = undeclared.filter(|path| !named.contains_key(*path)).cloned().collect();
    named.extend(undeclared.into_iter().map(|path| (path, Naming::Path)));
    named
}

/// How many places a warning names.
const MOST_PLACES: usize = 5;

/// One warning for all loads of what only the running program knows: it names the user's own, and the first of others.
fn unknown(modules: &BTreeMap<PathBuf, Visited>, possible: &HashSet<&Path>) -> Option<Diagnostic> {
    let is_installed = |path: &Path| path.components().any(|part| part.as_os_str() == "node_modules");
    let mut places: Vec<_> = modules
        .iter()
        .filter(|(path, _)| possible.contains(path.as_path()) && !is_installed(path))
        .flat_map(|(path, visited)| visited.unsure.iter().map(move |span| (path, visited, visited.place(span.clone()))))
        .collect();
    let count = places.len();
    places.truncate(MOST_PLACES);
    let (path, visited, span) = places.first()?.clone();
    let line = |visited: &Visited, span: &Range<usize>| {
        1 + visited.original().as_bytes()[..span.start].iter().filter(|&&byte| byte == b'\n').count()
    };
    let others: Vec<_> =
        places[1..].iter().map(|(path, visited, span)| format!("{}:{}", display(path), line(visited, span))).collect();
    let mut help = "--include embeds files that it may load".to_owned();
    if !others.is_empty() {
        let more = if count > MOST_PLACES { format!(" and {} more", count - MOST_PLACES) } else { String::new() };
        help += &format!("; so does the program at {}{more}", others.join(", "));
    }
    let warning = Diagnostic::warning("what is loaded here is only known when the program runs");
    Some(warning.at(path, visited.original(), span).help(help))
}

/// The modules that the entry reaches over references of certain kinds.
fn reached<'m>(
    entry: &'m Path,
    modules: &'m BTreeMap<PathBuf, Visited>,
    follows: impl Fn(ReferenceKind) -> bool,
) -> HashSet<&'m Path> {
    let mut reached = HashSet::from([entry]);
    let mut open = vec![entry];
    while let Some(visited) = open.pop().and_then(|path| modules.get(path)) {
        for (reference, target) in &visited.references {
            if let Ok(Target::File { path, .. }) = target
                && follows(reference.kind)
                && reached.insert(path)
            {
                open.push(path);
            }
        }
    }
    reached
}

fn failed(path: &Path, visited: &Visited, failure: &Failure) -> (bool, Diagnostic) {
    let problem = match failure {
        Failure::Unreadable(error) => {
            Diagnostic::error(format!("cannot read \"{}\": {}", display(path), reason(error)))
        }
        Failure::Syntax(error) => Diagnostic::error(&error.message).at(path, visited.original(), error.span.clone()),
    };
    (true, problem)
}

fn unresolved<'v>(path: &'v Path, visited: &'v Visited) -> impl Iterator<Item = (bool, Diagnostic)> + 'v {
    visited.references.iter().filter_map(move |(reference, target)| {
        let why = target.as_ref().err()?;
        let silent = reference.guarded || reference.kind == ReferenceKind::ImportResolve;
        let is_fatal = reference.kind == ReferenceKind::Import;
        if silent && !is_fatal {
            return None;
        }
        let problem = Diagnostic::error(&why.message)
            .at(path, visited.original(), visited.place(reference.span.clone()))
            .help(&why.help);
        Some((is_fatal, problem))
    })
}

fn into_module(visited: Visited) -> Module {
    let mut edges = BTreeMap::new();
    for (reference, target) in visited.references {
        match target {
            Ok(Target::Elsewhere) | Err(_) => {}
            Ok(target) => {
                edges.insert((reference.kind.edge(), reference.specifier), target);
            }
        }
    }
    let Visited { format, bytes, source, written, map, is_typescript, .. } = visited;
    Module { format, bytes, source, transformed: written.is_some(), is_typescript, map, is_merged: false, edges }
}
