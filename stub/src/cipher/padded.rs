//! ECB and CBC: whole blocks, and padding for the last.

use super::blocks::Blocks;
use super::{Mode, Problem, xor};

pub struct Padded {
    cipher: Box<dyn Blocks>,
    /// The last block that was encrypted, in CBC.
    chain: Option<Vec<u8>>,
    encrypts: bool,
    pads: bool,
    /// What is not a block yet; decrypting, the last block too, for it may be padding.
    held: Vec<u8>,
}

impl Padded {
    pub fn new(cipher: Box<dyn Blocks>, iv: Option<&[u8]>, encrypts: bool) -> Padded {
        Padded { cipher, chain: iv.map(<[u8]>::to_vec), encrypts, pads: true, held: Vec::new() }
    }

    fn apply(&mut self, blocks: &mut [u8]) {
        let size = self.cipher.size();
        match (&mut self.chain, self.encrypts) {
            (None, true) => self.cipher.encrypt(blocks),
            (None, false) => self.cipher.decrypt(blocks),
            (Some(chain), true) => {
                for block in blocks.chunks_mut(size) {
                    xor(block, chain);
                    self.cipher.encrypt(block);
                    chain.copy_from_slice(block);
                }
            }
            (Some(chain), false) => {
                let Some(last) = blocks.len().checked_sub(size) else { return };
                // All before any: blocks do not depend on each other.
                let previous = [&chain[..], &blocks[..last]].concat();
                chain.copy_from_slice(&blocks[last..]);
                self.cipher.decrypt(blocks);
                xor(blocks, &previous);
            }
        }
    }
}

impl Mode for Padded {
    fn update(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), Problem> {
        let size = self.cipher.size();
        let length = self.held.len() + data.len();
        let mut ready = length / size * size;
        if !self.encrypts && self.pads && ready == length {
            ready = ready.saturating_sub(size);
        }
        let start = out.len();
        if ready == 0 {
            self.held.extend_from_slice(data);
            return Ok(());
        }
        let taken = ready.saturating_sub(self.held.len());
        let first = self.held.len().min(ready);
        out.extend(self.held.drain(..first));
        out.extend_from_slice(&data[..taken]);
        self.held.extend_from_slice(&data[taken..]);
        self.apply(&mut out[start..]);
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Problem> {
        let size = self.cipher.size();
        let mut last = std::mem::take(&mut self.held);
        if !self.pads {
            return if last.is_empty() { Ok(()) } else { Err(Problem::WrongFinalBlockLength) };
        }
        if self.encrypts {
            let missing = size - last.len();
            last.resize(size, missing as u8);
            self.apply(&mut last);
            out.extend_from_slice(&last);
            return Ok(());
        }
        if last.len() != size {
            return Err(Problem::WrongFinalBlockLength);
        }
        self.apply(&mut last);
        let padding = usize::from(last[size - 1]);
        if padding == 0 || padding > size || last[size - padding..].iter().any(|byte| usize::from(*byte) != padding) {
            return Err(Problem::BadDecrypt);
        }
        out.extend_from_slice(&last[..size - padding]);
        Ok(())
    }

    fn set_padding(&mut self, padding: bool) {
        self.pads = padding;
    }
}
