//! The hash functions, by the names that OpenSSL has for them.

use digest::{Digest, ExtendableOutput, Update, XofReader};

/// A running hash.
pub trait Hasher: Send {
    /// Takes in more bytes.
    fn update(&mut self, bytes: &[u8]);
    /// Fills `output`, which has the algorithm's size unless that is extendable.
    fn finish(self: Box<Self>, output: &mut [u8]);
    /// Fills `output` as if these bytes had been taken in last, and stays as it is.
    fn finish_with(&self, bytes: &[u8], output: &mut [u8]);
    /// A second hash that has taken in the same bytes.
    fn copy(&self) -> Box<dyn Hasher>;
}

/// A hash function.
pub struct Algorithm {
    /// A hash that has taken in nothing.
    pub start: fn() -> Box<dyn Hasher>,
    /// Bytes of the result; of an extendable one where the program does not say.
    pub size: usize,
    /// Bytes that the function takes in at once, which matter to HMAC.
    pub block: usize,
    /// Whether the result may have any size. There is no HMAC of such functions.
    pub extendable: bool,
}

/// The function that OpenSSL knows by `name`, in any case.
pub fn find(name: &str) -> Option<&'static Algorithm> {
    NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, algorithm)| *algorithm)
}

/// The function of the name that [`names`] gives at that place.
pub fn at(place: usize) -> Option<&'static Algorithm> {
    NAMES.get(place).map(|(_, algorithm)| *algorithm)
}

/// All names.
pub fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(name, _)| *name)
}

impl Algorithm {
    /// The hash of one piece of data.
    pub fn digest(&self, bytes: &[u8], length: usize) -> Vec<u8> {
        let mut hasher = (self.start)();
        hasher.update(bytes);
        finish(hasher, length)
    }
}

/// The result of `hasher`.
pub fn finish(hasher: Box<dyn Hasher>, length: usize) -> Vec<u8> {
    let mut output = vec![0; length];
    hasher.finish(&mut output);
    output
}

#[derive(Clone)]
struct Fixed<D>(D);

impl<D: Digest + Clone + Send + 'static> Hasher for Fixed<D> {
    fn update(&mut self, bytes: &[u8]) {
        Digest::update(&mut self.0, bytes);
    }

    fn finish(self: Box<Self>, output: &mut [u8]) {
        // Shorter than the whole for the truncated kind of SHA-256.
        let all = self.0.finalize();
        output.copy_from_slice(&all[..output.len()]);
    }

    fn finish_with(&self, bytes: &[u8], output: &mut [u8]) {
        let all = self.0.clone().chain_update(bytes).finalize();
        output.copy_from_slice(&all[..output.len()]);
    }

    fn copy(&self) -> Box<dyn Hasher> {
        Box::new(Fixed(self.0.clone()))
    }
}

#[derive(Clone)]
struct Extendable<X>(X);

impl<X: ExtendableOutput + Clone + Send + 'static> Hasher for Extendable<X> {
    fn update(&mut self, bytes: &[u8]) {
        Update::update(&mut self.0, bytes);
    }

    fn finish(self: Box<Self>, output: &mut [u8]) {
        self.0.finalize_xof().read(output);
    }

    fn finish_with(&self, bytes: &[u8], output: &mut [u8]) {
        let mut hash = self.0.clone();
        hash.update(bytes);
        hash.finalize_xof().read(output);
    }

    fn copy(&self) -> Box<dyn Hasher> {
        Box::new(Extendable(self.0.clone()))
    }
}

/// MD5 and SHA-1 one after the other, as old TLS has it.
#[derive(Clone, Default)]
struct Md5Sha1(md5::Md5, sha1::Sha1);

impl Hasher for Md5Sha1 {
    fn update(&mut self, bytes: &[u8]) {
        Digest::update(&mut self.0, bytes);
        Digest::update(&mut self.1, bytes);
    }

    fn finish(self: Box<Self>, output: &mut [u8]) {
        output[..16].copy_from_slice(&self.0.finalize());
        output[16..].copy_from_slice(&self.1.finalize());
    }

    fn finish_with(&self, bytes: &[u8], output: &mut [u8]) {
        let mut hash = Box::new(self.clone());
        Hasher::update(&mut *hash, bytes);
        Hasher::finish(hash, output);
    }

    fn copy(&self) -> Box<dyn Hasher> {
        Box::new(self.clone())
    }
}

macro_rules! fixed {
    ($($name:ident: $hash:ty, $size:literal, $block:literal;)*) => {
        $(static $name: Algorithm = Algorithm {
            start: || Box::new(Fixed(<$hash>::default())),
            size: $size,
            block: $block,
            extendable: false,
        };)*
    };
}

