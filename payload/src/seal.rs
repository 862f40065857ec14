//! The slot inside the stub's ELF that says what must follow it.

use std::fmt;

const MARKER_LEN: usize = 32;

/// The marker with every bit flipped. The search flips it back at run time, so that neither the compiler nor a
/// stub that happens to contain this code holds the marker a second time.
const FLIPPED: [u8; MARKER_LEN] = [
    0x5c, 0x14, 0xe9, 0x93, 0x27, 0xd0, 0x8e, 0x61, 0xf3, 0x0b, 0xa8, 0x45, 0x7a, 0xce, 0x39, 0x96, 0x1d, 0xb2, 0x64,
    0xdf, 0x08, 0xf1, 0x5b, 0xac, 0xe7, 0x32, 0x80, 0x4f, 0xb9, 0x76, 0xc5, 0x2a,
];

const fn marker() -> [u8; MARKER_LEN] {
    let mut marker = FLIPPED;
    let mut at = 0;
    while at < MARKER_LEN {
        marker[at] = !marker[at];
        at += 1;
    }
    marker
}

/// A static of the stub, found by its marker and filled in by the compiler.
///
/// The stub declares `#[used] static SEAL: Seal = Seal::UNSEALED;`, exactly once.
#[derive(Debug)]
#[repr(C, align(8))]
pub struct Seal {
    marker: [u8; MARKER_LEN],
    file_len: [u8; 8],
    payload_offset: [u8; 8],
    file_address: [u8; 8],
    reserved: [u8; 8],
}

impl Seal {
    /// What a stub holds until the compiler has appended a payload to it.
    pub const UNSEALED: Seal = Seal::with(marker());

    const fn with(marker: [u8; MARKER_LEN]) -> Seal {
        Seal { marker, file_len: [0; 8], payload_offset: [0; 8], file_address: [0; 8], reserved: [0; 8] }
    }

    /// How many bytes a seal takes.
    pub const LEN: usize = size_of::<Seal>();

    /// The length that the whole file must have, and where the payload begins; `None` in a bare stub.
    pub fn read(&self) -> Option<(u64, u64)> {
        // SAFETY: both pointers come from references. The reads are volatile because the bytes in the file are not
        // those that the compiler of the stub saw, and it must not conclude that they are zero.
        let (file_len, payload_offset) =
            unsafe { (std::ptr::read_volatile(&self.file_len), std::ptr::read_volatile(&self.payload_offset)) };
        let file_len = u64::from_le_bytes(file_len);
        (file_len != 0).then(|| (file_len, u64::from_le_bytes(payload_offset)))
    }

    /// The whole file of the running executable, if the kernel has mapped it: see `front`. A stub without fixed
    /// addresses has to map itself.
    ///
    /// # Safety
    ///
    /// The seal is that of the running executable.
    pub unsafe fn mapped_file(&self) -> Option<&'static [u8]> {
        let (file_len, _) = self.read()?;
        // SAFETY: as in `read`.
        let address = u64::from_le_bytes(unsafe { std::ptr::read_volatile(&self.file_address) });
        let address = std::ptr::with_exposed_provenance::<u8>(usize::try_from(address).ok()?);
        let len = usize::try_from(file_len).ok()?;
        // SAFETY: the program headers of this executable map so many bytes there, for as long as it runs. It cannot
        // be written to meanwhile (ETXTBSY), and its first instructions have checked its length.
        (!address.is_null()).then(|| unsafe { std::slice::from_raw_parts(address, len) })
    }

    /// Where the one seal of an executable or a bare stub lies in its file.
    pub fn find(file: &[u8]) -> Result<usize, SealError> {
        let needle: Vec<u8> = std::hint::black_box(FLIPPED).iter().map(|byte| !byte).collect();
        let mut found = memchr::memmem::find_iter(file, &needle);
        match (found.next(), found.next()) {
            (Some(at), None) if at + Self::LEN <= file.len() => Ok(at),
            (Some(_), Some(_)) => Err(SealError::Several),
            _ => Err(SealError::Missing),
        }
    }

    /// The seal of an executable that is not the running one.
    pub fn of(file: &[u8]) -> Result<Seal, SealError> {
        let at = Self::find(file)?;
        // Its own marker does not matter, and must not be in a stub that happens to contain this code.
        let mut seal = Seal::with([0; MARKER_LEN]);
        seal.file_len.copy_from_slice(&file[at + MARKER_LEN..][..8]);
        seal.payload_offset.copy_from_slice(&file[at + MARKER_LEN + 8..][..8]);
        Ok(seal)
    }

    /// The fields behind the marker, as they stand in a sealed file.
    pub(crate) fn fields(file_len: u64, payload_offset: u64, file_address: u64) -> Vec<u8> {
        [file_len, payload_offset, file_address].iter().flat_map(|field| field.to_le_bytes()).collect()
    }

    pub(crate) const FIELDS: usize = MARKER_LEN;
}

/// Why a file is not a stub or an executable made from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealError {
    /// It holds no seal.
    Missing,
    /// It holds more than one, so which one counts is anybody's guess.
    Several,
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "it was not made by Kiln",
            Self::Several => "it holds more than one seal of Kiln",
        })
    }
}

impl std::error::Error for SealError {}
