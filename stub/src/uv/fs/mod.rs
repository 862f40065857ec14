//! File system calls, each on this thread or on libuv's pool.

mod dir;
pub mod kind;

use std::cell::Cell;
use std::ffi::{CStr, CString};
use std::sync::atomic::Ordering;

use libuv_sys2 as sys;

use super::event_loop;
pub use super::work::Pending;
use crate::{trap, vfs};
pub use dir::Dir;

/// What `stat` finds out.
pub type Stat = sys::uv_stat_t;
/// What `statfs` finds out.
pub type StatFs = sys::uv_statfs_t;

/// A call with its arguments.
pub enum Call {
    Access(CString, i32),
    Chmod(CString, i32),
    Chown(CString, u32, u32),
    Close(i32),
    CloseDir(Dir),
    CopyFile(CString, CString, i32),
    Fchmod(i32, i32),
    Fchown(i32, u32, u32),
    Fdatasync(i32),
    Fstat(i32),
    Fsync(i32),
    Ftruncate(i32, i64),
    Futime(i32, f64, f64),
    Lchown(CString, u32, u32),
    Link(CString, CString),
    Lstat(CString),
    Lutime(CString, f64, f64),
    Mkdir(CString, i32),
    Mkdtemp(CString),
    Open(CString, i32, i32),
    OpenDir(CString),
    /// At most that many entries.
    ReadDir(Dir, usize),
    /// A negative position is the file's own.
    Read(i32, Vec<Chunk>, i64),
    Readlink(CString),
    Realpath(CString),
    Rename(CString, CString),
    Rmdir(CString),
    Scandir(CString),
    Stat(CString),
    StatFs(CString),
    Symlink(CString, CString, i32),
    Unlink(CString),
    Utime(CString, f64, f64),
    Write(i32, Vec<Chunk>, i64),
}

/// What a call gives when it succeeds.
pub enum Output {
    /// Nothing.
    Done,
    /// A file descriptor or a number of bytes.
    Number(i64),
    /// Of `stat`, `lstat` and `fstat`.
    Stat(Box<Stat>),
    /// Of `statfs`.
    StatFs(StatFs),
    /// A path.
    Path(Vec<u8>),
    /// Of `scandir` and `readdir`.
    Entries(Vec<Entry>),
    /// Of `opendir`.
    Dir(Dir),
}

/// A name in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name alone.
    pub name: Vec<u8>,
    /// A `uv_dirent_type_t`.
    pub kind: u8,
}

/// Memory that a call fills or reads, kept until the call is over.
pub enum Chunk {
    /// A stretch of a JavaScript buffer: its store, where it begins there, and its length.
    Shared(v8::SharedRef<v8::BackingStore>, usize, usize),
    /// Bytes of our own.
    Owned(Vec<u8>),
}

impl Chunk {
    fn raw(&self) -> sys::uv_buf_t {
        match self {
            Chunk::Shared(store, offset, length) => match store.data() {
                Some(data) if offset + length <= store.byte_length() => sys::uv_buf_t {
                    base: data.as_ptr().cast::<core::ffi::c_char>().wrapping_add(*offset),
                    len: *length,
                },
                _ => sys::uv_buf_t { base: std::ptr::null_mut(), len: 0 },
            },
            Chunk::Owned(bytes) => sys::uv_buf_t { base: bytes.as_ptr().cast_mut().cast(), len: bytes.len() },
        }
    }
}

type Done = Box<dyn FnOnce(Call, Result<Output, i32>)>;

struct InFlight {
    request: sys::uv_fs_t,
    call: Call,
    /// Where `ReadDir` puts its entries.
    entries: Vec<sys::uv_dirent_t>,
    done: Done,
    pending: Pending,
}

/// Runs `call` on this thread.
pub fn run(call: &Call) -> Result<Output, i32> {
    let mut entries = Vec::new();
    // SAFETY: without a callback libuv is done with the request when it returns; what the call points to lives on.
    unsafe {
        let mut request: sys::uv_fs_t = std::mem::zeroed();
        let result = start(std::ptr::null_mut(), &mut request, call, &mut entries, None);
        let output = finish(&mut request, call, result as isize);
        sys::uv_fs_req_cleanup(&mut request);
        output
    }
}

