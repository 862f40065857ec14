//! `internalBinding('wasm_web_api')`: what `WebAssembly.compileStreaming` asks for its bytes.

use std::cell::{Cell, RefCell};

use v8::{FunctionCallbackArguments, Local, PinScope, ReturnValue, Value, WasmStreaming};

use crate::errors::{self, Kind};
use crate::realm::Realm;
use crate::{binding, js, wrap};

crate::room! {
    name: "wasm_web_api",
    functions: {
        pure "setImplementation" => set_implementation,
    },
    classes: {
        #[hidden] "WasmStreamingObject" {
            trap new => construct,
            trap "setURL" => set_url,
            trap "push" => push,
            trap "finish" => finish,
            trap "abort" => abort,
        },
    },
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

/// The slot of the function that feeds a streaming compilation.
pub const IMPLEMENTATION: &str = "wasm_web_api.implementation";

/// A compilation that waits for bytes; there is none once it has ended.
#[derive(Default)]
struct Compilation(RefCell<Option<WasmStreaming<false>>>);

/// Has V8 offer `compileStreaming` and `instantiateStreaming`, before there is a context.
pub fn install(isolate: &mut v8::Isolate) {
    isolate.set_wasm_streaming_callback(start);
}

/// Hands a compilation to the function in JavaScript that reads the response.
fn start<'s>(scope: &mut PinScope<'s, '_>, source: Local<'s, Value>, streaming: WasmStreaming<false>) {
    let Some(object) = binding::construct(scope, "WasmStreamingObject", &[]) else { return };
    let Some(compilation) = wrap::get::<Compilation>(scope, object) else { return };
    compilation.0.replace(Some(streaming));
    if let Some(implementation) = Realm::current().function(scope, IMPLEMENTATION) {
        let undefined = js::undefined(scope);
        implementation.call(scope, undefined, &[object.into(), source]);
    }
}

fn set_implementation<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    Realm::current().set_slot(scope, IMPLEMENTATION, args.get(0));
}

fn construct<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    wrap::attach(scope, args.this(), Compilation::default());
}

fn with(scope: &mut PinScope, args: &Args, body: impl FnOnce(&mut Option<WasmStreaming<false>>)) {
    if let Some(compilation) = wrap::get::<Compilation>(scope, args.this()) {
        body(&mut compilation.0.borrow_mut());
    }
}

/// `setURL(url)`
fn set_url<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let url = args.get(0).to_rust_string_lossy(scope);
    with(scope, &args, |streaming| {
        streaming.iter_mut().for_each(|streaming| streaming.set_url(&url));
    });
}

/// `push(chunk)`
fn push<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let Some(chunk) = js::bytes(args.get(0)) else {
        let message = "chunk must be an ArrayBufferView or an ArrayBuffer";
        return errors::throw_code(scope, Kind::TypeError, "ERR_INVALID_ARG_TYPE", message);
    };
    let chunk: Vec<u8> = chunk.iter().map(Cell::get).collect();
    with(scope, &args, |streaming| {
        streaming.iter_mut().for_each(|streaming| streaming.on_bytes_received(&chunk));
    });
}

/// `finish()`
fn finish<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let mut ended = None;
    with(scope, &args, |streaming| ended = streaming.take());
    // V8 may call back into JavaScript.
    ended.into_iter().for_each(WasmStreaming::<false>::finish);
}

/// `abort(error)`
fn abort<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let mut ended = None;
    with(scope, &args, |streaming| ended = streaming.take());
    ended.into_iter().for_each(|streaming| streaming.abort(Some(args.get(0))));
}
