//! Native addons, which can't be loaded yet.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use crate::errors::system_message;
use crate::vfs;

/// Why the file at `path` is not loaded, in the words of the system's loader where it would not load it either. One
/// that is embedded is unpacked like any file that somebody else is to read.
pub fn why_not(path: &[u8]) -> String {
    let contents: Result<Cow<[u8]>, std::io::Error> = match vfs::inside(path) {
        Some(inside) => {
            inside.file().and_then(vfs::contents).map_err(|errno| std::io::Error::from_raw_os_error(-errno)).inspect(
                |bytes| {
                    if is_elf(bytes) {
                        // It would serve the next run; this one has nothing to tell.
                        let _ = inside.unpack();
                    }
                },
            )
        }
        None => fs::read(OsStr::from_bytes(path)).map(Cow::Owned),
    };
    match contents {
        Ok(bytes) if is_elf(&bytes) => "native addons cannot be loaded into a program built by Kiln yet".into(),
        Ok(bytes) if bytes.len() < SHORTEST => "file too short".into(),
        Ok(_) => "invalid ELF header".into(),
        Err(error) => {
            let errno = error.raw_os_error().unwrap_or(libc::EIO);
            format!("cannot open shared object file: {}", system_message(errno))
        }
    }
}

/// The size of an ELF file's header.
const SHORTEST: usize = 64;

fn is_elf(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x7fELF") && bytes.len() >= SHORTEST
}
