//! What V8 calls about errors.

use std::ffi::{CStr, c_char, c_void};

use v8::{Array, Context, Local, PinScope, Value};

use super::{CACHE_GENERATED_SOURCE_MAP, PREPARE_STACK_TRACE, fatal, origins, source_maps_enabled};
use crate::bindings::util;
use crate::realm::Realm;
use crate::{bootstrap, js, trap};

type PrepareStackTrace =
    for<'s> unsafe extern "C" fn(Local<'s, Context>, Local<'s, Value>, Local<'s, Array>) -> *const Value;

unsafe extern "C" {
    // The crate's own wrapper of this does not allow for a callback that throws.
    #[link_name = "v8__Isolate__SetPrepareStackTraceCallback"]
    fn set_prepare_stack_trace_callback(isolate: *mut c_void, callback: PrepareStackTrace);

    // `v8::Message::GetScriptOrigin() const`, which the crate does not have.
    #[link_name = "_ZNK2v87Message15GetScriptOriginEv"]
    fn message_script_origin(message: *const v8::Message) -> RawOrigin;
}

/// The memory layout of `v8::ScriptOrigin`; it is too large to be returned in registers.
#[repr(C)]
struct RawOrigin {
    resource_name: *const Value,
    line_offset: i32,
    column_offset: i32,
    options: i32,
    script_id: i32,
    source_map_url: *const Value,
    host_defined_options: *const v8::Data,
}

const _: () = assert!(size_of::<RawOrigin>() == size_of::<v8::ScriptOrigin>());

/// Where in its file a script began, and its source map.
pub struct Origin<'s> {
    /// The line of the file that the script's first line is on.
    pub line_offset: i32,
    /// The column of that line where it begins.
    pub column_offset: i32,
    /// The source map's address.
    pub source_map_url: Option<Local<'s, Value>>,
}

/// The origin of the script that `message` is about.
pub fn script_origin<'s>(message: Local<'s, v8::Message>) -> Origin<'s> {
    // SAFETY: the method takes the message's handle alone and returns the structure above. Its handles belong
    // to the handle scope of the caller; a handle is a pointer to a slot, null for none.
    unsafe {
        let origin = message_script_origin(&raw const *message);
        let source_map_url = std::mem::transmute::<*const Value, Option<Local<'s, Value>>>(origin.source_map_url);
        Origin { line_offset: origin.line_offset, column_offset: origin.column_offset, source_map_url }
    }
}

/// Registers the callbacks with a new isolate. Message listeners live in the heap, so an isolate that is
/// `building` a snapshot gets none.
pub fn install(isolate: &mut v8::Isolate, building: bool) {
    // SAFETY: the pointer is that of the isolate, and the callback has the signature that V8 expects.
    unsafe {
        let isolate: *mut c_void = std::mem::transmute(isolate.as_raw_isolate_ptr());
        set_prepare_stack_trace_callback(isolate, prepare_stack_trace);
    }
    if !building {
        let levels = v8::MessageErrorLevel::ERROR | v8::MessageErrorLevel::WARNING;
        isolate.add_message_listener_with_error_level(on_message, levels);
    }
    isolate.set_modify_code_generation_from_strings_callback(on_code_from_string);
    isolate.set_allow_wasm_code_generation_callback(on_wasm_code);
    isolate.set_oom_error_handler(on_out_of_memory);
}

/// Formats `error.stack` by the library's callback.
unsafe extern "C" fn prepare_stack_trace<'s>(
    context: Local<'s, Context>,
    error: Local<'s, Value>,
    trace: Local<'s, Array>,
) -> *const Value {
    // SAFETY: V8 calls this with the context of the error, inside a handle scope of its own.
    v8::callback_scope!(unsafe scope, context);
    let scope = &mut v8::ContextScope::new(scope, context);
    let Some(prepare) = Realm::current().function(scope, PREPARE_STACK_TRACE) else {
        // Before the library is set up.
        return error.to_string(scope).map_or(std::ptr::null(), |text| (&raw const *text).cast());
    };
    trap::note_told_stack(scope);
    let global = context.global(scope);
    let undefined = js::undefined(scope);
    let trace = origins::moved(scope, trace);
    v8::tc_scope!(let caught, scope);
    let stack = prepare.call(caught, undefined, &[global.into(), error, trace.into()]);
    if caught.has_caught() && !caught.has_terminated() {
        // V8 wants the exception scheduled, not just left pending.
        caught.rethrow();
    }
    stack.map_or(std::ptr::null(), |stack| &raw const *stack)
}

