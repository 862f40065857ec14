//! Modes that make a stream of a block cipher: CFB, OFB and CTR. They only ever encrypt blocks.

use super::blocks::Blocks;
use super::{Mode, Problem, xor};

/// CFB with whole blocks.
pub struct Cfb {
    cipher: Box<dyn Blocks>,
    encrypts: bool,
    /// The encrypted text of this block, and of the stream where that has not come yet.
    register: Vec<u8>,
    /// How much of the block is used.
    used: usize,
}

impl Cfb {
    pub fn new(cipher: Box<dyn Blocks>, iv: &[u8], encrypts: bool) -> Cfb {
        let used = cipher.size();
        Cfb { cipher, encrypts, register: iv.to_vec(), used }
    }
}

impl Mode for Cfb {
    fn update(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), Problem> {
        out.reserve(data.len());
        for byte in data {
            if self.used == self.register.len() {
                self.cipher.encrypt(&mut self.register);
                self.used = 0;
            }
            let result = byte ^ self.register[self.used];
            self.register[self.used] = if self.encrypts { result } else { *byte };
            self.used += 1;
            out.push(result);
        }
        Ok(())
    }
}

/// CFB of which each step takes a few bits: eight, or one.
pub struct Shifted {
    cipher: Box<dyn Blocks>,
    encrypts: bool,
    register: Vec<u8>,
    bits: u32,
}

impl Shifted {
    pub fn new(cipher: Box<dyn Blocks>, iv: &[u8], encrypts: bool, bits: u32) -> Shifted {
        Shifted { cipher, encrypts, register: iv.to_vec(), bits }
    }

    /// Takes the bits at the top of `part`.
    fn step(&mut self, part: u8) -> u8 {
        let mut stream = self.register.clone();
        self.cipher.encrypt(&mut stream);
        let mask = !(0xff_u8.checked_shr(self.bits).unwrap_or(0));
        let result = (part ^ stream[0]) & mask;
        let fed = if self.encrypts { result } else { part & mask };
        // The register moves, and the encrypted bits come in at its end.
        let mut carry = u16::from(fed) >> (8 - self.bits);
        for byte in self.register.iter_mut().rev() {
            let moved = u16::from(*byte) << self.bits | carry;
            *byte = moved as u8;
            carry = moved >> 8;
        }
        result
    }
}

impl Mode for Shifted {
    fn update(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), Problem> {
        for byte in data {
            let bits = self.bits as usize;
            let result = (0..8).step_by(bits).fold(0, |sum, done| sum | self.step(byte << done) >> done);
            out.push(result);
        }
        Ok(())
    }
}

/// OFB.
pub struct Ofb {
    cipher: Box<dyn Blocks>,
    stream: Vec<u8>,
    used: usize,
}

impl Ofb {
    pub fn new(cipher: Box<dyn Blocks>, iv: &[u8]) -> Ofb {
        Ofb { used: cipher.size(), cipher, stream: iv.to_vec() }
    }
}

impl Mode for Ofb {
    fn update(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), Problem> {
        out.reserve(data.len());
        for byte in data {
            if self.used == self.stream.len() {
                self.cipher.encrypt(&mut self.stream);
                self.used = 0;
            }
            out.push(byte ^ self.stream[self.used]);
            self.used += 1;
        }
        Ok(())
    }
}

/// CTR: encrypted numbers are the stream.
pub struct Counter {
    cipher: Box<dyn Blocks>,
    next: u128,
    /// The bits of the number that count up; the others stay.
    counting: u128,
    stream: Vec<u8>,
    used: usize,
}

/// So many numbers are encrypted together.
const TOGETHER: usize = 32;

impl Counter {
    pub fn new(cipher: Box<dyn Blocks>, iv: &[u8]) -> Counter {
        let mut first = [0; 16];
        first.copy_from_slice(iv);
        Counter::counting(cipher, first, u128::MAX)
    }

    /// A counter of which only the lowest bits of the block count.
    pub fn counting(cipher: Box<dyn Blocks>, first: [u8; 16], counting: u128) -> Counter {
        Counter { cipher, next: u128::from_be_bytes(first), counting, stream: Vec::new(), used: 0 }
    }

    pub fn cipher(&self) -> &dyn Blocks {
        &*self.cipher
    }

    /// Applies the stream to `data`.
    pub fn apply(&mut self, data: &mut [u8]) {
        let mut data = data;
        while !data.is_empty() {
            if self.used == self.stream.len() {
                self.refill(data.len());
            }
            let length = data.len().min(self.stream.len() - self.used);
            let (now, later) = data.split_at_mut(length);
            xor(now, &self.stream[self.used..]);
            self.used += length;
            data = later;
        }
    }

    fn refill(&mut self, wanted: usize) {
        self.stream.clear();
        self.used = 0;
        for _ in 0..wanted.div_ceil(16).min(TOGETHER) {
            self.stream.extend_from_slice(&self.next.to_be_bytes());
            self.next = self.next & !self.counting | self.next.wrapping_add(1) & self.counting;
        }
        self.cipher.encrypt(&mut self.stream);
    }
}

impl Mode for Counter {
    fn update(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), Problem> {
        let start = out.len();
        out.extend_from_slice(data);
        self.apply(&mut out[start..]);
        Ok(())
    }
}