/// Runs `call` on the pool, then `done` on this thread, from the event loop. If the call can't even be queued,
/// `done` runs at once.
pub fn submit(call: Call, done: Done) -> Pending {
    // SAFETY: the box keeps the request at its address until `on_done`, or the failure below, takes it back. libuv
    // copies paths and the list of buffers; the buffers themselves are held by the call.
    unsafe {
        let flight = Box::into_raw(Box::new(InFlight {
            request: std::mem::zeroed(),
            call,
            entries: Vec::new(),
            done,
            pending: Pending::default(),
        }));
        let request = &raw mut (*flight).request;
        let pending = Pending::of(request.cast());
        (*flight).pending = pending.clone();
        (*request).data = flight.cast();
        let InFlight { call, entries, .. } = &mut *flight;
        let result = start(event_loop::raw(), request, call, entries, Some(on_done));
        if result < 0 {
            (*request).result = result as isize;
            on_done(request);
        }
        pending
    }
}

unsafe extern "C" fn on_done(request: *mut sys::uv_fs_t) {
    // SAFETY: `submit` made the request; libuv is done with it.
    unsafe {
        let mut flight = Box::from_raw((*request).data.cast::<InFlight>());
        flight.pending.finish();
        if let Call::ReadDir(dir, _) | Call::CloseDir(dir) = &flight.call {
            dir.0.busy.store(false, Ordering::Relaxed);
        }
        let result = flight.request.result;
        let output = finish(&mut flight.request, &flight.call, result);
        sys::uv_fs_req_cleanup(&mut flight.request);
        let InFlight { call, done, .. } = *flight;
        done(call, output);
    }
}

/// The path that libuv gets: for a program that is only rehearsed, nothing is anywhere.
fn real(path: &CStr) -> *const core::ffi::c_char {
    const NOTHING: &CStr = c"/proc/self/nothing/here";
    if trap::is_noting() { NOTHING.as_ptr() } else { path.as_ptr() }
}

/// The descriptor that libuv gets: a program that is only rehearsed has its standard streams and embedded files, not what
/// the build keeps open.
fn own(fd: i32) -> i32 {
    const NONE: i32 = -1;
    if trap::is_noting() && fd > 2 && vfs::path_of_descriptor(fd).is_none() { NONE } else { fd }
}

