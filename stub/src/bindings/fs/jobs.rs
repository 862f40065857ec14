//! `ReadFileJob` and `WriteFileJob`: whole files in one visit to the pool.

use std::cell::RefCell;
use std::ffi::CString;

use v8::{Local, Object, PinScope, Value};

use super::args::{self, integer, number};
use super::data;
use super::request::{Args, Failed, Return, end, enter};
use crate::bindings::{async_wrap, buffer};
use crate::uv::fs::{self, Call, Chunk, Output, kind};
use crate::uv::work;
use crate::{callback, js, trap, vfs, wrap};

/// Runs `work` on the pool, then calls `job.ondone` with what `arguments` makes of its result.
pub fn schedule<T: Send + 'static>(
    scope: &mut PinScope,
    job: Local<Object>,
    work: impl FnOnce() -> T + Send + 'static,
    arguments: impl for<'a, 'b> FnOnce(&mut PinScope<'a, 'b>, T) -> Vec<Local<'a, Value>> + 'static,
) {
    vfs::prepare();
    wrap::keep_alive(scope, job, true);
    let job = v8::Global::new(scope, job);
    work::queue(work, move |result| {
        enter(|scope| {
            let job = Local::new(scope, &job);
            if let Some(result) = result {
                let arguments = arguments(scope, result);
                callback::method(scope, job, "ondone", &arguments);
            }
            end(scope, job);
        });
    });
}

struct ReadJob {
    path: CString,
    flags: i32,
    limit: u64,
}

/// What has been read: a whole file and the error of closing it, or an open file that is too large, and its size.
enum Read {
    Whole(Vec<u8>, Option<i32>),
    TooLarge(i32, u64),
}

/// `new ReadFileJob(path, flags, limit, trackFd)`
pub fn new_read<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let job = ReadJob {
        path: args::path(scope, args.get(0)),
        flags: integer(scope, args.get(1)),
        limit: number(scope, args.get(2)) as u64,
    };
    wrap::attach(scope, args.this(), job);
    async_wrap::init_object(scope, args.this(), "FSREQCALLBACK");
}

/// `job.run(path)`
pub fn run_read<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let Some(job) = wrap::get::<ReadJob>(scope, args.this()) else { return };
    let (path, flags, limit) = (job.path.clone(), job.flags, job.limit);
    // A rehearsal waits for the end of it.
    let is_rehearsed = trap::is_noting() && vfs::inside(path.as_bytes()).is_some();
    if !is_rehearsed && trap::spring(scope, "ReadFileJob") {
        return;
    }
    schedule(
        scope,
        args.this(),
        move || read(path, flags, limit),
        |scope, result| {
            let (null, undefined) = (js::null(scope), js::undefined(scope));
            let none = js::integer(scope, -1);
            match result {
                Err(failed) => vec![failed.exception(scope), undefined, none, undefined, undefined],
                Ok(Read::TooLarge(fd, size)) => {
                    vec![null, undefined, js::integer(scope, fd), js::number(scope, size as f64), undefined]
                }
                Ok(Read::Whole(bytes, close_error)) => {
                    let bytes = buffer::new_buffer(scope, bytes).into();
                    let error = close_error.map(|errno| nameless("close", errno).exception(scope));
                    vec![null, bytes, none, undefined, error.unwrap_or(undefined)]
                }
            }
        },
    );
}

fn nameless(syscall: &'static str, errno: i32) -> Failed {
    Failed { errno, syscall, path: None, dest: None }
}

fn read(path: CString, flags: i32, limit: u64) -> Result<Read, Failed> {
    let named = path.clone();
    let failed = |syscall, errno| Failed::at(syscall, named.as_bytes(), errno);
    let fd = data::open(path, flags, 0o666)?;
    let result = (|| {
        let size = match vfs::run(Call::Fstat(fd)).map_err(|errno| failed("fstat", errno))? {
            Output::Stat(stat) if kind::of_mode(stat.st_mode) == kind::FILE => stat.st_size,
            _ => 0,
        };
        if size > limit {
            return Ok(Read::TooLarge(fd, size));
        }
        let bytes = if size == 0 { data::read_to_end(fd) } else { read_size(fd, size as usize) };
        bytes.map(|bytes| Read::Whole(bytes, None)).map_err(|errno| failed("read", errno))
    })();
    if matches!(result, Ok(Read::TooLarge(..))) {
        return result;
    }
    let closed = data::close(fd);
    result.map(|read| match read {
        Read::Whole(bytes, _) => Read::Whole(bytes, closed.err()),
        other => other,
    })
}

/// `size` bytes, or less at the end of the file.
fn read_size(fd: i32, size: usize) -> Result<Vec<u8>, i32> {
    let mut bytes = vec![0; size];
    let mut length = 0;
    while length < size {
        match fs::read(fd, &mut bytes[length..])? {
            0 => break,
            count => length += count,
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

struct WriteJob {
    path: CString,
    flags: i32,
    mode: i32,
    contents: RefCell<Option<Chunk>>,
}

/// `new WriteFileJob(path, flags, mode, data)`
pub fn new_write<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let contents = args::chunk(scope, args.get(3), 0, usize::MAX).map(|chunk| match chunk {
        // Memory that can shrink meanwhile is copied.
        Chunk::Shared(store, ..) if store.is_resizable_by_user_javascript() => {
            let bytes = js::bytes(args.get(3)).unwrap_or(&[]);
            Chunk::Owned(bytes.iter().map(|byte| byte.get()).collect())
        }
        other => other,
    });
    let job = WriteJob {
        path: args::path(scope, args.get(0)),
        flags: integer(scope, args.get(1)),
        mode: integer(scope, args.get(2)),
        contents: RefCell::new(contents),
    };
    wrap::attach(scope, args.this(), job);
    async_wrap::init_object(scope, args.this(), "FSREQCALLBACK");
}

/// `job.run(path)`
pub fn run_write<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let Some(job) = wrap::get::<WriteJob>(scope, args.this()) else { return };
    let (path, flags, mode) = (job.path.clone(), job.flags, job.mode);
    let Some(contents) = job.contents.take() else { return };
    schedule(
        scope,
        args.this(),
        move || write(path, flags, mode, contents),
        |scope, result| match result {
            Ok(()) => vec![js::null(scope)],
            Err(failed) => vec![failed.exception(scope)],
        },
    );
}

fn write(path: CString, flags: i32, mode: i32, mut contents: Chunk) -> Result<(), Failed> {
    let fd = data::open(path, flags, mode)?;
    let written = loop {
        contents = match contents {
            Chunk::Owned(bytes) => break fs::write_all(fd, &bytes),
            Chunk::Shared(_, _, 0) => break Ok(()),
            Chunk::Shared(store, offset, length) => {
                match fs::run(&Call::Write(fd, vec![Chunk::Shared(store.clone(), offset, length)], -1)) {
                    Ok(Output::Number(count)) => Chunk::Shared(store, offset + count as usize, length - count as usize),
                    Ok(_) => break Ok(()),
                    Err(errno) => break Err(errno),
                }
            }
        };
    };
    let closed = data::close(fd);
    written.map_err(|errno| nameless("write", errno))?;
    closed.map_err(|errno| nameless("close", errno))
}
