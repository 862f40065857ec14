//! A program that ends while its entry module still waits at a top-level `await`.

use v8::{Local, Object, PinScope, Promise, PromiseState};

use super::{errors, get_private, module_of};

/// Whether the promise of the entry module is pending.
pub fn has_unsettled_entry(scope: &mut PinScope) -> bool {
    let global = scope.get_current_context().global(scope);
    let promise = get_private(scope, global, "entry_point_promise_private_symbol");
    let promise = promise.and_then(|promise| Local::<Promise>::try_from(promise).ok());
    promise.is_some_and(|promise| promise.state() == PromiseState::Pending)
}

/// Says which `await` the entry module waits at.
pub fn report_unsettled_entry(scope: &mut PinScope) {
    let global = scope.get_current_context().global(scope);
    let entry = get_private(scope, global, "entry_point_module_private_symbol");
    let entry = entry.and_then(|entry| Local::<Object>::try_from(entry).ok());
    let Some(module) = entry.and_then(|entry| module_of(scope, entry)) else { return };
    if !module.is_source_text_module() || !module.is_graph_async() {
        return;
    }
    for (_, message) in module.get_stalled_top_level_await_message(scope) {
        let source = errors::error_source(scope, message).unwrap_or_default();
        errors::print(&format!("Warning: Detected unsettled top-level await at {source}\n\n\n"));
    }
}
