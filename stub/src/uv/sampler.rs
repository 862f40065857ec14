//! Handles that watch the loop itself, for measuring how late it is. None of them keeps it alive.

use std::ffi::c_int;
use std::rc::Rc;

use libuv_sys2 as sys;

use super::handle::{Handle, Kind, storage_of};

/// A timer that fires again and again.
pub struct Interval(Handle);

impl Interval {
    /// A timer that does not run yet. Fails with a libuv error.
    pub fn new(on_tick: impl Fn() + 'static) -> Result<Interval, c_int> {
        // SAFETY: the function initializes a timer handle with the arguments it gets.
        let handle =
            unsafe { Handle::create(Kind::Sampler, |event_loop, raw| sys::uv_timer_init(event_loop, raw.cast())) }?;
        *handle.storage().on_number.borrow_mut() = Some(Rc::new(move |_| on_tick()));
        handle.set_ref(false);
        Ok(Interval(handle))
    }

    /// Lets it fire every `milliseconds`.
    pub fn start(&self, milliseconds: u64) {
        // SAFETY: the handle is an initialized timer, which only closes when it is dropped.
        unsafe { sys::uv_timer_start(self.0.raw(), Some(tick), milliseconds, milliseconds) };
    }

    /// Stops it.
    pub fn stop(&self) {
        // SAFETY: as in `start`.
        unsafe { sys::uv_timer_stop(self.0.raw()) };
    }
}

/// Tells when the loop goes to sleep and when it wakes up, in each of its rounds.
pub struct Rounds {
    prepare: Handle,
    check: Handle,
}

impl Rounds {
    /// Does not run yet. Fails with a libuv error.
    pub fn new(on_sleep: impl Fn() + 'static, on_wake: impl Fn() + 'static) -> Result<Rounds, c_int> {
        // SAFETY: each function initializes a handle of its kind with the arguments it gets.
        let (prepare, check) = unsafe {
            (
                Handle::create(Kind::Sampler, |event_loop, raw| sys::uv_prepare_init(event_loop, raw.cast()))?,
                Handle::create(Kind::Sampler, |event_loop, raw| sys::uv_check_init(event_loop, raw.cast()))?,
            )
        };
        *prepare.storage().on_number.borrow_mut() = Some(Rc::new(move |_| on_sleep()));
        *check.storage().on_number.borrow_mut() = Some(Rc::new(move |_| on_wake()));
        Ok(Rounds { prepare, check })
    }

    /// Starts telling.
    pub fn start(&self) {
        // SAFETY: the handles are initialized and of these kinds, and only close when they are dropped.
        unsafe {
            sys::uv_prepare_start(self.prepare.raw(), Some(prepared));
            sys::uv_check_start(self.check.raw(), Some(checked));
        }
        self.prepare.set_ref(false);
        self.check.set_ref(false);
    }

    /// Stops telling.
    pub fn stop(&self) {
        // SAFETY: as in `start`.
        unsafe {
            sys::uv_prepare_stop(self.prepare.raw());
            sys::uv_check_stop(self.check.raw());
        }
    }
}

/// # Safety
///
/// `raw` must be a handle of this module.
unsafe fn call<T>(raw: *mut T) {
    // SAFETY: as the caller promises.
    let callback = unsafe { storage_of(raw) }.on_number.borrow().clone();
    if let Some(callback) = callback {
        callback(0);
    }
}

unsafe extern "C" fn tick(raw: *mut sys::uv_timer_t) {
    // SAFETY: only handles of this module have this callback.
    unsafe { call(raw) }
}

unsafe extern "C" fn prepared(raw: *mut sys::uv_prepare_t) {
    // SAFETY: as in `tick`.
    unsafe { call(raw) }
}

unsafe extern "C" fn checked(raw: *mut sys::uv_check_t) {
    // SAFETY: as in `tick`.
    unsafe { call(raw) }
}
