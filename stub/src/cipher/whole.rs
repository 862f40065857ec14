//! Modes that take a message at once: XTS, and the wrapping of keys (RFC 3394 and 5649).

use super::blocks::Blocks;
use super::{Mode, Problem, xor};

/// XTS, of IEEE 1619. Each piece of data is a unit of its own.
pub struct Xts {
    cipher: Box<dyn Blocks>,
    tweak: [u8; 16],
    encrypts: bool,
}

impl Xts {
    pub fn new(cipher: Box<dyn Blocks>, tweaks: Box<dyn Blocks>, iv: &[u8], encrypts: bool) -> Xts {
        let mut tweak = [0; 16];
        tweak.copy_from_slice(iv);
        tweaks.encrypt(&mut tweak);
        Xts { cipher, tweak, encrypts }
    }

    fn block(&self, block: &mut [u8], tweak: u128) {
        xor(block, &tweak.to_le_bytes());
        match self.encrypts {
            true => self.cipher.encrypt(block),
            false => self.cipher.decrypt(block),
        }
        xor(block, &tweak.to_le_bytes());
    }
}

/// Times two, in the field of the tweaks.
fn doubled(tweak: u128) -> u128 {
    tweak << 1 ^ if tweak >> 127 == 1 { 0x87 } else { 0 }
}

impl Mode for Xts {
    fn update(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), Problem> {
        if data.is_empty() {
            return Ok(());
        }
        if data.len() < 16 {
            return Err(Problem::State);
        }
        let start = out.len();
        out.extend_from_slice(data);
        let rest = data.len() % 16;
        let (blocks, part) = out[start..].split_at_mut(data.len() - rest);
        let mut tweak = u128::from_le_bytes(self.tweak);
        let last = blocks.len() / 16 - 1;
        for (number, block) in blocks.chunks_mut(16).enumerate() {
            let next = doubled(tweak);
            if number < last || rest == 0 {
                self.block(block, tweak);
                tweak = next;
                continue;
            }
            // The last whole block gives what the part lacks.
            let (first, second) = if self.encrypts { (tweak, next) } else { (next, tweak) };
            self.block(block, first);
            part.swap_with_slice(&mut block[..rest]);
            self.block(block, second);
        }
        Ok(())
    }
}

/// The steps that both ways of wrapping have.
fn wrap(cipher: &dyn Blocks, first: [u8; 8], data: &[u8]) -> Vec<u8> {
    let mut all = [&first[..], data].concat();
    let count = data.len() / 8;
    for step in 1..=6 * count as u64 {
        let place = 8 + (step as usize - 1) % count * 8;
        let mut block = [0; 16];
        block[..8].copy_from_slice(&all[..8]);
        block[8..].copy_from_slice(&all[place..place + 8]);
        cipher.encrypt(&mut block);
        all[..8].copy_from_slice(&block[..8]);
        xor(&mut all[..8], &step.to_be_bytes());
        all[place..place + 8].copy_from_slice(&block[8..]);
    }
    all
}

/// The reverse: the first eight bytes, and the data.
fn unwrap(cipher: &dyn Blocks, data: &[u8]) -> ([u8; 8], Vec<u8>) {
    let mut all = data.to_vec();
    let count = data.len() / 8 - 1;
    for step in (1..=6 * count as u64).rev() {
        let place = 8 + (step as usize - 1) % count * 8;
        let mut block = [0; 16];
        block[..8].copy_from_slice(&all[..8]);
        xor(&mut block[..8], &step.to_be_bytes());
        block[8..].copy_from_slice(&all[place..place + 8]);
        cipher.decrypt(&mut block);
        all[..8].copy_from_slice(&block[..8]);
        all[place..place + 8].copy_from_slice(&block[8..]);
    }
    let mut first = [0; 8];
    first.copy_from_slice(&all[..8]);
    (first, all.split_off(8))
}

/// The wrapping of keys.
pub struct Wrap {
    cipher: Box<dyn Blocks>,
    first: [u8; 8],
    encrypts: bool,
}

impl Wrap {
    pub fn new(cipher: Box<dyn Blocks>, iv: &[u8], encrypts: bool) -> Wrap {
        let mut first = [0; 8];
        first.copy_from_slice(iv);
        Wrap { cipher, first, encrypts }
    }
}

impl Mode for Wrap {
    fn update(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), Problem> {
        let least = if self.encrypts { 16 } else { 24 };
        if data.len() < least || !data.len().is_multiple_of(8) {
            return Err(Problem::State);
        }
        if self.encrypts {
            out.extend(wrap(&*self.cipher, self.first, data));
            return Ok(());
        }
        let (first, data) = unwrap(&*self.cipher, data);
        if first != self.first {
            return Err(Problem::State);
        }
        out.extend(data);
        Ok(())
    }
}

/// The wrapping of keys of any length.
pub struct WrapPad {
    cipher: Box<dyn Blocks>,
    mark: [u8; 4],
    encrypts: bool,
}

impl WrapPad {
    pub fn new(cipher: Box<dyn Blocks>, iv: &[u8], encrypts: bool) -> WrapPad {
        let mut mark = [0; 4];
        mark.copy_from_slice(iv);
        WrapPad { cipher, mark, encrypts }
    }
}

impl Mode for WrapPad {
    fn update(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), Problem> {
        if self.encrypts {
            let length = u32::try_from(data.len()).ok().filter(|length| *length > 0).ok_or(Problem::State)?;
            let mut first = [0; 8];
            first[..4].copy_from_slice(&self.mark);
            first[4..].copy_from_slice(&length.to_be_bytes());
            let mut padded = data.to_vec();
            padded.resize(data.len().next_multiple_of(8), 0);
            match padded.len() {
                8 => {
                    let mut block = [&first[..], &padded].concat();
                    self.cipher.encrypt(&mut block);
                    out.extend(block);
                }
                _ => out.extend(wrap(&*self.cipher, first, &padded)),
            }
            return Ok(());
        }
        if data.len() < 16 || !data.len().is_multiple_of(8) {
            return Err(Problem::State);
        }
        let (first, padded) = match data.len() {
            16 => {
                let mut block = data.to_vec();
                self.cipher.decrypt(&mut block);
                let padded = block.split_off(8);
                let mut first = [0; 8];
                first.copy_from_slice(&block);
                (first, padded)
            }
            _ => unwrap(&*self.cipher, data),
        };
        let (mark, length) = first.split_at(4);
        let length = length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        let is_right = mark == self.mark
            && length.next_multiple_of(8) == padded.len()
            && padded.get(length..).is_some_and(|rest| rest.iter().all(|byte| *byte == 0));
        if !is_right {
            return Err(Problem::State);
        }
        out.extend_from_slice(&padded[..length]);
        Ok(())
    }
}
