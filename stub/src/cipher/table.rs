//! Which ciphers there are, with OpenSSL's names and numbers.

use super::blocks::Family;

/// How a block cipher is applied, or which other cipher it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// ECB
    Ecb,
    /// CBC
    Cbc,
    /// CFB, whole blocks
    Cfb,
    /// CFB, bit by bit
    Cfb1,
    /// CFB, byte by byte
    Cfb8,
    /// OFB
    Ofb,
    /// CTR
    Ctr,
    /// GCM
    Gcm,
    /// CCM
    Ccm,
    /// OCB
    Ocb,
    /// XTS
    Xts,
    /// The wrapping of keys
    Wrap,
    /// The wrapping of keys of any length
    WrapPad,
    /// ChaCha20
    ChaCha,
    /// ChaCha20 with Poly1305
    ChaChaPoly,
}

impl Kind {
    /// The mode as Node calls it.
    pub fn label(self) -> &'static str {
        match self {
            Kind::Ecb => "ecb",
            Kind::Cbc => "cbc",
            Kind::Cfb | Kind::Cfb1 | Kind::Cfb8 => "cfb",
            Kind::Ofb => "ofb",
            Kind::Ctr => "ctr",
            Kind::Gcm => "gcm",
            Kind::Ccm => "ccm",
            Kind::Ocb => "ocb",
            Kind::Xts => "xts",
            Kind::Wrap | Kind::WrapPad => "wrap",
            Kind::ChaCha | Kind::ChaChaPoly => "stream",
        }
    }

    /// Whether it makes a tag.
    pub fn authenticates(self) -> bool {
        matches!(self, Kind::Gcm | Kind::Ccm | Kind::Ocb | Kind::ChaChaPoly)
    }
}

/// A cipher.
pub struct Cipher {
    /// OpenSSL's name.
    pub name: &'static str,
    /// OpenSSL's number.
    pub number: Option<i32>,
    /// What is done with it.
    pub kind: Kind,
    /// The block cipher.
    pub family: Option<Family>,
    /// Bytes of a key.
    pub key_length: usize,
    /// Bytes of an initialization vector; 0 if there is none.
    pub iv_length: usize,
}

impl Cipher {
    /// Bytes that are taken together, as OpenSSL tells; `None` for a stream.
    pub fn block_size(&self) -> Option<usize> {
        let block = if self.family == Some(Family::TripleDes) { 8 } else { 16 };
        match self.kind {
            Kind::Ecb | Kind::Cbc | Kind::Ocb => Some(block),
            Kind::Wrap | Kind::WrapPad => Some(8),
            Kind::ChaCha | Kind::ChaChaPoly => None,
            _ => Some(1),
        }
    }
}

/// All names.
pub fn names() -> impl ExactSizeIterator<Item = &'static str> {
    NAMES.iter().map(|(name, _)| *name)
}

/// The cipher called `name`, in any case.
pub fn find(name: &str) -> Option<&'static Cipher> {
    let (_, name) = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    CIPHERS.iter().find(|cipher| cipher.name == *name)
}

/// The cipher with OpenSSL's `number`.
pub fn find_number(number: i32) -> Option<&'static Cipher> {
    CIPHERS.iter().find(|cipher| cipher.number == Some(number))
}

macro_rules! ciphers {
    ($($name:literal $number:expr, $kind:ident $family:expr, $key:literal $iv:literal;)*) => {
        static CIPHERS: &[Cipher] = &[$(Cipher {
            name: $name,
            number: $number,
            kind: Kind::$kind,
            family: $family,
            key_length: $key,
            iv_length: $iv,
        }),*];
    };
}

use Family::{Aes, Aria, Camellia, Sm4, TripleDes};

