//! Evaluating modules.

use v8::{Context, ContextScope, Function, Local, Module, PinScope, Promise, PromiseState, Value};

use super::{Args, Return, STEPS, errors, get_private, module_of, registry, sandboxed, set_private};
use crate::bindings::contextify::{Interrupt, run_guarded};
use crate::bindings::task_queue;
use crate::js;
use crate::realm::Realm;

/// `module.evaluate(timeout, breakOnSigint)`: a promise.
pub fn evaluate<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let this = args.this();
    let Some(module) = module_of(scope, this) else { return };
    let timeout = args.get(0).integer_value(scope).unwrap_or(-1);
    let interrupt = Interrupt { timeout: u64::try_from(timeout).ok(), sigint: args.get(1).is_true() };
    let sandboxed = sandboxed(scope, this);
    let context = sandboxed.map_or_else(|| scope.get_current_context(), |sandboxed| sandboxed.context);
    let outer = scope.get_current_context();
    let scope = &mut ContextScope::new(scope, context);
    v8::tc_scope!(let caught, scope);
    let result = run_guarded(caught, interrupt, |scope| {
        let result = module.evaluate(scope)?;
        let Some(queue) = sandboxed.and_then(|sandboxed| sandboxed.own_queue(scope)) else { return Some(result) };
        // A promise of the outer context, for nobody runs the inner queue when somebody awaits the inner promise later.
        let promise = {
            let scope = &mut ContextScope::new(scope, outer);
            let resolver = v8::PromiseResolver::new(scope)?;
            resolver.resolve(scope, result)?;
            resolver.get_promise(scope)
        };
        queue.perform_checkpoint(scope);
        Some(promise.into())
    });
    match result {
        Ok(Some(result)) if !caught.has_caught() => rv.set(result),
        Ok(_) => {
            if !caught.has_terminated() {
                caught.rethrow();
            }
        }
        Err(error) => {
            caught.reset();
            caught.throw_exception(error);
            caught.rethrow();
        }
    }
}

/// `module.evaluateSync()`: the namespace, or it throws what the module threw.
pub fn evaluate_sync<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let this = args.this();
    let Some(module) = module_of(scope, this) else { return };
    let context = sandboxed(scope, this).map_or_else(|| scope.get_current_context(), |sandboxed| sandboxed.context);
    let result = {
        let scope = &mut ContextScope::new(scope, context);
        module.evaluate(scope)
    };
    let Some(promise) = result.and_then(|result| Local::<Promise>::try_from(result).ok()) else { return };
    if throw_if_promise_rejected(scope, promise) {
        return;
    }
    rv.set(module.get_module_namespace());
}

/// `throwIfPromiseRejected(promise)`
pub fn js_throw_if_promise_rejected<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if let Ok(promise) = Local::<Promise>::try_from(args.get(0)) {
        throw_if_promise_rejected(scope, promise);
    }
}

/// Turns a rejection into an exception. True when it threw.
fn throw_if_promise_rejected<'s>(scope: &mut PinScope<'s, '_>, promise: Local<'s, Promise>) -> bool {
    if promise.state() != PromiseState::Rejected {
        return false;
    }
    // V8 has already reported it as unhandled: say that it is handled now.
    if let Some(callback) = Realm::current().function(scope, task_queue::REJECT_CALLBACK) {
        let event = js::integer(scope, v8::PromiseRejectEvent::PromiseHandlerAddedAfterReject as i32);
        let undefined = js::undefined(scope);
        if callback.call(scope, undefined, &[event, promise.into(), undefined]).is_none() {
            return true;
        }
    }
    let exception = promise.result(scope);
    let message = v8::Exception::create_message(scope, exception);
    errors::append_exception_line(scope, exception, Some(message));
    scope.throw_exception(exception);
    true
}

/// What a snapshot refers to of synthetic modules.
pub fn references() -> Vec<v8::ExternalReference> {
    let steps: v8::SyntheticModuleEvaluationSteps = v8::MapFnTo::map_fn_to(evaluate_synthetic);
    vec![v8::ExternalReference { pointer: steps as *mut std::ffi::c_void }]
}

/// Evaluates a synthetic module: JavaScript sets its exports.
pub fn evaluate_synthetic<'s>(context: Local<'s, Context>, module: Local<'s, Module>) -> Option<Local<'s, Value>> {
    // SAFETY: V8 calls this inside a handle scope, with handles of the context's isolate.
    v8::callback_scope!(unsafe scope, context);
    run_steps(scope, module)
}

fn run_steps<'s>(scope: &mut PinScope<'s, '_>, module: Local<'s, Module>) -> Option<Local<'s, Value>> {
    let wrap = registry::wrap_of(scope, module)?;
    let undefined = js::undefined(scope);
    if let Some(steps) = get_private(scope, wrap, STEPS) {
        set_private(scope, wrap, STEPS, undefined);
        let steps: Local<Function> = steps.try_into().ok()?;
        v8::tc_scope!(let caught, scope);
        if steps.call(caught, wrap.into(), &[]).is_none() {
            if !caught.has_terminated() {
                caught.rethrow();
            }
            return None;
        }
    }
    let resolver = v8::PromiseResolver::new(scope)?;
    resolver.resolve(scope, undefined)?;
    Some(resolver.get_promise(scope).into())
}
