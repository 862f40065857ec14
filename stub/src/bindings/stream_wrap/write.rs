//! Writing to a stream.

use std::cell::Cell;
use std::rc::Rc;

use v8::{Array, FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use super::handle::HandleState;
use super::request::Request;
use super::stream::{completion, this_stream};
use super::{STATE, field};
use crate::bindings::async_wrap;
use crate::errors::{self, Kind as ErrorKind};
use crate::text::{self, Encoding};
use crate::uv::handle::{Handle, Kind};
use crate::uv::stream::Chunk;
use crate::{aliased, binding, callback, js, realm, wrap};

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

const EAGAIN: i32 = -libc::EAGAIN;
const ENOSYS: i32 = -libc::ENOSYS;
const ENOBUFS: i32 = -libc::ENOBUFS;

/// One call of a writing method: where to, and the request object if the caller brought one.
struct Write<'s> {
    state: Rc<HandleState>,
    handle: Rc<Handle>,
    stream: Local<'s, Object>,
    request: Option<Local<'s, Object>>,
    /// A handle to pass along.
    send: Option<Local<'s, Object>>,
}

impl<'s> Write<'s> {
    fn of(scope: &PinScope<'s, '_>, args: &Args<'s>, rv: &mut Return<'s>) -> Option<Self> {
        let (state, handle) = this_stream(scope, args, rv)?;
        let is_ipc = handle.kind() == Kind::Pipe { ipc: true };
        let send = Local::<Object>::try_from(args.get(2)).ok().filter(|_| is_ipc);
        Some(Write { state, handle, stream: args.this(), request: args.get(0).try_into().ok(), send })
    }

    /// Writes at once what goes at once, and the rest in a request. The result is a libuv error or 0; or the
    /// request, when the caller brought none.
    fn run(self, scope: &mut PinScope<'s, '_>, chunks: Vec<Chunk>, mut rv: Return<'s>) {
        let total: usize = chunks.iter().map(Chunk::len).sum();
        if let Some(stream) = self.state.stream() {
            stream.bytes_written.set(stream.bytes_written.get() + total as u64);
        }
        let mut written = 0;
        if self.send.is_none() {
            match self.handle.try_write(&chunks) {
                Ok(count) if count == total => return finish(scope, rv, total, 0),
                Ok(count) => written = count,
                Err(EAGAIN | ENOSYS) => {}
                Err(error) => return finish(scope, rv, total, error),
            }
        }
        let trigger = wrap::async_ids(scope, self.stream).id;
        let brought = self.request.is_some();
        let (object, result) =
            async_wrap::with_default_trigger(scope, trigger, |scope| self.dispatch(scope, chunks, written));
        set_state(scope, total, result == 0, result);
        match object {
            Some(object) if !brought && result == 0 => rv.set(object.into()),
            _ => rv.set_int32(result),
        }
    }

    fn dispatch(
        self,
        scope: &mut PinScope<'s, '_>,
        chunks: Vec<Chunk>,
        written: usize,
    ) -> (Option<Local<'s, Object>>, i32) {
        let object = self.request.or_else(|| binding::construct(scope, "WriteWrap", &[]));
        let Some(object) = object else { return (None, -libc::ENOMEM) };
        let mut send = None;
        if let Some(handle) = self.send {
            // What is sent must not be collected before it is.
            js::set(scope, object, "handle", handle);
            send = HandleState::of(scope, handle).and_then(|state| state.handle());
            if send.is_none() {
                return (Some(object), -libc::EINVAL);
            }
        }
        let request = Rc::new(Cell::new(Some(Request::begin(scope, object, "WRITEWRAP"))));
        let (own, state) = (request.clone(), self.state);
        let result = self.handle.write(chunks, written, send, move |status| {
            realm::enter(|scope| {
                if let Some(request) = own.take() {
                    after_write(scope, &state, request, status);
                }
            });
        });
        if result < 0
            && let Some(request) = request.take()
        {
            request.end(scope);
        }
        (Some(object), result)
    }
}

fn after_write<'s>(scope: &mut PinScope<'s, '_>, state: &HandleState, request: Request, status: i32) {
    let object = request.object(scope);
    let arguments = completion(scope, state, status);
    match js::get(scope, object, "oncomplete").map(Local::<v8::Function>::try_from) {
        Some(Ok(oncomplete)) => {
            callback::function(scope, object, oncomplete, &arguments);
        }
        // Nobody listens yet: who does so later finds it here.
        _ => js::set(scope, object, "writeStatus", arguments[0]),
    }
    request.end(scope);
}

