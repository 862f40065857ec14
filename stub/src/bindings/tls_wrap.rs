//! `internalBinding('tls_wrap')`: connections by TLS, as far as the moment when a handshake would begin.
//!
//! Up to there a program that has no network, or never connects, sees no difference. A handshake ends with an error
//! on the socket that says what is missing.

use v8::{Function, FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use super::async_wrap;
use crate::{binding, errors, js, wrap};

crate::room! {
    name: "tls_wrap",
    functions: {
        trap "wrap" => wrap_handle,
    },
    classes: {
        "TLSWrap" extends "AsyncWrap" {
            trap new => new,
            trap "start" => start,
            pure "destroySSL" => nothing,
            pure "enableALPNCb" => nothing,
            pure "enableCertCb" => nothing,
            pure "enableKeylogCallback" => nothing,
            pure "enablePskCallback" => nothing,
            pure "enableSessionCallbacks" => nothing,
            pure "enableTrace" => nothing,
            pure "getServername" => nothing,
            pure "getSession" => nothing,
            pure "readStart" => zero,
            pure "readStop" => zero,
            pure "receive" => nothing,
            pure "requestOCSP" => nothing,
            pure "setALPNProtocols" => nothing,
            pure "setPskIdentityHint" => nothing,
            pure "setServername" => nothing,
            pure "setSession" => nothing,
            pure "setVerifyMode" => nothing,
            pure "shutdown" => done,
            pure "writesIssuedByPrevListenerDone" => nothing,
            pure "writev" => zero,
            pure "writeBuffer" => zero,
            pure "writeAsciiString" => zero,
            pure "writeUtf8String" => zero,
            pure "writeUcs2String" => zero,
            pure "writeLatin1String" => zero,
        } get {
            "bytesRead" => zero;
            "bytesWritten" => zero;
            "fd" => no_fd;
            "isStreamBase" => yes;
        },
    },
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

/// There is no native state yet.
struct Connection;

/// `new TLSWrap()`
fn new<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    wrap::attach(scope, args.this(), Connection);
    async_wrap::init_object(scope, args.this(), "TLSWRAP");
}

/// `wrap(handle, context, isServer)`
fn wrap_handle<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    if let Some(connection) = binding::construct(scope, "TLSWrap", &[]) {
        rv.set(connection.into());
    }
}

/// Begins the handshake, which fails at once.
fn start<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let message = js::string(scope, "internalBinding('tls_wrap').TLSWrap.start is not available in Kiln yet");
    let error = v8::Exception::error(scope, message);
    let this: Local<Object> = args.this();
    match js::get(scope, this, "onerror").and_then(|onerror| Local::<Function>::try_from(onerror).ok()) {
        Some(onerror) => {
            onerror.call(scope, this.into(), &[error]);
        }
        None => errors::throw_error(scope, "internalBinding('tls_wrap').TLSWrap.start is not available in Kiln yet"),
    }
}

fn nothing<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, _: Return<'s>) {}

fn zero<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_int32(0);
}

/// What is done need not be waited for.
fn done<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_int32(1);
}

fn no_fd<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_int32(-1);
}

fn yes<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_bool(true);
}
