//! Waking a thread's event loop from any thread: `uv_async_t`.

use std::ffi::c_int;
use std::ptr;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use libuv_sys2 as sys;

use super::handle::{Handle, Kind, storage_of};

/// A handle that runs a callback on its loop when somebody calls [`Waker::wake`].
pub struct Wakeup {
    handle: Handle,
    waker: Waker,
}

/// Wakes the loop of a [`Wakeup`]; does nothing once that is closed.
#[derive(Clone)]
pub struct Waker(Arc<Mutex<Target>>);

/// The handle to wake; null once it is closed.
struct Target(*mut sys::uv_async_t);

// SAFETY: the pointer is only used under the lock, for `uv_async_send`, which any thread may call.
unsafe impl Send for Target {}

impl Waker {
    /// Has the callback run soon; several calls may end up as one.
    pub fn wake(&self) {
        let target = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !target.0.is_null() {
            // SAFETY: the handle is open as long as the pointer is there, and can't be closed meanwhile because
            // that takes the lock.
            unsafe { sys::uv_async_send(target.0) };
        }
    }

    /// The handle is about to be closed.
    pub(super) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0 = ptr::null_mut();
    }
}

impl Wakeup {
    /// Opens a handle on this thread's loop. Fails with a libuv error.
    pub fn new(on_wake: impl Fn() + 'static) -> Result<Wakeup, c_int> {
        // SAFETY: the function initializes an async handle with the arguments it gets, and keeps nothing if it fails.
        let handle = unsafe {
            Handle::create(Kind::Wakeup, |event_loop, raw| sys::uv_async_init(event_loop, raw.cast(), Some(woken)))
        }?;
        *handle.storage().on_number.borrow_mut() = Some(Rc::new(move |_| on_wake()));
        let waker = Waker(Arc::new(Mutex::new(Target(handle.raw()))));
        *handle.storage().waker.borrow_mut() = Some(waker.clone());
        Ok(Wakeup { handle, waker })
    }

    /// What wakes it.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Lets the handle keep the loop alive, or not.
    pub fn set_ref(&self, keep: bool) {
        self.handle.set_ref(keep);
    }

    /// Whether the handle keeps the loop alive.
    pub fn has_ref(&self) -> bool {
        self.handle.has_ref()
    }

    /// Whether it was closed.
    pub fn is_closing(&self) -> bool {
        self.handle.is_closing()
    }

    /// Closes the handle; `done` runs from the loop once that is through.
    pub fn close(&self, done: impl FnOnce() + 'static) {
        self.waker.forget();
        self.handle.close(done);
    }
}

impl Drop for Wakeup {
    fn drop(&mut self) {
        self.waker.forget();
    }
}

unsafe extern "C" fn woken(raw: *mut sys::uv_async_t) {
    // SAFETY: only handles of `Wakeup` have this callback.
    let on_wake = unsafe { storage_of(raw) }.on_number.borrow().clone();
    if let Some(on_wake) = on_wake {
        on_wake(0);
    }
}
