//! Reading an executable's payload, after checking every byte of it.

use std::borrow::Cow;
use std::fmt;
use std::hash::Hasher;

use twox_hash::XxHash3_64;

use crate::index::{ArchivedEncoding, ArchivedFile, ArchivedIndex, ArchivedText};
use crate::{Encoding, FORMAT_VERSION, Seal, SectionId, codes};

const MAGIC: [u8; 8] = *b"\x7fKILN\r\n\x1a";
pub(crate) const TRAILER_LEN: usize = 32;
pub(crate) const ENTRY_LEN: usize = 40;

/// The last bytes of a sealed file.
pub(crate) struct Trailer {
    pub sections: u32,
    pub table_offset: u64,
    pub checksum: u64,
}

impl Trailer {
    /// The fields that the checksum covers.
    pub fn hashed(&self) -> [u8; TRAILER_LEN - 8] {
        let mut bytes = [0; TRAILER_LEN - 8];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.sections.to_le_bytes());
        bytes[16..].copy_from_slice(&self.table_offset.to_le_bytes());
        bytes
    }

    pub fn to_bytes(&self) -> [u8; TRAILER_LEN] {
        let mut bytes = [0; TRAILER_LEN];
        bytes[..TRAILER_LEN - 8].copy_from_slice(&self.hashed());
        bytes[TRAILER_LEN - 8..].copy_from_slice(&self.checksum.to_le_bytes());
        bytes
    }
}

/// One entry of the table of sections.
pub(crate) struct Entry {
    pub id: SectionId,
    pub encoding: Encoding,
    pub offset: u64,
    pub stored: u64,
    pub plain: u64,
    /// Of the section and what pads the file before it.
    pub checksum: u64,
}

impl Entry {
    pub fn to_bytes(&self) -> [u8; ENTRY_LEN] {
        let mut entry = [0; ENTRY_LEN];
        entry[..4].copy_from_slice(&(self.id as u32).to_le_bytes());
        entry[4..8].copy_from_slice(&u32::from(self.encoding == Encoding::Zstd).to_le_bytes());
        let numbers = [self.offset, self.stored, self.plain, self.checksum];
        for (place, number) in entry[8..].chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        entry
    }
}

/// The checksum of `bytes`.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot(bytes)
}

/// What is wrong with an executable. Each is one line for its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// A stub to which nothing was ever appended.
    Bare,
    /// The running executable can't be opened.
    Unreadable,
    /// The file does not have the length that it was built with.
    Length { expected: u64, found: u64 },
    /// The end of the file is not that of an executable made by Kiln.
    Trailer,
    /// The payload is of another version than the stub; only a mix-up while building can do that.
    Version(u32),
    /// Some byte of the payload was changed.
    Checksum,
    /// The payload is whole, but contradicts itself.
    Contents,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Unreadable => f.write_str("this executable can't read itself"),
            Self::Bare => f.write_str("this is Kiln's bare runtime, without a program in it"),
            Self::Length { expected, found } if found < expected => {
                write!(f, "this executable is damaged: it was cut short ({found} of {expected} bytes are there)")
            }
            Self::Length { expected, found } => {
                write!(f, "this executable is damaged: {} bytes were added to its {expected}", found - expected)
            }
            Self::Trailer => f.write_str("this executable is damaged: its end was overwritten"),
            Self::Version(version) => write!(
                f,
                "this executable is damaged: its payload has format {version}, its runtime reads {FORMAT_VERSION}"
            ),
            Self::Checksum => f.write_str("this executable is damaged: its contents were changed"),
            Self::Contents => f.write_str("this executable is damaged: its contents make no sense"),
        }
    }
}

impl std::error::Error for Damage {}

/// A section as it lies in the file.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// The stored bytes.
    pub bytes: &'static [u8],
    /// How they are stored.
    pub encoding: Encoding,
    /// How many bytes they decode to.
    pub plain_len: u64,
}

impl Section {
    /// The section's plain bytes.
    pub fn decode(&self) -> Result<Cow<'static, [u8]>, Damage> {
        decode(self.bytes, self.encoding, self.plain_len)
    }
}

