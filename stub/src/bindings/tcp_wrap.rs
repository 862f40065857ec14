//! `internalBinding('tcp_wrap')`: TCP sockets.

use std::net::SocketAddr;

use v8::{FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use super::stream_wrap::{self, HandleState, handle_of};
use crate::uv::address::{address_text, parse_address};
use crate::uv::handle::Handle;
use crate::{facts, js};

crate::room! {
    name: "tcp_wrap",
    classes: {
        "TCP" extends "LibuvStreamWrap" {
            trap new => new_tcp,
            trap "open" => open,
            trap "bind" => bind,
            trap "listen" => listen,
            trap "connect" => connect,
            trap "bind6" => bind6,
            trap "connect6" => connect6,
            trap "getsockname" => getsockname,
            trap "getpeername" => getpeername,
            trap "setNoDelay" => set_no_delay,
            trap "setKeepAlive" => set_keep_alive,
            trap "setTypeOfService" => set_type_of_service,
            trap "getTypeOfService" => get_type_of_service,
            trap "reset" => reset,
        },
        "TCPConnectWrap" extends "AsyncWrap" { pure new => new_request },
    },
    setup: setup,
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

const EBADF: i32 = -libc::EBADF;
/// What `new TCP(type)` is for, see `constants`.
const SERVER: i32 = 1;

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    facts::install(scope, "tcp_wrap", target);
}

fn new_request<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, _: Return<'s>) {}

fn new_tcp<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let kind = args.get(0).int32_value(scope).unwrap_or_default();
    let provider = if kind == SERVER { "TCPSERVERWRAP" } else { "TCPWRAP" };
    let (no, null) = (js::boolean(scope, false), js::null(scope));
    js::set(scope, args.this(), "reading", no);
    js::set(scope, args.this(), "onconnection", null);
    HandleState::attach(scope, args.this(), provider, Handle::tcp().ok());
}

fn open<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let fd = args.get(0).int32_value(scope).unwrap_or(-1);
    rv.set_int32(handle_of(scope, &args).map_or(EBADF, |handle| handle.open(fd)));
}

/// The address of `args[index]` with the port of the next argument.
fn address<'s>(scope: &mut PinScope<'s, '_>, args: &Args<'s>, index: i32, v6: bool) -> Result<SocketAddr, i32> {
    let ip = args.get(index).to_rust_string_lossy(scope);
    let port = args.get(index + 1).int32_value(scope).unwrap_or_default();
    parse_address(&ip, port as u16, v6)
}

fn bind_to<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>, v6: bool) {
    let flags = args.get(2).uint32_value(scope).unwrap_or_default();
    let result = match (handle_of(scope, &args), address(scope, &args, 0, v6)) {
        (Some(handle), Ok(address)) => handle.bind(address, flags),
        (None, _) => EBADF,
        (_, Err(error)) => error,
    };
    rv.set_int32(result);
}

fn bind<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    bind_to(scope, args, rv, false);
}

fn bind6<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    bind_to(scope, args, rv, true);
}

fn listen<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    stream_wrap::listen(scope, &args, rv, "TCP");
}

fn connect_to<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>, v6: bool) {
    let (Some(state), Ok(request)) = (HandleState::of(scope, args.this()), args.get(0).try_into()) else {
        return rv.set_int32(EBADF);
    };
    let result = match address(scope, &args, 1, v6) {
        Ok(address) => {
            stream_wrap::connect(scope, state, request, "TCPCONNECTWRAP", |handle, done| handle.connect(address, done))
        }
        Err(error) => error,
    };
    rv.set_int32(result);
}

fn connect<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    connect_to(scope, args, rv, false);
}

fn connect6<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    connect_to(scope, args, rv, true);
}

/// Sets `address`, `family` and `port` of `target`.
pub fn describe<'s>(scope: &PinScope<'s, '_>, target: Local<'s, Object>, address: &SocketAddr) {
    let text = js::string(scope, &address_text(address));
    js::set(scope, target, "address", text);
    let family = js::string(scope, if address.is_ipv6() { "IPv6" } else { "IPv4" });
    js::set(scope, target, "family", family);
    let port = js::integer(scope, address.port().into());
    js::set(scope, target, "port", port);
}

/// `getsockname(target)` and its like, for sockets of all kinds: what `get` says of the object's handle.
pub fn name<'s>(
    scope: &mut PinScope<'s, '_>,
    args: Args<'s>,
    mut rv: Return<'s>,
    get: fn(&Handle) -> Result<SocketAddr, i32>,
) {
    let result = handle_of(scope, &args).map_or(Err(EBADF), |handle| get(&handle)).map(|address| {
        if let Ok(target) = args.get(0).try_into() {
            describe(scope, target, &address);
        }
    });
    rv.set_int32(result.err().unwrap_or_default());
}

fn getsockname<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    name(scope, args, rv, Handle::local_address);
}

fn getpeername<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    name(scope, args, rv, Handle::peer_address);
}

fn set_no_delay<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let enable = args.get(0).is_true();
    rv.set_int32(handle_of(scope, &args).map_or(EBADF, |handle| handle.set_no_delay(enable)));
}

/// `setKeepAlive(enable, delay, interval, count)`; without the last two the system's are used.
fn set_keep_alive<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let enable = args.get(0).boolean_value(scope);
    let delay = args.get(1).uint32_value(scope).unwrap_or_default();
    let probes = (!args.get(2).is_undefined() || !args.get(3).is_undefined()).then(|| {
        // What libuv itself uses when it is not told.
        let number = |value: Local<Value>, default| match value.is_undefined() {
            true => default,
            false => value.uint32_value(scope).unwrap_or(default),
        };
        (number(args.get(2), 1), number(args.get(3), 10))
    });
    rv.set_int32(handle_of(scope, &args).map_or(EBADF, |handle| handle.set_keep_alive(enable, delay, probes)));
}

fn set_type_of_service<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let value = args.get(0).int32_value(scope).unwrap_or_default();
    rv.set_int32(handle_of(scope, &args).map_or(EBADF, |handle| handle.set_type_of_service(value)));
}

fn get_type_of_service<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    rv.set_int32(
        handle_of(scope, &args).map_or(EBADF, |handle| handle.type_of_service().unwrap_or_else(|error| error)),
    );
}

fn reset<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let on_close = args.get(0).try_into().ok();
    rv.set_int32(HandleState::of(scope, args.this()).map_or(EBADF, |state| state.close_reset(scope, on_close)));
}