/// Hands `call` to libuv. A loop and a callback go together.
///
/// # Safety
///
/// With a callback, the request, the call and the entries must stay where they are until it has run.
unsafe fn start(
    at: *mut sys::uv_loop_t,
    request: *mut sys::uv_fs_t,
    call: &Call,
    entries: &mut Vec<sys::uv_dirent_t>,
    callback: sys::uv_fs_cb,
) -> i32 {
    // SAFETY: the strings end in NUL, the descriptors are only numbers, and the caller vouches for the rest.
    unsafe {
        let (at, to, cb) = (at, request, callback);
        match call {
            Call::Access(path, mode) => sys::uv_fs_access(at, to, real(path), *mode, cb),
            Call::Chmod(path, mode) => sys::uv_fs_chmod(at, to, real(path), *mode, cb),
            Call::Chown(path, uid, gid) => sys::uv_fs_chown(at, to, real(path), *uid, *gid, cb),
            Call::Close(fd) => sys::uv_fs_close(at, to, *fd, cb),
            Call::CopyFile(from, path, flags) => sys::uv_fs_copyfile(at, to, real(from), real(path), *flags, cb),
            Call::Fchmod(fd, mode) => sys::uv_fs_fchmod(at, to, own(*fd), *mode, cb),
            Call::Fchown(fd, uid, gid) => sys::uv_fs_fchown(at, to, own(*fd), *uid, *gid, cb),
            Call::Fdatasync(fd) => sys::uv_fs_fdatasync(at, to, own(*fd), cb),
            Call::Fstat(fd) => sys::uv_fs_fstat(at, to, own(*fd), cb),
            Call::Fsync(fd) => sys::uv_fs_fsync(at, to, own(*fd), cb),
            Call::Ftruncate(fd, length) => sys::uv_fs_ftruncate(at, to, own(*fd), *length, cb),
            Call::Futime(fd, atime, mtime) => sys::uv_fs_futime(at, to, own(*fd), *atime, *mtime, cb),
            Call::Lchown(path, uid, gid) => sys::uv_fs_lchown(at, to, real(path), *uid, *gid, cb),
            Call::Link(from, path) => sys::uv_fs_link(at, to, real(from), real(path), cb),
            Call::Lstat(path) => sys::uv_fs_lstat(at, to, real(path), cb),
            Call::Lutime(path, atime, mtime) => sys::uv_fs_lutime(at, to, real(path), *atime, *mtime, cb),
            Call::Mkdir(path, mode) => sys::uv_fs_mkdir(at, to, real(path), *mode, cb),
            Call::Mkdtemp(template) => sys::uv_fs_mkdtemp(at, to, real(template), cb),
            Call::Open(path, flags, mode) => sys::uv_fs_open(at, to, real(path), *flags, *mode, cb),
            Call::OpenDir(path) => sys::uv_fs_opendir(at, to, real(path), cb),
            Call::Readlink(path) => sys::uv_fs_readlink(at, to, real(path), cb),
            Call::Realpath(path) => sys::uv_fs_realpath(at, to, real(path), cb),
            Call::Rename(from, path) => sys::uv_fs_rename(at, to, real(from), real(path), cb),
            Call::Rmdir(path) => sys::uv_fs_rmdir(at, to, real(path), cb),
            Call::Scandir(path) => sys::uv_fs_scandir(at, to, real(path), 0, cb),
            Call::Stat(path) => sys::uv_fs_stat(at, to, real(path), cb),
            Call::StatFs(path) => sys::uv_fs_statfs(at, to, real(path), cb),
            Call::Symlink(target, path, flags) => sys::uv_fs_symlink(at, to, target.as_ptr(), real(path), *flags, cb),
            Call::Unlink(path) => sys::uv_fs_unlink(at, to, real(path), cb),
            Call::Utime(path, atime, mtime) => sys::uv_fs_utime(at, to, real(path), *atime, *mtime, cb),
            Call::Read(fd, chunks, position) => {
                let buffers: Vec<_> = chunks.iter().map(Chunk::raw).collect();
                sys::uv_fs_read(at, to, own(*fd), buffers.as_ptr(), buffers.len() as u32, *position, cb)
            }
            Call::Write(fd, chunks, position) => {
                let buffers: Vec<_> = chunks.iter().map(Chunk::raw).collect();
                sys::uv_fs_write(at, to, own(*fd), buffers.as_ptr(), buffers.len() as u32, *position, cb)
            }
            Call::ReadDir(dir, count) => {
                let raw = match dir.0.take_for(callback.is_some()) {
                    Ok(raw) => raw,
                    Err(errno) => return errno,
                };
                let blank = sys::uv_dirent_t { name: std::ptr::null(), type_: sys::uv_dirent_type_t_UV_DIRENT_UNKNOWN };
                entries.resize(*count, blank);
                (*raw).dirents = entries.as_mut_ptr();
                (*raw).nentries = entries.len();
                sys::uv_fs_readdir(at, to, raw, cb)
            }
            // A second closing must not reach the freed folder.
            Call::CloseDir(dir) => match dir.0.take_for(callback.is_some()) {
                Ok(raw) => {
                    dir.0.raw.store(std::ptr::null_mut(), Ordering::Relaxed);
                    sys::uv_fs_closedir(at, to, raw, cb)
                }
                Err(errno) => errno,
            },
        }
    }
}

