//! `internalBinding('task_queue')`: `process.nextTick`, microtasks and unhandled rejections.

use v8::{FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use crate::js;
use crate::realm::Realm;

crate::room! {
    name: "task_queue",
    functions: {
        pure "enqueueMicrotask" => enqueue_microtask,
        pure "setTickCallback" => set_tick_callback,
        pure "runMicrotasks" => run_microtasks,
        pure "setPromiseRejectCallback" => set_promise_reject_callback,
    },
    setup: setup,
}

/// The slot of the function that runs the queue of `process.nextTick`.
pub const TICK_CALLBACK: &str = "task_queue.tick";
/// The slot of the function that learns of rejections without handlers.
pub const REJECT_CALLBACK: &str = "task_queue.reject";
crate::shared! {
    /// `[kHasTickScheduled, kHasRejectionToWarn]`
    TICK_INFO: u8 = "task_queue.tickInfo"
}

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    let tick_info = TICK_INFO.create(scope, 2);
    js::set(scope, target, "tickInfo", tick_info);
    let events = Object::new(scope);
    for (name, event) in [
        ("kPromiseRejectWithNoHandler", v8::PromiseRejectEvent::PromiseRejectWithNoHandler),
        ("kPromiseHandlerAddedAfterReject", v8::PromiseRejectEvent::PromiseHandlerAddedAfterReject),
        ("kPromiseResolveAfterResolved", v8::PromiseRejectEvent::PromiseResolveAfterResolved),
        ("kPromiseRejectAfterResolved", v8::PromiseRejectEvent::PromiseRejectAfterResolved),
    ] {
        let value = js::integer(scope, event as i32);
        js::set(scope, events, name, value);
    }
    js::set(scope, target, "promiseRejectEvents", events);
}

/// Whether `process.nextTick` has queued anything.
pub fn has_tick_scheduled(scope: &PinScope) -> bool {
    TICK_INFO.cells(scope).first().is_some_and(|flag| flag.get() != 0)
}

/// Whether a rejected promise without a handler waits to be reported.
pub fn has_rejection_to_warn(scope: &PinScope) -> bool {
    TICK_INFO.cells(scope).get(1).is_some_and(|flag| flag.get() != 0)
}

fn enqueue_microtask<'s>(scope: &mut PinScope<'s, '_>, args: FunctionCallbackArguments<'s>, _: ReturnValue<'s, Value>) {
    if let Ok(callback) = args.get(0).try_into() {
        scope.enqueue_microtask(callback);
    }
}

fn set_tick_callback<'s>(scope: &mut PinScope<'s, '_>, args: FunctionCallbackArguments<'s>, _: ReturnValue<'s, Value>) {
    Realm::current().set_slot(scope, TICK_CALLBACK, args.get(0));
}

fn run_microtasks<'s>(scope: &mut PinScope<'s, '_>, _: FunctionCallbackArguments<'s>, _: ReturnValue<'s, Value>) {
    scope.perform_microtask_checkpoint();
}

fn set_promise_reject_callback<'s>(
    scope: &mut PinScope<'s, '_>,
    args: FunctionCallbackArguments<'s>,
    _: ReturnValue<'s, Value>,
) {
    Realm::current().set_slot(scope, REJECT_CALLBACK, args.get(0));
}

/// Takes back the report of a rejection: native code has handled `promise`, which V8 does not tell.
pub fn handler_added<'s>(scope: &mut PinScope<'s, '_>, promise: Local<'s, v8::Promise>) {
    let value = js::undefined(scope);
    report(scope, v8::PromiseRejectEvent::PromiseHandlerAddedAfterReject, promise, value);
}

fn report<'s>(
    scope: &mut PinScope<'s, '_>,
    event: v8::PromiseRejectEvent,
    promise: Local<'s, v8::Promise>,
    value: Local<'s, Value>,
) {
    let Some(callback) = Realm::current().function(scope, REJECT_CALLBACK) else { return };
    let arguments = [js::integer(scope, event as i32), promise.into(), value];
    let undefined = js::undefined(scope);
    // A stack overflow can end the callback; Node swallows that too, for it could only recurse.
    v8::tc_scope!(let caught, scope);
    callback.call(caught, undefined, &arguments);
}

/// What V8 calls when a promise is rejected without a handler, gets one later, or is settled twice.
///
/// # Safety
///
/// Only V8 may call it: the message is valid during the call.
pub unsafe extern "C" fn on_promise_reject(message: v8::PromiseRejectMessage) {
    v8::callback_scope!(unsafe scope, &message);
    let context = scope.get_current_context();
    let scope = &mut v8::ContextScope::new(scope, context);
    let event = message.get_event();
    let value = match event {
        v8::PromiseRejectEvent::PromiseHandlerAddedAfterReject => js::undefined(scope),
        _ => message.get_value().unwrap_or_else(|| js::undefined(scope)),
    };
    report(scope, event, message.get_promise(), value);
}
