//! `internalBinding('async_context_frame')`: what V8 carries along from a promise to its reactions.

use v8::{Local, Object, PinScope};

use crate::js;

crate::room! {
    name: "async_context_frame",
    setup: setup,
}

/// Both functions are V8's own: optimized code inlines them, and every tick, timer and promise calls them.
fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    let context = scope.get_current_context();
    let extras = context.get_extras_binding_object(scope);
    for name in ["getContinuationPreservedEmbedderData", "setContinuationPreservedEmbedderData"] {
        if let Some(function) = js::get(scope, extras, name) {
            js::set(scope, target, name, function);
        }
    }
}
