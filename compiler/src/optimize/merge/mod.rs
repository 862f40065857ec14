//! Merging: ES modules that are always evaluated together become one, without what nobody uses of them.
//!
//! A program can't tell. Modules are merged only where they are evaluated one right after the other, whoever loads them
//! first; their text is copied, not generated, but for the names that collide; and wherever a module is asked for by its own
//! path, a stand-in is there with its exports, whose namespace V8 makes.

mod collect;
mod effects;
mod exports;
mod facts;
mod island;
mod links;
mod live;
mod nameable;
mod names;
mod order;
mod paths;
mod plan;
mod pure;
#[cfg(test)]
mod tests;
mod text;
mod world;

use std::path::PathBuf;

use exports::Exports;
use facts::Fit;
use island::{Writer, Written};
use kiln_payload::Format;
use links::Links;
use live::Live;
use paths::Places;
use plan::Plan;
use world::World;

use crate::graph::resolve::Target;
use crate::graph::{Module, ModuleGraph};

/// Merges what can be merged. `root` is the folder that the virtual root will stand for.
pub fn merge(graph: &mut ModuleGraph, root: PathBuf) {
    if hooks_loading(graph) {
        return;
    }
    let places = Places { root };
    let uses_maps = graph.modules.values().any(|module| uses_maps(&module.source));
    let changes;
    {
        let mut world = World::new(graph);
        for number in 0..world.nodes.len() {
            let node = &world.nodes[number];
            let fit = match () {
                () if node.path.to_str().is_none() || warns(node.path) => Fit::Never,
                () if node.module.source.contains("# sourceURL=") => Fit::Never,
                () if uses_maps && has_map(&node.module.source) => Fit::Never,
                () if !node.facts.places.is_empty() && !places.is_plain(node.path) => Fit::Last,
                () => Fit::Any,
            };
            world.limit(number, fit);
        }
        let is_taken = |path: &PathBuf| graph.modules.contains_key(path) || graph.files.contains(path);
        changes = loop {
            let plan = Plan::new(&mut world, &is_taken);
            match written(&world, &plan, &places) {
                Ok(written) => break written,
                Err(misnaming) => misnaming.into_iter().for_each(|module| {
                    world.limit(module, Fit::Never);
                }),
            }
        };
    }
    for (path, written) in changes {
        let before = graph.modules.remove(&path);
        if before.is_some() {
            graph.merged.insert(path.clone());
        }
        let Some(Written { text, map, edges }) = written else { continue };
        if before.is_none() {
            graph.hidden.insert(path.clone());
        }
        let bytes = before.map(|module| module.bytes).unwrap_or_default();
        let module = Module {
            format: Format::Module,
            bytes,
            source: text.into(),
            transformed: true,
            is_typescript: false,
            is_merged: map.is_some(),
            map,
            edges,
        };
        graph.modules.insert(path, module);
    }
}

/// What becomes of modules, by their paths: another text, or nothing. If that would be told in an error, the modules that
/// should not be merged.
fn written(world: &World, plan: &Plan, places: &Places) -> Result<Vec<(PathBuf, Option<Written>)>, Vec<usize>> {
    let links = Links::within(world, |module| plan.island_of[module].is_some());
    let live = Live::new(world, plan, &links);
    let exports = Exports::new(world, plan, &links, &live);
    let writer = Writer { world, plan, links: &links, live: &live, exports: &exports, places };
    if let Some(cycle) = writer.misnaming_cycle() {
        return Err(cycle.to_vec());
    }
    let mut changes = Vec::new();
    for (number, island) in plan.islands.iter().enumerate() {
        let path = plan.path(world, number).to_owned();
        let outside = island.members.iter().filter(|member| world.nodes[**member].path != path);
        changes.extend(outside.map(|member| {
            let stand_in = writer.needs_stand_in(*member).then(|| writer.stand_in(*member));
            (world.nodes[*member].path.to_owned(), stand_in)
        }));
        changes.push((path, Some(writer.island(number))));
    }
    Ok(changes)
}

/// Whether the program may watch how modules are loaded.
fn hooks_loading(graph: &ModuleGraph) -> bool {
    graph.modules.values().any(|module| {
        let is_loader = |target: &Target| matches!(target, Target::Builtin(name) if name == "node:module");
        let has = |text: &str| module.source.contains(text);
        let names_it = || ["'module'", "\"module\"", "node:module"].iter().any(|name| has(name));
        let asks = module.edges.values().any(is_loader) || (has("getBuiltinModule") && names_it());
        asks && has("register")
    })
}

/// How a comment begins that says where a file's source map is.
const MAP: &str = "# sourceMappingURL=";

fn has_map(source: &str) -> bool {
    source.contains(MAP)
}

/// Whether a module does something with source maps of files, which merged files have none of.
fn uses_maps(source: &str) -> bool {
    let is_code = |(at, _): (usize, &str)| !source[..at].ends_with("# ");
    source.contains("setSourceMapsEnabled") || source.match_indices("sourceMappingURL").any(is_code)
}

/// Whether Node warns of a module whose kind nothing says.
fn warns(path: &std::path::Path) -> bool {
    if path.components().any(|part| part.as_os_str() == "node_modules") {
        return false;
    }
    if !path.extension().is_none_or(|extension| extension == "js" || extension == "ts") {
        return false;
    }
    let manifests = path.ancestors().skip(1).map(|folder| folder.join("package.json"));
    let manifest = manifests.filter_map(|path| std::fs::read_to_string(path).ok()).next();
    let manifest: serde_json::Value = manifest.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    !matches!(manifest["type"].as_str(), Some("module" | "commonjs"))
}
