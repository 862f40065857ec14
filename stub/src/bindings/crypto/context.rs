//! `SecureContext`: what a connection by TLS would be made with.
//!
//! Programs make contexts, and sockets with them, that they never connect. So these are there; of a context only the
//! versions are kept, since nothing yet makes a handshake, see [`crate::bindings::tls_wrap`].

use std::cell::Cell;

use v8::PinScope;

use super::{Args, Return};
use crate::wrap;

/// The lowest and the highest version of the protocol, or zero.
#[derive(Default)]
struct Versions {
    least: Cell<i32>,
    most: Cell<i32>,
}

/// `new SecureContext()`
pub fn new<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    wrap::attach(scope, args.this(), Versions::default());
}

/// `init(method, least, most)`
pub fn init<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let version = |value: v8::Local<v8::Value>| value.int32_value(scope).unwrap_or_default();
    let (least, most) = (version(args.get(1)), version(args.get(2)));
    if let Some(versions) = wrap::get::<Versions>(scope, args.this()) {
        versions.least.set(least);
        versions.most.set(most);
    }
}

/// `setMinProto(version)`
pub fn set_least<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let version = args.get(0).int32_value(scope).unwrap_or_default();
    if let Some(versions) = wrap::get::<Versions>(scope, args.this()) {
        versions.least.set(version);
    }
}

/// `setMaxProto(version)`
pub fn set_most<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let version = args.get(0).int32_value(scope).unwrap_or_default();
    if let Some(versions) = wrap::get::<Versions>(scope, args.this()) {
        versions.most.set(version);
    }
}

/// `getMinProto()`
pub fn least<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    rv.set_int32(wrap::get::<Versions>(scope, args.this()).map_or(0, |versions| versions.least.get()));
}

/// `getMaxProto()`
pub fn most<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    rv.set_int32(wrap::get::<Versions>(scope, args.this()).map_or(0, |versions| versions.most.get()));
}
