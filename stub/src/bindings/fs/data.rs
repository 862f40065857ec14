//! Reading and writing what is in files.

use v8::{Array, Local, Object, PinScope, Value};

use super::args::{self, fd, integer, position};
use super::output::Shape;
use super::request::{Args, Failed, Return, Task, dispatch};
use crate::text::{self, Encoding};
use crate::uv::fs::{self, Call, Chunk, Output};
use crate::vfs;
use crate::{js, trap};

fn throw<'s>(scope: &mut PinScope<'s, '_>, failed: &Failed) {
    let exception = failed.exception(scope);
    scope.throw_exception(exception);
}

fn without_path(syscall: &'static str, errno: i32) -> Failed {
    Failed { errno, syscall, path: None, dest: None }
}

/// Tells `context`, which JavaScript turns into an error of its own, what went wrong.
fn report<'s>(scope: &mut PinScope<'s, '_>, context: Local<'s, Value>, failed: &Failed) {
    let Ok(context) = Local::<Object>::try_from(context) else { return throw(scope, failed) };
    let errno = js::integer(scope, failed.errno);
    let key = js::name(scope, "errno");
    // A program can make this throw, with a setter on `Object.prototype`.
    if context.set(scope, key.into(), errno).is_some() {
        let syscall = js::name(scope, failed.syscall);
        js::set(scope, context, "syscall", syscall);
    }
}

/// `read(fd, buffer, offset, length, position[, req])`
pub fn read<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(fd) = fd(scope, args.get(0)) else { return };
    let (offset, length) = (args::number(scope, args.get(2)) as usize, integer(scope, args.get(3)).max(0) as usize);
    let position = args::big_position(scope, args.get(4));
    if args.get(5).is_undefined() {
        if vfs::path_of_descriptor(fd).is_none() && trap::spring(scope, "read") {
            return;
        }
        let memory = args::memory(args.get(1), offset, length);
        match fs::read_into(fd, &[memory], position) {
            Ok(count) => rv.set_double(count as f64),
            Err(errno) => throw(scope, &without_path("read", errno)),
        }
        return;
    }
    let Some(chunk) = args::chunk(scope, args.get(1), offset, length) else { return };
    let call = Call::Read(fd, vec![chunk], position);
    dispatch(scope, args.get(5), &mut rv, Task::Call(call), Shape::Number);
}

fn views<'s>(scope: &mut PinScope<'s, '_>, list: Local<'s, Value>) -> Vec<Local<'s, Value>> {
    let Ok(list) = Local::<Array>::try_from(list) else { return Vec::new() };
    (0..list.length()).filter_map(|index| list.get_index(scope, index)).collect()
}

fn chunks<'s>(scope: &mut PinScope<'s, '_>, list: Local<'s, Value>) -> Vec<Chunk> {
    let views = views(scope, list);
    views.into_iter().filter_map(|view| args::chunk(scope, view, 0, usize::MAX)).collect()
}

/// `readBuffers(fd, buffers, position[, req])`
pub fn read_buffers<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(fd) = fd(scope, args.get(0)) else { return };
    let position = position(scope, args.get(2));
    if args.get(3).is_undefined() {
        let memory: Vec<_> =
            views(scope, args.get(1)).into_iter().map(|view| args::memory(view, 0, usize::MAX)).collect();
        match fs::read_into(fd, &memory, position) {
            Ok(count) => rv.set_double(count as f64),
            Err(errno) => throw(scope, &without_path("read", errno)),
        }
        return;
    }
    let call = Call::Read(fd, chunks(scope, args.get(1)), position);
    dispatch(scope, args.get(3), &mut rv, Task::Call(call), Shape::Number);
}

/// `writeBuffer(fd, buffer, offset, length, position, req)` or `(..., undefined, ctx)`
pub fn write_buffer<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(fd) = fd(scope, args.get(0)) else { return };
    let (offset, length) = (args::number(scope, args.get(2)) as usize, integer(scope, args.get(3)).max(0) as usize);
    let position = position(scope, args.get(4));
    if args.get(5).is_undefined() {
        let memory = args::memory(args.get(1), offset, length);
        match fs::write_from(fd, &[memory], position) {
            Ok(count) => rv.set_double(count as f64),
            Err(errno) => report(scope, args.get(6), &without_path("write", errno)),
        }
        return;
    }
    let Some(chunk) = args::chunk(scope, args.get(1), offset, length) else { return };
    let call = Call::Write(fd, vec![chunk], position);
    dispatch(scope, args.get(5), &mut rv, Task::Call(call), Shape::Number);
}

/// `writeBuffers(fd, buffers, position[, req])`
pub fn write_buffers<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(fd) = fd(scope, args.get(0)) else { return };
    let position = position(scope, args.get(2));
    if args.get(3).is_undefined() {
        let memory: Vec<_> =
            views(scope, args.get(1)).into_iter().map(|view| args::memory(view, 0, usize::MAX)).collect();
        match fs::write_from(fd, &memory, position) {
            Ok(count) => rv.set_double(count as f64),
            Err(errno) => throw(scope, &without_path("write", errno)),
        }
        return;
    }
    let call = Call::Write(fd, chunks(scope, args.get(1)), position);
    dispatch(scope, args.get(3), &mut rv, Task::Call(call), Shape::Number);
}

