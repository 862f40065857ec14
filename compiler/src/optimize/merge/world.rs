//! The program's ES modules, each with its facts and with what it asks for.

use std::collections::HashMap;
use std::path::Path;

use kiln_payload::Format;
use rayon::prelude::*;

use super::collect;
use super::effects::Effects;
use super::facts::{Export, Facts, Fit, Selected};
use crate::graph::resolve::{EdgeKind, Target};
use crate::graph::{Module, ModuleGraph, Naming};

/// All ES modules of a program. A module's number is its position.
pub struct World<'g> {
    /// The modules.
    pub nodes: Vec<Node<'g>>,
    /// The number of the entry, if that is one of them.
    pub entry: Option<usize>,
    /// Whether anything may be loaded by a name that only the running program knows.
    pub is_open: bool,
}

/// An ES module.
pub struct Node<'g> {
    /// Its real path.
    pub path: &'g Path,
    /// The module.
    pub module: &'g Module,
    /// What is known of it.
    pub facts: Facts,
    /// What its requests lead to.
    pub deps: Vec<Dep>,
    /// How it is loaded other than by declarations.
    pub naming: Option<Naming>,
    /// Whether its package says that it is only worth what it exports.
    pub has_no_effects: bool,
}

/// What a request leads to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dep {
    /// An ES module of the program, by its number.
    Module(usize),
    /// Anything else.
    Other(Other),
}

/// A module that is no ES module of the program.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Other {
    /// Where it is.
    pub target: Target,
    /// The import attributes, as they were written.
    pub attributes: String,
    /// Whether nobody can tell when it is loaded.
    pub is_quiet: bool,
}

/// Modules of Node's that say something when they are loaded.
const LOUD: &[&str] = &["node:punycode", "node:sqlite", "node:wasi", "node:test", "node:trace_events", "node:quic"];

impl Node<'_> {
    /// What it takes of which request.
    pub fn selections(&self) -> impl Iterator<Item = (usize, &Selected)> {
        let imports = self.facts.imports.values().map(|(request, selected)| (*request, selected));
        let exports = self.facts.exports.values().filter_map(|export| match export {
            Export::From(request, selected) => Some((*request, selected)),
            Export::Local(_) => None,
        });
        imports.chain(exports)
    }
}

impl<'g> World<'g> {
    /// Reads the modules of `graph`.
    pub fn new(graph: &'g ModuleGraph) -> Self {
        let modules: Vec<(&Path, &Module)> = graph
            .modules
            .iter()
            .filter(|(_, module)| module.format == Format::Module)
            .map(|(path, module)| (path.as_path(), module))
            .collect();
        let numbers: HashMap<&Path, usize> = modules.iter().enumerate().map(|(id, (path, _))| (*path, id)).collect();
        let facts: Vec<Option<Facts>> = modules.par_iter().map(|(_, module)| collect::read(&module.source)).collect();
        let mut effects = Effects::default();
        let nodes = modules.into_iter().zip(facts).map(|((path, module), facts)| {
            let mut facts = facts.unwrap_or_else(|| Facts { fit: Fit::Never, is_read: false, ..Facts::default() });
            let mut deps = Vec::new();
            for request in &facts.requests {
                let dep = match module.edges.get(&(EdgeKind::Import, request.specifier.clone())) {
                    Some(Target::File { path, suffix })
                        if suffix.is_empty() && numbers.contains_key(path.as_path()) =>
                    {
                        Dep::Module(numbers[path.as_path()])
                    }
                    target => {
                        let target = target.cloned().unwrap_or(Target::Elsewhere);
                        let is_quiet = match &target {
                            Target::Builtin(name) => !LOUD.contains(&name.as_str()),
                            Target::File { path, .. } => {
                                graph.modules.get(path).is_some_and(|module| module.format == Format::Json)
                            }
                            Target::Elsewhere => false,
                        };
                        Dep::Other(Other { target, attributes: request.attributes.clone(), is_quiet })
                    }
                };
                deps.push(dep);
            }
            let is_lost = |dep: &Dep| matches!(dep, Dep::Other(Other { target: Target::Elsewhere, .. }));
            let is_known =
                |(_, specifier): &(_, String)| module.edges.contains_key(&(EdgeKind::Import, specifier.clone()));
            if deps.iter().any(is_lost) {
                facts.limit(Fit::Never);
            } else if !facts.dynamic.iter().all(is_known) {
                facts.limit(Fit::Last);
            }
            let naming = graph.named.get(path).copied();
            if naming == Some(Naming::Path) {
                facts.limit(Fit::Never);
            }
            let has_no_effects = effects.none(path);
            Node { path, module, facts, deps, naming, has_no_effects }
        });
        let nodes = nodes.collect();
        let entry = numbers.get(graph.entry.as_path()).copied();
        Self { nodes, entry, is_open: graph.loads_unknown }
    }

    /// A module's facts.
    pub fn facts(&self, module: usize) -> &Facts {
        &self.nodes[module].facts
    }

    /// Whether `module` can't be a part of another.
    pub fn limit(&mut self, module: usize, fit: Fit) -> bool {
        let facts = &mut self.nodes[module].facts;
        let before = facts.fit;
        facts.limit(fit);
        facts.fit != before
    }

    /// Whether nobody can tell when a module is evaluated.
    pub fn is_quiet(&self, module: usize) -> bool {
        let facts = self.facts(module);
        facts.is_read && facts.is_pure() && !facts.awaits
    }

    /// The ES modules that a module asks for.
    pub fn modules_of(&self, module: usize) -> impl Iterator<Item = usize> {
        self.nodes[module].deps.iter().filter_map(|dep| match dep {
            Dep::Module(module) => Some(*module),
            Dep::Other(_) => None,
        })
    }

    /// The modules that are reached from `from`, itself included.
    pub fn closure(&self, from: usize) -> Vec<bool> {
        let mut reached = vec![false; self.nodes.len()];
        let mut open = vec![from];
        while let Some(module) = open.pop() {
            if !std::mem::replace(&mut reached[module], true) {
                open.extend(self.modules_of(module));
            }
        }
        reached
    }
}
