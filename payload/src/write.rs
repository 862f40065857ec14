//! Composing an executable.

use std::hash::Hasher;
use std::io::{self, Write};

use twox_hash::XxHash3_64;

use crate::front::Front;
use crate::image::{ENTRY_LEN, Entry, TRAILER_LEN, Trailer};
use crate::{Encoding, PAGE, Seal, SealError, SectionId};

/// Puts sections behind a stub.
pub struct ImageWriter<'a> {
    stub: &'a [u8],
    seal: usize,
    front: Option<Front>,
    sections: Vec<(SectionId, Encoding, u64, &'a [u8])>,
}

impl<'a> ImageWriter<'a> {
    /// Begins with a bare stub.
    pub fn new(stub: &'a [u8]) -> Result<Self, SealError> {
        let seal = Seal::find(stub)?;
        let front = Front::of(stub).filter(|front| seal + Seal::LEN <= front.stub_len);
        let stub = &stub[..front.as_ref().map_or(stub.len(), |front| front.stub_len)];
        Ok(Self { stub, seal, front, sections: Vec::new() })
    }

    /// Adds a section that is stored as it is.
    pub fn plain(&mut self, id: SectionId, bytes: &'a [u8]) -> &mut Self {
        self.section(id, Encoding::Plain, bytes.len() as u64, bytes)
    }

    /// Adds a section whose `stored` bytes decode to `plain_len` bytes.
    pub fn section(&mut self, id: SectionId, encoding: Encoding, plain_len: u64, stored: &'a [u8]) -> &mut Self {
        self.sections.push((id, encoding, plain_len, stored));
        self
    }

    /// Writes the whole file and returns its length.
    pub fn write(&self, out: &mut impl Write) -> io::Result<u64> {
        let front_len = if self.front.is_some() { PAGE } else { 0 };
        let payload_offset = front_len + self.stub.len() as u64;
        let mut end = payload_offset;
        for (.., stored) in &self.sections {
            end = end.next_multiple_of(PAGE) + stored.len() as u64;
        }
        let table_offset = end.next_multiple_of(8);
        let file_len = table_offset + (self.sections.len() * ENTRY_LEN + TRAILER_LEN) as u64;

        let file_address = self.front.as_ref().map_or(0, |front| front.file_address);
        let fields = Seal::fields(file_len, payload_offset, file_address);
        if let Some(front) = &self.front {
            out.write_all(&front.page(file_len))?;
        }
        let at = self.seal + Seal::FIELDS;
        out.write_all(&self.stub[..at])?;
        out.write_all(&fields)?;
        out.write_all(&self.stub[at + fields.len()..])?;

        let mut payload = Hashing { out, hash: XxHash3_64::with_seed(0), at: payload_offset };
        let mut table = Vec::with_capacity(self.sections.len() * ENTRY_LEN);
        for (id, encoding, plain_len, stored) in &self.sections {
            payload.hash = XxHash3_64::with_seed(0);
            payload.pad_to(PAGE)?;
            let offset = payload.at;
            payload.put(stored)?;
            let entry = Entry {
                id: *id,
                encoding: *encoding,
                offset,
                stored: stored.len() as u64,
                plain: *plain_len,
                checksum: payload.hash.finish(),
            };
            table.extend(entry.to_bytes());
        }
        payload.hash = XxHash3_64::with_seed(0);
        payload.pad_to(8)?;
        payload.put(&table)?;
        let mut trailer = Trailer { sections: self.sections.len() as u32, table_offset, checksum: 0 };
        payload.hash.write(&trailer.hashed());
        trailer.checksum = payload.hash.finish();
        out.write_all(&trailer.to_bytes())?;
        Ok(file_len)
    }
}

/// Writes and hashes what goes by.
struct Hashing<'w, W> {
    out: &'w mut W,
    hash: XxHash3_64,
    at: u64,
}

impl<W: Write> Hashing<'_, W> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.write(bytes);
        self.at += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    fn pad_to(&mut self, alignment: u64) -> io::Result<()> {
        let padding = self.at.next_multiple_of(alignment) - self.at;
        self.put(&[0; PAGE as usize][..padding as usize])
    }
}
