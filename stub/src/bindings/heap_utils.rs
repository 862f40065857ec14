//! `internalBinding('heap_utils')`: snapshots of the heap, for programs that look for what fills it.

use std::cell::RefCell;

use v8::{FunctionCallbackArguments, Isolate, Local, Object, PinScope, ReturnValue, Value};

use super::{report, stream_wrap};
use crate::errors::{self, Failure};
use crate::{binding, js, wrap};

crate::room! {
    name: "heap_utils",
    functions: {
        trap "createHeapSnapshotStream" => create_stream,
        trap "triggerHeapSnapshot" => trigger,
    },
    classes: {
        #[hidden] "HeapSnapshotStream" extends "AsyncWrap" {
            trap new => construct,
            trap "readStart" => read_start,
            trap "readStop" => read_stop,
        },
    },
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

const EOF: i32 = -4095;
/// How much is handed on at once, as V8 does.
const CHUNK: usize = 65536;

/// A snapshot that has not been read yet.
#[derive(Default)]
struct Unread(RefCell<Vec<u8>>);

/// Takes a snapshot of the heap, as the JSON that V8 makes of it.
pub fn take(isolate: &mut Isolate) -> Vec<u8> {
    let mut text = Vec::new();
    isolate.take_heap_snapshot(|part| {
        text.extend_from_slice(part);
        true
    });
    text
}

/// The handle of a stream over `snapshot`.
pub fn stream<'s>(scope: &mut PinScope<'s, '_>, snapshot: Vec<u8>) -> Option<Local<'s, Object>> {
    let object = binding::construct(scope, "HeapSnapshotStream", &[])?;
    let unread = wrap::get::<Unread>(scope, object)?;
    unread.0.replace(snapshot);
    Some(object)
}

fn construct<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    wrap::attach(scope, args.this(), Unread::default());
    super::async_wrap::init_object(scope, args.this(), "HEAPSNAPSHOT");
}

/// `createHeapSnapshotStream(options)`
fn create_stream<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    let snapshot = take(scope);
    if let Some(stream) = stream(scope, snapshot) {
        rv.set(stream.into());
    }
}

/// Hands everything on, then the end.
fn read_start<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(unread) = wrap::get::<Unread>(scope, args.this()) else { return };
    let snapshot = unread.0.take();
    for chunk in snapshot.chunks(CHUNK) {
        v8::scope!(let scope, scope);
        stream_wrap::push(scope, args.this(), Ok(chunk));
    }
    stream_wrap::push(scope, args.this(), Err(EOF));
    rv.set_int32(0);
}

fn read_stop<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_int32(0);
}

/// `triggerHeapSnapshot(filename, options)`: writes a snapshot into a file, and returns its name.
fn trigger<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let name = match args.get(0).is_undefined() {
        true => report::file_name(scope, "Heap", "heapsnapshot"),
        false => args.get(0).to_rust_string_lossy(scope),
    };
    let snapshot = take(scope);
    if let Err(error) = std::fs::write(&name, snapshot) {
        let errno = -error.raw_os_error().unwrap_or(libc::EIO);
        return errors::throw_uv(scope, Failure { errno, syscall: "open", path: Some(&name), ..Failure::default() });
    }
    let name = js::string(scope, &name);
    rv.set(name.into());
}
