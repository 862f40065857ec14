//! `internalBinding('js_stream')`: a stream of JavaScript's own, for native code that wants a handle's.
//!
//! What is written to it, JavaScript gets (`onwrite`); what JavaScript pushes into it (`readBuffer`) is read from it.

use v8::{Array, Function, FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use super::stream_wrap::{self, Request, Stream};
use super::{async_wrap, buffer};
use crate::text::{self, Encoding};
use crate::{binding, callback, js, wrap};

crate::room! {
    name: "js_stream",
    classes: {
        "JSStream" extends "AsyncWrap" {
            trap new => new,
            trap "finishWrite" => finish,
            trap "finishShutdown" => finish,
            trap "readBuffer" => read_buffer,
            trap "emitEOF" => emit_eof,
            trap "readStart" => read_start,
            trap "readStop" => read_stop,
            trap "shutdown" => shutdown,
            trap "useUserBuffer" => use_user_buffer,
            trap "writev" => writev,
            trap "writeBuffer" => write_buffer,
            trap "writeAsciiString" => write_ascii,
            trap "writeUtf8String" => write_utf8,
            trap "writeUcs2String" => write_ucs2,
            trap "writeLatin1String" => write_latin1,
        } get {
            "fd" => fd;
            "_externalStream" => external_stream;
            "bytesRead" => bytes_read;
            "bytesWritten" => bytes_written;
            "isStreamBase" => is_stream_base;
            "onread" => get_onread, set set_onread;
        },
    },
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

const EOF: i32 = -4095;
const EPROTO: i32 = -libc::EPROTO;
const EINVAL: i32 = -libc::EINVAL;

/// `new JSStream()`
fn new<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    wrap::attach(scope, args.this(), Stream::default());
    async_wrap::init_object(scope, args.this(), "JSSTREAM");
}

/// Calls a method that JavaScript has put on the stream. Its result is a libuv error or 0.
fn ask<'s>(scope: &mut PinScope<'s, '_>, args: &Args<'s>, method: &str, arguments: &[Local<'s, Value>]) -> i32 {
    let result = callback::method(scope, args.this(), method, arguments);
    result.and_then(|result| result.int32_value(scope)).unwrap_or(EPROTO)
}

fn read_start<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    rv.set_int32(ask(scope, &args, "onreadstart", &[]));
}

fn read_stop<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    rv.set_int32(ask(scope, &args, "onreadstop", &[]));
}

/// `shutdown(request)`
fn shutdown<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Ok(object) = Local::<Object>::try_from(args.get(0)) else { return };
    let request = begin(scope, &args, object, "SHUTDOWNWRAP");
    let result = ask(scope, &args, "onshutdown", &[object.into()]);
    if result < 0 {
        request.end(scope);
    }
    rv.set_int32(result);
}

fn begin<'s>(
    scope: &mut PinScope<'s, '_>,
    args: &Args<'s>,
    object: Local<'s, Object>,
    provider: &'static str,
) -> Request {
    let trigger = wrap::async_ids(scope, args.this()).id;
    async_wrap::with_default_trigger(scope, trigger, |scope| Request::begin(scope, object, provider))
}

/// Hands `buffers` to `onwrite`, with the request that the caller brought or a new one.
fn write<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>, buffers: &[Local<'s, Value>]) {
    let Some(stream) = wrap::get::<Stream>(scope, args.this()) else { return rv.set_int32(EINVAL) };
    let length: usize = buffers.iter().map(|buffer| js::bytes(*buffer).map_or(0, <[_]>::len)).sum();
    stream.bytes_written.set(stream.bytes_written.get() + length as u64);
    let brought = Local::<Object>::try_from(args.get(0)).ok();
    let Some(object) = brought.or_else(|| binding::construct(scope, "WriteWrap", &[])) else { return };
    let request = begin(scope, &args, object, "WRITEWRAP");
    let list = Array::new_with_elements(scope, buffers);
    let result = ask(scope, &args, "onwrite", &[object.into(), list.into()]);
    stream_wrap::set_write_state(scope, length, result == 0, result);
    if result < 0 {
        request.end(scope);
    }
    match brought.is_none() && result == 0 {
        true => rv.set(object.into()),
        false => rv.set_int32(result),
    }
}

