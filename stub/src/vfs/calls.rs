//! File system calls on embedded files.

use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;

use kiln_payload::{ArchivedEntryKind, ArchivedNode};

use super::{Inside, Place, contents, locate, locate_itself, open, suspect};
use crate::uv::fs::{self, Call, Entry, Output, StatFs, kind};

type Answer = Result<Output, i32>;

/// How a call on an embedded file is answered.
pub enum Served {
    /// At once.
    Now(Answer),
    /// By work that may take long: it reads a whole file.
    Work(Box<dyn FnOnce() -> Answer + Send>),
}

/// Runs `call` on this thread, on an embedded file or on the disk.
pub fn run(mut call: Call) -> Answer {
    match serve(&mut call) {
        Some(Served::Now(answer)) => answer,
        Some(Served::Work(work)) => work(),
        None => fs::run(&call),
    }
}

/// Answers `call` if it is about an embedded file. If not, its paths are ready for the disk.
pub fn serve(call: &mut Call) -> Option<Served> {
    match call {
        Call::Fstat(fd) => return open::path_of(*fd).map(|path| now(stat(&at(path)))),
        Call::Fchmod(fd, _) | Call::Fchown(fd, ..) | Call::Futime(fd, ..) => {
            return open::path_of(*fd).map(|_| now(Err(-libc::EROFS)));
        }
        Call::Close(fd) => {
            open::forget(*fd);
            return None;
        }
        Call::CopyFile(from, to, flags) => return copy(from, to, *flags),
        Call::Rename(from, to) | Call::Link(from, to) => return two(from, to),
        Call::Symlink(_, path, _) => return resolve_by(path, false).map(|inside| now(create(&inside))),
        _ => {}
    }
    let follows = match call {
        Call::Lstat(_)
        | Call::Readlink(_)
        | Call::Unlink(_)
        | Call::Rmdir(_)
        | Call::Mkdir(..)
        | Call::Lchown(..)
        | Call::Lutime(..) => false,
        Call::Open(_, flags, _) => *flags & libc::O_NOFOLLOW == 0,
        _ => true,
    };
    let inside = resolve_by(path_mut(call)?, follows)?;
    Some(match call {
        Call::Access(_, mode) => now(access(&inside, *mode)),
        Call::Stat(_) | Call::Lstat(_) => now(stat(&inside)),
        Call::Open(_, flags, _) => open_file(inside, *flags),
        Call::Scandir(_) | Call::OpenDir(_) => now(entries(&inside).map(Output::Entries)),
        Call::Readlink(_) => now(match inside.node {
            Ok(ArchivedNode::Symlink(target)) => Ok(Output::Path(target.as_bytes().to_vec())),
            Ok(_) => Err(-libc::EINVAL),
            Err(errno) => Err(errno),
        }),
        Call::Realpath(_) => now(inside.node.map(|_| Output::Path(inside.path.into_bytes()))),
        Call::StatFs(_) => now(inside.node.map(|_| Output::StatFs(file_system()))),
        Call::Mkdir(..) | Call::Mkdtemp(_) => now(create(&inside)),
        // Everything else would change what is there.
        _ => now(exists(&inside, -libc::EROFS)),
    })
}

fn now(answer: Answer) -> Served {
    Served::Now(answer)
}

fn at(path: String) -> Inside {
    super::find(path, false, true)
}

/// The only path of a call that has just one.
fn path_mut(call: &mut Call) -> Option<&mut CString> {
    match call {
        Call::Access(path, _)
        | Call::Chmod(path, _)
        | Call::Chown(path, ..)
        | Call::Lchown(path, ..)
        | Call::Lstat(path)
        | Call::Lutime(path, ..)
        | Call::Mkdir(path, _)
        | Call::Mkdtemp(path)
        | Call::Open(path, ..)
        | Call::OpenDir(path)
        | Call::Readlink(path)
        | Call::Realpath(path)
        | Call::Rmdir(path)
        | Call::Scandir(path)
        | Call::Stat(path)
        | Call::StatFs(path)
        | Call::Unlink(path)
        | Call::Utime(path, ..) => Some(path),
        _ => None,
    }
}

/// Where `path` leads inside of the executable; otherwise it becomes one for the disk.
fn resolve(path: &mut CString) -> Option<Inside> {
    resolve_by(path, true)
}

/// The same, for the link itself if `path` ends in one and is not to be followed.
fn resolve_by(path: &mut CString, follows: bool) -> Option<Inside> {
    if !suspect(path.as_bytes()) {
        return None;
    }
    let place = if follows { locate(path.as_bytes()) } else { locate_itself(path.as_bytes()) };
    match place {
        Place::Inside(inside) => Some(inside),
        Place::DiskBy(plain) => {
            *path = plain;
            None
        }
        Place::Disk => None,
    }
}

fn exists(inside: &Inside, errno: i32) -> Answer {
    inside.node.and(Err(errno))
}

fn stat(inside: &Inside) -> Answer {
    inside.stat().map(|stat| Output::Stat(Box::new(stat)))
}

