//! The native half of `fs.cp` and `fs.cpSync`.

use std::cell::RefCell;

use v8::{Local, PinScope, Value};

use super::args::{self, c_string, integer};
use super::jobs::schedule;
use super::recursive::{errno_exception, join};
use super::request::{Args, Failed, Return};
use crate::bindings::async_wrap;
use crate::errors::{Kind, system_message, with_code};
use crate::uv::fs::{Call, Output, Stat, kind};
use crate::{js, vfs, wrap};

/// What went wrong.
enum Problem {
    /// A system call: its name, its path and a libuv error.
    Call(Failed),
    /// Something that Node does with its standard library: an error of the system and a path.
    System(i32, Vec<u8>),
    /// An error with a code.
    Code(&'static str, String),
    /// A kind of file that can't be copied.
    Special(&'static str, Vec<u8>),
}

impl Problem {
    fn call(syscall: &'static str, path: &[u8], errno: i32) -> Self {
        Problem::Call(Failed::at(syscall, path, errno))
    }

    fn exception<'s>(self, scope: &mut PinScope<'s, '_>) -> Local<'s, Value> {
        match self {
            Problem::Call(failed) => failed.exception(scope),
            Problem::System(errno, path) => errno_exception(scope, errno, "cp", &system_message(errno), &path),
            Problem::Code(code, message) => with_code(scope, Kind::Error, code, &message),
            Problem::Special(kind, path) => {
                with_code(scope, Kind::Error, "ERR_FS_CP_UNKNOWN", &format!("{kind}: {}", lossy(&path)))
            }
        }
    }
}

fn lossy(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

fn stat(path: &[u8]) -> Result<Box<Stat>, i32> {
    stat_by(Call::Stat(c_string(path.to_vec())))
}

fn lstat(path: &[u8]) -> Result<Box<Stat>, i32> {
    stat_by(Call::Lstat(c_string(path.to_vec())))
}

fn stat_by(call: Call) -> Result<Box<Stat>, i32> {
    match vfs::run(call)? {
        Output::Stat(stat) => Ok(stat),
        _ => Err(-libc::EIO),
    }
}

fn kind_of(stat: &Stat) -> u8 {
    kind::of_mode(stat.st_mode)
}

fn missing(errno: i32) -> bool {
    errno == -libc::ENOENT || errno == -libc::ENOTDIR
}

fn same(left: &Stat, right: &Stat) -> bool {
    left.st_ino == right.st_ino && left.st_dev == right.st_dev
}

fn parent(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(0) => &path[..1],
        Some(end) => &path[..end],
        None => b"",
    }
}

/// `cpSyncCheckPaths(src, dest, dereference, recursive)`
pub fn check_paths<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let (src, dest) = (args::path(scope, args.get(0)), args::path(scope, args.get(1)));
    let (dereference, recursive) = (args.get(2).is_true(), args.get(3).is_true());
    if let Err(problem) = check(src.as_bytes(), dest.as_bytes(), dereference, recursive) {
        let exception = problem.exception(scope);
        scope.throw_exception(exception);
    }
}

fn check(src: &[u8], dest: &[u8], dereference: bool, recursive: bool) -> Result<(), Problem> {
    let code = |code, message| Err(Problem::Code(code, message));
    // The roles of the two calls are swapped in Node, and the name in the error is swapped back.
    let found = if dereference { lstat(src) } else { stat(src) };
    let syscall = if dereference { "stat" } else { "lstat" };
    let source = found.map_err(|errno| Problem::call(syscall, src, errno))?;
    let target = if dereference { stat(dest) } else { lstat(dest) };
    let is_dir = kind_of(&source) == kind::DIR || dereference && kind_of(&source) == kind::LINK;
    let (src_name, dest_name) = (lossy(src), lossy(dest));
    if let Ok(target) = &target {
        if let (Ok(left), Ok(right)) = (stat(src), stat(dest))
            && same(&left, &right)
        {
            return code("ERR_FS_CP_EINVAL", format!("src and dest cannot be the same {dest_name}"));
        }
        let over_dir = kind_of(target) == kind::DIR;
        if is_dir && !over_dir {
            let message = format!("Cannot overwrite non-directory {dest_name} with directory {src_name}");
            return code("ERR_FS_CP_DIR_TO_NON_DIR", message);
        }
        if !is_dir && over_dir {
            let message = format!("Cannot overwrite directory {dest_name} with non-directory {src_name}");
            return code("ERR_FS_CP_NON_DIR_TO_DIR", message);
        }
    }
    let src_folder = if src_name.ends_with('/') { src_name } else { format!("{src_name}/") };
    let to_self = || format!("Cannot copy {src_folder} to a subdirectory of self {dest_name}");
    if is_dir && dest_name.starts_with(&src_folder) {
        return code("ERR_FS_CP_EINVAL", to_self());
    }
    let mut above = parent(dest);
    while parent(src) != above && !above.is_empty() && parent(above) != above {
        match (stat(src), stat(above)) {
            (Ok(left), Ok(right)) if same(&left, &right) => return code("ERR_FS_CP_EINVAL", to_self()),
            (Ok(_), Ok(_)) => above = parent(above),
            _ => break,
        }
    }
    if is_dir && !recursive {
        let message = format!("Recursive option not enabled, cannot copy a directory: {src_folder}");
        return code("ERR_FS_EISDIR", message);
    }
    match kind_of(&source) {
        kind::SOCKET => return code("ERR_FS_CP_SOCKET", format!("Cannot copy a socket file: {dest_name}")),
        kind::FIFO => return code("ERR_FS_CP_FIFO_PIPE", format!("Cannot copy a FIFO pipe: {dest_name}")),
        kind::UNKNOWN => return code("ERR_FS_CP_UNKNOWN", format!("Cannot copy an unknown file type: {dest_name}")),
        _ => {}
    }
    let _ = make_folders(parent(dest));
    Ok(())
}

/// Makes a folder and those above it.
fn make_folders(path: &[u8]) -> Result<(), i32> {
    match stat(path) {
        _ if path.is_empty() => Ok(()),
        Ok(stat) if kind_of(&stat) == kind::DIR => Ok(()),
        Ok(_) => Err(-libc::ENOTDIR),
        Err(errno) if !missing(errno) => Err(errno),
        Err(_) => {
            make_folders(parent(path))?;
            make_folder(path)
        }
    }
}

fn make_folder(path: &[u8]) -> Result<(), i32> {
    vfs::run(Call::Mkdir(c_string(path.to_vec()), 0o777)).map(drop)
}

/// `cpSyncOverrideFile(src, dest, mode, preserveTimestamps)`
pub fn override_file<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let (src, dest) = (args::path(scope, args.get(0)), args::path(scope, args.get(1)));
    let Some(mode) = args::mode(scope, args.get(2)) else { return };
    let removed = vfs::run(Call::Unlink(dest.clone()));
    let result = match removed {
        Err(errno) => {
            let exception = errno_exception(scope, -errno, "unlink", &system_message(-errno), dest.as_bytes());
            scope.throw_exception(exception);
            return;
        }
        Ok(_) => vfs::run(Call::CopyFile(src.clone(), dest.clone(), mode)),
    };
    let result = match result {
        Err(errno) if mode == 0 => Err(Problem::System(-errno, dest.to_bytes().to_vec())),
        Err(errno) => Err(Problem::Call(Failed {
            errno,
            syscall: "cp",
            path: Some(src.to_bytes().to_vec()),
            dest: Some(dest.to_bytes().to_vec()),
        })),
        Ok(_) if args.get(3).is_true() => copy_times(src.as_bytes(), dest.as_bytes()),
        Ok(_) => Ok(()),
    };
    if let Err(problem) = result {
        let exception = problem.exception(scope);
        scope.throw_exception(exception);
    }
}

