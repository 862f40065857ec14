//! `internalBinding('wasm_web_api')`: what `WebAssembly.compileStreaming` asks for its bytes.

use v8::{FunctionCallbackArguments, PinScope, ReturnValue, Value};

use crate::realm::Realm;

crate::room! {
    name: "wasm_web_api",
    functions: {
        pure "setImplementation" => set_implementation,
    },
}

/// The slot of the function that feeds a streaming compilation.
pub const IMPLEMENTATION: &str = "wasm_web_api.implementation";

fn set_implementation<'s>(
    scope: &mut PinScope<'s, '_>,
    args: FunctionCallbackArguments<'s>,
    _: ReturnValue<'s, Value>,
) {
    Realm::current().set_slot(scope, IMPLEMENTATION, args.get(0));
}
