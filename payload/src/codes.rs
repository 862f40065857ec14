//! Code caches: what V8 has compiled of modules, so that it need not again.

use rkyv::{Archive, Deserialize, Serialize};

use crate::archive;
use crate::image::{Damage, Section};

/// Code caches of modules, in the order of the modules. The section that holds them is empty in an image that is to make
/// them.
#[derive(Archive, Serialize, Deserialize, Debug, Default, Clone, PartialEq, Eq)]
pub struct Codes {
    /// One for each module that has one.
    pub modules: Vec<Code>,
    /// The same for modules of Node's library, by their positions in it, where a rehearsal has used them.
    pub library: Vec<Code>,
}

/// The code cache of a module.
#[derive(Archive, Serialize, Deserialize, Debug, Default, Clone, PartialEq, Eq)]
pub struct Code {
    /// The module's id.
    pub module: u32,
    /// How many bytes V8 made; 0 if `bytes` are these.
    pub plain_len: u32,
    /// The bytes, compressed with zstd or not.
    pub bytes: Vec<u8>,
}

/// What a rehearsal of the program has found.
#[derive(Archive, Serialize, Deserialize, Debug, Default, Clone, PartialEq, Eq)]
pub struct Rehearsal {
    /// A report, as JSON.
    pub report: String,
    /// What was compiled.
    pub codes: Codes,
    /// Which modules of Node's library the program's modules had it load, by their positions.
    pub loads: Vec<u32>,
}

impl Codes {
    /// Compresses every cache.
    pub fn compress(&mut self) -> std::io::Result<()> {
        for code in self.modules.iter_mut().filter(|code| code.plain_len == 0) {
            code.plain_len = u32::try_from(code.bytes.len()).map_err(std::io::Error::other)?;
            code.bytes = zstd::bulk::compress(&code.bytes, 3)?;
        }
        Ok(())
    }

    /// The archive's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        archive::to_bytes(self)
    }

    /// Reads the archive's bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        archive::from_bytes(bytes)
    }
}

impl Rehearsal {
    /// The archive's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        archive::to_bytes(self)
    }

    /// Reads the archive's bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        archive::from_bytes(bytes)
    }
}

/// The code cache of `module` in the section of a verified executable, if it has one.
pub(crate) fn find(section: &Section, module: u32) -> Result<Option<Vec<u8>>, Damage> {
    let bytes = section.bytes;
    if bytes.len() < size_of::<ArchivedCodes>() || !bytes.as_ptr().cast::<ArchivedCodes>().is_aligned() {
        return Err(Damage::Contents);
    }
    // SAFETY: the bytes are those that `Codes::to_bytes` made, as the checksum has verified, and they are aligned.
    let codes = unsafe { rkyv::access_unchecked::<ArchivedCodes>(bytes) };
    let Ok(position) = codes.modules.binary_search_by_key(&module, |code| code.module.to_native()) else {
        return Ok(None);
    };
    let code = &codes.modules[position];
    let plain = zstd::bulk::decompress(&code.bytes, code.plain_len.to_native() as usize);
    plain.map(Some).map_err(|_| Damage::Contents)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Encoding;

    #[test]
    fn finds_a_module_s_code() {
        let code = |module| Code { module, bytes: vec![module as u8; 100], ..Code::default() };
        let mut codes = Codes { modules: vec![code(2), code(5)], ..Codes::default() };
        codes.compress().unwrap();
        let mut aligned = rkyv::util::AlignedVec::<16>::new();
        aligned.extend_from_slice(&codes.to_bytes());
        let bytes: &'static [u8] = Box::leak(Box::new(aligned)).as_slice();
        let section = Section { bytes, encoding: Encoding::Plain, plain_len: bytes.len() as u64 };
        assert_eq!(find(&section, 5), Ok(Some(vec![5; 100])));
        assert_eq!(find(&section, 3), Ok(None));
    }
}