fn copy_times(src: &[u8], dest: &[u8]) -> Result<(), Problem> {
    let source = stat(src).map_err(|errno| Problem::call("stat", src, errno))?;
    let seconds = |time: libuv_sys2::uv_timespec_t| time.tv_sec as f64 + time.tv_nsec as f64 / 1e9;
    let call = Call::Utime(c_string(dest.to_vec()), seconds(source.st_atim), seconds(source.st_mtim));
    vfs::run(call).map(drop).map_err(|errno| Problem::call("utime", dest, errno))
}

/// How a folder is copied.
#[derive(Clone, Copy)]
struct Options {
    force: bool,
    dereference: bool,
    error_on_exist: bool,
    verbatim_symlinks: bool,
    preserve_timestamps: bool,
    /// For `fs.cp`, whose destination did not exist: whatever appears there meanwhile is an error. `fs.cpSync` goes
    /// into folders that are there, and leaves sockets and the like out.
    fresh: bool,
    /// Flags of `copyFile`.
    mode: i32,
}

fn options<'s>(scope: &mut PinScope<'s, '_>, args: &Args<'s>, fresh: bool) -> Options {
    Options {
        force: args.get(2).is_true(),
        dereference: args.get(3).is_true(),
        error_on_exist: args.get(4).is_true(),
        verbatim_symlinks: args.get(5).is_true(),
        preserve_timestamps: args.get(6).is_true(),
        fresh,
        mode: if fresh { integer(scope, args.get(7)) } else { 0 },
    }
}

