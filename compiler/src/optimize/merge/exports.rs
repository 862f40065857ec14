//! What islands export, and under which names.

use std::collections::{BTreeMap, BTreeSet};

use swc_atoms::Atom;

use super::links::{Bound, Links};
use super::live::{Live, wanted};
use super::plan::{Host, Plan};
use super::world::World;

/// The exports of all islands.
pub struct Exports {
    /// What each island exports under which name.
    pub of_island: BTreeMap<usize, BTreeMap<Atom, Bound>>,
    /// The names that each module in an island has to export under its own path.
    pub wanted: BTreeMap<usize, BTreeSet<Atom>>,
    /// The names by which what is in an island is exported by it.
    aliases: BTreeMap<(usize, Bound), Atom>,
}

impl Exports {
    /// Decides on them.
    pub fn new(world: &World, plan: &Plan, links: &Links, live: &Live) -> Self {
        let of_island = (0..plan.islands.len()).map(|island| (island, BTreeMap::new())).collect();
        let mut exports = Self { of_island, wanted: BTreeMap::new(), aliases: BTreeMap::new() };
        let inside = (0..world.nodes.len()).filter_map(|module| Some((module, plan.island_of[module]?)));
        let inside: Vec<(usize, usize)> = inside.collect();
        // The host exports what it exported.
        for (module, island) in &inside {
            let names = wanted(world, plan, links, *module);
            let members = &plan.islands[*island].members;
            if plan.islands[*island].host == Host::Last && members.last() == Some(module) {
                for name in &names {
                    if let Some(bound) = links.export(*module, name) {
                        exports.export(*island, name.clone(), bound);
                    }
                }
            }
            exports.wanted.insert(*module, names);
        }
        for (module, island) in &inside {
            let facts = world.facts(*module);
            let used = facts.uses.iter().filter(|used| live.items[*module][used.item]);
            let used: BTreeSet<&Atom> = used.map(|used| &used.name).collect();
            let used =
                used.into_iter().filter_map(|name| links.name(*module, name)).map(|bound| (bound, Some(*island)));
            let wanted = exports.wanted[module].iter().filter_map(|name| links.export(*module, name));
            let all: Vec<(Bound, Option<usize>)> = used.chain(wanted.map(|bound| (bound, None))).collect();
            for (bound, user) in all {
                if let Bound::Local(owner, name) = &bound
                    && let Some(home) = plan.island_of[*owner]
                    && user != Some(home)
                    && exports.alias(home, &bound).is_none()
                {
                    let alias = exports.fresh(home, name);
                    exports.export(home, alias, bound);
                }
            }
        }
        exports
    }

    /// The name by which an island exports something.
    pub fn alias(&self, island: usize, bound: &Bound) -> Option<&Atom> {
        self.aliases.get(&(island, bound.clone()))
    }

    fn export(&mut self, island: usize, name: Atom, bound: Bound) {
        self.aliases.entry((island, bound.clone())).or_insert_with(|| name.clone());
        if let Some(exports) = self.of_island.get_mut(&island) {
            exports.insert(name, bound);
        }
    }

    fn fresh(&self, island: usize, wish: &Atom) -> Atom {
        let known = &self.of_island[&island];
        let wish = if is_name(wish) { wish.as_str() } else { "exported" };
        let plain = Atom::from(wish);
        if !known.contains_key(&plain) && wish != "default" {
            return plain;
        }
        let mut numbered = (1..).map(|number| Atom::from(format!("{wish}${number}")));
        numbered.find(|name| !known.contains_key(name)).unwrap_or_default()
    }
}

fn is_name(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
    !text.is_empty() && text.chars().all(is_part) && !text.starts_with(|c: char| c.is_ascii_digit())
}

/// A name as it is written among exports.
pub fn quoted(name: &Atom) -> String {
    if is_name(name) { name.to_string() } else { serde_json::Value::from(&**name).to_string() }
}
