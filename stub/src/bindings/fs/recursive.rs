//! Functions on whole trees: `readdir`, `mkdir` and `rm`, each with `recursive: true`.

use std::time::Duration;

use v8::{Array, Local, PinScope, Value};

use super::args::{c_string, integer, path};
use super::output::{Product, Shape};
use super::request::{Args, Failed, Return, Task, dispatch};
use crate::errors::{Kind, system_message, throw_code};
use crate::text::{self, Encoding};
use crate::uv::fs::{Call, Entry, Output, kind};
use crate::vfs;
use crate::{js, uv};

/// A folder and all below it, in breadth-first order.
pub struct Tree {
    /// Paths relative to the root, and what is in each.
    folders: Vec<(Vec<u8>, Vec<Entry>)>,
}

/// `path/name`, without doubling a slash.
pub fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    let slash: &[u8] = if path.is_empty() || path.ends_with(b"/") || name.is_empty() { b"" } else { b"/" };
    [path, slash, name].concat()
}

fn mode(call: Call) -> Option<u64> {
    match vfs::run(call) {
        Ok(Output::Stat(stat)) => Some(stat.st_mode),
        _ => None,
    }
}

impl Tree {
    fn read(root: &[u8]) -> Result<Tree, Failed> {
        let mut folders: Vec<(Vec<u8>, Vec<Entry>)> = vec![(Vec::new(), Vec::new())];
        let mut next = 0;
        while next < folders.len() {
            let relative = folders[next].0.clone();
            let path = join(root, &relative);
            let mut entries = match vfs::run(Call::Scandir(c_string(path.clone()))) {
                Ok(Output::Entries(entries)) => entries,
                Ok(_) => Vec::new(),
                Err(errno) => return Err(Failed::at("scandir", &path, errno)),
            };
            for entry in &mut entries {
                let child = || c_string(join(&path, &entry.name));
                if entry.kind == kind::UNKNOWN {
                    entry.kind = mode(Call::Lstat(child())).map_or(kind::UNKNOWN, kind::of_mode);
                }
                let is_dir = match entry.kind {
                    // Links to folders are followed.
                    kind::LINK => mode(Call::Stat(child())).map(kind::of_mode) == Some(kind::DIR),
                    found => found == kind::DIR,
                };
                if is_dir {
                    folders.push((join(&relative, &entry.name), Vec::new()));
                }
            }
            folders[next].1 = entries;
            next += 1;
        }
        Ok(Tree { folders })
    }

    /// All paths relative to the root; with `types`, `[names, kinds, how many in each folder, folders]`.
    pub fn value<'s>(self, scope: &mut PinScope<'s, '_>, encoding: Encoding, types: bool) -> Option<Local<'s, Value>> {
        let mut names = Vec::new();
        if !types {
            for (folder, entries) in &self.folders {
                for entry in entries {
                    names.push(text::encode(scope, &join(folder, &entry.name), encoding)?);
                }
            }
            return Some(Array::new_with_elements(scope, &names).into());
        }
        let (mut kinds, mut counts, mut folders) = (Vec::new(), Vec::new(), Vec::new());
        for (folder, entries) in &self.folders {
            for entry in entries {
                names.push(text::encode(scope, &entry.name, encoding)?);
                kinds.push(entry.kind);
            }
            counts.extend((entries.len() as u32).to_ne_bytes());
            folders.push(text::encode(scope, folder, encoding)?);
        }
        let length = kinds.len();
        let kinds = array_buffer(scope, kinds);
        let counts = array_buffer(scope, counts);
        let parts = [
            Array::new_with_elements(scope, &names).into(),
            v8::Uint8Array::new(scope, kinds, 0, length)?.into(),
            v8::Uint32Array::new(scope, counts, 0, folders.len())?.into(),
            Array::new_with_elements(scope, &folders).into(),
        ];
        Some(Array::new_with_elements(scope, &parts).into())
    }
}

fn array_buffer<'s>(scope: &mut PinScope<'s, '_>, bytes: Vec<u8>) -> Local<'s, v8::ArrayBuffer> {
    let store = v8::ArrayBuffer::new_backing_store_from_vec(bytes).make_shared();
    v8::ArrayBuffer::with_backing_store(scope, &store)
}

/// `readdirRecursive(path, encoding, withTypes[, req])`
pub fn readdir<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let root = path(scope, args.get(0)).into_bytes();
    let shape =
        Shape::Names { encoding: Encoding::parse(scope, args.get(1), Encoding::Utf8), types: args.get(2).is_true() };
    // A tree inside of the executable is the same at any time.
    if args.get(3).is_undefined()
        && vfs::inside(&root).is_some()
        && let Ok(tree) = Tree::read(&root)
    {
        if let Some(value) = shape.value(scope, Product::Tree(tree), true) {
            rv.set(value);
        }
        return;
    }
    let task = Task::Work("scandir", Box::new(move || Tree::read(&root).map(Product::Tree)));
    dispatch(scope, args.get(3), &mut rv, task, shape);
}

/// `mkdir(path, mode, recursive[, req])`
pub fn mkdir<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let (path, mode) = (path(scope, args.get(0)), integer(scope, args.get(1)));
    if !args.get(2).is_true() {
        dispatch(scope, args.get(3), &mut rv, Task::Call(Call::Mkdir(path, mode)), Shape::Nothing);
        return;
    }
    let work = move || match make_path(path.as_bytes(), mode) {
        Ok(Some(first)) => Ok(Product::Output(Output::Path(first))),
        Ok(None) => Ok(Product::Output(Output::Done)),
        Err(errno) => Err(Failed::at("mkdir", path.as_bytes(), errno)),
    };
    dispatch(scope, args.get(3), &mut rv, Task::Work("mkdir", Box::new(work)), Shape::Path(Encoding::Utf8));
}

