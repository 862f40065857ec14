//! Real file descriptors for embedded files, so that whatever takes a descriptor works on them.

use std::collections::HashMap;
use std::ffi::CStr;
use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use kiln_payload::ArchivedNode;

use super::Inside;

/// How many descriptors stand for embedded files; it saves everybody else the lock.
static COUNT: AtomicUsize = AtomicUsize::new(0);
static OPEN: Mutex<Option<HashMap<i32, String>>> = Mutex::new(None);

fn with<R>(body: impl FnOnce(&mut HashMap<i32, String>) -> R) -> R {
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let open = open.get_or_insert_default();
    let result = body(open);
    COUNT.store(open.len(), Ordering::Relaxed);
    result
}

/// The path that `fd` was opened by, if it stands for an embedded file.
pub fn path_of(fd: i32) -> Option<String> {
    match COUNT.load(Ordering::Relaxed) {
        0 => None,
        _ => with(|open| open.get(&fd).cloned()),
    }
}

/// How many descriptors stand for embedded files. While a snapshot is taken modules may open such files; one that has
/// not closed them again cannot be kept.
pub fn count() -> usize {
    COUNT.load(Ordering::Relaxed)
}

/// `fd` is about to be closed.
pub fn forget(fd: i32) {
    if COUNT.load(Ordering::Relaxed) > 0 {
        with(|open| open.remove(&fd));
    }
}

/// A read-only descriptor of what lies at `inside`.
pub fn open(inside: &Inside) -> Result<i32, i32> {
    let failed = |error: std::io::Error| -error.raw_os_error().unwrap_or(libc::EIO);
    let file = match inside.node? {
        // Any folder will do: through a descriptor one can only look at it, and that is answered from the index.
        ArchivedNode::Directory(_) => File::open("/").map_err(failed)?,
        ArchivedNode::Symlink(_) => return Err(-libc::ELOOP),
        ArchivedNode::File(file) => {
            let memory = memory(super::contents(file)?.as_ref()).map_err(failed)?;
            // Opened once more, it can't be written to. Without /proc it has to do as it is.
            File::open(format!("/proc/self/fd/{}", memory.as_raw_fd())).unwrap_or(memory)
        }
    };
    let fd = file.into_raw_fd();
    with(|open| open.insert(fd, inside.path.clone()));
    Ok(fd)
}

fn memory(contents: &[u8]) -> std::io::Result<File> {
    const NAME: &CStr = c"kiln";
    // SAFETY: the name ends in NUL, and the descriptor, if there is one, belongs to nobody else.
    let mut file = unsafe {
        match libc::memfd_create(NAME.as_ptr(), libc::MFD_CLOEXEC) {
            -1 => return Err(std::io::Error::last_os_error()),
            fd => File::from_raw_fd(fd),
        }
    };
    file.write_all(contents)?;
    file.rewind()?;
    Ok(file)
}
