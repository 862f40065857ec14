//! `internalBinding('pipe_wrap')`: Unix domain sockets and pipes.

use v8::{FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use super::stream_wrap::{self, HandleState, handle_of};
use crate::facts;
use crate::uv::handle::Handle;

crate::room! {
    name: "pipe_wrap",
    classes: {
        "Pipe" extends "LibuvStreamWrap" {
            trap new => new_pipe,
            trap "bind" => bind,
            trap "listen" => listen,
            trap "connect" => connect,
            trap "open" => open,
            trap "fchmod" => fchmod,
        },
        "PipeConnectWrap" extends "AsyncWrap" { pure new => new_request },
    },
    setup: setup,
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

const EBADF: i32 = -libc::EBADF;
/// What `new Pipe(type)` is for, see `constants`.
const SERVER: i32 = 1;
const IPC: i32 = 2;

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    facts::install(scope, "pipe_wrap", target);
}

fn new_request<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, _: Return<'s>) {}

fn new_pipe<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let kind = args.get(0).int32_value(scope).unwrap_or_default();
    let provider = if kind == SERVER { "PIPESERVERWRAP" } else { "PIPEWRAP" };
    HandleState::attach(scope, args.this(), provider, Handle::pipe(kind == IPC).ok());
}

fn name<'s>(scope: &PinScope<'s, '_>, value: Local<'s, Value>) -> Vec<u8> {
    value.to_rust_string_lossy(scope).into_bytes()
}

fn bind<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let name = name(scope, args.get(0));
    rv.set_int32(handle_of(scope, &args).map_or(EBADF, |handle| handle.bind_path(&name)));
}

fn listen<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    stream_wrap::listen(scope, &args, rv, "Pipe");
}

fn connect<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let (Some(state), Ok(request)) = (HandleState::of(scope, args.this()), args.get(0).try_into()) else {
        return rv.set_int32(EBADF);
    };
    let name = name(scope, args.get(1));
    let result =
        stream_wrap::connect(scope, state, request, "PIPECONNECTWRAP", |handle, done| handle.connect_path(&name, done));
    rv.set_int32(result);
}

fn open<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let fd = args.get(0).int32_value(scope).unwrap_or(-1);
    rv.set_int32(handle_of(scope, &args).map_or(EBADF, |handle| handle.open(fd)));
}

fn fchmod<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let mode = args.get(0).int32_value(scope).unwrap_or_default();
    rv.set_int32(handle_of(scope, &args).map_or(EBADF, |handle| handle.chmod(mode)));
}
