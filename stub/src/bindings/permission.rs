//! `internalBinding('permission')`: Node's permission model, which is never on.

use v8::{FunctionCallbackArguments, PinScope, ReturnValue, Value};

crate::room! {
    name: "permission",
    functions: { pure "has" => has, pure "drop" => drop_permission },
}

fn has<'s>(_: &mut PinScope<'s, '_>, _: FunctionCallbackArguments<'s>, mut rv: ReturnValue<'s, Value>) {
    rv.set_bool(true);
}

fn drop_permission<'s>(_: &mut PinScope<'s, '_>, _: FunctionCallbackArguments<'s>, _: ReturnValue<'s, Value>) {}
