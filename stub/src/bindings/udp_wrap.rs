//! `internalBinding('udp_wrap')`: UDP sockets.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};

use v8::{Array, ArrayBufferView, FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use super::stream_wrap::{HandleState, Request, handle_of};
use super::{async_wrap, buffer, options, tcp_wrap};
use crate::uv::address::parse_address;
use crate::uv::handle::Handle;
use crate::uv::stream::Chunk;
use crate::uv::udp::Setting;
use crate::{callback, errors, facts, js, realm, wrap};

crate::room! {
    name: "udp_wrap",
    classes: {
        "UDP" extends "HandleWrap" {
            trap new => new_udp,
            trap "recvStart" => receive_start,
            trap "recvStop" => receive_stop,
            trap "open" => open,
            trap "bind" => bind,
            trap "connect" => connect,
            trap "send" => send,
            trap "bind6" => bind6,
            trap "connect6" => connect6,
            trap "send6" => send6,
            trap "disconnect" => disconnect,
            trap "getpeername" => getpeername,
            trap "getsockname" => getsockname,
            trap "addMembership" => add_membership,
            trap "dropMembership" => drop_membership,
            trap "addSourceSpecificMembership" => add_source_membership,
            trap "dropSourceSpecificMembership" => drop_source_membership,
            trap "setMulticastInterface" => set_multicast_interface,
            trap "setMulticastTTL" => set_multicast_ttl,
            trap "setMulticastLoopback" => set_multicast_loopback,
            trap "setBroadcast" => set_broadcast,
            trap "setTTL" => set_ttl,
            trap "bufferSize" => buffer_size,
            trap "getSendQueueSize" => send_queue_size,
            trap "getSendQueueCount" => send_queue_count,
        } get { "fd" => fd },
        "SendWrap" extends "AsyncWrap" { pure new => new_request },
    },
    setup: setup,
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

const EBADF: i32 = -libc::EBADF;

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    facts::install(scope, "udp_wrap", target);
}

fn new_request<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, _: Return<'s>) {}

fn new_udp<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    HandleState::attach(scope, args.this(), "UDPWRAP", Handle::udp().ok());
}

/// Sets the result of a call on the handle.
fn with<'s>(scope: &PinScope<'s, '_>, args: &Args<'s>, mut rv: Return<'s>, body: impl FnOnce(&Handle) -> i32) {
    rv.set_int32(handle_of(scope, args).map_or(EBADF, |handle| body(&handle)));
}

fn fd<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    with(scope, &args, rv, Handle::fd);
}

fn receive_start<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    let Some(state) = HandleState::of(scope, args.this()) else { return };
    let state = Rc::downgrade(&state);
    with(scope, &args, rv, |handle| match handle.receive(Rc::new(move |message| received(&state, message))) {
        // That it is bound already is no failure.
        libuv_sys2::uv_errno_t_UV_EALREADY => 0,
        result => result,
    });
}

fn received(state: &Weak<HandleState>, message: Result<(&[u8], SocketAddr), i32>) {
    let Some(state) = state.upgrade() else { return };
    realm::enter(|scope| {
        let Some(object) = state.object(scope) else { return };
        let undefined = js::undefined(scope);
        match message {
            Err(error) => {
                let arguments = [js::integer(scope, error), object.into(), undefined];
                callback::method(scope, object, "onmessage", &arguments);
            }
            Ok((bytes, from)) => {
                let sender = Object::new(scope);
                tcp_wrap::describe(scope, sender, &from);
                let bytes = buffer::new_buffer(scope, bytes.to_vec());
                let count = js::integer(scope, bytes.byte_length() as i32);
                callback::method(scope, object, "onmessage", &[count, object.into(), bytes.into(), sender.into()]);
            }
        }
    });
}

fn receive_stop<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    with(scope, &args, rv, Handle::stop_receiving);
}

fn open<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    let fd = args.get(0).int32_value(scope).unwrap_or(-1);
    with(scope, &args, rv, |handle| handle.open_udp(fd));
}

/// The address of `args[index]` with the port of `args[port]`.
fn address<'s>(
    scope: &PinScope<'s, '_>,
    ip: Local<'s, Value>,
    port: Local<'s, Value>,
    v6: bool,
) -> Result<SocketAddr, i32> {
    let port = port.uint32_value(scope).unwrap_or_default();
    parse_address(&ip.to_rust_string_lossy(scope), port as u16, v6)
}

fn bind_to<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>, v6: bool) {
    let flags = args.get(2).uint32_value(scope).unwrap_or_default();
    let address = address(scope, args.get(0), args.get(1), v6);
    with(scope, &args, rv, |handle| match address {
        Ok(address) => handle.bind_udp(address, flags),
        Err(error) => error,
    });
}

fn bind<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    bind_to(scope, args, rv, false);
}

fn bind6<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    bind_to(scope, args, rv, true);
}

fn connect_to<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>, v6: bool) {
    let address = address(scope, args.get(0), args.get(1), v6);
    with(scope, &args, rv, |handle| match address {
        Ok(address) => handle.connect_udp(Some(address)),
        Err(error) => error,
    });
}

fn connect<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    connect_to(scope, args, rv, false);
}

fn connect6<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    connect_to(scope, args, rv, true);
}

fn disconnect<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    with(scope, &args, rv, |handle| handle.connect_udp(None));
}

