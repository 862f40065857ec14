//! Where the bytes of `ArrayBuffer`s come from.
//!
//! V8's own allocator would do, but for one thing: it can't be asked for memory that is not cleared. And memory has to
//! be asked for through V8, which collects garbage in time when buffers take much of it.

use std::cell::Cell;
use std::ffi::c_void;

thread_local! {
    /// Whether the next bytes may hold anything.
    static UNINITIALIZED: Cell<bool> = const { Cell::new(false) };
}

/// An allocator for an isolate.
pub fn allocator() -> v8::UniqueRef<v8::Allocator> {
    static VTABLE: v8::RustAllocatorVtable<()> =
        v8::RustAllocatorVtable { allocate, allocate_uninitialized, free, drop: nothing };
    // SAFETY: the functions do not look at the handle. They are `malloc` and its kin, which take any length, and may be
    // called on any thread.
    unsafe { v8::new_rust_allocator(&(), &VTABLE) }
}

/// A buffer whose bytes are whatever was in the memory: its user overwrites them.
pub fn uninitialized<'s>(scope: &mut v8::PinScope<'s, '_>, length: usize) -> v8::Local<'s, v8::ArrayBuffer> {
    UNINITIALIZED.set(true);
    let buffer = v8::ArrayBuffer::new(scope, length);
    UNINITIALIZED.set(false);
    buffer
}

unsafe extern "C" fn allocate(handle: &(), length: usize) -> *mut c_void {
    if UNINITIALIZED.get() {
        // SAFETY: as for this function.
        return unsafe { allocate_uninitialized(handle, length) };
    }
    // SAFETY: any length may be asked for.
    unsafe { libc::calloc(length, 1) }
}

unsafe extern "C" fn allocate_uninitialized(_: &(), length: usize) -> *mut c_void {
    // SAFETY: any length may be asked for.
    unsafe { libc::malloc(length) }
}

unsafe extern "C" fn free(_: &(), data: *mut c_void, _: usize) {
    // SAFETY: V8 gives back what it got from one of the others.
    unsafe { libc::free(data) }
}

unsafe extern "C" fn nothing(_: *const ()) {}
