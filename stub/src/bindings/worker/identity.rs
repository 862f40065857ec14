//! What a thread knows of itself: the data of the binding.

use v8::{Float64Array, Local, Object, PinScope};

use crate::realm::Realm;
use crate::{facts, js};

/// The slot of the binding's object.
const BINDING: &str = "worker.binding";

pub fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    // Node was asked in its main thread, so these are a main thread's answers.
    facts::install(scope, "worker", target);
    Realm::current().set_slot(scope, BINDING, target);
}

/// Gives a context that was set up for the main thread the answers of this one.
pub fn update(scope: &mut PinScope) {
    let realm = Realm::current();
    let Some(target) = realm.object(scope, BINDING) else { return };
    let Some(worker) = &realm.thread.worker else { return };
    let yes = js::boolean(scope, true);
    let no = js::boolean(scope, false);
    js::set(scope, target, "isMainThread", no);
    js::set(scope, target, "ownsProcessState", no);
    js::set(scope, target, "isInternalThread", if worker.is_internal { yes } else { no });
    let id = js::number(scope, realm.thread.id as f64);
    js::set(scope, target, "threadId", id);
    let name = js::string(scope, &realm.thread.name);
    js::set(scope, target, "threadName", name);
    let limits = numbers(scope, &worker.limits.0);
    js::set(scope, target, "resourceLimits", limits);
}

/// A `Float64Array` of `numbers`.
pub fn numbers<'s>(scope: &mut PinScope<'s, '_>, numbers: &[f64]) -> Local<'s, v8::Value> {
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_ne_bytes()).collect();
    let store = v8::ArrayBuffer::new_backing_store_from_vec(bytes).make_shared();
    let buffer = v8::ArrayBuffer::with_backing_store(scope, &store);
    Float64Array::new(scope, buffer, 0, numbers.len()).map_or_else(|| js::undefined(scope), Into::into)
}
