//! `internalBinding('sea')`: Node's own way to make executables. A program that Kiln has built is none of those.

use v8::{FunctionCallbackArguments, PinScope, ReturnValue, Value};

crate::room! {
    name: "sea",
    functions: {
        pure "isSea" => no,
        pure "isVfsEnabled" => no,
        pure "isExperimentalSeaWarningNeeded" => no,
    },
}

fn no<'s>(_: &mut PinScope<'s, '_>, _: FunctionCallbackArguments<'s>, mut rv: ReturnValue<'s, Value>) {
    rv.set_bool(false);
}