/// Tells JavaScript how many bytes the last write was about, whether it goes on, and what went wrong.
pub fn set_state(scope: &PinScope, bytes: usize, is_async: bool, error: i32) {
    let fields = aliased::cells::<i32>(scope, STATE);
    fields[field::BYTES_WRITTEN].set(bytes as i32);
    fields[field::LAST_WRITE_WAS_ASYNC].set(is_async.into());
    fields[field::LAST_WRITE_ERROR].set(error);
}

fn finish<'s>(scope: &PinScope<'s, '_>, mut rv: Return<'s>, bytes: usize, result: i32) {
    set_state(scope, bytes, false, result);
    rv.set_int32(result);
}

/// The bytes of a buffer, without a copy.
fn shared<'s>(scope: &PinScope<'s, '_>, value: Local<'s, Value>) -> Option<Chunk> {
    let view = Local::<v8::ArrayBufferView>::try_from(value).ok()?;
    match view.buffer(scope).filter(|_| view.byte_length() > 0) {
        Some(buffer) => {
            let (start, length) = (view.byte_offset(), view.byte_length());
            Some(Chunk::Shared { store: buffer.get_backing_store(), start, length })
        }
        None => Some(Chunk::Owned(Vec::new())),
    }
}

pub fn write_buffer<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(write) = Write::of(scope, &args, &mut rv) else { return };
    match shared(scope, args.get(1)).filter(|_| args.get(1).is_uint8_array()) {
        Some(chunk) => write.run(scope, vec![chunk], rv),
        None => {
            let message = "Second argument must be a buffer";
            errors::throw_code(scope, ErrorKind::TypeError, "ERR_INVALID_ARG_TYPE", message);
        }
    }
}

fn write_string<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>, encoding: Encoding) {
    let Some(write) = Write::of(scope, &args, &mut rv) else { return };
    let Some(string) = args.get(1).to_string(scope) else { return };
    let bytes = text::bytes_of(scope, string, encoding);
    if i32::try_from(bytes.len()).is_err() {
        return rv.set_int32(ENOBUFS);
    }
    write.run(scope, vec![Chunk::Owned(bytes)], rv);
}

pub fn write_ascii<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    write_string(scope, args, rv, Encoding::Ascii);
}

pub fn write_utf8<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    write_string(scope, args, rv, Encoding::Utf8);
}

pub fn write_ucs2<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    write_string(scope, args, rv, Encoding::Ucs2);
}

pub fn write_latin1<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    write_string(scope, args, rv, Encoding::Latin1);
}

/// `writev(request, chunks, allBuffers)`: the chunks are buffers, or values and their encodings in turn.
pub fn writev<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(mut write) = Write::of(scope, &args, &mut rv) else { return };
    // The third argument is not a handle here.
    write.send = None;
    let Ok(values) = Local::<Array>::try_from(args.get(1)) else { return };
    let step = if args.get(2).is_true() { 1 } else { 2 };
    let mut chunks = Vec::with_capacity((values.length() / step) as usize);
    let mut copied = 0;
    for index in (0..values.length()).step_by(step as usize) {
        let Some(value) = values.get_index(scope, index) else { return };
        let chunk = match shared(scope, value) {
            Some(chunk) => chunk,
            None => {
                let (Some(string), Some(encoding)) = (value.to_string(scope), values.get_index(scope, index + 1))
                else {
                    return;
                };
                let encoding = Encoding::parse(scope, encoding, Encoding::Utf8);
                let bytes = text::bytes_of(scope, string, encoding);
                copied += bytes.len();
                Chunk::Owned(bytes)
            }
        };
        chunks.push(chunk);
    }
    if i32::try_from(copied).is_err() {
        return rv.set_int32(ENOBUFS);
    }
    write.run(scope, chunks, rv);
}

/// `new WriteWrap()`: a request to write, as `stream_base_commons` fills it in.
pub fn new_write_wrap<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let (null, no, zero) = (js::null(scope), js::boolean(scope, false), js::integer(scope, 0));
    let fields = [
        ("oncomplete", null),
        ("callback", null),
        ("handle", null),
        ("async", no),
        ("bytes", zero),
        ("buffer", null),
        ("writeStatus", null),
    ];
    for (name, value) in fields {
        js::set(scope, args.this(), name, value);
    }
}

/// `new ShutdownWrap()`
pub fn new_shutdown_wrap<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let null = js::null(scope);
    for name in ["oncomplete", "callback", "handle"] {
        js::set(scope, args.this(), name, null);
    }
}
