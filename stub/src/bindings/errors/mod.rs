//! `internalBinding('errors')`: stack traces, source lines in messages, and the end of a program that
//! nobody saved.

mod arrow;
mod fatal;
mod frames;
mod hooks;
mod origins;

use v8::{FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use crate::realm::Realm;
use crate::{facts, js};

pub use arrow::{append_exception_line, decorate, error_source};
pub use fatal::{exit, exit_process, print, trigger_uncaught};
pub use frames::{prepare, trace_exit};
pub use hooks::{MAY_GENERATE_CODE, MAY_GENERATE_WASM, forbid_code_from_strings, install};

crate::room! {
    name: "errors",
    functions: {
        pure "setPrepareStackTraceCallback" => set_prepare_stack_trace_callback,
        pure "setGetSourceMapErrorSource" => set_get_source_map_error_source,
        pure "setSourceMapsEnabled" => set_source_maps_enabled,
        pure "setMaybeCacheGeneratedSourceMap" => set_maybe_cache_generated_source_map,
        pure "setEnhanceStackForFatalException" => set_enhance_stack_for_fatal_exception,
        pure "noSideEffectsToString" => no_side_effects_to_string,
        pure "triggerUncaughtException" => js_trigger_uncaught_exception,
        pure "getErrorSourcePositions" => get_error_source_positions,
    },
    setup: setup,
}

/// Formats a new error's stack.
const PREPARE_STACK_TRACE: &str = "errors.prepareStackTrace";
/// Finds the original source line of an error by its source map.
const SOURCE_MAP_ERROR_SOURCE: &str = "errors.getSourceMapErrorSource";
/// Whether source maps are in use.
const SOURCE_MAPS_ENABLED: &str = "errors.sourceMapsEnabled";
/// Learns the source map of code that `eval` is given.
const CACHE_GENERATED_SOURCE_MAP: &str = "errors.maybeCacheGeneratedSourceMap";
/// Improve the stack of an error that ends the process.
const ENHANCE_BEFORE: &str = "errors.enhanceBeforeInspector";
const ENHANCE_AFTER: &str = "errors.enhanceAfterInspector";

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    facts::install(scope, "errors", target);
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

fn set_prepare_stack_trace_callback<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    Realm::current().set_slot(scope, PREPARE_STACK_TRACE, args.get(0));
}

fn set_get_source_map_error_source<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    Realm::current().set_slot(scope, SOURCE_MAP_ERROR_SOURCE, args.get(0));
}

fn set_source_maps_enabled<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    Realm::current().set_slot(scope, SOURCE_MAPS_ENABLED, args.get(0));
    // V8 asks before it evaluates a string only where that is not allowed: see `hooks`.
    hooks::evaluate_strings_unseen(scope, !args.get(0).is_true());
}

fn set_maybe_cache_generated_source_map<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    Realm::current().set_slot(scope, CACHE_GENERATED_SOURCE_MAP, args.get(0));
}

/// Whether source maps are in use.
fn source_maps_enabled(scope: &PinScope) -> bool {
    Realm::current().slot(scope, SOURCE_MAPS_ENABLED).is_some_and(|enabled| enabled.is_true())
}

fn set_enhance_stack_for_fatal_exception<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let realm = Realm::current();
    realm.set_slot(scope, ENHANCE_BEFORE, args.get(0));
    realm.set_slot(scope, ENHANCE_AFTER, args.get(1));
}

fn no_side_effects_to_string<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    if let Some(text) = args.get(0).to_detail_string(scope) {
        rv.set(text.into());
    }
}

fn js_trigger_uncaught_exception<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let message = v8::Exception::create_message(scope, args.get(0));
    trigger_uncaught(scope, args.get(0), Some(message), args.get(1).is_true());
}

/// Where `error` was made, for `assert`'s messages.
fn get_error_source_positions<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let message = v8::Exception::create_message(scope, args.get(0));
    let undefined = js::undefined(scope);
    let keys = ["sourceLine", "scriptResourceName", "lineNumber", "startColumn"];
    let keys = keys.map(|key| js::name(scope, key).into());
    let null = js::null(scope);
    if let Some(place) = origins::of_message(scope, message) {
        let (line, column) = (js::integer(scope, place.line as i32), js::integer(scope, place.column as i32));
        let values = [js::string(scope, &place.text).into(), js::string(scope, &place.name).into(), line, column];
        return rv.set(Object::with_prototype_and_properties(scope, null, &keys, &values).into());
    }
    let line = message.get_source_line(scope).map_or(undefined, Into::into);
    let resource = message.get_script_resource_name(scope).unwrap_or(undefined);
    let number = message.get_line_number(scope).unwrap_or_default();
    let number = js::integer(scope, number as i32);
    let column = js::integer(scope, message.get_start_column() as i32);
    rv.set(Object::with_prototype_and_properties(scope, null, &keys, &[line, resource, number, column]).into());
}
