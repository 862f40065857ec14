//! ChaCha20, and with Poly1305.

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher, StreamCipherSeek};
use poly1305::Poly1305;
use poly1305::universal_hash::{KeyInit, UniversalHash};

use super::authenticated::Buffered;
use super::{Mode, Problem};

/// ChaCha20; the initialization vector begins with the number of the first block.
pub struct ChaCha(ChaCha20);

/// Bytes of a block.
const BLOCK: u64 = 64;

impl ChaCha {
    pub fn new(key: &[u8], iv: &[u8]) -> Option<ChaCha> {
        let (first, nonce) = iv.split_first_chunk::<4>()?;
        let mut stream = ChaCha20::new_from_slices(key, nonce).ok()?;
        stream.try_seek(u64::from(u32::from_le_bytes(*first)) * BLOCK).ok()?;
        Some(ChaCha(stream))
    }
}

impl Mode for ChaCha {
    fn update(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), Problem> {
        let start = out.len();
        out.extend_from_slice(data);
        self.0.try_apply_keystream(&mut out[start..]).map_err(|_| Problem::State)
    }
}

/// ChaCha20 with Poly1305, of RFC 8439.
pub struct ChaChaPoly {
    stream: ChaCha20,
    hash: Buffered<Poly1305>,
    encrypts: bool,
    associated: u64,
    length: u64,
}

impl ChaChaPoly {
    pub fn new(key: &[u8], iv: &[u8], encrypts: bool) -> Option<ChaChaPoly> {
        let mut stream = ChaCha20::new_from_slices(key, iv).ok()?;
        let mut first = [0; BLOCK as usize];
        stream.apply_keystream(&mut first);
        let hash = Poly1305::new_from_slice(&first[..32]).ok()?;
        Some(ChaChaPoly { stream, hash: Buffered::new(hash), encrypts, associated: 0, length: 0 })
    }
}

impl Mode for ChaChaPoly {
    fn update(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), Problem> {
        if self.length == 0 && !data.is_empty() {
            self.hash.pad();
        }
        self.length += data.len() as u64;
        let start = out.len();
        out.extend_from_slice(data);
        if !self.encrypts {
            self.hash.update(data);
        }
        self.stream.try_apply_keystream(&mut out[start..]).map_err(|_| Problem::State)?;
        if self.encrypts {
            self.hash.update(&out[start..]);
        }
        Ok(())
    }

    fn associate(&mut self, data: &[u8], _: Option<usize>) -> Result<(), Problem> {
        if self.length > 0 {
            return Err(Problem::State);
        }
        self.associated += data.len() as u64;
        self.hash.update(data);
        Ok(())
    }

    fn tag(&mut self) -> Option<[u8; 16]> {
        self.hash.pad();
        let mut lengths = [0; 16];
        lengths[..8].copy_from_slice(&self.associated.to_le_bytes());
        lengths[8..].copy_from_slice(&self.length.to_le_bytes());
        self.hash.update(&lengths);
        Some(self.hash.hash().clone().finalize().into())
    }
}
