//! Node's own JavaScript library, packed into the stub by `build.rs`.

use std::cell::RefCell;
use std::sync::OnceLock;

use crate::source::Source;

/// One built-in module as it is packed.
struct Entry {
    id: &'static str,
    offset: usize,
    packed: usize,
    /// In bytes, unpacked.
    length: usize,
    wide: bool,
}

static ENTRIES: &[Entry] = include!(concat!(env!("OUT_DIR"), "/library.rs"));
static PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/library.bin"));
static FACTS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/facts.bin"));
const FACTS_LENGTH: &str = include_str!(concat!(env!("OUT_DIR"), "/facts.len"));

/// Node's version, which the library belongs to.
pub const VERSION: &str = "v26.10.0";

/// The ids of all built-in modules, sorted.
pub fn ids() -> impl ExactSizeIterator<Item = &'static str> {
    ENTRIES.iter().map(|entry| entry.id)
}

/// The position of a built-in module in [`ids`].
pub fn position(id: &str) -> Option<usize> {
    ENTRIES.binary_search_by(|entry| entry.id.cmp(id)).ok()
}

/// The sources of the built-in modules: those that the executable maps, the others unpacked when asked
/// for.
pub struct Library {
    /// One for each entry; a slot is fixed for the life of the process because V8 keeps its address.
    slots: Vec<OnceLock<&'static Source>>,
    used: RefCell<Vec<usize>>,
}

impl Library {
    /// A library with the sources that a payload maps, see [`Library::pack`].
    pub fn new(mapped: Option<&'static [u8]>) -> Self {
        let slots: Vec<OnceLock<&'static Source>> = ENTRIES.iter().map(|_| OnceLock::new()).collect();
        for (position, bytes) in mapped.into_iter().flat_map(unpack) {
            let _ = slots[position].set(leak(Source::new(bytes, ENTRIES[position].wide)));
        }
        Library { slots, used: RefCell::default() }
    }

    /// The source of the module at `position`, unpacked from the stub if it is not mapped.
    pub fn source(&self, position: usize) -> &'static Source {
        self.used.borrow_mut().push(position);
        self.slots[position].get_or_init(|| {
            let entry = &ENTRIES[position];
            let packed = &PACKED[entry.offset..entry.offset + entry.packed];
            let bytes = zstd::bulk::decompress(packed, entry.length).unwrap_or_default();
            leak(Source::new(align(bytes), entry.wide))
        })
    }

    /// What the table of external references holds for each module, in the order of [`ids`]. While a
    /// snapshot is taken every module has its source, later only those that the snapshot needs.
    pub fn references(&self, all: bool) -> impl Iterator<Item = v8::ExternalReference> {
        static NONE: OnceLock<Source> = OnceLock::new();
        (0..self.slots.len()).map(move |position| match self.slots[position].get() {
            Some(source) => source.reference(),
            None if all => self.source(position).reference(),
            None => NONE.get_or_init(|| Source::new(&[], false)).reference(),
        })
    }

    /// Forgets which sources were asked for.
    pub fn reset_used(&self) {
        self.used.borrow_mut().clear();
    }

    /// The sources that were asked for, in the form that [`Library::new`] maps: a count, then for each
    /// its position, offset and length in bytes as 64-bit numbers, then the texts, 8-byte aligned.
    pub fn pack(&self) -> Vec<u8> {
        let mut used = self.used.borrow().clone();
        used.sort_unstable();
        used.dedup();
        let mut head = vec![used.len() as u64];
        let mut texts: Vec<u8> = Vec::new();
        let start = 8 * (1 + 3 * used.len());
        for position in used {
            let entry = &ENTRIES[position];
            let packed = &PACKED[entry.offset..entry.offset + entry.packed];
            head.extend([position as u64, (start + texts.len()) as u64, entry.length as u64]);
            texts.extend(zstd::bulk::decompress(packed, entry.length).unwrap_or_default());
            texts.resize(texts.len().next_multiple_of(8), 0);
        }
        let mut out: Vec<u8> = head.into_iter().flat_map(u64::to_le_bytes).collect();
        out.extend(texts);
        out
    }
}

fn unpack(bytes: &'static [u8]) -> impl Iterator<Item = (usize, &'static [u8])> {
    let word = |index: usize| {
        let bytes = bytes.get(8 * index..8 * index + 8).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u64::from_le_bytes) as usize
    };
    (0..word(0)).map(move |index| {
        let (position, offset, length) = (word(3 * index + 1), word(3 * index + 2), word(3 * index + 3));
        (position, &bytes[offset..offset + length])
    })
}

/// Two-byte texts have to be aligned; `Vec<u8>` does not promise it.
fn align(bytes: Vec<u8>) -> &'static [u8] {
    if bytes.as_ptr().cast::<u16>().is_aligned() {
        return Vec::leak(bytes);
    }
    let mut shifted = vec![0; bytes.len() + 1];
    let start = shifted.as_ptr().align_offset(2);
    shifted[start..start + bytes.len()].copy_from_slice(&bytes);
    &Vec::leak(shifted)[start..start + bytes.len()]
}

fn leak(source: Source) -> &'static Source {
    Box::leak(Box::new(source))
}

/// What Node's native half hands to the library as plain data (constants, option values, versions),
/// as JSON. Needed only while a snapshot is taken, or for a binding that is first used later.
pub fn facts() -> String {
    let length = FACTS_LENGTH.parse().unwrap_or_default();
    let bytes = zstd::bulk::decompress(FACTS, length).unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}

