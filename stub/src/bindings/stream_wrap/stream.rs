//! Reading from a stream, and what all streams have in common.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use v8::{ArrayBufferView, FunctionCallbackArguments, Global, Local, Object, PinScope, ReturnValue, Value};

use super::handle::{HandleState, handle_of};
use super::request::Request;
use super::{STATE, field};
use crate::bindings::async_wrap;
use crate::uv::handle::{Handle, Kind};
use crate::{aliased, binding, callback, js, realm, wrap};

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

const EINVAL: i32 = -libc::EINVAL;
const EBADF: i32 = -libc::EBADF;

/// Native code that takes a stream's data instead of its `onread`.
pub trait Listener {
    /// Takes a piece of data, or a libuv error. The end is the error `UV_EOF`.
    fn read(&self, scope: &mut PinScope, stream: &Rc<HandleState>, data: Result<&[u8], i32>);
}

/// What a stream has besides its handle.
#[derive(Default)]
pub struct Stream {
    /// Bytes that came in.
    pub bytes_read: Cell<u64>,
    /// Bytes that went out or are about to.
    pub bytes_written: Cell<u64>,
    onread: RefCell<Option<Global<v8::Function>>>,
    user_buffer: RefCell<Option<Global<ArrayBufferView>>>,
    listener: RefCell<Option<Rc<dyn Listener>>>,
}

impl Stream {
    /// Gives the stream's data to `listener`, or back to `onread`.
    pub fn set_listener(&self, listener: Option<Rc<dyn Listener>>) {
        *self.listener.borrow_mut() = listener;
    }

    /// Drops what it holds of JavaScript.
    pub fn clear(&self) {
        self.onread.take();
        self.user_buffer.take();
        self.listener.take();
    }

    /// Gives the stream's data to `onread`.
    pub fn set_onread<'s>(&self, scope: &PinScope<'s, '_>, onread: Local<'s, v8::Function>) {
        *self.onread.borrow_mut() = Some(Global::new(scope, onread));
    }

    /// The function that gets the stream's data.
    pub fn onread<'s>(&self, scope: &PinScope<'s, '_>) -> Option<Local<'s, v8::Function>> {
        self.onread.borrow().as_ref().map(|function| Local::new(scope, function))
    }
}

/// The function that a stream's handle calls with its data.
fn on_read(state: Weak<HandleState>) -> impl Fn(Result<&[u8], i32>) {
    move |data| {
        if let Some(state) = state.upgrade() {
            realm::enter(|scope| received(scope, &state, data));
        }
    }
}

fn received<'s>(scope: &mut PinScope<'s, '_>, state: &Rc<HandleState>, data: Result<&[u8], i32>) {
    let (Some(stream), Some(object)) = (state.stream(), state.object(scope)) else { return };
    if let Ok(bytes) = data
        && !bytes.is_empty()
    {
        stream.bytes_read.set(stream.bytes_read.get() + bytes.len() as u64);
        accept_pending(scope, state, object);
    }
    let listener = stream.listener.borrow().clone();
    match listener {
        Some(listener) => listener.read(scope, state, data),
        None => emit(scope, stream, object, data),
    }
}

/// Hands data to the stream's `onread`.
pub fn emit<'s>(scope: &mut PinScope<'s, '_>, stream: &Stream, object: Local<'s, Object>, data: Result<&[u8], i32>) {
    let user_buffer = stream.user_buffer.borrow().as_ref().map(|buffer| Local::new(scope, buffer));
    let count = match data {
        Ok([]) => return,
        Ok(bytes) => bytes.len() as i32,
        Err(error) => error,
    };
    let argument = match (data, user_buffer) {
        (Ok(bytes), Some(buffer)) => {
            let target = js::bytes(buffer.into()).unwrap_or_default();
            for (cell, &byte) in target.iter().zip(bytes) {
                cell.set(byte);
            }
            js::undefined(scope)
        }
        (Ok(bytes), None) => {
            let store = v8::ArrayBuffer::new_backing_store_from_vec(bytes.to_vec()).make_shared();
            v8::ArrayBuffer::with_backing_store(scope, &store).into()
        }
        (Err(_), _) => js::undefined(scope),
    };
    let fields = aliased::cells::<i32>(scope, STATE);
    fields[field::READ_BYTES_OR_ERROR].set(count);
    fields[field::ARRAY_BUFFER_OFFSET].set(0);
    let Some(onread) = stream.onread(scope) else { return };
    let result = callback::function(scope, object, onread, &[argument]);
    let next = result.and_then(|result| Local::<ArrayBufferView>::try_from(result).ok());
    if let (Some(_), Some(next)) = (user_buffer, next) {
        use_buffer(scope, stream, object, next);
    }
}