fixed! {
    MD5: md5::Md5, 16, 64;
    RIPEMD160: ripemd::Ripemd160, 20, 64;
    SHA1: sha1::Sha1, 20, 64;
    SHA224: sha2::Sha224, 28, 64;
    SHA256: sha2::Sha256, 32, 64;
    SHA256_192: sha2::Sha256, 24, 64;
    SHA384: sha2::Sha384, 48, 128;
    SHA512: sha2::Sha512, 64, 128;
    SHA512_224: sha2::Sha512_224, 28, 128;
    SHA512_256: sha2::Sha512_256, 32, 128;
    SHA3_224: sha3::Sha3_224, 28, 144;
    SHA3_256: sha3::Sha3_256, 32, 136;
    SHA3_384: sha3::Sha3_384, 48, 104;
    SHA3_512: sha3::Sha3_512, 64, 72;
    KECCAK_224: sha3::Keccak224, 28, 144;
    KECCAK_256: sha3::Keccak256, 32, 136;
    KECCAK_384: sha3::Keccak384, 48, 104;
    KECCAK_512: sha3::Keccak512, 64, 72;
    BLAKE2B: blake2::Blake2b512, 64, 128;
    BLAKE2S: blake2::Blake2s256, 32, 64;
    SM3: sm3::Sm3, 32, 64;
}

static MD5_SHA1: Algorithm =
    Algorithm { start: || Box::new(Md5Sha1::default()), size: 36, block: 64, extendable: false };

static SHAKE128: Algorithm =
    Algorithm { start: || Box::new(Extendable(sha3::Shake128::default())), size: 16, block: 168, extendable: true };

static SHAKE256: Algorithm =
    Algorithm { start: || Box::new(Extendable(sha3::Shake256::default())), size: 32, block: 136, extendable: true };

/// In the order of `crypto.getHashes()`.
static NAMES: &[(&str, &Algorithm)] = &[
    ("RSA-MD5", &MD5),
    ("RSA-RIPEMD160", &RIPEMD160),
    ("RSA-SHA1", &SHA1),
    ("RSA-SHA1-2", &SHA1),
    ("RSA-SHA224", &SHA224),
    ("RSA-SHA256", &SHA256),
    ("RSA-SHA3-224", &SHA3_224),
    ("RSA-SHA3-256", &SHA3_256),
    ("RSA-SHA3-384", &SHA3_384),
    ("RSA-SHA3-512", &SHA3_512),
    ("RSA-SHA384", &SHA384),
    ("RSA-SHA512", &SHA512),
    ("RSA-SHA512/224", &SHA512_224),
    ("RSA-SHA512/256", &SHA512_256),
    ("RSA-SM3", &SM3),
    ("blake2b-512", &BLAKE2B),
    ("blake2b512", &BLAKE2B),
    ("blake2s-256", &BLAKE2S),
    ("blake2s256", &BLAKE2S),
    ("id-rsassa-pkcs1-v1_5-with-sha3-224", &SHA3_224),
    ("id-rsassa-pkcs1-v1_5-with-sha3-256", &SHA3_256),
    ("id-rsassa-pkcs1-v1_5-with-sha3-384", &SHA3_384),
    ("id-rsassa-pkcs1-v1_5-with-sha3-512", &SHA3_512),
    ("keccak-224", &KECCAK_224),
    ("keccak-256", &KECCAK_256),
    ("keccak-384", &KECCAK_384),
    ("keccak-512", &KECCAK_512),
    ("md5", &MD5),
    ("md5-sha1", &MD5_SHA1),
    ("md5WithRSAEncryption", &MD5),
    ("ripemd", &RIPEMD160),
    ("ripemd-160", &RIPEMD160),
    ("ripemd160", &RIPEMD160),
    ("ripemd160WithRSA", &RIPEMD160),
    ("rmd160", &RIPEMD160),
    ("sha-1", &SHA1),
    ("sha-224", &SHA224),
    ("sha-256", &SHA256),
    ("sha-256/192", &SHA256_192),
    ("sha-384", &SHA384),
    ("sha-512", &SHA512),
    ("sha-512/224", &SHA512_224),
    ("sha-512/256", &SHA512_256),
    ("sha1", &SHA1),
    ("sha1WithRSAEncryption", &SHA1),
    ("sha2-224", &SHA224),
    ("sha2-256", &SHA256),
    ("sha2-256/192", &SHA256_192),
    ("sha2-384", &SHA384),
    ("sha2-512", &SHA512),
    ("sha2-512/224", &SHA512_224),
    ("sha2-512/256", &SHA512_256),
    ("sha224", &SHA224),
    ("sha224WithRSAEncryption", &SHA224),
    ("sha256", &SHA256),
    ("sha256-192", &SHA256_192),
    ("sha256WithRSAEncryption", &SHA256),
    ("sha3-224", &SHA3_224),
    ("sha3-256", &SHA3_256),
    ("sha3-384", &SHA3_384),
    ("sha3-512", &SHA3_512),
    ("sha384", &SHA384),
    ("sha384WithRSAEncryption", &SHA384),
    ("sha512", &SHA512),
    ("sha512-224", &SHA512_224),
    ("sha512-224WithRSAEncryption", &SHA512_224),
    ("sha512-256", &SHA512_256),
    ("sha512-256WithRSAEncryption", &SHA512_256),
    ("sha512WithRSAEncryption", &SHA512),
    ("shake-128", &SHAKE128),
    ("shake-256", &SHAKE256),
    ("shake128", &SHAKE128),
    ("shake256", &SHAKE256),
    ("sm3", &SM3),
    ("sm3WithRSAEncryption", &SM3),
    ("ssl3-md5", &MD5),
    ("ssl3-sha1", &SHA1),
];
