//! Functions that are one system call each.

use std::ffi::CStr;

use v8::{Local, PinScope, Value};

use super::args::{self, fd, id, integer, number, path};
use super::output::Shape;
use super::request::{Args, Return, Task, at_once, dispatch};
use super::{descriptors, stats};
use crate::text::Encoding;
use crate::uv::fs::{self, Call};
use crate::{js, trap, vfs};

fn plain<'s>(scope: &mut PinScope<'s, '_>, request: Local<'s, Value>, rv: &mut Return<'s>, call: Call) {
    dispatch(scope, request, rv, Task::Call(call), Shape::Nothing);
}

/// `access(path, mode[, req])`
pub fn access<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(mode) = args::mode(scope, args.get(1)) else { return };
    let call = Call::Access(path(scope, args.get(0)), mode);
    plain(scope, args.get(2), &mut rv, call);
}

/// `close(fd[, req])`
pub fn close<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(fd) = fd(scope, args.get(0)) else { return };
    descriptors::closed(scope, fd);
    plain(scope, args.get(1), &mut rv, Call::Close(fd));
}

/// `open(path, flags, mode[, req])`
pub fn open<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let call = Call::Open(path(scope, args.get(0)), integer(scope, args.get(1)), integer(scope, args.get(2)));
    dispatch(scope, args.get(3), &mut rv, Task::Call(call), Shape::Descriptor);
}

/// `fdatasync(fd[, req])`
pub fn fdatasync<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(fd) = fd(scope, args.get(0)) else { return };
    plain(scope, args.get(1), &mut rv, Call::Fdatasync(fd));
}

/// `fsync(fd[, req])`
pub fn fsync<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(fd) = fd(scope, args.get(0)) else { return };
    plain(scope, args.get(1), &mut rv, Call::Fsync(fd));
}

/// `rename(from, to[, req])`
pub fn rename<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let call = Call::Rename(path(scope, args.get(0)), path(scope, args.get(1)));
    plain(scope, args.get(2), &mut rv, call);
}

/// `ftruncate(fd, length[, req])`
pub fn ftruncate<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(fd) = fd(scope, args.get(0)) else { return };
    let call = Call::Ftruncate(fd, number(scope, args.get(1)) as i64);
    plain(scope, args.get(2), &mut rv, call);
}

/// `rmdir(path[, req])`
pub fn rmdir<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let call = Call::Rmdir(path(scope, args.get(0)));
    plain(scope, args.get(1), &mut rv, call);
}

/// `unlink(path[, req])`
pub fn unlink<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let call = Call::Unlink(path(scope, args.get(0)));
    plain(scope, args.get(1), &mut rv, call);
}

/// `link(from, to[, req])`
pub fn link<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let call = Call::Link(path(scope, args.get(0)), path(scope, args.get(1)));
    plain(scope, args.get(2), &mut rv, call);
}

/// `symlink(target, path, flags[, req])`
pub fn symlink<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let (target, path) = (path(scope, args.get(0)), path(scope, args.get(1)));
    let call = Call::Symlink(target, path, integer(scope, args.get(2)));
    plain(scope, args.get(3), &mut rv, call);
}

/// `readlink(path, encoding[, req])`
pub fn readlink<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let call = Call::Readlink(path(scope, args.get(0)));
    let shape = Shape::Path(Encoding::parse(scope, args.get(1), Encoding::Utf8));
    dispatch(scope, args.get(2), &mut rv, Task::Call(call), shape);
}

/// `realpath(path, encoding[, req])`
pub fn realpath<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let call = Call::Realpath(path(scope, args.get(0)));
    let shape = Shape::Path(Encoding::parse(scope, args.get(1), Encoding::Utf8));
    dispatch(scope, args.get(2), &mut rv, Task::Call(call), shape);
}

/// `mkdtemp(prefix, encoding[, req])`
pub fn mkdtemp<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let mut template = path(scope, args.get(0)).into_bytes();
    template.extend(b"XXXXXX");
    let call = Call::Mkdtemp(args::c_string(template));
    let shape = Shape::Path(Encoding::parse(scope, args.get(1), Encoding::Utf8));
    dispatch(scope, args.get(2), &mut rv, Task::Call(call), shape);
}

/// `readdir(path, encoding, withTypes[, req])`
pub fn readdir<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let call = Call::Scandir(path(scope, args.get(0)));
    let shape =
        Shape::Names { encoding: Encoding::parse(scope, args.get(1), Encoding::Utf8), types: args.get(2).is_true() };
    dispatch(scope, args.get(3), &mut rv, Task::Call(call), shape);
}

/// `copyFile(from, to, flags[, req])`
pub fn copy_file<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(flags) = args::mode(scope, args.get(2)) else { return };
    let call = Call::CopyFile(path(scope, args.get(0)), path(scope, args.get(1)), flags);
    plain(scope, args.get(3), &mut rv, call);
}