/// What the creation of something at `inside` ends in; on a read-only disk that would be the same.
fn create(inside: &Inside) -> Answer {
    Err(match inside.node {
        Ok(_) => -libc::EEXIST,
        Err(errno) if errno == -libc::ENOTDIR => errno,
        Err(_) => {
            let parent = inside.path.rsplit_once('/').map_or("", |(parent, _)| parent).to_owned();
            at(parent).node.err().unwrap_or(-libc::EROFS)
        }
    })
}

fn access(inside: &Inside, mode: i32) -> Answer {
    let runnable = match inside.node? {
        ArchivedNode::Directory(_) => true,
        ArchivedNode::File(file) => file.executable,
        ArchivedNode::Symlink(_) => true,
    };
    match mode {
        mode if mode & libc::W_OK != 0 => Err(-libc::EROFS),
        mode if mode & libc::X_OK != 0 && !runnable => Err(-libc::EACCES),
        _ => Ok(Output::Done),
    }
}

/// The names in a folder, in the order of `scandir`.
fn entries(inside: &Inside) -> Result<Vec<Entry>, i32> {
    match inside.node? {
        ArchivedNode::File(_) | ArchivedNode::Symlink(_) => Err(-libc::ENOTDIR),
        ArchivedNode::Directory(entries) => Ok(entries
            .iter()
            .map(|entry| Entry {
                name: entry.name.as_bytes().to_vec(),
                kind: match entry.kind {
                    ArchivedEntryKind::File => kind::FILE,
                    ArchivedEntryKind::Directory => kind::DIR,
                    ArchivedEntryKind::Symlink => kind::LINK,
                },
            })
            .collect()),
    }
}

fn open_file(inside: Inside, flags: i32) -> Served {
    let writes = flags & libc::O_ACCMODE != libc::O_RDONLY || flags & libc::O_TRUNC != 0;
    match inside.node {
        Err(_) if flags & libc::O_CREAT != 0 => now(create(&inside)),
        Err(errno) => now(Err(errno)),
        Ok(_) if flags & libc::O_CREAT != 0 && flags & libc::O_EXCL != 0 => now(Err(-libc::EEXIST)),
        Ok(ArchivedNode::Directory(_)) if writes || flags & libc::O_CREAT != 0 => now(Err(-libc::EISDIR)),
        Ok(ArchivedNode::File(_)) if flags & libc::O_DIRECTORY != 0 => now(Err(-libc::ENOTDIR)),
        Ok(ArchivedNode::Symlink(_)) => now(Err(-libc::ELOOP)),
        Ok(_) if writes => now(Err(-libc::EROFS)),
        Ok(_) => Served::Work(Box::new(move || open::open(&inside).map(|fd| Output::Number(fd.into())))),
    }
}

/// A rename or a link, which can't lead from one file system to another.
fn two(from: &mut CString, to: &mut CString) -> Option<Served> {
    let (from, to) = (resolve(from), resolve(to));
    Some(now(match (&from, &to) {
        (None, None) => return None,
        (Some(from), Some(_)) => exists(from, -libc::EROFS),
        (Some(from), None) => exists(from, -libc::EXDEV),
        (None, Some(_)) => Err(-libc::EXDEV),
    }))
}

fn copy(from: &mut CString, to: &mut CString, flags: i32) -> Option<Served> {
    let (source, target) = (resolve(from), resolve(to));
    if let Some(target) = target {
        // A copy goes over what is there, unless it must not.
        let exclusive = flags & libuv_sys2::UV_FS_COPYFILE_EXCL as i32 != 0;
        return Some(now(create(&target).map_err(|errno| match errno {
            errno if errno == -libc::EEXIST && !exclusive => -libc::EROFS,
            errno => errno,
        })));
    }
    let source = source?;
    let to = to.clone();
    Some(Served::Work(Box::new(move || write_copy(&source, &to, flags))))
}

fn write_copy(source: &Inside, to: &CStr, flags: i32) -> Answer {
    let file = source.file()?;
    if flags & libuv_sys2::UV_FS_COPYFILE_FICLONE_FORCE as i32 != 0 {
        return Err(-libc::EXDEV);
    }
    let bytes = contents(file)?;
    let failed = |error: std::io::Error| -error.raw_os_error().unwrap_or(libc::EIO);
    let mut options = std::fs::OpenOptions::new();
    // As a copy of it from a disk would be, but for its owner to write to: nobody wants a read-only template.
    options.write(true).mode(if file.executable { 0o755 } else { 0o644 });
    match flags & libuv_sys2::UV_FS_COPYFILE_EXCL as i32 {
        0 => options.create(true).truncate(true),
        _ => options.create_new(true),
    };
    let path = OsStr::from_bytes(to.to_bytes());
    let mut target = options.open(path).map_err(failed)?;
    std::io::Write::write_all(&mut target, &bytes).map_err(failed)?;
    Ok(Output::Done)
}

/// What `statfs` says: a squashfs, full and read-only.
fn file_system() -> StatFs {
    const SQUASHFS_MAGIC: u64 = 0x7371_7368;
    StatFs {
        f_type: SQUASHFS_MAGIC,
        f_bsize: 4096,
        f_blocks: 0,
        f_bfree: 0,
        f_bavail: 0,
        f_files: 0,
        f_ffree: 0,
        f_frsize: 4096,
        f_spare: [0; 3],
    }
}
