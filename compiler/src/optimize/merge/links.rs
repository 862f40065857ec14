//! What names mean across modules, as the language has it.

use std::collections::BTreeSet;

use swc_atoms::Atom;

use super::facts::{Export, Selected, Shape};
use super::world::{Dep, Other, World};

/// What stands behind a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bound {
    /// A name of a module's top level.
    Local(usize, Atom),
    /// What a module exports that stays by itself.
    Foreign(usize, Atom),
    /// The namespace of a module.
    Namespace(usize),
    /// Of a module that is no ES module of the program.
    Other(Other, Selected),
}

/// Follows names through modules.
pub struct Links<'w, 'g> {
    world: &'w World<'g>,
    /// Whether a name may be followed into a module; where not, it ends there. Without it, everywhere.
    enters: Option<Box<dyn Fn(usize) -> bool + 'w>>,
}

impl<'w, 'g> Links<'w, 'g> {
    /// Links that lead all the way.
    pub fn all(world: &'w World<'g>) -> Self {
        Self { world, enters: None }
    }

    /// Links that end at modules that are not to be entered.
    pub fn within(world: &'w World<'g>, enters: impl Fn(usize) -> bool + 'w) -> Self {
        Self { world, enters: Some(Box::new(enters)) }
    }

    /// What a name of a module's top level means.
    pub fn name(&self, module: usize, name: &Atom) -> Option<Bound> {
        match self.world.facts(module).imports.get(name) {
            Some((request, selected)) => self.request(module, *request, selected, &mut BTreeSet::new()),
            None => Some(Bound::Local(module, name.clone())),
        }
    }

    /// Whether what is bound is a function that is there before anything is evaluated.
    pub fn is_function(&self, bound: &Bound) -> bool {
        let Bound::Local(module, name) = bound else { return false };
        let mut items = self.world.facts(*module).items.iter();
        items.any(|item| matches!(item.shape, Shape::Function(..)) && item.declares.contains(name))
    }

    /// What a module exports under a name, if it does.
    pub fn export(&self, module: usize, name: &Atom) -> Option<Bound> {
        self.exported(module, name, &mut BTreeSet::new())
    }

    /// The names that a module exports, as far as they can be known.
    pub fn exports(&self, module: usize) -> BTreeSet<Atom> {
        let mut names = BTreeSet::new();
        self.collect(module, true, &mut names, &mut BTreeSet::new());
        names.retain(|name| self.export(module, name).is_some());
        names
    }

    /// Whether it can be known what a module exports.
    pub fn knows_exports(&self, module: usize) -> bool {
        self.collect(module, true, &mut BTreeSet::new(), &mut BTreeSet::new()).is_some()
    }

    fn collect(
        &self,
        module: usize,
        is_first: bool,
        names: &mut BTreeSet<Atom>,
        seen: &mut BTreeSet<usize>,
    ) -> Option<()> {
        if !seen.insert(module) {
            return Some(());
        }
        let node = &self.world.nodes[module];
        if !node.facts.is_read {
            return None;
        }
        names.extend(node.facts.exports.keys().filter(|name| is_first || **name != "default").cloned());
        for star in &node.facts.stars {
            match &node.deps[*star] {
                Dep::Module(module) => self.collect(*module, false, names, seen)?,
                Dep::Other(_) => return None,
            }
        }
        Some(())
    }

    fn request(
        &self,
        module: usize,
        request: usize,
        selected: &Selected,
        seen: &mut BTreeSet<(usize, Atom)>,
    ) -> Option<Bound> {
        match (&self.world.nodes[module].deps[request], selected) {
            (Dep::Other(other), selected) => Some(Bound::Other(other.clone(), selected.clone())),
            (Dep::Module(module), Selected::Namespace) => Some(Bound::Namespace(*module)),
            (Dep::Module(module), Selected::Name(name)) => self.exported(*module, name, seen),
        }
    }

    fn exported(&self, module: usize, name: &Atom, seen: &mut BTreeSet<(usize, Atom)>) -> Option<Bound> {
        if !seen.insert((module, name.clone())) {
            return None;
        }
        if self.enters.as_ref().is_some_and(|enters| !enters(module)) {
            return Some(Bound::Foreign(module, name.clone()));
        }
        let node = &self.world.nodes[module];
        match node.facts.exports.get(name) {
            Some(Export::Local(local)) => match node.facts.imports.get(local) {
                Some((request, selected)) => return self.request(module, *request, selected, seen),
                None => return Some(Bound::Local(module, local.clone())),
            },
            Some(Export::From(request, selected)) => return self.request(module, *request, selected, seen),
            None if name == "default" => return None,
            None => {}
        }
        // Of several stars with the name, all have to mean the same.
        let all = Links::all(self.world);
        let stars = node.facts.stars.iter().filter_map(|star| match &node.deps[*star] {
            Dep::Module(module) => Some(*module),
            Dep::Other(_) => None,
        });
        let mut found: Option<(usize, Bound)> = None;
        for star in stars {
            let Some(bound) = all.exported(star, name, &mut seen.clone()) else { continue };
            match &found {
                Some((_, known)) if *known != bound => return None,
                Some(_) => {}
                None => found = Some((star, bound)),
            }
        }
        let (star, bound) = found?;
        if self.enters.is_none() { Some(bound) } else { self.exported(star, name, seen) }
    }
}
