//! Modes that authenticate what they encrypt.

pub mod ccm;
pub mod gcm;
pub mod ocb;

use poly1305::universal_hash::consts::U16;
use poly1305::universal_hash::{Block, UniversalHash};

/// A hash of blocks that takes any pieces.
pub struct Buffered<H> {
    hash: H,
    part: [u8; 16],
    filled: usize,
}

impl<H: UniversalHash<BlockSize = U16>> Buffered<H> {
    pub fn new(hash: H) -> Buffered<H> {
        Buffered { hash, part: [0; 16], filled: 0 }
    }

    pub fn update(&mut self, data: &[u8]) {
        let mut data = data;
        if self.filled > 0 {
            let length = data.len().min(16 - self.filled);
            self.part[self.filled..self.filled + length].copy_from_slice(&data[..length]);
            self.filled += length;
            data = &data[length..];
            if self.filled < 16 {
                return;
            }
            self.hash.update(&[self.part.into()]);
            self.filled = 0;
        }
        let (blocks, rest) = Block::<H>::slice_as_chunks(data);
        self.hash.update(blocks);
        self.part[..rest.len()].copy_from_slice(rest);
        self.filled = rest.len();
    }

    /// Fills the last block with zeros.
    pub fn pad(&mut self) {
        if self.filled > 0 {
            self.part[self.filled..].fill(0);
            self.hash.update(&[self.part.into()]);
            self.filled = 0;
        }
    }

    /// The hash of the whole blocks.
    pub fn hash(&self) -> &H {
        &self.hash
    }
}