/// Takes the output of a call that is over out of its request.
///
/// # Safety
///
/// `request` is the finished request of `call`.
unsafe fn finish(request: &mut sys::uv_fs_t, call: &Call, result: isize) -> Result<Output, i32> {
    if result < 0 {
        return Err(result as i32);
    }
    // SAFETY: libuv sets `ptr`, `path` and `statbuf` according to the kind of call.
    unsafe {
        Ok(match call {
            Call::Stat(_) | Call::Lstat(_) | Call::Fstat(_) => Output::Stat(Box::new(request.statbuf)),
            Call::StatFs(_) => Output::StatFs(*request.ptr.cast::<sys::uv_statfs_t>()),
            Call::Readlink(_) | Call::Realpath(_) => {
                Output::Path(CStr::from_ptr(request.ptr.cast_const().cast()).to_bytes().to_vec())
            }
            Call::Mkdtemp(_) => Output::Path(CStr::from_ptr(request.path).to_bytes().to_vec()),
            Call::OpenDir(_) => Output::Dir(Dir::new(request.ptr.cast())),
            Call::Open(..) | Call::Read(..) | Call::Write(..) => Output::Number(result as i64),
            Call::Scandir(_) => {
                let mut entries = Vec::with_capacity(result as usize);
                let mut entry =
                    sys::uv_dirent_t { name: std::ptr::null(), type_: sys::uv_dirent_type_t_UV_DIRENT_UNKNOWN };
                while sys::uv_fs_scandir_next(request, &mut entry) == 0 {
                    entries.push(convert(&entry));
                }
                Output::Entries(entries)
            }
            Call::ReadDir(..) => {
                let dir = request.ptr.cast::<sys::uv_dir_t>();
                let entries = std::slice::from_raw_parts((*dir).dirents, result as usize);
                Output::Entries(entries.iter().map(|entry| convert(entry)).collect())
            }
            _ => Output::Done,
        })
    }
}

/// # Safety
///
/// The entry's name is a string.
unsafe fn convert(entry: &sys::uv_dirent_t) -> Entry {
    // SAFETY: the caller vouches for it.
    let name = unsafe { CStr::from_ptr(entry.name) }.to_bytes().to_vec();
    Entry { name, kind: entry.type_ as u8 }
}

/// Whether there is anything at `path`. On this thread.
pub fn exists(path: &CStr) -> bool {
    // SAFETY: the path ends in NUL.
    unsafe { libc::access(path.as_ptr(), libc::F_OK) == 0 }
}

/// What is at `path`; if that is a link, what it leads to or the link itself. On this thread.
pub fn stat(path: &CStr, follows: bool) -> Result<Stat, i32> {
    let call = if follows { sys::uv_fs_stat } else { sys::uv_fs_lstat };
    // SAFETY: as in `run`.
    unsafe {
        let mut request: sys::uv_fs_t = std::mem::zeroed();
        let result = call(std::ptr::null_mut(), &mut request, real(path), None);
        let stat = request.statbuf;
        sys::uv_fs_req_cleanup(&mut request);
        if result < 0 { Err(result) } else { Ok(stat) }
    }
}

/// Whether there is a folder at `path`; an error if there is nothing. On this thread.
pub fn is_dir(path: &CStr) -> Result<bool, i32> {
    stat(path, true).map(|stat| stat.st_mode as u32 & libc::S_IFMT == libc::S_IFDIR)
}

/// Reads into memory that JavaScript may see. On this thread.
pub fn read_into(fd: i32, buffers: &[&[Cell<u8>]], position: i64) -> Result<usize, i32> {
    let raw: Vec<_> = buffers
        .iter()
        .map(|bytes| sys::uv_buf_t { base: bytes.as_ptr().cast_mut().cast(), len: bytes.len() })
        .collect();
    // SAFETY: the cells may be written to, and live until libuv returns, when it is done.
    unsafe {
        let mut request: sys::uv_fs_t = std::mem::zeroed();
        let result =
            sys::uv_fs_read(std::ptr::null_mut(), &mut request, fd, raw.as_ptr(), raw.len() as u32, position, None);
        sys::uv_fs_req_cleanup(&mut request);
        if result < 0 { Err(result) } else { Ok(request.result as usize) }
    }
}

/// Writes from memory that JavaScript may see. On this thread.
pub fn write_from(fd: i32, buffers: &[&[Cell<u8>]], position: i64) -> Result<usize, i32> {
    let raw: Vec<_> = buffers
        .iter()
        .map(|bytes| sys::uv_buf_t { base: bytes.as_ptr().cast_mut().cast(), len: bytes.len() })
        .collect();
    // SAFETY: the cells live until libuv returns, when it is done.
    unsafe {
        let mut request: sys::uv_fs_t = std::mem::zeroed();
        let result =
            sys::uv_fs_write(std::ptr::null_mut(), &mut request, fd, raw.as_ptr(), raw.len() as u32, position, None);
        sys::uv_fs_req_cleanup(&mut request);
        if result < 0 { Err(result) } else { Ok(request.result as usize) }
    }
}

