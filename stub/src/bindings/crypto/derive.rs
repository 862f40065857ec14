//! What is built on a hash function: HMAC, and keys derived from passwords and from other keys.

use super::algorithms::{Algorithm, Hasher, finish};

/// A running HMAC (RFC 2104).
pub struct Hmac {
    inner: Box<dyn Hasher>,
    outer: Box<dyn Hasher>,
    size: usize,
}

impl Hmac {
    /// An HMAC that has taken in nothing. `None` for a function that can't be used for one.
    pub fn new(algorithm: &Algorithm, key: &[u8]) -> Option<Hmac> {
        if algorithm.extendable {
            return None;
        }
        let mut block = match key.len() > algorithm.block {
            true => algorithm.digest(key, algorithm.size),
            false => key.to_vec(),
        };
        block.resize(algorithm.block, 0);
        let start = |pad: u8| {
            let mut hasher = (algorithm.start)();
            hasher.update(&block.iter().map(|byte| byte ^ pad).collect::<Vec<_>>());
            hasher
        };
        Some(Hmac { inner: start(0x36), outer: start(0x5c), size: algorithm.size })
    }

    /// Takes in more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.inner.update(bytes);
    }

    /// The code.
    pub fn finish(self) -> Vec<u8> {
        let Hmac { inner, mut outer, size } = self;
        outer.update(&finish(inner, size));
        finish(outer, size)
    }

    fn copy(&self) -> Hmac {
        Hmac { inner: self.inner.copy(), outer: self.outer.copy(), size: self.size }
    }

    /// The code of `parts`, one after the other, leaving this one as it is.
    pub fn of(&self, parts: &[&[u8]]) -> Vec<u8> {
        let mut hmac = self.copy();
        parts.iter().for_each(|part| hmac.update(part));
        hmac.finish()
    }

    /// Replaces `bytes`, a code, by the code of them.
    fn again(&self, bytes: &mut [u8]) {
        // The longest is SHA-512's.
        let mut inner = [0; 64];
        let inner = &mut inner[..self.size];
        self.inner.finish_with(bytes, inner);
        self.outer.finish_with(inner, bytes);
    }
}

/// PBKDF2 (RFC 8018).
pub fn pbkdf2(hmac: &Hmac, salt: &[u8], iterations: u32, length: usize) -> Vec<u8> {
    let mut output = Vec::with_capacity(length);
    for index in 1u32.. {
        if output.len() >= length {
            break;
        }
        let mut last = hmac.of(&[salt, &index.to_be_bytes()]);
        let mut block = last.clone();
        for _ in 1..iterations {
            hmac.again(&mut last);
            block.iter_mut().zip(&last).for_each(|(sum, byte)| *sum ^= byte);
        }
        output.extend_from_slice(&block);
    }
    output.truncate(length);
    output
}

/// HKDF (RFC 5869), both steps. `None` for a function without HMAC.
pub fn hkdf(algorithm: &Algorithm, key: &[u8], salt: &[u8], info: &[u8], length: usize) -> Option<Vec<u8>> {
    let pseudo_random_key = Hmac::new(algorithm, salt)?.of(&[key]);
    let hmac = Hmac::new(algorithm, &pseudo_random_key)?;
    let mut output = Vec::with_capacity(length);
    let mut last = Vec::new();
    for index in 1..=u8::MAX {
        if output.len() >= length {
            break;
        }
        last = hmac.of(&[&last, info, &[index]]);
        output.extend_from_slice(&last);
    }
    output.truncate(length);
    Some(output)
}

/// Why scrypt can't run with some parameters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// They make no sense.
    Invalid,
    /// They ask for more memory than is allowed.
    TooMuch,
}

/// The parameters of scrypt (RFC 7914).
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// `N`
    pub n: u64,
    /// `r`
    pub r: u64,
    /// `p`
    pub p: u64,
}

impl Cost {
    /// What is wrong with the parameters, by the rules of OpenSSL.
    pub fn check(self, most_memory: u64) -> Result<(), Refusal> {
        let Cost { n, r, p } = self;
        if r == 0 || p == 0 || n < 2 || !n.is_power_of_two() {
            return Err(Refusal::Invalid);
        }
        let too_wide = p > ((1 << 30) - 1) / r;
        let too_long = 16 * r <= 63 && n >= 1 << (16 * r);
        let blocks = p.saturating_mul(128 * r);
        let table = (32 * r * 4).saturating_mul(n + 2);
        if too_wide || too_long || blocks > i32::MAX as u64 || blocks.saturating_add(table) > most_memory {
            return Err(Refusal::TooMuch);
        }
        Ok(())
    }
}

/// scrypt, with parameters that [`Cost::check`] has let pass.
pub fn scrypt(password: &[u8], salt: &[u8], cost: Cost, length: usize) -> Option<Vec<u8>> {
    let mut output = vec![0; length];
    if length > 0 {
        let parameters = scrypt::Params::new(cost.n.ilog2() as u8, cost.r as u32, cost.p as u32).ok()?;
        scrypt::scrypt(password, salt, &parameters, &mut output).ok()?;
    }
    Some(output)
}
