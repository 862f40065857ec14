//! Being told when an object is collected.
//!
//! The `v8` crate has this too, with a table and three allocations for each object. Programs make native objects by the
//! million, so here it is one word of V8's; what is underneath is the same.

use std::cell::Cell;
use std::ffi::c_void;
use std::rc::Rc;

/// `v8::WeakCallbackInfo<void>`
#[repr(C)]
struct Info {
    _private: [u8; 0],
}

type Callback = unsafe extern "C" fn(*const Info);

// Of the `v8` crate's C++ half, as it declares them itself.
unsafe extern "C" {
    fn v8__Isolate__GetCurrent() -> *mut c_void;
    fn v8__Global__NewWeak(
        isolate: *mut c_void,
        data: *const c_void,
        parameter: *const c_void,
        callback: Callback,
    ) -> *const c_void;
    fn v8__Global__Reset(data: *const c_void);
    fn v8__WeakCallbackInfo__GetParameter(info: *const Info) -> *const c_void;
    fn v8__WeakCallbackInfo__SetSecondPassCallback(info: *const Info, callback: Callback);
}

/// What waits for an object to be collected.
pub trait Watcher: 'static {
    /// Where it keeps the handle.
    fn watch(&self) -> &Watch;
    /// The object is gone. Runs after the collection, on the isolate's thread.
    fn collected(&self);
}

/// A weak handle, which a [`Watcher`] has and [`watch`] fills.
#[derive(Default)]
pub struct Watch(Cell<*const c_void>);

/// Has `watcher` told when `object` is collected, unless [`forget`] comes first; one of the two must. Until then the
/// watcher lives.
pub fn watch<W: Watcher>(_: &v8::PinScope, object: v8::Local<v8::Object>, watcher: &Rc<W>) {
    let parameter = Rc::into_raw(watcher.clone());
    // SAFETY: the scope says that an isolate is current, and the object is one of its. The parameter is a reference that
    // belongs to the handle: whoever ends the handle gives it back.
    let handle = unsafe {
        let data = std::ptr::from_ref::<v8::Object>(&object).cast();
        v8__Global__NewWeak(v8__Isolate__GetCurrent(), data, parameter.cast(), first_pass::<W>)
    };
    watcher.watch().0.set(handle);
}

/// Gives the handle up. Does nothing once the object was collected.
pub fn forget<W: Watcher>(watcher: &Rc<W>) {
    let handle = watcher.watch().0.replace(std::ptr::null());
    if !handle.is_null() {
        // SAFETY: the handle is one of `watch`, so a reference belongs to it; without it no callback comes.
        unsafe {
            v8__Global__Reset(handle);
            Rc::decrement_strong_count(Rc::as_ptr(watcher));
        }
    }
}

/// In the middle of a collection, where nothing is allowed but to end the handle.
unsafe extern "C" fn first_pass<W: Watcher>(info: *const Info) {
    // SAFETY: the parameter is that of `watch`, and its reference is passed on to the second pass.
    unsafe {
        let watcher = v8__WeakCallbackInfo__GetParameter(info).cast::<W>();
        v8__Global__Reset((*watcher).watch().0.replace(std::ptr::null()));
        v8__WeakCallbackInfo__SetSecondPassCallback(info, second_pass::<W>);
    }
}

unsafe extern "C" fn second_pass<W: Watcher>(info: *const Info) {
    // SAFETY: the first pass has left the reference to this one.
    let watcher = unsafe { Rc::from_raw(v8__WeakCallbackInfo__GetParameter(info).cast::<W>()) };
    watcher.collected();
}
