//! GCM, of NIST SP 800-38D.

use ghash::GHash;
use ghash::universal_hash::UniversalHash;

use super::Buffered;
use crate::cipher::blocks::Blocks;
use crate::cipher::feedback::Counter;
use crate::cipher::{Mode, Problem, encrypted, xor};

pub struct Gcm {
    stream: Counter,
    hash: Buffered<GHash>,
    /// The encrypted first number, which the tag is made with.
    mask: [u8; 16],
    encrypts: bool,
    associated: u64,
    length: u64,
    has_data: bool,
}

impl Gcm {
    pub fn new(cipher: Box<dyn Blocks>, iv: &[u8], encrypts: bool) -> Gcm {
        let hash = GHash::new(&encrypted(&*cipher, [0; 16]).into());
        let mut first = [0; 16];
        match iv.len() {
            12 => {
                first[..12].copy_from_slice(iv);
                first[15] = 1;
            }
            length => {
                let mut hash = Buffered::new(hash.clone());
                hash.update(iv);
                hash.pad();
                hash.update(&(length as u128 * 8).to_be_bytes());
                first = hash.hash().clone().finalize().into();
            }
        }
        let mask = encrypted(&*cipher, first);
        let mut stream = Counter::counting(cipher, first, u128::from(u32::MAX));
        // The first number is the tag's.
        stream.apply(&mut [0; 16]);
        Gcm { stream, hash: Buffered::new(hash), mask, encrypts, associated: 0, length: 0, has_data: false }
    }
}

impl Mode for Gcm {
    fn update(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), Problem> {
        if !self.has_data {
            self.hash.pad();
            self.has_data = true;
        }
        self.length += data.len() as u64;
        let start = out.len();
        out.extend_from_slice(data);
        if !self.encrypts {
            self.hash.update(data);
        }
        self.stream.apply(&mut out[start..]);
        if self.encrypts {
            self.hash.update(&out[start..]);
        }
        Ok(())
    }

    fn associate(&mut self, data: &[u8], _: Option<usize>) -> Result<(), Problem> {
        if self.has_data {
            return Err(Problem::State);
        }
        self.associated += data.len() as u64;
        self.hash.update(data);
        Ok(())
    }

    fn tag(&mut self) -> Option<[u8; 16]> {
        self.hash.pad();
        let lengths = u128::from(self.associated * 8) << 64 | u128::from(self.length * 8);
        self.hash.update(&lengths.to_be_bytes());
        let mut tag: [u8; 16] = self.hash.hash().clone().finalize().into();
        xor(&mut tag, &self.mask);
        Some(tag)
    }
}