/// `writeString(fd, text, position, encoding, req)` or `(..., undefined, ctx)`
pub fn write_string<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(fd) = fd(scope, args.get(0)) else { return };
    let Some(text) = args.get(1).to_string(scope) else { return };
    let position = position(scope, args.get(2));
    let encoding = Encoding::parse(scope, args.get(3), Encoding::Utf8);
    let bytes = text::bytes_of(scope, text, encoding);
    let call = Call::Write(fd, vec![Chunk::Owned(bytes)], position);
    if args.get(4).is_undefined() {
        match fs::run(&call) {
            Ok(Output::Number(count)) => rv.set_double(count as f64),
            Ok(_) => {}
            Err(errno) => report(scope, args.get(5), &without_path("write", errno)),
        }
        return;
    }
    dispatch(scope, args.get(4), &mut rv, Task::Call(call), Shape::Number);
}

/// Opens for a function that reads or writes a whole file.
pub fn open(path: std::ffi::CString, flags: i32, mode: i32) -> Result<i32, Failed> {
    let named = path.to_bytes().to_vec();
    match vfs::run(Call::Open(path, flags, mode)) {
        Ok(Output::Number(fd)) => Ok(fd as i32),
        Ok(_) => Err(Failed::at("open", &named, -libc::EIO)),
        Err(errno) => Err(Failed::at("open", &named, errno)),
    }
}

/// Closes what [`open`] opened.
pub fn close(fd: i32) -> Result<(), i32> {
    vfs::run(Call::Close(fd)).map(drop)
}

/// `readFileUtf8(path or fd, flags)`
pub fn read_file_utf8<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let subject = args.get(0);
    if let Ok(fd) = Local::<v8::Int32>::try_from(subject) {
        if !trap::spring(scope, "read") {
            let result = read_to_end(fd.value());
            give_text(scope, &mut rv, result.map_err(|errno| without_path("read", errno)));
        }
        return;
    }
    let (path, flags) = (args::path(scope, subject), integer(scope, args.get(1)));
    if let Some(inside) = vfs::inside(path.as_bytes())
        && flags & (libc::O_ACCMODE | libc::O_TRUNC | libc::O_CREAT) == libc::O_RDONLY
    {
        let failed = |errno: i32| {
            let syscall = if errno == -libc::EISDIR { "read" } else { "open" };
            let path = (syscall == "open").then(|| path.to_bytes().to_vec());
            Failed { errno, syscall, path, dest: None }
        };
        let file = match inside.file() {
            Ok(file) => file,
            Err(errno) => return throw(scope, &failed(errno)),
        };
        if let Some(text) = vfs::module_text(scope, file) {
            return rv.set(text.into());
        }
        match vfs::contents(file) {
            Ok(bytes) => give_text(scope, &mut rv, Ok(bytes)),
            Err(errno) => throw(scope, &failed(errno)),
        }
        return;
    }
    if trap::spring(scope, "open") {
        return;
    }
    let result = open(path, flags, 0o666).and_then(|fd| {
        let result = read_to_end(fd).map_err(|errno| without_path("read", errno));
        let _ = close(fd);
        result
    });
    give_text(scope, &mut rv, result);
}

fn give_text<'s, B: AsRef<[u8]>>(scope: &mut PinScope<'s, '_>, rv: &mut Return<'s>, bytes: Result<B, Failed>) {
    match bytes {
        Ok(bytes) => {
            if let Some(text) = text::encode(scope, bytes.as_ref(), Encoding::Utf8) {
                rv.set(text);
            }
        }
        Err(failed) => throw(scope, &failed),
    }
}

/// Everything from the present position to the end. The file's size is only a hint: many have none.
pub fn read_to_end(fd: i32) -> Result<Vec<u8>, i32> {
    const FIRST: usize = 8192;
    let mut bytes = vec![0; FIRST];
    let mut length = 0;
    let mut sized = false;
    loop {
        if length == bytes.len() {
            let size = match fs::run(&Call::Fstat(fd)) {
                Ok(Output::Stat(stat)) if !sized => stat.st_size as usize,
                _ => 0,
            };
            sized = true;
            // One byte more than there should be, for the read that finds the end.
            bytes.resize((size + 1).max(2 * length), 0);
        }
        match fs::read(fd, &mut bytes[length..])? {
            0 => break,
            count => length += count,
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

/// `writeFileUtf8(path or fd, text, flags, mode)`
pub fn write_file_utf8<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let bytes = args.get(1).to_rust_string_lossy(scope);
    let write = |fd| fs::write_all(fd, bytes.as_bytes()).map_err(|errno| without_path("write", errno));
    let result = match Local::<v8::Int32>::try_from(args.get(0)) {
        Ok(fd) => write(fd.value()),
        Err(_) => {
            let path = args::path(scope, args.get(0));
            let (flags, mode) = (integer(scope, args.get(2)), integer(scope, args.get(3)));
            open(path, flags, mode).and_then(|fd| {
                let written = write(fd);
                let closed = close(fd).map_err(|errno| without_path("close", errno));
                written.and(closed)
            })
        }
    };
    if let Err(failed) = result {
        throw(scope, &failed);
    }
}
