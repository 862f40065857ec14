//! Where the bytes of `ArrayBuffer`s come from.
//!
//! V8's own allocator would do, but that it can't be asked for memory that is not cleared, and does not count. And memory
//! has to be asked for through V8, which collects garbage in time when buffers take much of it.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

thread_local! {
    /// Whether the next bytes may hold anything.
    static UNINITIALIZED: Cell<bool> = const { Cell::new(false) };
    /// How many bytes there are.
    static USED: RefCell<Option<Arc<AtomicUsize>>> = const { RefCell::new(None) };
}

/// An allocator for this thread's isolate.
pub fn allocator() -> v8::UniqueRef<v8::Allocator> {
    static VTABLE: v8::RustAllocatorVtable<AtomicUsize> =
        v8::RustAllocatorVtable { allocate, allocate_uninitialized, free, drop: forget };
    let used = Arc::new(AtomicUsize::new(0));
    USED.set(Some(used.clone()));
    // SAFETY: the functions are `malloc` and its kin, which take any length and may be called on any thread; the count
    // goes when `forget` gives it back.
    unsafe { v8::new_rust_allocator(Arc::into_raw(used), &VTABLE) }
}

/// How many bytes the buffers have that were made on this thread.
pub fn used() -> usize {
    USED.with_borrow(|used| used.as_ref().map_or(0, |used| used.load(Ordering::Relaxed)))
}

/// A buffer whose bytes are whatever was in the memory: its user overwrites them.
pub fn uninitialized<'s>(scope: &mut v8::PinScope<'s, '_>, length: usize) -> v8::Local<'s, v8::ArrayBuffer> {
    UNINITIALIZED.set(true);
    let buffer = v8::ArrayBuffer::new(scope, length);
    UNINITIALIZED.set(false);
    buffer
}

unsafe extern "C" fn allocate(used: &AtomicUsize, length: usize) -> *mut c_void {
    // SAFETY: any length may be asked for.
    let data = unsafe { if UNINITIALIZED.get() { libc::malloc(length) } else { libc::calloc(length, 1) } };
    count(used, data, length)
}

unsafe extern "C" fn allocate_uninitialized(used: &AtomicUsize, length: usize) -> *mut c_void {
    // SAFETY: any length may be asked for.
    count(used, unsafe { libc::malloc(length) }, length)
}

/// Arrays up to this size do not count: Node's V8 has them in its heap, and programs compare what they take.
const SMALL: usize = 64;

fn count(used: &AtomicUsize, data: *mut c_void, length: usize) -> *mut c_void {
    if !data.is_null() && length > SMALL {
        used.fetch_add(length, Ordering::Relaxed);
    }
    data
}

unsafe extern "C" fn free(used: &AtomicUsize, data: *mut c_void, length: usize) {
    if !data.is_null() && length > SMALL {
        used.fetch_sub(length, Ordering::Relaxed);
    }
    // SAFETY: V8 gives back what it got from one of the others.
    unsafe { libc::free(data) }
}

unsafe extern "C" fn forget(used: *const AtomicUsize) {
    // SAFETY: it came from `Arc::into_raw`, and V8 is done with it.
    drop(unsafe { Arc::from_raw(used) });
}
