//! `internalBinding('profiler')`: coverage, which nobody collects. Node does nothing either where
//! `NODE_V8_COVERAGE` has not asked for it.

use v8::{FunctionCallbackArguments, PinScope, ReturnValue, Value};

crate::room! {
    name: "profiler",
    functions: {
        pure "setCoverageDirectory" => nothing,
        pure "setSourceMapCacheGetter" => nothing,
        pure "stopCoverage" => nothing,
        pure "takeCoverage" => nothing,
    },
}

fn nothing<'s>(_: &mut PinScope<'s, '_>, _: FunctionCallbackArguments<'s>, _: ReturnValue<'s, Value>) {}