/// `cpSyncCopyDir(src, dest, force, dereference, errorOnExist, verbatimSymlinks, preserveTimestamps)`
pub fn copy_dir<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let (src, dest) = (args::path(scope, args.get(0)), args::path(scope, args.get(1)));
    let options = options(scope, &args, false);
    if let Err(problem) = copy_tree(src.as_bytes(), dest.as_bytes(), &options) {
        let exception = problem.exception(scope);
        scope.throw_exception(exception);
    }
}

struct Copy {
    src: Vec<u8>,
    dest: Vec<u8>,
    options: Options,
}

struct Job(RefCell<Option<Copy>>);

/// `new CpDirJob(src, dest, force, dereference, errorOnExist, verbatimSymlinks, preserveTimestamps, mode)`
pub fn new_job<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let (src, dest) = (args::path(scope, args.get(0)), args::path(scope, args.get(1)));
    let copy = Copy { src: src.into_bytes(), dest: dest.into_bytes(), options: options(scope, &args, true) };
    wrap::attach(scope, args.this(), Job(RefCell::new(Some(copy))));
    async_wrap::init_object(scope, args.this(), "FSREQCALLBACK");
}

/// `job.run()`
pub fn run_job<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let Some(job) = wrap::get::<Job>(scope, args.this()) else { return };
    let Some(Copy { src, dest, options }) = job.0.take() else { return };
    schedule(
        scope,
        args.this(),
        move || copy_tree(&src, &dest, &options),
        |scope, result| {
            let (null, undefined) = (js::null(scope), js::undefined(scope));
            match result {
                Ok(()) => vec![null, undefined, undefined],
                Err(Problem::Special(kind, path)) => {
                    vec![null, js::string(scope, kind).into(), js::string(scope, &lossy(&path)).into()]
                }
                Err(problem) => vec![problem.exception(scope), undefined, undefined],
            }
        },
    );
}

fn copy_tree(src: &[u8], dest: &[u8], options: &Options) -> Result<(), Problem> {
    let existed = stat(dest).is_ok();
    if options.fresh {
        make_folder(dest).map_err(|errno| Problem::call("mkdir", dest, errno))?;
    } else {
        make_folders(dest).map_err(|errno| Problem::System(-errno, dest.to_vec()))?;
    }
    copy_contents(src, dest, options)?;
    if !existed {
        copy_mode(src, dest)?;
    }
    if options.preserve_timestamps { copy_times(src, dest) } else { Ok(()) }
}

