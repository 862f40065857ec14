//! What of the islands is needed: all that has effects, all that somebody outside can ask for, and what these use.

use std::collections::BTreeSet;

use swc_atoms::Atom;

use super::facts::{Selected, Shape};
use super::links::{Bound, Links};
use super::plan::Plan;
use super::world::{Dep, World};

/// What is needed of each module.
pub struct Live {
    /// The items, by module and position.
    pub items: Vec<Vec<bool>>,
}

impl Live {
    /// Finds out what is needed.
    pub fn new(world: &World, plan: &Plan, links: &Links) -> Self {
        let uses = world.nodes.iter().map(|node| {
            let mut uses = vec![BTreeSet::new(); node.facts.items.len()];
            for used in &node.facts.uses {
                uses[used.item].insert(&used.name);
            }
            uses
        });
        let items = world.nodes.iter().map(|node| vec![false; node.facts.items.len()]).collect();
        let included = vec![false; world.nodes.len()];
        let mut search =
            Search { world, links, uses: uses.collect(), live: Self { items }, included, open: Vec::new() };
        for (module, island) in plan.island_of.iter().enumerate() {
            if island.is_none() {
                continue;
            }
            let node = &world.nodes[module];
            if !node.has_no_effects || node.naming.is_some() || world.entry == Some(module) {
                search.include(module);
            }
            for name in wanted(world, plan, links, module) {
                search.bound(links.export(module, &name));
            }
        }
        search.finish();
        search.live
    }

    /// Whether anything of a module is needed.
    pub fn any(&self, module: usize) -> bool {
        self.items[module].iter().any(|is_live| *is_live)
    }
}

/// The names that a module has to export under its own path.
pub fn wanted(world: &World, plan: &Plan, links: &Links, module: usize) -> BTreeSet<Atom> {
    if plan.observed[module] {
        return links.exports(module);
    }
    let mut wanted = BTreeSet::new();
    let outside = world.nodes.iter().zip(&plan.island_of).filter(|(_, island)| island.is_none());
    for (node, _) in outside {
        wanted.extend(node.selections().filter_map(|(request, selected)| match (&node.deps[request], selected) {
            (Dep::Module(dep), Selected::Name(name)) if *dep == module => Some(name.clone()),
            _ => None,
        }));
    }
    wanted
}

struct Search<'w, 'g> {
    world: &'w World<'g>,
    links: &'w Links<'w, 'g>,
    /// The names that each item of each module uses.
    uses: Vec<Vec<BTreeSet<&'w Atom>>>,
    live: Live,
    /// The modules that do what they do when they are evaluated.
    included: Vec<bool>,
    open: Vec<(usize, usize)>,
}

impl Search<'_, '_> {
    fn include(&mut self, module: usize) {
        if std::mem::replace(&mut self.included[module], true) {
            return;
        }
        for (number, item) in self.world.facts(module).items.iter().enumerate() {
            let is_pure = item.is_pure && item.reads.iter().all(|name| self.is_function(module, name));
            if item.shape != Shape::Link && !is_pure {
                self.item(module, number);
            }
        }
    }

    fn is_function(&self, module: usize, name: &Atom) -> bool {
        self.links.name(module, name).is_some_and(|bound| self.links.is_function(&bound))
    }

    fn item(&mut self, module: usize, item: usize) {
        if !std::mem::replace(&mut self.live.items[module][item], true) {
            self.open.push((module, item));
        }
    }

    fn bound(&mut self, bound: Option<Bound>) {
        let Some(Bound::Local(module, name)) = bound else { return };
        self.include(module);
        for (number, item) in self.world.facts(module).items.iter().enumerate() {
            if item.declares.contains(&name) {
                self.item(module, number);
            }
        }
    }

    fn finish(&mut self) {
        while let Some((module, item)) = self.open.pop() {
            for name in std::mem::take(&mut self.uses[module][item]) {
                self.bound(self.links.name(module, name));
            }
        }
    }
}