/// Makes a folder and those above it that are missing; gives the uppermost of the new ones.
fn make_path(path: &[u8], mode: i32) -> Result<Option<Vec<u8>>, i32> {
    let mut waiting = vec![path.to_vec()];
    let mut first = None;
    // Some file systems say of a folder that is there that it can't be found, which must not go on for ever.
    let mut attempts = 2 * path.split(|&byte| byte == b'/').count() + 2;
    while let Some(next) = waiting.pop() {
        let mut errno = match vfs::run(Call::Mkdir(c_string(next.clone()), mode)) {
            Ok(_) => {
                first.get_or_insert(next);
                continue;
            }
            Err(errno) => errno,
        };
        if [libc::EACCES, libc::ENOSPC, libc::ENOTDIR, libc::EPERM].contains(&-errno) {
            return Err(errno);
        }
        if errno == -libc::ENOENT {
            let end = next.iter().rposition(|&byte| byte == b'/').unwrap_or(next.len());
            attempts = attempts.checked_sub(1).ok_or(errno)?;
            if end < next.len() {
                let parent = next[..end].to_vec();
                waiting.extend([next, parent]);
                continue;
            }
            if !waiting.is_empty() {
                continue;
            }
            errno = -libc::EEXIST;
        }
        match vfs::run(Call::Stat(c_string(next))) {
            Ok(Output::Stat(stat)) if kind::of_mode(stat.st_mode) != kind::DIR => {
                let below = errno == -libc::EEXIST && !waiting.is_empty();
                return Err(if below { -libc::ENOTDIR } else { -libc::EEXIST });
            }
            Ok(_) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(first)
}

/// `rmSync(path, maxRetries, recursive, retryDelay)`
pub fn rm<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let path = path(scope, args.get(0));
    let (retries, recursive) = (integer(scope, args.get(1)), args.get(2).is_true());
    let delay = integer(scope, args.get(3));
    let kind = match vfs::run(Call::Lstat(path.clone())) {
        Ok(Output::Stat(stat)) => kind::of_mode(stat.st_mode),
        Err(errno) if errno == -libc::ENOENT || errno == -libc::ENOTDIR => return,
        _ => kind::UNKNOWN,
    };
    if kind == kind::DIR && !recursive {
        let message = format!("Path is a directory: {}", path.to_string_lossy());
        return throw_code(scope, Kind::Error, "ERR_FS_EISDIR", &message);
    }
    let mut errno = 0;
    for attempt in 1..=retries + 1 {
        errno = match remove(path.as_bytes(), recursive) {
            Ok(()) => return,
            Err(errno) if errno == -libc::ENOENT => return,
            Err(errno) => -errno,
        };
        if ![libc::EBUSY, libc::EMFILE, libc::ENFILE, libc::ENOTEMPTY, libc::EPERM].contains(&errno) {
            break;
        }
        // Whole seconds only, as in Node.
        std::thread::sleep(Duration::from_secs((attempt * delay / 1000).max(0) as u64));
    }
    let message = match errno {
        libc::EPERM => "Operation not permitted:".to_owned(),
        libc::ENOTEMPTY => "Directory not empty:".to_owned(),
        libc::ENOTDIR => "Not a directory:".to_owned(),
        libc::EACCES => "Permission denied:".to_owned(),
        other => format!("Unknown error: {}", system_message(other)),
    };
    let known = [libc::EPERM, libc::ENOTEMPTY, libc::ENOTDIR, libc::EACCES].contains(&errno);
    let errno = if known { errno } else { libuv_sys2::uv_errno_t_UV_UNKNOWN };
    let exception = errno_exception(scope, errno, "rm", &message, path.as_bytes());
    scope.throw_exception(exception);
}

fn remove(path: &[u8], recursive: bool) -> Result<(), i32> {
    let remove = match vfs::run(Call::Lstat(c_string(path.to_vec()))) {
        Ok(Output::Stat(stat)) if kind::of_mode(stat.st_mode) == kind::DIR => Call::Rmdir,
        Ok(_) => return vfs::run(Call::Unlink(c_string(path.to_vec()))).map(drop),
        Err(errno) => return Err(errno),
    };
    if recursive {
        let entries = match vfs::run(Call::Scandir(c_string(path.to_vec())))? {
            Output::Entries(entries) => entries,
            _ => Vec::new(),
        };
        for entry in entries {
            match self::remove(&join(path, &entry.name), true) {
                Err(errno) if errno != -libc::ENOENT => return Err(errno),
                _ => {}
            }
        }
    }
    vfs::run(remove(c_string(path.to_vec()))).map(drop)
}

/// The error that Node's `ErrnoException` makes: `EPERM, Operation not permitted 'x'`. Its number is the system's.
pub fn errno_exception<'s>(
    scope: &mut PinScope<'s, '_>,
    errno: i32,
    syscall: &str,
    message: &str,
    path: &[u8],
) -> Local<'s, Value> {
    let code = if errno > 0 { uv::error_name(-errno) } else { String::new() };
    let path = String::from_utf8_lossy(path);
    let text = js::string(scope, &format!("{code}, {message} '{path}'"));
    let error = v8::Exception::error(scope, text);
    if let Ok(object) = Local::<v8::Object>::try_from(error) {
        let errno = js::integer(scope, errno);
        js::set(scope, object, "errno", errno);
        for (key, text) in [("code", code.as_str()), ("path", &path), ("syscall", syscall)] {
            let text = js::string(scope, text);
            js::set(scope, object, key, text);
        }
    }
    error
}