ciphers! {
    "aes-128-cbc" Some(419), Cbc Some(Aes), 16 16;
    "id-aes128-ccm" Some(896), Ccm Some(Aes), 16 12;
    "aes-128-cfb" Some(421), Cfb Some(Aes), 16 16;
    "aes-128-cfb1" Some(650), Cfb1 Some(Aes), 16 16;
    "aes-128-cfb8" Some(653), Cfb8 Some(Aes), 16 16;
    "aes-128-ctr" Some(904), Ctr Some(Aes), 16 16;
    "aes-128-ecb" Some(418), Ecb Some(Aes), 16 0;
    "id-aes128-gcm" Some(895), Gcm Some(Aes), 16 12;
    "aes-128-ocb" Some(958), Ocb Some(Aes), 16 12;
    "aes-128-ofb" Some(420), Ofb Some(Aes), 16 16;
    "id-aes128-wrap" Some(788), Wrap Some(Aes), 16 8;
    "id-aes128-wrap-pad" Some(897), WrapPad Some(Aes), 16 4;
    "aes-128-xts" Some(913), Xts Some(Aes), 32 16;
    "aes-192-cbc" Some(423), Cbc Some(Aes), 24 16;
    "id-aes192-ccm" Some(899), Ccm Some(Aes), 24 12;
    "aes-192-cfb" Some(425), Cfb Some(Aes), 24 16;
    "aes-192-cfb1" Some(651), Cfb1 Some(Aes), 24 16;
    "aes-192-cfb8" Some(654), Cfb8 Some(Aes), 24 16;
    "aes-192-ctr" Some(905), Ctr Some(Aes), 24 16;
    "aes-192-ecb" Some(422), Ecb Some(Aes), 24 0;
    "id-aes192-gcm" Some(898), Gcm Some(Aes), 24 12;
    "aes-192-ocb" Some(959), Ocb Some(Aes), 24 12;
    "aes-192-ofb" Some(424), Ofb Some(Aes), 24 16;
    "id-aes192-wrap" Some(789), Wrap Some(Aes), 24 8;
    "id-aes192-wrap-pad" Some(900), WrapPad Some(Aes), 24 4;
    "aes-256-cbc" Some(427), Cbc Some(Aes), 32 16;
    "id-aes256-ccm" Some(902), Ccm Some(Aes), 32 12;
    "aes-256-cfb" Some(429), Cfb Some(Aes), 32 16;
    "aes-256-cfb1" Some(652), Cfb1 Some(Aes), 32 16;
    "aes-256-cfb8" Some(655), Cfb8 Some(Aes), 32 16;
    "aes-256-ctr" Some(906), Ctr Some(Aes), 32 16;
    "aes-256-ecb" Some(426), Ecb Some(Aes), 32 0;
    "id-aes256-gcm" Some(901), Gcm Some(Aes), 32 12;
    "aes-256-ocb" Some(960), Ocb Some(Aes), 32 12;
    "aes-256-ofb" Some(428), Ofb Some(Aes), 32 16;
    "id-aes256-wrap" Some(790), Wrap Some(Aes), 32 8;
    "id-aes256-wrap-pad" Some(903), WrapPad Some(Aes), 32 4;
    "aes-256-xts" Some(914), Xts Some(Aes), 64 16;
    "aria-128-cbc" Some(1066), Cbc Some(Aria), 16 16;
    "aria-128-ccm" Some(1120), Ccm Some(Aria), 16 12;
    "aria-128-cfb" Some(1067), Cfb Some(Aria), 16 16;
    "aria-128-cfb1" Some(1080), Cfb1 Some(Aria), 16 16;
    "aria-128-cfb8" Some(1083), Cfb8 Some(Aria), 16 16;
    "aria-128-ctr" Some(1069), Ctr Some(Aria), 16 16;
    "aria-128-ecb" Some(1065), Ecb Some(Aria), 16 0;
    "aria-128-gcm" Some(1123), Gcm Some(Aria), 16 12;
    "aria-128-ofb" Some(1068), Ofb Some(Aria), 16 16;
    "aria-192-cbc" Some(1071), Cbc Some(Aria), 24 16;
    "aria-192-ccm" Some(1121), Ccm Some(Aria), 24 12;
    "aria-192-cfb" Some(1072), Cfb Some(Aria), 24 16;
    "aria-192-cfb1" Some(1081), Cfb1 Some(Aria), 24 16;
    "aria-192-cfb8" Some(1084), Cfb8 Some(Aria), 24 16;
    "aria-192-ctr" Some(1074), Ctr Some(Aria), 24 16;
    "aria-192-ecb" Some(1070), Ecb Some(Aria), 24 0;
    "aria-192-gcm" Some(1124), Gcm Some(Aria), 24 12;
    "aria-192-ofb" Some(1073), Ofb Some(Aria), 24 16;
    "aria-256-cbc" Some(1076), Cbc Some(Aria), 32 16;
    "aria-256-ccm" Some(1122), Ccm Some(Aria), 32 12;
    "aria-256-cfb" Some(1077), Cfb Some(Aria), 32 16;
    "aria-256-cfb1" Some(1082), Cfb1 Some(Aria), 32 16;
    "aria-256-cfb8" Some(1085), Cfb8 Some(Aria), 32 16;
    "aria-256-ctr" Some(1079), Ctr Some(Aria), 32 16;
    "aria-256-ecb" Some(1075), Ecb Some(Aria), 32 0;
    "aria-256-gcm" Some(1125), Gcm Some(Aria), 32 12;
    "aria-256-ofb" Some(1078), Ofb Some(Aria), 32 16;
    "camellia-128-cbc" Some(751), Cbc Some(Camellia), 16 16;
    "camellia-128-cfb" Some(757), Cfb Some(Camellia), 16 16;
    "camellia-128-cfb1" Some(760), Cfb1 Some(Camellia), 16 16;
    "camellia-128-cfb8" Some(763), Cfb8 Some(Camellia), 16 16;
    "camellia-128-ctr" Some(963), Ctr Some(Camellia), 16 16;
    "camellia-128-ecb" Some(754), Ecb Some(Camellia), 16 0;
    "camellia-128-ofb" Some(766), Ofb Some(Camellia), 16 16;
    "camellia-192-cbc" Some(752), Cbc Some(Camellia), 24 16;
    "camellia-192-cfb" Some(758), Cfb Some(Camellia), 24 16;
    "camellia-192-cfb1" Some(761), Cfb1 Some(Camellia), 24 16;
    "camellia-192-cfb8" Some(764), Cfb8 Some(Camellia), 24 16;
    "camellia-192-ctr" Some(967), Ctr Some(Camellia), 24 16;
    "camellia-192-ecb" Some(755), Ecb Some(Camellia), 24 0;
    "camellia-192-ofb" Some(767), Ofb Some(Camellia), 24 16;
    "camellia-256-cbc" Some(753), Cbc Some(Camellia), 32 16;
    "camellia-256-cfb" Some(759), Cfb Some(Camellia), 32 16;
    "camellia-256-cfb1" Some(762), Cfb1 Some(Camellia), 32 16;
    "camellia-256-cfb8" Some(765), Cfb8 Some(Camellia), 32 16;
    "camellia-256-ctr" Some(971), Ctr Some(Camellia), 32 16;
    "camellia-256-ecb" Some(756), Ecb Some(Camellia), 32 0;
    "camellia-256-ofb" Some(768), Ofb Some(Camellia), 32 16;
    "chacha20" Some(1019), ChaCha None, 32 16;
    "chacha20-poly1305" Some(1018), ChaChaPoly None, 32 12;
    "des-ede" Some(32), Ecb Some(TripleDes), 16 0;
    "des-ede-cbc" Some(43), Cbc Some(TripleDes), 16 8;
    "des-ede-cfb" Some(60), Cfb Some(TripleDes), 16 8;
    "des-ede-ofb" Some(62), Ofb Some(TripleDes), 16 8;
    "des-ede3" Some(33), Ecb Some(TripleDes), 24 0;
    "des-ede3-cbc" Some(44), Cbc Some(TripleDes), 24 8;
    "des-ede3-cfb" Some(61), Cfb Some(TripleDes), 24 8;
    "des-ede3-cfb1" Some(658), Cfb1 Some(TripleDes), 24 8;
    "des-ede3-cfb8" Some(659), Cfb8 Some(TripleDes), 24 8;
    "des-ede3-ofb" Some(63), Ofb Some(TripleDes), 24 8;
    "sm4-cbc" Some(1134), Cbc Some(Sm4), 16 16;
    "sm4-ccm" None, Ccm Some(Sm4), 16 12;
    "sm4-cfb" Some(1137), Cfb Some(Sm4), 16 16;
    "sm4-ctr" Some(1139), Ctr Some(Sm4), 16 16;
    "sm4-ecb" Some(1133), Ecb Some(Sm4), 16 0;
    "sm4-gcm" None, Gcm Some(Sm4), 16 12;
    "sm4-ofb" Some(1135), Ofb Some(Sm4), 16 16;
}

