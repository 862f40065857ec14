//! What names are called once modules share one scope.

use std::collections::{BTreeMap, BTreeSet};

use swc_atoms::Atom;

use super::facts::DEFAULT;
use super::links::Bound;
use super::world::World;

/// Names that can't be declared.
const RESERVED: &[&str] = &[
    "arguments",
    "await",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "continue",
    "debugger",
    "default",
    "delete",
    "do",
    "else",
    "enum",
    "eval",
    "export",
    "extends",
    "false",
    "finally",
    "for",
    "function",
    "if",
    "implements",
    "import",
    "in",
    "instanceof",
    "interface",
    "let",
    "new",
    "null",
    "package",
    "private",
    "protected",
    "public",
    "return",
    "static",
    "super",
    "switch",
    "this",
    "throw",
    "true",
    "try",
    "typeof",
    "var",
    "void",
    "while",
    "with",
    "yield",
    "undefined",
    "NaN",
    "Infinity",
];

/// Gives names.
pub struct Names<'w, 'g> {
    world: &'w World<'g>,
    /// Names that stand for what is outside of all modules.
    globals: BTreeSet<&'w Atom>,
    /// Every name that occurs anywhere.
    all: BTreeSet<&'w Atom>,
    taken: BTreeSet<Atom>,
    given: BTreeMap<Bound, Atom>,
}

impl<'w, 'g> Names<'w, 'g> {
    /// For the modules of an island.
    pub fn new(world: &'w World<'g>, members: &[usize]) -> Self {
        let facts = || members.iter().map(|member| world.facts(*member));
        let globals: BTreeSet<&Atom> = facts().flat_map(|facts| &facts.globals).collect();
        let all = facts().flat_map(|facts| facts.inner.iter().chain(&facts.locals).chain(facts.imports.keys()));
        let all = all.chain(globals.iter().copied()).collect();
        Self { world, globals, all, taken: BTreeSet::new(), given: BTreeMap::new() }
    }

    /// The name of what is `bound`.
    pub fn get(&self, bound: &Bound) -> Option<&Atom> {
        self.given.get(bound)
    }

    /// All that has a name.
    pub fn iter(&self) -> impl Iterator<Item = (&Bound, &Atom)> {
        self.given.iter()
    }

    /// Gives a name to what is `bound`, which `users` know by names of their own: if possible, one of these.
    pub fn give(&mut self, bound: &Bound, users: &[(usize, Atom)], otherwise: &Atom) {
        if self.given.contains_key(bound) {
            return;
        }
        let own = match bound {
            Bound::Local(_, name) if name != DEFAULT => Some(name),
            _ => None,
        };
        let wishes: Vec<&Atom> = own
            .into_iter()
            .chain(users.iter().map(|(_, name)| name).filter(|name| own.is_none() && **name != DEFAULT))
            .collect();
        let name = match wishes.iter().find(|wish| self.is_free(wish, bound, users)) {
            Some(wish) => (*wish).clone(),
            None => self.fresh(wishes.first().copied().unwrap_or(otherwise)),
        };
        self.taken.insert(name.clone());
        self.given.insert(bound.clone(), name);
    }

    fn is_free(&self, name: &Atom, bound: &Bound, users: &[(usize, Atom)]) -> bool {
        let is_other = |module: usize| {
            let facts = self.world.facts(module);
            facts.inner.contains(name) || facts.locals.contains(name) || facts.imports.contains_key(name)
        };
        let owner = match bound {
            Bound::Local(owner, own) if own == DEFAULT => Some((*owner, own)),
            _ => None,
        };
        !self.taken.contains(name)
            && !self.globals.contains(name)
            && !RESERVED.contains(&&**name)
            && owner.is_none_or(|(owner, _)| !is_other(owner))
            && !users.iter().any(|(user, known_as)| known_as != name && is_other(*user))
    }

    fn fresh(&self, wish: &Atom) -> Atom {
        let base: String = wish.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_' || *c == '$').collect();
        let base = if base.starts_with(|c: char| c.is_ascii_digit()) { format!("_{base}") } else { base };
        let mut numbered = (1..).map(|number| Atom::from(format!("{base}${number}")));
        numbered.find(|name| !self.taken.contains(name) && !self.all.contains(name)).unwrap_or_default()
    }
}
