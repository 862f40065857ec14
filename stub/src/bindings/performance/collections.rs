//! Telling observers of `gc` about garbage collections.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::ptr;
use std::rc::Rc;

use v8::{GCCallbackFlags, GCType, Object, PinScope, UnsafeRawIsolatePtr};

use super::{Args, Return};
use crate::js;
use crate::realm::{self, Realm};
use crate::uv::event_loop;
use crate::uv::wakeup::Wakeup;

/// One garbage collection: nanoseconds of the monotonic clock, and what V8 says of it.
struct Collection {
    start: u64,
    end: u64,
    kind: u32,
    flags: u32,
}

#[derive(Default)]
struct Tracking {
    start: Cell<u64>,
    done: RefCell<Vec<Collection>>,
    wakeup: RefCell<Option<Rc<Wakeup>>>,
}

/// Runs right before V8 collects garbage.
unsafe extern "C" fn before(_: UnsafeRawIsolatePtr, _: GCType, _: GCCallbackFlags, _: *mut c_void) {
    Realm::with_current(|realm| realm.room::<Tracking>().start.set(event_loop::hrtime()));
}

/// Runs right after: no script may run here, so the observers are told from the loop.
unsafe extern "C" fn after(_: UnsafeRawIsolatePtr, kind: GCType, flags: GCCallbackFlags, _: *mut c_void) {
    Realm::with_current(|realm| {
        let tracking = realm.room::<Tracking>();
        let start = tracking.start.replace(0);
        if start == 0 {
            return;
        }
        let end = event_loop::hrtime();
        tracking.done.borrow_mut().push(Collection { start, end, kind: kind.0, flags: flags.0 });
        if let Some(wakeup) = &*tracking.wakeup.borrow() {
            wakeup.waker().wake();
        }
    });
}

pub fn install<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, _: Return<'s>) {
    let tracking = Realm::current().room::<Tracking>();
    if let Ok(wakeup) = Wakeup::new(|| realm::enter(report)) {
        wakeup.set_ref(false);
        *tracking.wakeup.borrow_mut() = Some(Rc::new(wakeup));
    }
    scope.add_gc_prologue_callback(before, ptr::null_mut(), GCType::kGCTypeAll);
    scope.add_gc_epilogue_callback(after, ptr::null_mut(), GCType::kGCTypeAll);
}

pub fn remove<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, _: Return<'s>) {
    scope.remove_gc_prologue_callback(before, ptr::null_mut());
    scope.remove_gc_epilogue_callback(after, ptr::null_mut());
    Realm::current().room::<Tracking>().wakeup.take();
}

fn report(scope: &mut PinScope) {
    let done = Realm::current().room::<Tracking>().done.take();
    for collection in done {
        v8::scope!(let scope, scope);
        let details = Object::new(scope);
        for (name, number) in [("kind", collection.kind), ("flags", collection.flags)] {
            let number = js::number(scope, number.into());
            js::set(scope, details, name, number);
        }
        let name = js::string(scope, "gc").into();
        let start = js::number(scope, super::since_origin(scope, collection.start));
        let duration = js::number(scope, (collection.end - collection.start) as f64 / 1e6);
        super::report(scope, "gc", &[name, name, start, duration, details.into()]);
    }
}