/// Hands data to the `onread` of an object that is a stream without a handle.
pub fn push<'s>(scope: &mut PinScope<'s, '_>, object: Local<'s, Object>, data: Result<&[u8], i32>) {
    let stream = Stream::default();
    let onread = js::get(scope, object, "onread").and_then(|onread| Local::<v8::Function>::try_from(onread).ok());
    *stream.onread.borrow_mut() = onread.map(|onread| Global::new(scope, onread));
    emit(scope, &stream, object, data);
}

fn use_buffer<'s>(
    scope: &PinScope<'s, '_>,
    stream: &Stream,
    object: Local<'s, Object>,
    buffer: Local<'s, ArrayBufferView>,
) {
    let handle = HandleState::of(scope, object).and_then(|state| state.handle());
    if let Some(handle) = handle {
        handle.set_read_limit(buffer.byte_length());
    }
    *stream.user_buffer.borrow_mut() = Some(Global::new(scope, buffer));
}

/// Takes a handle that another process passed along with the data.
fn accept_pending<'s>(scope: &mut PinScope<'s, '_>, state: &HandleState, object: Local<'s, Object>) {
    let Some(server) = state.handle() else { return };
    let class = match server.pending_kind() {
        Some(Kind::Tcp) => "TCP",
        Some(Kind::Pipe { .. }) => "Pipe",
        Some(Kind::Udp) => "UDP",
        _ => return,
    };
    if let Some(client) = accept(scope, object, &server, class) {
        js::set(scope, object, "pendingHandle", client);
    }
}

/// A new object of `class` with the next connection of `server`.
pub fn accept<'s>(
    scope: &mut PinScope<'s, '_>,
    object: Local<'s, Object>,
    server: &Handle,
    class: &'static str,
) -> Option<Local<'s, Object>> {
    let trigger = wrap::async_ids(scope, object).id;
    // Each class has 0 for a plain socket.
    let socket = js::integer(scope, 0);
    let client = async_wrap::with_default_trigger(scope, trigger, |scope| binding::construct(scope, class, &[socket]))?;
    let handle = HandleState::of(scope, client)?.handle()?;
    (server.accept(&handle) == 0).then_some(client)
}

/// The stream that `args.this()` is; otherwise sets the result that Node's method has then.
pub fn this_stream<'s>(
    scope: &PinScope<'s, '_>,
    args: &Args<'s>,
    rv: &mut Return<'s>,
) -> Option<(Rc<HandleState>, Rc<Handle>)> {
    let state = HandleState::of(scope, args.this())?;
    match state.handle() {
        Some(handle) => Some((state, handle)),
        None => {
            rv.set_int32(EINVAL);
            None
        }
    }
}

pub fn read_start<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some((state, handle)) = this_stream(scope, &args, &mut rv) else { return };
    let result = handle.read_start(Rc::new(on_read(Rc::downgrade(&state))));
    rv.set_int32(result);
}

pub fn read_stop<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some((_, handle)) = this_stream(scope, &args, &mut rv) else { return };
    rv.set_int32(handle.read_stop());
}

pub fn use_user_buffer<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some((state, _)) = this_stream(scope, &args, &mut rv) else { return };
    if let (Some(stream), Ok(buffer)) = (state.stream(), args.get(0).try_into()) {
        use_buffer(scope, stream, args.this(), buffer);
    }
    rv.set_int32(0);
}

pub fn shutdown<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some((state, handle)) = this_stream(scope, &args, &mut rv) else { return };
    let Ok(object) = Local::<Object>::try_from(args.get(0)) else { return };
    let trigger = wrap::async_ids(scope, args.this()).id;
    let request =
        async_wrap::with_default_trigger(scope, trigger, |scope| Request::begin(scope, object, "SHUTDOWNWRAP"));
    let request = Rc::new(Cell::new(Some(request)));
    let own = request.clone();
    let result = handle.shutdown(move |status| {
        realm::enter(|scope| {
            let Some(request) = own.take() else { return };
            let arguments = completion(scope, &state, status);
            request.complete(scope, &arguments);
        });
    });
    if result < 0
        && let Some(request) = request.take()
    {
        request.end(scope);
    }
    rv.set_int32(result);
}