/// Gives a copy the mode of what it was copied from. Embedded files are read-only, but copies are to be used.
fn copy_mode(src: &[u8], dest: &[u8]) -> Result<(), Problem> {
    if vfs::inside(src).is_some() {
        return Ok(());
    }
    let failed = |errno: i32| Problem::System(-errno, dest.to_vec());
    let mode = stat(src).map_err(failed)?.st_mode as i32 & 0o7777;
    vfs::run(Call::Chmod(c_string(dest.to_vec()), mode)).map(drop).map_err(failed)
}

fn copy_contents(src: &[u8], dest: &[u8], options: &Options) -> Result<(), Problem> {
    let entries = match vfs::run(Call::Scandir(c_string(src.to_vec()))) {
        Ok(Output::Entries(entries)) => entries,
        Ok(_) => Vec::new(),
        Err(errno) => return Err(Problem::System(-errno, src.to_vec())),
    };
    for entry in entries {
        let (from, to) = (join(src, &entry.name), join(dest, &entry.name));
        let Ok(own) = lstat(&from) else { continue };
        let is_link = kind_of(&own) == kind::LINK;
        if is_link && !options.dereference {
            copy_link(&from, &to, src, dest, options)?;
            continue;
        }
        let source = match stat(&from) {
            Ok(source) => source,
            Err(errno) if is_link => return Err(Problem::call("stat", &from, errno)),
            Err(_) => continue,
        };
        match kind_of(&source) {
            kind::DIR => copy_folder(&from, &to, is_link, options)?,
            kind::FILE => copy_file(&from, &to, dest, is_link, options)?,
            other if options.fresh => {
                let kind = match other {
                    kind::SOCKET => "socket",
                    kind::FIFO => "fifo",
                    _ => "unknown",
                };
                return Err(Problem::Special(kind, to));
            }
            _ => {}
        }
    }
    Ok(())
}

fn copy_folder(from: &[u8], to: &[u8], is_link: bool, options: &Options) -> Result<(), Problem> {
    let failed = |errno: i32| Problem::System(-errno, to.to_vec());
    let mut created = true;
    if options.fresh {
        make_folder(to).map_err(|errno| Problem::call("mkdir", to, errno))?;
    } else {
        created = match stat(to) {
            Ok(target) if is_link || kind_of(&target) == kind::DIR => false,
            Ok(_) => return Err(failed(-libc::ENOTDIR)),
            Err(errno) if missing(errno) => true,
            Err(errno) => return Err(failed(errno)),
        };
        if created {
            make_folder(to).map_err(failed)?;
        }
    }
    copy_contents(from, to, options)?;
    // Only now: the source may be read-only.
    if created {
        copy_mode(from, to)?;
    }
    if options.preserve_timestamps { copy_times(from, to) } else { Ok(()) }
}

fn copy_file(from: &[u8], to: &[u8], dest: &[u8], is_link: bool, options: &Options) -> Result<(), Problem> {
    let exists = |to: &[u8]| {
        let message =
            format!("[ERR_FS_CP_EEXIST]: Target already exists: cp returned EEXIST ({} already exists)", lossy(to));
        Err(Problem::Code("ERR_FS_CP_EEXIST", message))
    };
    let (source, target) = (c_string(from.to_vec()), c_string(to.to_vec()));
    const EXCLUSIVE: i32 = libuv_sys2::UV_FS_COPYFILE_EXCL as i32;
    if options.fresh {
        let call = Call::CopyFile(source, target, options.mode | EXCLUSIVE);
        vfs::run(call).map_err(|errno| Problem::call("copyfile", to, errno))?;
    } else {
        if stat(to).is_ok() {
            match (options.force, options.error_on_exist) {
                (false, true) => return exists(to),
                (false, false) => return Ok(()),
                // What a link at the destination leads to is left alone.
                (true, _) if is_link => {
                    let failed = |errno: i32| Problem::System(-errno, to.to_vec());
                    vfs::run(Call::Unlink(target.clone())).map_err(failed)?;
                }
                (true, _) => {}
            }
        }
        let call = Call::CopyFile(source, target, if options.force { 0 } else { EXCLUSIVE });
        match vfs::run(call) {
            Err(errno) if errno == -libc::EEXIST => return exists(to),
            Err(errno) => return Err(Problem::System(-errno, dest.to_vec())),
            Ok(_) => {}
        }
    }
    if options.preserve_timestamps {
        copy_times(from, to)?;
    }
    copy_mode(from, to)
}