/// The parts of a message, without a copy.
fn chunks<'s>(scope: &PinScope<'s, '_>, list: Local<'s, Value>) -> Vec<Chunk> {
    let Ok(list) = Local::<Array>::try_from(list) else { return Vec::new() };
    let part = |index| {
        let view: Local<ArrayBufferView> = list.get_index(scope, index)?.try_into().ok()?;
        let buffer = view.buffer(scope).filter(|_| view.byte_length() > 0);
        Some(buffer.map_or(Chunk::Owned(Vec::new()), |buffer| Chunk::Shared {
            store: buffer.get_backing_store(),
            start: view.byte_offset(),
            length: view.byte_length(),
        }))
    };
    (0..list.length()).filter_map(part).collect()
}

/// `send(request, list, count, [port, address,] hasCallback)`. The result is a libuv error; 0 if the request's
/// `oncomplete` will tell; or one more than the bytes that are out already.
fn send_to<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>, v6: bool) {
    let (Some(handle), Ok(object)) = (handle_of(scope, &args), Local::<Object>::try_from(args.get(0))) else {
        return rv.set_int32(EBADF);
    };
    let is_connected = args.length() < 6;
    let to = match is_connected {
        true => None,
        false => match address(scope, args.get(4), args.get(3), v6) {
            Ok(address) => Some(address),
            Err(error) => return rv.set_int32(error),
        },
    };
    let has_callback = args.get(if is_connected { 3 } else { 5 }).is_true();
    let chunks = chunks(scope, args.get(1));
    let total: usize = chunks.iter().map(Chunk::len).sum();
    if !options::flag(scope, "--test-udp-no-try-send") {
        match handle.try_send(&chunks, to) {
            Ok(_) => return rv.set_double(total as f64 + 1.0),
            Err(libuv_sys2::uv_errno_t_UV_ENOSYS | libuv_sys2::uv_errno_t_UV_EAGAIN) => {}
            Err(error) => return rv.set_int32(error),
        }
    }
    let trigger = wrap::async_ids(scope, args.this()).id;
    let request =
        async_wrap::with_default_trigger(scope, trigger, |scope| Request::begin(scope, object, "UDPSENDWRAP"));
    let request = Rc::new(Cell::new(Some(request)));
    let own = request.clone();
    let result = handle.send(chunks, to, move |status| {
        realm::enter(|scope| {
            let Some(request) = own.take() else { return };
            if has_callback {
                let arguments = [js::integer(scope, status), js::number(scope, total as f64)];
                request.complete(scope, &arguments);
            } else {
                request.end(scope);
            }
        });
    });
    if result < 0
        && let Some(request) = request.take()
    {
        request.end(scope);
    }
    rv.set_int32(result);
}

fn send<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    send_to(scope, args, rv, false);
}

fn send6<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    send_to(scope, args, rv, true);
}

fn getsockname<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    tcp_wrap::name(scope, args, rv, Handle::local_udp_address);
}

fn getpeername<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    tcp_wrap::name(scope, args, rv, Handle::peer_udp_address);
}

fn text<'s>(scope: &PinScope<'s, '_>, value: Local<'s, Value>) -> Option<String> {
    (!value.is_null_or_undefined()).then(|| value.to_rust_string_lossy(scope))
}

fn membership<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>, joins: bool) {
    let (group, interface) = (args.get(0).to_rust_string_lossy(scope), text(scope, args.get(1)));
    with(scope, &args, rv, |handle| handle.set_membership(&group, interface.as_deref(), None, joins));
}

fn add_membership<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    membership(scope, args, rv, true);
}

fn drop_membership<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    membership(scope, args, rv, false);
}

/// `(source, group, interface)`
fn source_membership<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>, joins: bool) {
    let (source, group) = (args.get(0).to_rust_string_lossy(scope), args.get(1).to_rust_string_lossy(scope));
    let interface = text(scope, args.get(2));
    with(scope, &args, rv, |handle| handle.set_membership(&group, interface.as_deref(), Some(&source), joins));
}

fn add_source_membership<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    source_membership(scope, args, rv, true);
}

fn drop_source_membership<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    source_membership(scope, args, rv, false);
}

fn set_multicast_interface<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    let interface = args.get(0).to_rust_string_lossy(scope);
    with(scope, &args, rv, |handle| handle.set_group_interface(&interface));
}

fn set<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>, setting: Setting) {
    let value = args.get(0).int32_value(scope).unwrap_or_default();
    with(scope, &args, rv, |handle| handle.set_udp(setting, value));
}

fn set_multicast_ttl<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    set(scope, args, rv, Setting::GroupTimeToLive);
}

fn set_multicast_loopback<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    set(scope, args, rv, Setting::GroupLoop);
}

fn set_broadcast<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    set(scope, args, rv, Setting::Broadcast);
}

fn set_ttl<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    set(scope, args, rv, Setting::TimeToLive);
}

/// `bufferSize(size, receives, context)`: a failure is told in `context`.
fn buffer_size<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let receives = args.get(1).is_true();
    let size = args.get(0).uint32_value(scope).and_then(|size| i32::try_from(size).ok());
    let result = match size {
        Some(size) => handle_of(scope, &args).map_or(Err(EBADF), |handle| handle.buffer_size(receives, size)),
        None => Err(-libc::EINVAL),
    };
    match (result, args.get(2).try_into()) {
        (Ok(size), _) => rv.set_int32(size),
        (Err(error), Ok(context)) => {
            let syscall = if receives { "uv_recv_buffer_size" } else { "uv_send_buffer_size" };
            errors::collect_uv(scope, context, error, syscall);
        }
        (Err(_), Err(_)) => {}
    }
}

fn send_queue_size<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    rv.set_double(handle_of(scope, &args).map_or(0.0, |handle| handle.send_queue().0 as f64));
}

fn send_queue_count<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    rv.set_double(handle_of(scope, &args).map_or(0.0, |handle| handle.send_queue().1 as f64));
}