/// What the `oncomplete` of a write or shutdown gets.
pub fn completion<'s>(scope: &PinScope<'s, '_>, state: &HandleState, status: i32) -> [Local<'s, Value>; 3] {
    let undefined = js::undefined(scope);
    let stream = state.object(scope).map_or(undefined, Into::into);
    [js::integer(scope, status), stream, undefined]
}

pub fn set_blocking<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some((_, handle)) = this_stream(scope, &args, &mut rv) else { return };
    rv.set_int32(handle.set_blocking(args.get(0).is_true()));
}

pub fn write_queue_size<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    rv.set_double(handle_of(scope, &args).map_or(0.0, |handle| handle.write_queue_size() as f64));
}

pub fn fd<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    rv.set_int32(handle_of(scope, &args).map_or(EINVAL, |handle| handle.fd()));
}

pub fn bytes_read<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let state = HandleState::of(scope, args.this());
    let count = state.as_ref().and_then(|state| state.stream()).map_or(0, |stream| stream.bytes_read.get());
    rv.set_double(count as f64);
}

pub fn bytes_written<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let state = HandleState::of(scope, args.this());
    let count = state.as_ref().and_then(|state| state.stream()).map_or(0, |stream| stream.bytes_written.get());
    rv.set_double(count as f64);
}

pub fn get_onread<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let state = HandleState::of(scope, args.this());
    let onread = state.as_ref().and_then(|state| state.stream()).and_then(|stream| stream.onread(scope));
    if let Some(onread) = onread {
        rv.set(onread.into());
    }
}

pub fn set_onread<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let state = HandleState::of(scope, args.this());
    let stream = state.as_ref().and_then(|state| state.stream());
    if let (Some(stream), Ok(onread)) = (stream, Local::<v8::Function>::try_from(args.get(0))) {
        stream.set_onread(scope, onread);
    }
}

pub fn is_stream_base<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_bool(true);
}

pub fn external_stream<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, _: Return<'s>) {}

/// Listens for connections; `onconnection` gets each as an object of `class`.
pub fn listen<'s>(scope: &mut PinScope<'s, '_>, args: &Args<'s>, mut rv: Return<'s>, class: &'static str) {
    let Some(state) = HandleState::of(scope, args.this()) else { return rv.set_int32(EBADF) };
    let Some(handle) = state.handle() else { return rv.set_int32(EBADF) };
    let backlog = args.get(0).int32_value(scope).unwrap_or_default();
    let state = Rc::downgrade(&state);
    let result = handle.listen(backlog, Rc::new(move |status| connected(&state, status, class)));
    rv.set_int32(result);
}

fn connected(state: &Weak<HandleState>, status: i32, class: &'static str) {
    let Some(state) = state.upgrade() else { return };
    realm::enter(|scope| {
        let (Some(object), Some(server)) = (state.object(scope), state.handle()) else { return };
        let client = match status {
            0 => match accept(scope, object, &server, class) {
                Some(client) => client.into(),
                None => return,
            },
            _ => js::undefined(scope),
        };
        let arguments = [js::integer(scope, status), client];
        callback::method(scope, object, "onconnection", &arguments);
    });
}

/// Starts to connect with `start`; the request's `oncomplete` gets the outcome. Returns a libuv error or 0.
pub fn connect<'s>(
    scope: &mut PinScope<'s, '_>,
    state: Rc<HandleState>,
    object: Local<'s, Object>,
    provider: &'static str,
    start: impl FnOnce(&Handle, Box<dyn FnOnce(i32)>) -> i32,
) -> i32 {
    let (Some(handle), Some(stream)) = (state.handle(), state.object(scope)) else { return EBADF };
    let trigger = wrap::async_ids(scope, stream).id;
    let request = async_wrap::with_default_trigger(scope, trigger, |scope| Request::begin(scope, object, provider));
    let request = Rc::new(Cell::new(Some(request)));
    let own = request.clone();
    let done = move |status| {
        realm::enter(|scope| {
            let Some(request) = own.take() else { return };
            let directions = state.handle().filter(|_| status == 0).map(|handle| handle.directions());
            let (readable, writable) = directions.unwrap_or_default();
            let undefined = js::undefined(scope);
            let arguments = [
                js::integer(scope, status),
                state.object(scope).map_or(undefined, Into::into),
                request.object(scope).into(),
                js::boolean(scope, readable),
                js::boolean(scope, writable),
            ];
            request.complete(scope, &arguments);
        });
    };
    let result = start(&handle, Box::new(done));
    if result < 0
        && let Some(request) = request.take()
    {
        request.end(scope);
    }
    result
}
