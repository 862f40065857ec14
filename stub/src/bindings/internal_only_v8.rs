//! `internalBinding('internal_only_v8')`: what Node hides from its own tests.

use v8::{FunctionCallbackArguments, PinScope, ReturnValue, Value};

crate::room! {
    name: "internal_only_v8",
    functions: { trap "queryObjects" => query_objects },
}

/// Finding all objects of a class takes V8's heap profiler, which is not reachable here.
fn query_objects<'s>(scope: &mut PinScope<'s, '_>, _: FunctionCallbackArguments<'s>, _: ReturnValue<'s, Value>) {
    crate::errors::throw_error(scope, "v8.queryObjects() is not available in Kiln yet");
}
