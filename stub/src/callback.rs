//! From native events into JavaScript: Node's `MakeCallback`.
//!
//! After the outermost callback the microtasks and `process.nextTick` run, as in Node's
//! `InternalCallbackScope`.

use crate::bindings::{async_wrap, task_queue};
use crate::realm::Realm;
use crate::wrap::{self, AsyncIds};
use crate::{errors, js};

/// Calls `object[method](...arguments)` in the object's asynchronous context. `None` when it threw: the
/// exception has then been reported, and the process may be about to exit.
pub fn method<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    object: v8::Local<'s, v8::Object>,
    method: &str,
    arguments: &[v8::Local<'s, v8::Value>],
) -> Option<v8::Local<'s, v8::Value>> {
    let callback = js::get(scope, object, method)?;
    match v8::Local::<v8::Function>::try_from(callback) {
        Ok(callback) => function(scope, object, callback, arguments),
        Err(_) => Some(js::undefined(scope)),
    }
}

/// Calls `callback` with `object` as `this`, in the object's asynchronous context.
pub fn function<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    object: v8::Local<'s, v8::Object>,
    callback: v8::Local<'s, v8::Function>,
    arguments: &[v8::Local<'s, v8::Value>],
) -> Option<v8::Local<'s, v8::Value>> {
    let ids = wrap::async_ids(scope, object);
    let frame = wrap::context_frame(scope, object);
    in_context(scope, object, ids, frame, |scope| {
        let trampoline = async_wrap::trampoline(scope);
        match trampoline.filter(|_| async_wrap::uses_trampoline(scope)) {
            Some(trampoline) => {
                let mut all = vec![js::number(scope, ids.id), object.into(), callback.into()];
                all.extend_from_slice(arguments);
                trampoline.call(scope, object.into(), &all)
            }
            None => callback.call(scope, object.into(), arguments),
        }
    })
}

/// Whether what was queued runs after a callback.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ticks {
    /// After the outermost one.
    Run,
    /// Not after this one: it is a part of something that will have them run.
    Skip,
}

/// As [`function`], for native code that JavaScript may have called itself: what the callback throws stays thrown, for
/// the caller to return at once or to report.
pub fn throwing<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    object: v8::Local<'s, v8::Object>,
    callback: v8::Local<'s, v8::Function>,
    arguments: &[v8::Local<'s, v8::Value>],
    ticks: Ticks,
) -> Option<v8::Local<'s, v8::Value>> {
    let ids = wrap::async_ids(scope, object);
    let frame = wrap::context_frame(scope, object);
    let trampoline = async_wrap::trampoline(scope);
    let trampoline = trampoline.filter(|_| ticks == Ticks::Run && async_wrap::uses_trampoline(scope));
    inside(scope, object, ids, frame, ticks, |scope| match trampoline {
        Some(trampoline) => {
            let mut all = vec![js::number(scope, ids.id), object.into(), callback.into()];
            all.extend_from_slice(arguments);
            trampoline.call(scope, object.into(), &all)
        }
        None => callback.call(scope, object.into(), arguments),
    })
}

/// Runs `body` as a callback of `resource` with the identity `ids`. An exception that it leaves is
/// reported as uncaught; the microtasks and ticks then wait for the next callback, as under Node, whose handler of
/// uncaught exceptions asks for one.
pub fn in_context<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    resource: v8::Local<'s, v8::Object>,
    ids: AsyncIds,
    frame: Option<v8::Local<'s, v8::Value>>,
    body: impl FnOnce(&mut v8::PinScope<'s, '_>) -> Option<v8::Local<'s, v8::Value>>,
) -> Option<v8::Local<'s, v8::Value>> {
    inside(scope, resource, ids, frame, Ticks::Run, |scope| reporting(scope, body))
}

fn inside<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    resource: v8::Local<'s, v8::Object>,
    ids: AsyncIds,
    frame: Option<v8::Local<'s, v8::Value>>,
    ticks: Ticks,
    body: impl FnOnce(&mut v8::PinScope<'s, '_>) -> Option<v8::Local<'s, v8::Value>>,
) -> Option<v8::Local<'s, v8::Value>> {
    let realm = Realm::current();
    if realm.thread.is_stopping() {
        return None;
    }
    let depth = realm.callback_depth.get();
    realm.callback_depth.set(depth + 1);
    let outer_frame = scope.get_continuation_preserved_embedder_data();
    let frame = frame.unwrap_or_else(|| js::undefined(scope));
    scope.set_continuation_preserved_embedder_data(frame);
    async_wrap::push_context(scope, ids, resource);
    let result = body(scope);
    if realm.thread.is_stopping() {
        async_wrap::clear_stack(scope);
    } else {
        async_wrap::pop_context(scope, ids.id);
    }
    scope.set_continuation_preserved_embedder_data(outer_frame);
    if depth == 0 && ticks == Ticks::Run && result.is_some() && !is_ending(scope) {
        run_ticks(scope);
    }
    realm.callback_depth.set(depth);
    result
}

/// Whether nothing more will run in this realm.
pub fn is_ending(scope: &v8::PinScope) -> bool {
    scope.is_execution_terminating() || Realm::current().thread.is_stopping()
}

/// Runs `body`. `None` when it threw: the exception has then been reported as uncaught.
pub fn reporting<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    body: impl FnOnce(&mut v8::PinScope<'s, '_>) -> Option<v8::Local<'s, v8::Value>>,
) -> Option<v8::Local<'s, v8::Value>> {
    let (result, thrown) = {
        v8::tc_scope!(let caught, scope);
        let result = body(caught);
        match caught.exception() {
            Some(exception) if !caught.has_terminated() => (None, Some((exception, caught.message()))),
            _ => (result, None),
        }
    };
    if let Some((exception, message)) = thrown {
        errors::trigger_uncaught(scope, exception, message, false);
    }
    result
}

/// Runs the microtasks, then what `process.nextTick` queued, if anything.
pub fn run_ticks(scope: &mut v8::PinScope) {
    if Realm::current().thread.is_stopping() {
        return;
    }
    if !task_queue::has_tick_scheduled(scope) {
        scope.perform_microtask_checkpoint();
    }
    if !task_queue::has_tick_scheduled(scope) && !task_queue::has_rejection_to_warn(scope) {
        return;
    }
    let realm = Realm::current();
    let Some(tick) = realm.function(scope, task_queue::TICK_CALLBACK) else { return };
    let Some(process) = realm.object(scope, crate::bootstrap::PROCESS) else { return };
    reporting(scope, |scope| tick.call(scope, process.into(), &[]));
}
