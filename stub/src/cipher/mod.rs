//! Symmetric ciphers, as OpenSSL has them under Node: data come in pieces, and each gives what OpenSSL would give.
//!
//! The block ciphers are RustCrypto's. The ways to apply them are here: its crates for these take a message at once, or
//! have it in whole blocks.

mod authenticated;
mod blocks;
mod chacha;
mod feedback;
mod padded;
mod table;
mod whole;

pub use table::{Cipher, Kind, find, find_number, names};

use blocks::Blocks;

/// Why data are refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Problem {
    /// The end is in the middle of a block.
    WrongFinalBlockLength,
    /// The padding is none.
    BadDecrypt,
    /// This can't be done now.
    State,
}

/// A way to apply a cipher, with the state between two pieces of data.
pub trait Mode: Send {
    /// Takes a piece of data, and appends to `out` what is known of the result.
    fn update(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), Problem>;

    /// Appends the rest.
    fn finish(&mut self, _out: &mut Vec<u8>) -> Result<(), Problem> {
        Ok(())
    }

    /// Whether the last block is padded.
    fn set_padding(&mut self, _padding: bool) {}

    /// Takes data that are authenticated, but not encrypted. The length of what follows is known in some modes.
    fn associate(&mut self, _data: &[u8], _length: Option<usize>) -> Result<(), Problem> {
        Err(Problem::State)
    }

    /// The whole tag, once everything was taken.
    fn tag(&mut self) -> Option<[u8; 16]> {
        None
    }
}

/// What a mode starts with.
pub struct Start<'a> {
    /// The key, as long as the cipher wants it.
    pub key: &'a [u8],
    /// The initialization vector, of a length that the mode takes.
    pub iv: &'a [u8],
    /// Whether to encrypt.
    pub encrypts: bool,
    /// Bytes of the tag, if there is one.
    pub tag_length: usize,
}

/// Applies `cipher`. `None` if the key is not one of its.
pub fn start(cipher: &Cipher, start: &Start) -> Option<Box<dyn Mode>> {
    let Start { key, iv, encrypts, tag_length } = *start;
    let blocks = |key| cipher.family.and_then(|family| family.with_key(key));
    Some(match cipher.kind {
        Kind::Ecb => Box::new(padded::Padded::new(blocks(key)?, None, encrypts)),
        Kind::Cbc => Box::new(padded::Padded::new(blocks(key)?, Some(iv), encrypts)),
        Kind::Cfb => Box::new(feedback::Cfb::new(blocks(key)?, iv, encrypts)),
        Kind::Cfb8 => Box::new(feedback::Shifted::new(blocks(key)?, iv, encrypts, 8)),
        Kind::Cfb1 => Box::new(feedback::Shifted::new(blocks(key)?, iv, encrypts, 1)),
        Kind::Ofb => Box::new(feedback::Ofb::new(blocks(key)?, iv)),
        Kind::Ctr => Box::new(feedback::Counter::new(blocks(key)?, iv)),
        Kind::Gcm => Box::new(authenticated::gcm::Gcm::new(blocks(key)?, iv, encrypts)),
        Kind::Ccm => Box::new(authenticated::ccm::Ccm::new(blocks(key)?, iv, encrypts, tag_length)),
        Kind::Ocb => Box::new(authenticated::ocb::Ocb::new(blocks(key)?, iv, encrypts, tag_length)),
        Kind::Xts => {
            let (first, second) = key.split_at(key.len() / 2);
            Box::new(whole::Xts::new(blocks(first)?, blocks(second)?, iv, encrypts))
        }
        Kind::Wrap => Box::new(whole::Wrap::new(blocks(key)?, iv, encrypts)),
        Kind::WrapPad => Box::new(whole::WrapPad::new(blocks(key)?, iv, encrypts)),
        Kind::ChaCha => Box::new(chacha::ChaCha::new(key, iv)?),
        Kind::ChaChaPoly => Box::new(chacha::ChaChaPoly::new(key, iv, encrypts)?),
    })
}

/// Adds `other` to `target`, bit by bit, as far as both reach.
fn xor(target: &mut [u8], other: &[u8]) {
    target.iter_mut().zip(other).for_each(|(target, other)| *target ^= other);
}

/// One block, encrypted.
fn encrypted(cipher: &dyn Blocks, mut block: [u8; 16]) -> [u8; 16] {
    cipher.encrypt(&mut block);
    block
}
