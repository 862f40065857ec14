//! OCB, of RFC 7253.

use crate::cipher::blocks::Blocks;
use crate::cipher::{Mode, Problem, encrypted, xor};

pub struct Ocb {
    cipher: Box<dyn Blocks>,
    encrypts: bool,
    /// L_*, L_$, L_0, L_1, …
    masks: Vec<u128>,
    offset: u128,
    checksum: u128,
    /// Blocks so far.
    count: u64,
    held: Vec<u8>,
    associated: Vec<u8>,
}

/// Times two, in the field of the masks.
fn doubled(mask: u128) -> u128 {
    mask << 1 ^ if mask >> 127 == 1 { 0x87 } else { 0 }
}

impl Ocb {
    pub fn new(cipher: Box<dyn Blocks>, nonce: &[u8], encrypts: bool, tag_length: usize) -> Ocb {
        let star = u128::from_be_bytes(encrypted(&*cipher, [0; 16]));
        let mut masks = vec![star];
        while masks.len() < 66 {
            masks.push(doubled(masks[masks.len() - 1]));
        }
        let mut block = [0; 16];
        block[16 - nonce.len()..].copy_from_slice(nonce);
        block[15 - nonce.len()] |= 1;
        block[0] |= ((tag_length * 8 % 128) as u8) << 1;
        let bottom = u32::from(block[15] & 0x3f);
        block[15] &= 0xc0;
        let top = encrypted(&*cipher, block);
        let mut stretch = [0; 24];
        stretch[..16].copy_from_slice(&top);
        (0..8).for_each(|index| stretch[16 + index] = top[index] ^ top[index + 1]);
        let [high, low] = [&stretch[..16], &stretch[16..]]
            .map(|part| part.iter().fold(0u128, |sum, byte| sum << 8 | u128::from(*byte)));
        let offset = if bottom == 0 { high } else { high << bottom | low >> (64 - bottom) };
        Ocb { cipher, encrypts, masks, offset, checksum: 0, count: 0, held: Vec::new(), associated: Vec::new() }
    }

    /// The mask of block `number`, which counts from 1.
    fn mask(&self, number: u64) -> u128 {
        self.masks[2 + number.trailing_zeros() as usize]
    }

    fn encrypt(&self, block: u128) -> u128 {
        u128::from_be_bytes(encrypted(&*self.cipher, block.to_be_bytes()))
    }

    fn sum_of_associated(&self) -> u128 {
        let (mut sum, mut offset) = (0, 0);
        let (blocks, rest) = self.associated.as_chunks::<16>();
        for (block, number) in blocks.iter().zip(1..) {
            offset ^= self.mask(number);
            sum ^= self.encrypt(u128::from_be_bytes(*block) ^ offset);
        }
        if !rest.is_empty() {
            sum ^= self.encrypt(padded(rest) ^ offset ^ self.masks[0]);
        }
        sum
    }
}

/// A part of a block, with a one behind it.
fn padded(part: &[u8]) -> u128 {
    let mut block = [0; 16];
    block[..part.len()].copy_from_slice(part);
    block[part.len()] = 0x80;
    u128::from_be_bytes(block)
}

impl Mode for Ocb {
    fn update(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), Problem> {
        let all = [&self.held[..], data].concat();
        let (blocks, rest) = all.as_chunks::<16>();
        for block in blocks {
            self.count += 1;
            self.offset ^= self.mask(self.count);
            let text = u128::from_be_bytes(*block);
            let mut result = (text ^ self.offset).to_be_bytes();
            match self.encrypts {
                true => self.cipher.encrypt(&mut result),
                false => self.cipher.decrypt(&mut result),
            }
            let result = u128::from_be_bytes(result) ^ self.offset;
            self.checksum ^= if self.encrypts { text } else { result };
            out.extend_from_slice(&result.to_be_bytes());
        }
        self.held = rest.to_vec();
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Problem> {
        let mut last = std::mem::take(&mut self.held);
        if last.is_empty() {
            return Ok(());
        }
        self.offset ^= self.masks[0];
        let pad = self.encrypt(self.offset).to_be_bytes();
        if self.encrypts {
            self.checksum ^= padded(&last);
        }
        xor(&mut last, &pad);
        if !self.encrypts {
            self.checksum ^= padded(&last);
        }
        out.extend_from_slice(&last);
        Ok(())
    }

    fn associate(&mut self, data: &[u8], _: Option<usize>) -> Result<(), Problem> {
        self.associated.extend_from_slice(data);
        Ok(())
    }

    fn tag(&mut self) -> Option<[u8; 16]> {
        let tag = self.encrypt(self.checksum ^ self.offset ^ self.masks[1]) ^ self.sum_of_associated();
        Some(tag.to_be_bytes())
    }
}