/// Exceptions that no JavaScript and no native code catches, such as those of microtasks; and V8's warnings.
unsafe extern "C" fn on_message(message: Local<v8::Message>, exception: Local<Value>) {
    // SAFETY: V8 calls this inside a handle scope of its own, which the two handles belong to.
    let (message, exception) = unsafe { (extend(message), extend(exception)) };
    // SAFETY: as above.
    v8::callback_scope!(unsafe scope, message);
    let context = scope.get_current_context();
    let scope = &mut v8::ContextScope::new(scope, context);
    if message.error_level() == v8::MessageErrorLevel::WARNING.bits() {
        emit_warning(scope, message);
    } else {
        fatal::trigger_uncaught(scope, exception, Some(message), false);
    }
}

/// Gives a handle the lifetime of the scope that the caller makes next.
///
/// # Safety
///
/// The handle must live as long as that scope.
unsafe fn extend<'a, 'b, T>(handle: Local<'a, T>) -> Local<'b, T> {
    // SAFETY: lifetimes do not change the layout; the rest is the caller's promise.
    unsafe { std::mem::transmute(handle) }
}

fn emit_warning<'s>(scope: &mut PinScope<'s, '_>, message: Local<'s, v8::Message>) {
    let Some(process) = Realm::current().object(scope, bootstrap::PROCESS) else { return };
    let file = message.get_script_resource_name(scope).map(|name| name.to_rust_string_lossy(scope));
    let line = message.get_line_number(scope).map_or(-1, |line| line as i64);
    let text = message.get(scope).to_rust_string_lossy(scope);
    let text = js::string(scope, &format!("{}:{line} {text}", file.unwrap_or_default()));
    let kind = js::string(scope, "V8");
    v8::tc_scope!(let scope, scope);
    let emit = js::get(scope, process, "emitWarning");
    if let Some(emit) = emit.and_then(|emit| Local::<v8::Function>::try_from(emit).ok()) {
        emit.call(scope, process.into(), &[text.into(), kind.into()]);
    }
}

/// The private symbol of a context's extras that says whether it may evaluate strings.
pub const MAY_GENERATE_CODE: &str = "context_may_generate_code";
/// The same for WebAssembly.
pub const MAY_GENERATE_WASM: &str = "context_may_generate_wasm";

/// Has the scope's context evaluate no strings.
pub fn forbid_code_from_strings(scope: &mut PinScope) {
    let context = scope.get_current_context();
    let key = util::private(scope, MAY_GENERATE_CODE);
    let no = v8::Boolean::new(scope, false);
    context.get_extras_binding_object(scope).set_private(scope, key, no.into());
    context.set_allow_generation_from_strings(false);
}

/// Whether V8 evaluates strings without asking: where the context may, and nobody wants to see them before.
pub fn evaluate_strings_unseen(scope: &mut PinScope, unseen: bool) {
    let context = scope.get_current_context();
    let may = may_generate(scope, context, MAY_GENERATE_CODE);
    context.set_allow_generation_from_strings(unseen && may);
}

/// Whether the maker of `context` lets it generate code of that kind.
fn may_generate<'s>(scope: &mut PinScope<'s, '_>, context: Local<'s, Context>, kind: &'static str) -> bool {
    let key = util::private(scope, kind);
    let may = context.get_extras_binding_object(scope).get_private(scope, key);
    may.is_none_or(|may| !may.is_false())
}

unsafe extern "C" fn on_wasm_code(context: Local<Context>, _source: Local<v8::String>) -> bool {
    // SAFETY: V8 calls this inside a handle scope of its own, which the handle belongs to.
    let context = unsafe { extend(context) };
    // SAFETY: as above.
    v8::callback_scope!(unsafe scope, context);
    may_generate(scope, context, MAY_GENERATE_WASM)
}

/// Called before a string is evaluated in a context that does not allow it outright: in one whose maker forbids
/// it, and everywhere while source maps are in use, for the string may have one.
fn on_code_from_string<'s>(
    scope: &mut PinScope<'s, '_>,
    source: Local<'s, Value>,
    _: bool,
) -> v8::ModifyCodeGenerationFromStringsResult<'s> {
    let context = scope.get_current_context();
    if source_maps_enabled(scope)
        && let Some(cache) = Realm::current().function(scope, CACHE_GENERATED_SOURCE_MAP)
    {
        v8::tc_scope!(let scope, scope);
        let global = context.global(scope);
        cache.call(scope, global.into(), &[source]);
    }
    let codegen_allowed = may_generate(scope, context, MAY_GENERATE_CODE);
    v8::ModifyCodeGenerationFromStringsResult { codegen_allowed, modified_source: None }
}

unsafe extern "C" fn on_out_of_memory(location: *const c_char, details: &v8::OomDetails) {
    // SAFETY: V8 passes a C string that outlives the call, or null.
    let location = (!location.is_null()).then(|| unsafe { CStr::from_ptr(location) }.to_string_lossy());
    let location = location.map(|location| format!("{location} ")).unwrap_or_default();
    let what = if details.is_heap_oom { "JavaScript heap" } else { "process" };
    fatal::print(&format!("FATAL ERROR: {location}Allocation failed - {what} out of memory\n"));
    std::process::abort();
}