fn read_link(path: &[u8]) -> Result<Vec<u8>, i32> {
    match vfs::run(Call::Readlink(c_string(path.to_vec())))? {
        Output::Path(target) => Ok(target),
        _ => Err(-libc::EIO),
    }
}

fn copy_link(from: &[u8], to: &[u8], src: &[u8], dest: &[u8], options: &Options) -> Result<(), Problem> {
    let failed = |errno: i32| Problem::System(-errno, dest.to_vec());
    let link = |target: &[u8]| {
        let call = Call::Symlink(c_string(target.to_vec()), c_string(to.to_vec()), 0);
        vfs::run(call).map(drop).map_err(failed)
    };
    let target = read_link(from).map_err(failed)?;
    if options.verbatim_symlinks {
        return link(&target);
    }
    if let Ok(there) = stat(to) {
        if let Ok(present) = read_link(to) {
            let leads_to_folder = |path: &[u8]| stat(path).is_ok_and(|stat| kind_of(&stat) == kind::DIR);
            if leads_to_folder(&target) && is_inside(&target, &present) {
                let message = format!("Cannot copy {} to a subdirectory of self {}", lossy(&target), lossy(&present));
                return Err(Problem::Code("ERR_FS_CP_EINVAL", message));
            }
            // Otherwise the link would be replaced by one to what has gone with it.
            if kind_of(&there) == kind::DIR && is_inside(&present, &target) {
                let message = format!("cannot overwrite {} with {}", lossy(&present), lossy(&target));
                return Err(Problem::Code("ERR_FS_CP_SYMLINK_TO_SUBDIRECTORY", message));
            }
            vfs::run(Call::Unlink(c_string(to.to_vec()))).map_err(failed)?;
        } else if kind_of(&there) == kind::FILE {
            return Err(Problem::System(libc::EEXIST, to.to_vec()));
        }
    }
    let absolute = absolute(&join(src, &target), &target);
    match options.fresh {
        true => link(&absolute),
        false => link(&canonical(&absolute)),
    }
}

/// `target`, or `path` in full, normalized by its text alone.
fn absolute(path: &[u8], target: &[u8]) -> Vec<u8> {
    if target.starts_with(b"/") {
        return target.to_vec();
    }
    let mut base = Vec::new();
    if !path.starts_with(b"/") {
        base = vfs::current_dir().unwrap_or_default().into_encoded_bytes();
        base.push(b'/');
    }
    base.extend(path);
    kiln_payload::normalize_bytes(&base)
}

/// The real path, as far as there is something; the rest as it is.
fn canonical(path: &[u8]) -> Vec<u8> {
    match vfs::run(Call::Realpath(c_string(path.to_vec()))) {
        Ok(Output::Path(real)) => real,
        _ if path.len() <= 1 => path.to_vec(),
        _ => {
            let name = &path[path.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1)..];
            join(&canonical(parent(path)), name)
        }
    }
}

/// Whether `path` lies in `folder`, or is the same.
fn is_inside(folder: &[u8], path: &[u8]) -> bool {
    let (folder, path) = (absolute(folder, b""), absolute(path, b""));
    path.strip_prefix(&folder[..]).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/") || folder == b"/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_is_inside() {
        assert!(is_inside(b"/a", b"/a/b"));
        assert!(is_inside(b"/a/", b"/a"));
        assert!(is_inside(b"/", b"/a"));
        assert!(!is_inside(b"/a", b"/ab"));
        assert!(!is_inside(b"/a/b", b"/a"));
    }

    #[test]
    fn knows_parents() {
        assert_eq!(parent(b"/a/b"), b"/a");
        assert_eq!(parent(b"/a"), b"/");
        assert_eq!(parent(b"a"), b"");
    }
}