/// Reads into `buffer` at the file's own position. On this thread, whichever it is.
pub fn read(fd: i32, buffer: &mut [u8]) -> Result<usize, i32> {
    let cells = Cell::from_mut(buffer).as_slice_of_cells();
    read_into(fd, &[cells], -1)
}

/// Writes all of `bytes` at the file's own position. On this thread, whichever it is.
pub fn write_all(fd: i32, mut bytes: &[u8]) -> Result<(), i32> {
    const AT_ONCE: usize = 256 << 20;
    while !bytes.is_empty() {
        let raw = sys::uv_buf_t { base: bytes.as_ptr().cast_mut().cast(), len: bytes.len().min(AT_ONCE) };
        // SAFETY: the bytes are only read, and live until libuv returns.
        let result = unsafe {
            let mut request: sys::uv_fs_t = std::mem::zeroed();
            let result = sys::uv_fs_write(std::ptr::null_mut(), &mut request, fd, &raw, 1, -1, None);
            sys::uv_fs_req_cleanup(&mut request);
            result
        };
        if result < 0 {
            return Err(result);
        }
        bytes = &bytes[result as usize..];
    }
    Ok(())
}

impl Call {
    /// The path that the call is about, as an error names it.
    pub fn path(&self) -> Option<&CStr> {
        match self {
            Call::Access(path, _)
            | Call::Chmod(path, _)
            | Call::Chown(path, ..)
            | Call::CopyFile(path, ..)
            | Call::Lchown(path, ..)
            | Call::Link(path, _)
            | Call::Lstat(path)
            | Call::Lutime(path, ..)
            | Call::Mkdir(path, _)
            | Call::Mkdtemp(path)
            | Call::Open(path, ..)
            | Call::OpenDir(path)
            | Call::Readlink(path)
            | Call::Realpath(path)
            | Call::Rename(path, _)
            | Call::Rmdir(path)
            | Call::Scandir(path)
            | Call::Stat(path)
            | Call::StatFs(path)
            | Call::Symlink(path, ..)
            | Call::Unlink(path)
            | Call::Utime(path, ..) => Some(path),
            _ => None,
        }
    }

    /// The second path of a call that has two.
    pub fn dest(&self) -> Option<&CStr> {
        match self {
            Call::CopyFile(_, dest, _) | Call::Link(_, dest) | Call::Rename(_, dest) | Call::Symlink(_, dest, _) => {
                Some(dest)
            }
            _ => None,
        }
    }

    /// The system call's name, as an error names it.
    pub fn name(&self) -> &'static str {
        match self {
            Call::Access(..) => "access",
            Call::Chmod(..) => "chmod",
            Call::Chown(..) => "chown",
            Call::Close(..) => "close",
            Call::CloseDir(..) => "closedir",
            Call::CopyFile(..) => "copyfile",
            Call::Fchmod(..) => "fchmod",
            Call::Fchown(..) => "fchown",
            Call::Fdatasync(..) => "fdatasync",
            Call::Fstat(..) => "fstat",
            Call::Fsync(..) => "fsync",
            Call::Ftruncate(..) => "ftruncate",
            Call::Futime(..) => "futime",
            Call::Lchown(..) => "lchown",
            Call::Link(..) => "link",
            Call::Lstat(..) => "lstat",
            Call::Lutime(..) => "lutime",
            Call::Mkdir(..) => "mkdir",
            Call::Mkdtemp(..) => "mkdtemp",
            Call::Open(..) => "open",
            Call::OpenDir(..) => "opendir",
            Call::ReadDir(..) => "readdir",
            Call::Read(..) => "read",
            Call::Readlink(..) => "readlink",
            Call::Realpath(..) => "realpath",
            Call::Rename(..) => "rename",
            Call::Rmdir(..) => "rmdir",
            Call::Scandir(..) => "scandir",
            Call::Stat(..) => "stat",
            Call::StatFs(..) => "statfs",
            Call::Symlink(..) => "symlink",
            Call::Unlink(..) => "unlink",
            Call::Utime(..) => "utime",
            Call::Write(..) => "write",
        }
    }
}
