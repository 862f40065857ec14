//! `internalBinding('async_context_frame')`: what V8 carries along from a promise to its reactions.

use v8::{FunctionCallbackArguments, PinScope, ReturnValue, Value};

crate::room! {
    name: "async_context_frame",
    functions: {
        pure "getContinuationPreservedEmbedderData" => get,
        pure "setContinuationPreservedEmbedderData" => set,
    },
}

fn get<'s>(scope: &mut PinScope<'s, '_>, _: FunctionCallbackArguments<'s>, mut rv: ReturnValue<'s, Value>) {
    rv.set(scope.get_continuation_preserved_embedder_data());
}

fn set<'s>(scope: &mut PinScope<'s, '_>, args: FunctionCallbackArguments<'s>, _: ReturnValue<'s, Value>) {
    scope.set_continuation_preserved_embedder_data(args.get(0));
}
