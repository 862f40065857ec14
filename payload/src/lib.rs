//! What Kiln's compiler and its stub agree on: the layout of an executable and the index of what is in it.
//!
//! ```text
//! [ front, a page ][ stub, an ordinary ELF file ][ section ]... [ table ][ trailer ]
//! ```
//!
//! Sections begin on page boundaries, so that they can be used right where the file is mapped. The front notices a
//! file that was cut short, even within the stub. The stub's own [`Seal`] says where the payload lies, and the
//! trailer's checksum finds any byte of it that was changed.

mod archive;
mod codes;
mod front;
mod image;
mod index;
mod origins;
mod path;
mod seal;
mod write;

pub use codes::{Code, Codes, Rehearsal};
pub use image::{Damage, Image, Section, Source, Unverified};
pub use index::{
    ArchivedDirEntry, ArchivedEncoding, ArchivedEntryKind, ArchivedFile, ArchivedFormat, ArchivedIndex, ArchivedModule,
    ArchivedNode, ArchivedText, DirEntry, Encoding, EntryKind, File, Format, Index, Map, Module, Node, SHARED, SPAWNED,
    Text, VIRTUAL_ROOT,
};
pub use origins::{Origin, Origins, Stretch};
pub use path::{normalize, normalize_bytes};
pub use seal::{Seal, SealError};
pub use write::ImageWriter;

/// Sections begin at multiples of this.
pub const PAGE: u64 = 4096;

/// Counts up whenever the layout or the index changes its meaning.
pub const FORMAT_VERSION: u32 = 4;

/// The parts of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum SectionId {
    /// The rkyv archive of an [`Index`]; never compressed.
    Index = 0,
    /// The modules' sources, as V8 wants to see them; never compressed.
    Text = 1,
    /// The bytes of embedded files, each compressed on its own where that pays.
    Files = 2,
    /// V8's start-up snapshot. A build image, from which the snapshot is yet to be taken, has none.
    Snapshot = 3,
    /// Code caches of modules that a start does not load, see [`Codes`].
    Code = 4,
}

impl SectionId {
    /// All sections, in the order in which they stand in a file.
    pub const ALL: [SectionId; 5] = [Self::Index, Self::Text, Self::Files, Self::Snapshot, Self::Code];

    /// The name by which `kiln inspect` lists the section.
    pub fn name(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Text => "text",
            Self::Files => "files",
            Self::Snapshot => "snapshot",
            Self::Code => "code",
        }
    }

    fn from_u32(id: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|known| *known as u32 == id)
    }
}