/// All names, each with OpenSSL's own.
static NAMES: &[(&str, &str)] = &[
    ("aes-128-cbc", "aes-128-cbc"),
    ("aes-128-ccm", "id-aes128-ccm"),
    ("aes-128-cfb", "aes-128-cfb"),
    ("aes-128-cfb1", "aes-128-cfb1"),
    ("aes-128-cfb8", "aes-128-cfb8"),
    ("aes-128-ctr", "aes-128-ctr"),
    ("aes-128-ecb", "aes-128-ecb"),
    ("aes-128-gcm", "id-aes128-gcm"),
    ("aes-128-ocb", "aes-128-ocb"),
    ("aes-128-ofb", "aes-128-ofb"),
    ("aes-128-wrap", "id-aes128-wrap"),
    ("aes-128-wrap-pad", "id-aes128-wrap-pad"),
    ("aes-128-xts", "aes-128-xts"),
    ("aes-192-cbc", "aes-192-cbc"),
    ("aes-192-ccm", "id-aes192-ccm"),
    ("aes-192-cfb", "aes-192-cfb"),
    ("aes-192-cfb1", "aes-192-cfb1"),
    ("aes-192-cfb8", "aes-192-cfb8"),
    ("aes-192-ctr", "aes-192-ctr"),
    ("aes-192-ecb", "aes-192-ecb"),
    ("aes-192-gcm", "id-aes192-gcm"),
    ("aes-192-ocb", "aes-192-ocb"),
    ("aes-192-ofb", "aes-192-ofb"),
    ("aes-192-wrap", "id-aes192-wrap"),
    ("aes-192-wrap-pad", "id-aes192-wrap-pad"),
    ("aes-256-cbc", "aes-256-cbc"),
    ("aes-256-ccm", "id-aes256-ccm"),
    ("aes-256-cfb", "aes-256-cfb"),
    ("aes-256-cfb1", "aes-256-cfb1"),
    ("aes-256-cfb8", "aes-256-cfb8"),
    ("aes-256-ctr", "aes-256-ctr"),
    ("aes-256-ecb", "aes-256-ecb"),
    ("aes-256-gcm", "id-aes256-gcm"),
    ("aes-256-ocb", "aes-256-ocb"),
    ("aes-256-ofb", "aes-256-ofb"),
    ("aes-256-wrap", "id-aes256-wrap"),
    ("aes-256-wrap-pad", "id-aes256-wrap-pad"),
    ("aes-256-xts", "aes-256-xts"),
    ("aes128", "aes-128-cbc"),
    ("aes128-wrap", "id-aes128-wrap"),
    ("aes128-wrap-pad", "id-aes128-wrap-pad"),
    ("aes192", "aes-192-cbc"),
    ("aes192-wrap", "id-aes192-wrap"),
    ("aes192-wrap-pad", "id-aes192-wrap-pad"),
    ("aes256", "aes-256-cbc"),
    ("aes256-wrap", "id-aes256-wrap"),
    ("aes256-wrap-pad", "id-aes256-wrap-pad"),
    ("aria-128-cbc", "aria-128-cbc"),
    ("aria-128-ccm", "aria-128-ccm"),
    ("aria-128-cfb", "aria-128-cfb"),
    ("aria-128-cfb1", "aria-128-cfb1"),
    ("aria-128-cfb8", "aria-128-cfb8"),
    ("aria-128-ctr", "aria-128-ctr"),
    ("aria-128-ecb", "aria-128-ecb"),
    ("aria-128-gcm", "aria-128-gcm"),
    ("aria-128-ofb", "aria-128-ofb"),
    ("aria-192-cbc", "aria-192-cbc"),
    ("aria-192-ccm", "aria-192-ccm"),
    ("aria-192-cfb", "aria-192-cfb"),
    ("aria-192-cfb1", "aria-192-cfb1"),
    ("aria-192-cfb8", "aria-192-cfb8"),
    ("aria-192-ctr", "aria-192-ctr"),
    ("aria-192-ecb", "aria-192-ecb"),
    ("aria-192-gcm", "aria-192-gcm"),
    ("aria-192-ofb", "aria-192-ofb"),
    ("aria-256-cbc", "aria-256-cbc"),
    ("aria-256-ccm", "aria-256-ccm"),
    ("aria-256-cfb", "aria-256-cfb"),
    ("aria-256-cfb1", "aria-256-cfb1"),
    ("aria-256-cfb8", "aria-256-cfb8"),
    ("aria-256-ctr", "aria-256-ctr"),
    ("aria-256-ecb", "aria-256-ecb"),
    ("aria-256-gcm", "aria-256-gcm"),
    ("aria-256-ofb", "aria-256-ofb"),
    ("aria128", "aria-128-cbc"),
    ("aria192", "aria-192-cbc"),
    ("aria256", "aria-256-cbc"),
    ("camellia-128-cbc", "camellia-128-cbc"),
    ("camellia-128-cfb", "camellia-128-cfb"),
    ("camellia-128-cfb1", "camellia-128-cfb1"),
    ("camellia-128-cfb8", "camellia-128-cfb8"),
    ("camellia-128-ctr", "camellia-128-ctr"),
    ("camellia-128-ecb", "camellia-128-ecb"),
    ("camellia-128-ofb", "camellia-128-ofb"),
    ("camellia-192-cbc", "camellia-192-cbc"),
    ("camellia-192-cfb", "camellia-192-cfb"),
    ("camellia-192-cfb1", "camellia-192-cfb1"),
    ("camellia-192-cfb8", "camellia-192-cfb8"),
    ("camellia-192-ctr", "camellia-192-ctr"),
    ("camellia-192-ecb", "camellia-192-ecb"),
    ("camellia-192-ofb", "camellia-192-ofb"),
    ("camellia-256-cbc", "camellia-256-cbc"),
    ("camellia-256-cfb", "camellia-256-cfb"),
    ("camellia-256-cfb1", "camellia-256-cfb1"),
    ("camellia-256-cfb8", "camellia-256-cfb8"),
    ("camellia-256-ctr", "camellia-256-ctr"),
    ("camellia-256-ecb", "camellia-256-ecb"),
    ("camellia-256-ofb", "camellia-256-ofb"),
    ("camellia128", "camellia-128-cbc"),
    ("camellia192", "camellia-192-cbc"),
    ("camellia256", "camellia-256-cbc"),
    ("chacha20", "chacha20"),
    ("chacha20-poly1305", "chacha20-poly1305"),
    ("des-ede", "des-ede"),
    ("des-ede-cbc", "des-ede-cbc"),
    ("des-ede-cfb", "des-ede-cfb"),
    ("des-ede-ecb", "des-ede"),
    ("des-ede-ofb", "des-ede-ofb"),
    ("des-ede3", "des-ede3"),
    ("des-ede3-cbc", "des-ede3-cbc"),
    ("des-ede3-cfb", "des-ede3-cfb"),
    ("des-ede3-cfb1", "des-ede3-cfb1"),
    ("des-ede3-cfb8", "des-ede3-cfb8"),
    ("des-ede3-ecb", "des-ede3"),
    ("des-ede3-ofb", "des-ede3-ofb"),
    ("des3", "des-ede3-cbc"),
    ("id-aes128-ccm", "id-aes128-ccm"),
    ("id-aes128-gcm", "id-aes128-gcm"),
    ("id-aes128-wrap", "id-aes128-wrap"),
    ("id-aes128-wrap-pad", "id-aes128-wrap-pad"),
    ("id-aes192-ccm", "id-aes192-ccm"),
    ("id-aes192-gcm", "id-aes192-gcm"),
    ("id-aes192-wrap", "id-aes192-wrap"),
    ("id-aes192-wrap-pad", "id-aes192-wrap-pad"),
    ("id-aes256-ccm", "id-aes256-ccm"),
    ("id-aes256-gcm", "id-aes256-gcm"),
    ("id-aes256-wrap", "id-aes256-wrap"),
    ("id-aes256-wrap-pad", "id-aes256-wrap-pad"),
    ("sm4", "sm4-cbc"),
    ("sm4-cbc", "sm4-cbc"),
    ("sm4-ccm", "sm4-ccm"),
    ("sm4-cfb", "sm4-cfb"),
    ("sm4-cfb128", "sm4-cfb"),
    ("sm4-ctr", "sm4-ctr"),
    ("sm4-ecb", "sm4-ecb"),
    ("sm4-gcm", "sm4-gcm"),
    ("sm4-ofb", "sm4-ofb"),
    ("sm4-ofb128", "sm4-ofb"),
];
