//! The index: every embedded file and module, and where each specifier leads.
//!
//! It is an rkyv archive, so the stub reads it where it lies in the mapped file, without parsing.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::BuildHasherDefault;

use rkyv::{Archive, Deserialize, Serialize};

use crate::archive;

/// The folder under which a program finds its own files.
pub const VIRTUAL_ROOT: &str = "/__kiln__";

/// The variable that is set for a child that a program starts as if the executable were Node; the child takes it out of
/// its environment.
pub const SPAWNED: &str = "KILN_SPAWNED";

/// Where every search for a package ends, and where a module on the disk finds those of the program: links, for what
/// the disk does not have there.
pub const SHARED: &str = "/node_modules";

/// A hash map whose order depends on nothing but its contents' history: two builds archive it to the same bytes.
pub type Map<V> = HashMap<String, V, BuildHasherDefault<DefaultHasher>>;

/// Everything that the stub knows about the program.
#[derive(Archive, Serialize, Deserialize, Debug, Default, Clone, PartialEq, Eq)]
pub struct Index {
    /// The virtual path of the module to run, such as `/__kiln__/node_modules/cowsay/cli.js`.
    pub entry: String,
    /// Every embedded file, folder and link by its absolute virtual path, [`VIRTUAL_ROOT`] itself included.
    pub nodes: Map<Node>,
    /// The files lie where they lay when the program was built, and paths are the real ones: `nodes` has the modules
    /// alone, and everything else is read from the disk.
    pub in_place: bool,
    /// Which of `Intl`'s formatters a start makes, by their names: what they need can be made beforehand.
    pub formatters: Vec<String>,
    /// The modules. A module's position is its id, and its place in the stub's table of external references.
    pub modules: Vec<Module>,
}

/// An embedded file, folder or symbolic link.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A regular file.
    File(File),
    /// A folder, with its entries sorted by name.
    Directory(Vec<DirEntry>),
    /// A symbolic link, with its target: a path relative to the link's folder, or an absolute virtual path.
    Symlink(String),
}

/// One entry of an embedded folder.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirEntry {
    /// The name, without a path.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
}

/// What an entry of a folder is.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A folder.
    Directory,
    /// A symbolic link.
    Symlink,
}

/// An embedded file; [`Image::file`](crate::Image::file) gives its bytes.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where its bytes begin in the Files section.
    pub offset: u64,
    /// How many bytes it takes there.
    pub stored_len: u64,
    /// How many bytes the file has.
    pub len: u64,
    /// How the bytes are kept.
    pub encoding: Encoding,
    /// Whether the file may be executed.
    pub executable: bool,
    /// The module that this file is the source of.
    pub module: Option<u32>,
}

/// How a section or a file is kept.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    Plain,
    /// One zstd frame.
    Zstd,
    /// Files only: the bytes are the UTF-8 of the module's text, and are not stored a second time.
    Text,
}

/// A source file that the program can load.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Its absolute virtual path.
    pub path: String,
    /// What kind of module it is, by Node's rules.
    pub format: Format,
    /// Its source.
    pub text: Text,
    /// Where the source comes from, if it was generated: an archive of [`Origins`](crate::Origins), as a file.
    pub origins: Option<File>,
    /// Where its `require` calls lead: specifier to absolute virtual path, or to `node:name`.
    pub requires: Map<String>,
    /// Where its imports lead. A target keeps the `?query#hash` of its specifier: Node makes it a module of its own.
    pub imports: Map<String>,
}

/// What kind of module a file is.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[rkyv(derive(Debug, Clone, Copy, PartialEq, Eq))]
pub enum Format {
    /// Wrapped in a function with `require`, `module` and `exports`.
    CommonJs,
    /// An ES module.
    Module,
    /// JSON.
    Json,
}

/// A stretch of the Text section; [`Image::source`](crate::Image::source) gives it. It begins at a multiple of 8.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// Where it begins, in bytes.
    pub offset: u64,
    /// How many code units it has.
    pub len: u64,
    /// UTF-16 in little endian if true, else Latin-1.
    pub wide: bool,
}

impl Index {
    /// The archive's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        archive::to_bytes(self)
    }
}
