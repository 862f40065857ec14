//! `internalBinding('stream_wrap')`: what pipes, TCP sockets and terminals have in common.

mod handle;
mod request;
mod stream;
mod write;

use v8::{FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use crate::errors::{self, Kind};
use crate::{aliased, facts, js};

pub use handle::{HandleState, handle_of};
pub use request::Request;
pub use stream::{Listener, Stream, accept, connect, emit, listen, push};
pub use write::set_state as set_write_state;

crate::room! {
    name: "stream_wrap",
    classes: {
        #[hidden] "HandleWrap" extends "AsyncWrap" {
            pure new => illegal,
            trap "close" => handle::close,
            trap "hasRef" => handle::has_ref,
            trap "ref" => handle::add_ref,
            trap "unref" => handle::unref,
        },
        #[hidden] "LibuvStreamWrap" extends "HandleWrap" {
            pure new => illegal,
            trap "setBlocking" => stream::set_blocking,
            trap "readStart" => stream::read_start,
            trap "readStop" => stream::read_stop,
            trap "shutdown" => stream::shutdown,
            trap "useUserBuffer" => stream::use_user_buffer,
            trap "writev" => write::writev,
            trap "writeBuffer" => write::write_buffer,
            trap "writeAsciiString" => write::write_ascii,
            trap "writeUtf8String" => write::write_utf8,
            trap "writeUcs2String" => write::write_ucs2,
            trap "writeLatin1String" => write::write_latin1,
        } get {
            "writeQueueSize" => stream::write_queue_size;
            "fd" => stream::fd;
            "_externalStream" => stream::external_stream;
            "bytesRead" => stream::bytes_read;
            "bytesWritten" => stream::bytes_written;
            "isStreamBase" => stream::is_stream_base;
            "onread" => stream::get_onread, set stream::set_onread;
        },
        "ShutdownWrap" extends "AsyncWrap" { pure new => write::new_shutdown_wrap },
        "WriteWrap" extends "AsyncWrap" { pure new => write::new_write_wrap },
    },
    setup: setup,
}

/// What a read or write says besides its result; JavaScript looks there.
const STATE: &str = "stream_wrap.streamBaseState";

/// Indices of `streamBaseState`.
mod field {
    pub const READ_BYTES_OR_ERROR: usize = 0;
    pub const ARRAY_BUFFER_OFFSET: usize = 1;
    pub const BYTES_WRITTEN: usize = 2;
    pub const LAST_WRITE_WAS_ASYNC: usize = 3;
    pub const LAST_WRITE_ERROR: usize = 4;
    pub const COUNT: usize = 5;
}

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    facts::install(scope, "stream_wrap", target);
    let state = aliased::create::<i32>(scope, STATE, field::COUNT);
    js::set(scope, target, "streamBaseState", state);
}

fn illegal<'s>(scope: &mut PinScope<'s, '_>, _: FunctionCallbackArguments<'s>, _: ReturnValue<'s, Value>) {
    errors::throw_code(scope, Kind::TypeError, "ERR_ILLEGAL_CONSTRUCTOR", "Illegal constructor");
}
