//! `internalBinding('contextify')`: compiling scripts and functions, and the contexts of `vm`.

mod compile;
mod context;
mod interceptors;
mod precompiled;
mod script;
mod syntax;
mod watchdog;

use v8::{FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use crate::{facts, js};

pub use compile::{HOST_DEFINED_OPTION, Place, buffer, cache_bytes, host_defined_options, origin, source};
pub use context::{Sandboxed, of_sandbox, remove_break_iterator};
pub use precompiled::{compile as compile_embedded, precompile, same_text};
pub use syntax::{compile_cjs, file_url};
pub use watchdog::{Interrupt, run_guarded};

crate::room! {
    name: "contextify",
    functions: {
        trap "makeContext" => context::make_context,
        pure "compileFunction" => compile::compile_function,
        trap "startSigintWatchdog" => start_sigint_watchdog,
        trap "stopSigintWatchdog" => stop_sigint_watchdog,
        trap "watchdogHasPendingSigint" => watchdog_has_pending_sigint,
        trap "measureMemory" => measure_memory,
        pure "compileFunctionForCJSLoader" => syntax::compile_function_for_cjs_loader,
        pure "containsModuleSyntax" => syntax::contains_module_syntax,
    },
    classes: {
        "ContextifyScript" {
            pure new => script::new,
            pure "createCachedData" => script::create_cached_data,
            pure "runInContext" => script::run_in_context,
        },
    },
    setup: setup,
}

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    facts::install(scope, "contextify", target);
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

fn start_sigint_watchdog<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_bool(watchdog::sigint::start());
}

fn stop_sigint_watchdog<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_bool(watchdog::sigint::stop());
}

fn watchdog_has_pending_sigint<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_bool(watchdog::sigint::is_pending());
}

/// `measureMemory(mode, execution)`. V8's own measurement by context is not within reach; the estimate is the
/// heap's size for all contexts together.
fn measure_memory<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(resolver) = v8::PromiseResolver::new(scope) else { return };
    let used = scope.get_heap_statistics().used_heap_size() as f64;
    let estimate = |scope: &mut PinScope<'s, '_>| {
        let entry = Object::new(scope);
        let size = js::number(scope, used);
        js::set(scope, entry, "jsMemoryEstimate", size);
        let range = v8::Array::new_with_elements(scope, &[size, size]);
        js::set(scope, entry, "jsMemoryRange", range);
        entry
    };
    let result = Object::new(scope);
    let total = estimate(scope);
    js::set(scope, result, "total", total);
    let wasm = Object::new(scope);
    for key in ["code", "metadata"] {
        let none = js::integer(scope, 0);
        js::set(scope, wasm, key, none);
    }
    js::set(scope, result, "WebAssembly", wasm);
    // The mode 1 is the detailed one.
    if args.get(0).int32_value(scope) == Some(1) {
        let current = estimate(scope);
        js::set(scope, result, "current", current);
        let other = v8::Array::new(scope, 0);
        js::set(scope, result, "other", other);
    }
    resolver.resolve(scope, result.into());
    rv.set(resolver.get_promise(scope).into());
}
