//! `internalBinding('diagnostics_channel')`: channels that native code publishes on. It has none yet, so
//! nobody looks at who subscribes.

use v8::{FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use crate::js;
use crate::realm::Realm;

crate::room! {
    name: "diagnostics_channel",
    functions: {
        pure "linkNativeChannel" => link_native_channel,
        pure "notifyChannelActive" => notify,
        pure "notifyChannelInactive" => notify,
    },
    setup: setup,
}

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    let subscribers = v8::Array::new(scope, 0);
    js::set(scope, target, "subscribers", subscribers);
}

/// Keeps the function that gives a native channel its JavaScript side.
fn link_native_channel<'s>(
    scope: &mut PinScope<'s, '_>,
    args: FunctionCallbackArguments<'s>,
    _: ReturnValue<'s, Value>,
) {
    Realm::current().set_slot(scope, "diagnostics_channel.link", args.get(0));
}

fn notify<'s>(_: &mut PinScope<'s, '_>, _: FunctionCallbackArguments<'s>, _: ReturnValue<'s, Value>) {}