/// A module's source, borrowed from the mapped executable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// One byte for each character.
    Latin1(&'static [u8]),
    /// UTF-16 code units.
    Wide(&'static [u16]),
}

/// Parts of an executable whose checksums are still to be compared.
#[derive(Debug, Clone)]
pub struct Unverified(Vec<(&'static [u8], u64)>);

impl Unverified {
    /// How many bytes they are.
    pub fn length(&self) -> usize {
        self.0.iter().map(|(bytes, _)| bytes.len()).sum()
    }

    /// Compares the checksums.
    pub fn verify(self) -> Result<(), Damage> {
        let is_whole = self.0.iter().all(|(bytes, expected)| checksum(bytes) == *expected);
        if is_whole { Ok(()) } else { Err(Damage::Checksum) }
    }
}

/// A verified executable.
#[derive(Debug, Clone, Copy)]
pub struct Image {
    sections: [Option<Section>; SectionId::ALL.len()],
}

/// A section, with what pads the file before it, and the checksum of both.
type Range = (SectionId, &'static [u8], u64);

impl Image {
    /// Verifies the whole payload of `file`, whose stub holds `seal`.
    pub fn open(file: &'static [u8], seal: &Seal) -> Result<Image, Damage> {
        let (image, rest) = Self::begin(file, seal)?;
        rest.verify().map(|()| image)
    }

    /// Verifies what a start reads first of the payload of `file`: all but the sources, the files and the code.
    pub fn begin(file: &'static [u8], seal: &Seal) -> Result<(Image, Unverified), Damage> {
        let (expected, payload_offset) = seal.read().ok_or(Damage::Bare)?;
        let found = file.len() as u64;
        if found != expected {
            return Err(Damage::Length { expected, found });
        }
        let (body, trailer) = file.split_last_chunk::<TRAILER_LEN>().ok_or(Damage::Trailer)?;
        if trailer[..8] != MAGIC {
            return Err(Damage::Trailer);
        }
        let version = u32_at(trailer, 8);
        if version != FORMAT_VERSION {
            return Err(Damage::Version(version));
        }
        // The table, and what pads the file before it.
        let sections = u32_at(trailer, 12) as usize;
        let table = body.len().checked_sub(sections.saturating_mul(ENTRY_LEN)).and_then(|at| body.get(at..));
        let table = table.ok_or(Damage::Checksum)?;
        let mut end = payload_offset;
        for entry in table.chunks_exact(ENTRY_LEN) {
            end = u64_at(entry, 8).saturating_add(u64_at(entry, 16));
        }
        let last = usize::try_from(end).ok().and_then(|at| body.get(at..)).ok_or(Damage::Checksum)?;
        let mut hash = XxHash3_64::with_seed(0);
        hash.write(last);
        hash.write(&trailer[..TRAILER_LEN - 8]);
        if hash.finish() != u64_at(trailer, 24) {
            return Err(Damage::Checksum);
        }
        let (image, ranges) = Self::sections(body, table, payload_offset).ok_or(Damage::Contents)?;
        let is_first = |id: SectionId| matches!(id, SectionId::Index | SectionId::Snapshot);
        let (first, rest): (Vec<_>, Vec<_>) = ranges.into_iter().partition(|(id, ..)| is_first(*id));
        let unverified = |ranges: Vec<(_, _, _)>| {
            Unverified(ranges.into_iter().map(|(_, bytes, checksum)| (bytes, checksum)).collect())
        };
        unverified(first).verify()?;
        Ok((image, unverified(rest)))
    }

    fn sections(body: &'static [u8], table: &[u8], payload_offset: u64) -> Option<(Image, Vec<Range>)> {
        let mut sections = [None; SectionId::ALL.len()];
        let mut ranges = Vec::new();
        let mut end = payload_offset;
        for entry in table.chunks_exact(ENTRY_LEN) {
            let id = SectionId::from_u32(u32_at(entry, 0))?;
            let (offset, stored) = (u64_at(entry, 8), u64_at(entry, 16));
            let bytes = slice(body, offset, stored)?;
            let encoding = if u32_at(entry, 4) == 1 { Encoding::Zstd } else { Encoding::Plain };
            sections[id as usize] = Some(Section { bytes, encoding, plain_len: u64_at(entry, 24) });
            let next = offset.checked_add(stored)?;
            ranges.push((id, slice(body, end, next.checked_sub(end)?)?, u64_at(entry, 32)));
            end = next;
        }
        Some((Image { sections }, ranges))
    }

    /// A number that depends on the program: on its index and its sources.
    pub fn fingerprint(&self) -> u64 {
        let mut hash = XxHash3_64::with_seed(0);
        for id in [SectionId::Index, SectionId::Text] {
            hash.write(self.section(id).map_or(&[], |section| section.bytes));
        }
        hash.finish()
    }

    /// The code cache of a module, if it has one.
    pub fn code(&self, module: u32) -> Result<Option<Vec<u8>>, Damage> {
        self.section(SectionId::Code).map_or(Ok(None), |section| codes::find(&section, module))
    }

    /// A section, if the image has it.
    pub fn section(&self, id: SectionId) -> Option<Section> {
        self.sections[id as usize]
    }

    /// The index, right where it lies in the file.
    ///
    /// The archive is not validated again: for the executable that is running, the checksum has shown that
    /// it is what the compiler wrote.
    pub fn index(&self) -> Result<&'static ArchivedIndex, Damage> {
        let bytes = self.section(SectionId::Index).ok_or(Damage::Contents)?.bytes;
        if bytes.len() < size_of::<ArchivedIndex>() || !bytes.as_ptr().cast::<ArchivedIndex>().is_aligned() {
            return Err(Damage::Contents);
        }
        // SAFETY: the bytes are those that `Index::to_bytes` made, as `open` has verified by the checksum, and the
        // archive is aligned: sections begin on page boundaries.
        Ok(unsafe { rkyv::access_unchecked::<ArchivedIndex>(bytes) })
    }

    /// The index of a file that anybody may have made: as [`index`](Self::index), but with every reference checked.
    pub fn checked_index(&self) -> Result<&'static ArchivedIndex, Damage> {
        let bytes = self.section(SectionId::Index).ok_or(Damage::Contents)?.bytes;
        rkyv::access::<ArchivedIndex, rkyv::rancor::Error>(bytes).map_err(|_| Damage::Contents)
    }

    /// A module's source.
    pub fn source(&self, text: &ArchivedText) -> Result<Source, Damage> {
        let section = self.section(SectionId::Text).ok_or(Damage::Contents)?.bytes;
        let (offset, len) = (text.offset.to_native(), text.len.to_native());
        if !text.wide {
            return slice(section, offset, len).map(Source::Latin1).ok_or(Damage::Contents);
        }
        let bytes = len.checked_mul(2).and_then(|len| slice(section, offset, len)).ok_or(Damage::Contents)?;
        // SAFETY: any two bytes are a valid u16.
        match unsafe { bytes.align_to::<u16>() } {
            ([], units, []) => Ok(Source::Wide(units)),
            _ => Err(Damage::Contents),
        }
    }

    /// An embedded file's bytes.
    pub fn file(&self, index: &ArchivedIndex, file: &ArchivedFile) -> Result<Cow<'static, [u8]>, Damage> {
        let encoding = match file.encoding {
            ArchivedEncoding::Plain => Encoding::Plain,
            ArchivedEncoding::Zstd => Encoding::Zstd,
            ArchivedEncoding::Text => {
                let id = file.module.as_ref().ok_or(Damage::Contents)?.to_native();
                let module = index.modules.get(id as usize).ok_or(Damage::Contents)?;
                return Ok(self.source(&module.text)?.to_utf8());
            }
        };
        let section = self.section(SectionId::Files).ok_or(Damage::Contents)?.bytes;
        let stored = slice(section, file.offset.to_native(), file.stored_len.to_native()).ok_or(Damage::Contents)?;
        decode(stored, encoding, file.len.to_native())
    }
}

impl Source {
    /// The source as the bytes of a UTF-8 file.
    pub fn to_utf8(self) -> Cow<'static, [u8]> {
        match self {
            Self::Latin1(bytes) if bytes.is_ascii() => Cow::Borrowed(bytes),
            Self::Latin1(bytes) => Cow::Owned(bytes.iter().map(|&byte| char::from(byte)).collect::<String>().into()),
            Self::Wide(units) => Cow::Owned(String::from_utf16_lossy(units).into()),
        }
    }
}

fn decode(stored: &'static [u8], encoding: Encoding, plain_len: u64) -> Result<Cow<'static, [u8]>, Damage> {
    match encoding {
        Encoding::Plain => Ok(Cow::Borrowed(stored)),
        Encoding::Zstd => {
            let capacity = usize::try_from(plain_len).map_err(|_| Damage::Contents)?;
            let plain = zstd::bulk::decompress(stored, capacity).map_err(|_| Damage::Contents)?;
            if plain.len() == capacity { Ok(Cow::Owned(plain)) } else { Err(Damage::Contents) }
        }
        Encoding::Text => Err(Damage::Contents),
    }
}

fn slice(bytes: &'static [u8], offset: u64, len: u64) -> Option<&'static [u8]> {
    let start = usize::try_from(offset).ok()?;
    bytes.get(start..start.checked_add(usize::try_from(len).ok()?)?)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

#[cfg(test)]
#[path = "image_tests.rs"]
mod tests;
