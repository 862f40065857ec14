//! What has to be known of an ES module to make it a part of another.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use swc_atoms::Atom;

/// The name by which a module's own tables know what it exports as default, if that has no name.
pub const DEFAULT: &str = "*default*";

/// An ES module, as far as it matters.
#[derive(Debug, Default)]
pub struct Facts {
    /// The modules that it imports or exports from, in their order.
    pub requests: Vec<Request>,
    /// What stands at its top level, in its order.
    pub items: Vec<Item>,
    /// The names that imports bind, with the request that each belongs to.
    pub imports: BTreeMap<Atom, (usize, Selected)>,
    /// The other names of its top level.
    pub locals: BTreeSet<Atom>,
    /// What it exports under which name.
    pub exports: BTreeMap<Atom, Export>,
    /// The requests of which it exports all.
    pub stars: Vec<usize>,
    /// Where names of the top level stand, in their order.
    pub uses: Vec<Use>,
    /// Names of the top level that something is assigned to.
    pub assigned: BTreeSet<Atom>,
    /// Names that nothing in the module declares.
    pub globals: BTreeSet<Atom>,
    /// Names that are declared below the top level.
    pub inner: BTreeSet<Atom>,
    /// Functions and classes without a name that get it from a variable of the top level.
    pub named_by: Vec<(Atom, Range<usize>)>,
    /// Where it asks for its own place.
    pub places: Vec<(Range<usize>, OwnPlace)>,
    /// The specifiers of `import()`, with their quotes.
    pub dynamic: Vec<(Range<usize>, String)>,
    /// Whether any of this is known.
    pub is_read: bool,
    /// Whether it can be a part of another module.
    pub fit: Fit,
    /// Whether it awaits something at its top level.
    pub awaits: bool,
}

/// A module that another asks for.
#[derive(Debug)]
pub struct Request {
    /// The specifier.
    pub specifier: String,
    /// The import attributes as they stand there, or nothing.
    pub attributes: String,
}

/// Whether a module can be a part of another.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// It can be any part.
    #[default]
    Any,
    /// The place of the whole has to be its own, and nothing may come after it.
    Last,
    /// It can't.
    Never,
}

/// What an import takes of a module.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Selected {
    /// What it exports under a name, such as `default`.
    Name(Atom),
    /// All, as an object.
    Namespace,
}

/// What stands behind an exported name.
#[derive(Debug)]
pub enum Export {
    /// A name of the top level, which may be an import's.
    Local(Atom),
    /// What a request exports.
    From(usize, Selected),
}

/// A part of `import.meta` that is known when the program is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnPlace {
    /// `import.meta.url`
    Url,
    /// `import.meta.filename`
    Filename,
    /// `import.meta.dirname`
    Dirname,
}

/// A name of the top level in the text.
#[derive(Debug)]
pub struct Use {
    /// The name.
    pub name: Atom,
    /// Where it stands.
    pub range: Range<usize>,
    /// Whether it also names a property, as in `{ name }`.
    pub is_shorthand: bool,
    /// The item that it stands in.
    pub item: usize,
}

/// A statement or declaration of the top level.
#[derive(Debug)]
pub struct Item {
    /// Where it stands.
    pub range: Range<usize>,
    /// What it is.
    pub shape: Shape,
    /// The names that it declares.
    pub declares: Vec<Atom>,
    /// Whether nobody can tell if it is not there, provided that nothing uses what it declares.
    pub is_pure: bool,
    /// The imports that have to be functions for that.
    pub reads: Vec<Atom>,
}

/// What an item is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// An import, or a list of exports: nothing of it runs.
    Link,
    /// Anything that stays as it is from this offset on.
    Plain(usize),
    /// A function from this offset on, with the place of its name if it has one.
    Function(usize, Option<Range<usize>>),
    /// A class from this offset on, and whether it has a name.
    Class(usize, bool),
    /// What is exported as default: an expression, and whether it gets its name from that.
    Default(Range<usize>, bool),
}

impl Facts {
    /// Whether what the module does when it is evaluated can be left out or moved.
    pub fn is_pure(&self) -> bool {
        self.items.iter().all(|item| item.shape == Shape::Link || (item.is_pure && item.reads.is_empty()))
    }

    /// Makes the module one that fits less.
    pub fn limit(&mut self, fit: Fit) {
        self.fit = self.fit.max(fit);
    }
}
