//! Node's own JavaScript library, packed into the stub by `build.rs`.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::source::Source;
use crate::train::Caches;

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

/// The id of the built-in module at `position`.
pub fn id(position: usize) -> Option<&'static str> {
    ENTRIES.get(position).map(|entry| entry.id)
}

/// The position of a built-in module in [`ids`].
pub fn position(id: &str) -> Option<usize> {
    ENTRIES.binary_search_by(|entry| entry.id.cmp(id)).ok()
}

/// The sources of the built-in modules, each unpacked when V8 first reads it.
///
/// What a snapshot holds of a module mostly has no need of its text any more.
pub struct Library {
    sources: &'static [Source],
    caches: OnceLock<Caches>,
}

impl Library {
    /// The library. V8 keeps the addresses of its sources, so they live for ever.
    pub fn new() -> Self {
        let sources = ENTRIES.iter().map(|entry| {
            let length = entry.length >> usize::from(entry.wide);
            Source::lazy(length, entry.wide, Box::new(|| unpack(entry)))
        });
        Library { sources: Vec::leak(sources.collect()), caches: OnceLock::new() }
    }

    /// The source of the module at `position`.
    pub fn source(&self, position: usize) -> &'static Source {
        &self.sources[position]
    }

    /// Has modules compiled from these code caches from now on.
    pub fn set_caches(&self, caches: Caches) {
        let _ = self.caches.set(caches);
    }

    /// All code caches, by position.
    pub fn caches(&self) -> Caches {
        self.caches.get().cloned().unwrap_or_default()
    }

    /// The code cache of the module at `position`.
    pub fn cache(&self, position: usize) -> Option<&[u8]> {
        self.caches.get()?.get(&position).map(Vec::as_slice)
    }

    /// What the table of external references holds for each module, in the order of [`ids`].
    pub fn references(&self) -> impl Iterator<Item = v8::ExternalReference> + use<> {
        self.sources.iter().map(Source::reference)
    }
}

impl Default for Library {
    fn default() -> Self {
        Self::new()
    }
}

fn unpack(entry: &Entry) -> &'static [u8] {
    let packed = &PACKED[entry.offset..entry.offset + entry.packed];
    align(zstd::bulk::decompress(packed, entry.length).unwrap_or_default())
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

/// The licences of Node and of what is in it.
pub fn licenses() -> String {
    static LICENSES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/licenses.bin"));
    const MOST: usize = 4 << 20;
    let bytes = zstd::bulk::decompress(LICENSES, MOST).unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}

/// What Node's native half hands to the library as plain data (constants, option values, versions),
/// as JSON. Needed only while a snapshot is taken, or for a binding that is first used later.
pub fn facts() -> String {
    let length = FACTS_LENGTH.parse().unwrap_or_default();
    let bytes = zstd::bulk::decompress(FACTS, length).unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}

/// One of the facts, for code that runs before V8 does.
pub fn fact(name: &str) -> serde_json::Value {
    let facts = facts();
    // Numbers that JSON can't hold stand elsewhere in it, which is why not all of it is read.
    let parts: BTreeMap<&str, &serde_json::value::RawValue> = serde_json::from_str(&facts).unwrap_or_default();
    parts.get(name).and_then(|part| serde_json::from_str(part.get()).ok()).unwrap_or_default()
}
