//! Block ciphers, whichever they are.

use aes::cipher::array::Array;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};

/// A block cipher with its key.
pub trait Blocks: Send {
    /// Bytes of a block.
    fn size(&self) -> usize;
    /// Encrypts block by block; what is beyond the last whole one stays.
    fn encrypt(&self, blocks: &mut [u8]);
    /// Decrypts block by block.
    fn decrypt(&self, blocks: &mut [u8]);
}

impl<C: BlockCipherEncrypt + BlockCipherDecrypt + Send> Blocks for C {
    fn size(&self) -> usize {
        C::block_size()
    }

    fn encrypt(&self, blocks: &mut [u8]) {
        self.encrypt_blocks(Array::slice_as_chunks_mut(blocks).0);
    }

    fn decrypt(&self, blocks: &mut [u8]) {
        self.decrypt_blocks(Array::slice_as_chunks_mut(blocks).0);
    }
}

/// Which block cipher.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// AES.
    Aes,
    /// ARIA.
    Aria,
    /// Camellia.
    Camellia,
    /// DES, three times with two keys or three.
    TripleDes,
    /// SM4.
    Sm4,
}

impl Family {
    /// The cipher with a key, which is as long as it has to be.
    pub fn with_key(self, key: &[u8]) -> Option<Box<dyn Blocks>> {
        fn made<C: Blocks + KeyInit + 'static>(key: &[u8]) -> Option<Box<dyn Blocks>> {
            Some(Box::new(C::new_from_slice(key).ok()?))
        }
        match (self, key.len()) {
            (Family::Aes, 16) => made::<aes::Aes128>(key),
            (Family::Aes, 24) => made::<aes::Aes192>(key),
            (Family::Aes, 32) => made::<aes::Aes256>(key),
            (Family::Aria, 16) => made::<aria::Aria128>(key),
            (Family::Aria, 24) => made::<aria::Aria192>(key),
            (Family::Aria, 32) => made::<aria::Aria256>(key),
            (Family::Camellia, 16) => made::<camellia::Camellia128>(key),
            (Family::Camellia, 24) => made::<camellia::Camellia192>(key),
            (Family::Camellia, 32) => made::<camellia::Camellia256>(key),
            (Family::TripleDes, 16) => made::<des::TdesEde2>(key),
            (Family::TripleDes, 24) => made::<des::TdesEde3>(key),
            (Family::Sm4, 16) => made::<sm4::Sm4>(key),
            _ => None,
        }
    }
}