/// `chmod(path, mode[, req])`
pub fn chmod<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let call = Call::Chmod(path(scope, args.get(0)), integer(scope, args.get(1)));
    plain(scope, args.get(2), &mut rv, call);
}

/// `fchmod(fd, mode[, req])`
pub fn fchmod<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(fd) = fd(scope, args.get(0)) else { return };
    let call = Call::Fchmod(fd, integer(scope, args.get(1)));
    plain(scope, args.get(2), &mut rv, call);
}

/// `chown(path, uid, gid[, req])`
pub fn chown<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let call = Call::Chown(path(scope, args.get(0)), id(scope, args.get(1)), id(scope, args.get(2)));
    plain(scope, args.get(3), &mut rv, call);
}

/// `fchown(fd, uid, gid[, req])`
pub fn fchown<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(fd) = fd(scope, args.get(0)) else { return };
    let call = Call::Fchown(fd, id(scope, args.get(1)), id(scope, args.get(2)));
    plain(scope, args.get(3), &mut rv, call);
}

/// `lchown(path, uid, gid[, req])`
pub fn lchown<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let call = Call::Lchown(path(scope, args.get(0)), id(scope, args.get(1)), id(scope, args.get(2)));
    plain(scope, args.get(3), &mut rv, call);
}

/// `utimes(path, atime, mtime[, req])`
pub fn utimes<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let call = Call::Utime(path(scope, args.get(0)), number(scope, args.get(1)), number(scope, args.get(2)));
    plain(scope, args.get(3), &mut rv, call);
}

/// `futimes(fd, atime, mtime[, req])`
pub fn futimes<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(fd) = fd(scope, args.get(0)) else { return };
    let call = Call::Futime(fd, number(scope, args.get(1)), number(scope, args.get(2)));
    plain(scope, args.get(3), &mut rv, call);
}

/// `lutimes(path, atime, mtime[, req])`
pub fn lutimes<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let call = Call::Lutime(path(scope, args.get(0)), number(scope, args.get(1)), number(scope, args.get(2)));
    plain(scope, args.get(3), &mut rv, call);
}

/// The usual case, without detours: something on the disk, now, or nothing there and nobody minds. `None` for every
/// other.
fn stat_at_once<'s>(
    scope: &mut PinScope<'s, '_>,
    args: &Args<'s>,
    path: &CStr,
    follows: bool,
) -> Option<Local<'s, Value>> {
    if trap::is_armed() || !args.get(2).is_undefined() || !vfs::is_outside(path.to_bytes()) {
        return None;
    }
    let shape = Shape::Stat { bigint: args.get(1).is_true(), optional: args.get(3).is_false() };
    match fs::stat(path, follows) {
        Ok(stat) => stats::value(scope, &stat, args.get(1).is_true(), true),
        Err(errno) if shape.forgives(errno, if follows { "stat" } else { "lstat" }) => Some(js::undefined(scope)),
        Err(_) => None,
    }
}

/// `stat(path, bigint[, req[, throwIfNoEntry]])`
pub fn stat<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let path = path(scope, args.get(0));
    if let Some(value) = stat_at_once(scope, &args, &path, true) {
        return rv.set(value);
    }
    let call = Call::Stat(path);
    let shape = Shape::Stat { bigint: args.get(1).is_true(), optional: args.get(3).is_false() };
    dispatch(scope, args.get(2), &mut rv, Task::Call(call), shape);
}

/// `lstat(path, bigint[, req[, throwIfNoEntry]])`
pub fn lstat<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let path = path(scope, args.get(0));
    if let Some(value) = stat_at_once(scope, &args, &path, false) {
        return rv.set(value);
    }
    let call = Call::Lstat(path);
    let shape = Shape::Stat { bigint: args.get(1).is_true(), optional: args.get(3).is_false() };
    dispatch(scope, args.get(2), &mut rv, Task::Call(call), shape);
}

/// `fstat(fd, bigint[, req])`
pub fn fstat<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(fd) = fd(scope, args.get(0)) else { return };
    let shape = Shape::Stat { bigint: args.get(1).is_true(), optional: false };
    dispatch(scope, args.get(2), &mut rv, Task::Call(Call::Fstat(fd)), shape);
}

/// `statfs(path, bigint[, req])`
pub fn statfs<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let call = Call::StatFs(path(scope, args.get(0)));
    let shape = Shape::StatFs { bigint: args.get(1).is_true() };
    dispatch(scope, args.get(2), &mut rv, Task::Call(call), shape);
}

/// `existsSync(path)`
pub fn exists<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let path = path(scope, args.get(0));
    if vfs::is_outside(path.as_bytes()) {
        if !trap::spring(scope, "access") {
            rv.set_bool(fs::exists(&path));
        }
        return;
    }
    let task = Task::Call(Call::Access(path, libc::F_OK));
    match at_once(scope, task, Shape::Nothing) {
        Ok(Some(_)) => rv.set_bool(true),
        // A trap has sprung.
        Ok(None) => {}
        Err(_) => rv.set_bool(false),
    }
}