fn write_buffer<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    let chunk = args.get(1);
    write(scope, args, rv, &[chunk]);
}

fn write_string<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>, encoding: Encoding) {
    let Some(string) = args.get(1).to_string(scope) else { return };
    let bytes = text::bytes_of(scope, string, encoding);
    let chunk = buffer::new_buffer(scope, bytes);
    write(scope, args, rv, &[chunk.into()]);
}

fn write_ascii<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    write_string(scope, args, rv, Encoding::Ascii);
}

fn write_utf8<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    write_string(scope, args, rv, Encoding::Utf8);
}

fn write_ucs2<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    write_string(scope, args, rv, Encoding::Ucs2);
}

fn write_latin1<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    write_string(scope, args, rv, Encoding::Latin1);
}

/// `writev(request, chunks, allBuffers)`: the chunks are buffers, or values and their encodings in turn.
fn writev<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    let Ok(values) = Local::<Array>::try_from(args.get(1)) else { return };
    let step = if args.get(2).is_true() { 1 } else { 2 };
    let mut buffers = Vec::with_capacity((values.length() / step) as usize);
    for index in (0..values.length()).step_by(step as usize) {
        let Some(value) = values.get_index(scope, index) else { return };
        if value.is_array_buffer_view() {
            buffers.push(value);
            continue;
        }
        let Some(encoding) = values.get_index(scope, index + 1) else { return };
        let encoding = Encoding::parse(scope, encoding, Encoding::Utf8);
        let Some(string) = value.to_string(scope) else { return };
        let bytes = text::bytes_of(scope, string, encoding);
        buffers.push(buffer::new_buffer(scope, bytes).into());
    }
    write(scope, args, rv, &buffers);
}

/// `finishWrite(request, status)`, `finishShutdown(request, status)`
fn finish<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let Ok(object) = Local::<Object>::try_from(args.get(0)) else { return };
    let arguments = [args.get(1), args.this().into(), js::undefined(scope)];
    Request::resume(scope, object).complete(scope, &arguments);
}

/// `readBuffer(chunk)`
fn read_buffer<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let Some(stream) = wrap::get::<Stream>(scope, args.this()) else { return };
    let Some(bytes) = text::bytes_of_value(scope, args.get(0), Encoding::Utf8) else { return };
    stream.bytes_read.set(stream.bytes_read.get() + bytes.len() as u64);
    stream_wrap::emit(scope, &stream, args.this(), Ok(&bytes));
}

/// `emitEOF()`
fn emit_eof<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if let Some(stream) = wrap::get::<Stream>(scope, args.this()) {
        stream_wrap::emit(scope, &stream, args.this(), Err(EOF));
    }
}

/// The memory is JavaScript's own already.
fn use_user_buffer<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_int32(0);
}

fn fd<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_int32(-1);
}

fn external_stream<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, _: Return<'s>) {}

fn bytes_read<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    rv.set_double(wrap::get::<Stream>(scope, args.this()).map_or(0.0, |stream| stream.bytes_read.get() as f64));
}

fn bytes_written<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    rv.set_double(wrap::get::<Stream>(scope, args.this()).map_or(0.0, |stream| stream.bytes_written.get() as f64));
}

fn is_stream_base<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_bool(true);
}

fn get_onread<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let stream = wrap::get::<Stream>(scope, args.this());
    if let Some(onread) = stream.and_then(|stream| stream.onread(scope)) {
        rv.set(onread.into());
    }
}

fn set_onread<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if let (Some(stream), Ok(onread)) =
        (wrap::get::<Stream>(scope, args.this()), Local::<Function>::try_from(args.get(0)))
    {
        stream.set_onread(scope, onread);
    }
}
