//! The handles under Node's timers and immediates: one timer, one check, and one idle handle that
//! keeps the loop from sleeping while immediates wait.

use std::cell::Cell;

use libuv_sys2 as sys;

use super::event_loop;

struct Handles {
    timer: sys::uv_timer_t,
    check: sys::uv_check_t,
    idle: sys::uv_idle_t,
    /// How many of them are open while they are being closed.
    open: usize,
    on_timer: fn(),
    on_check: fn(),
}

thread_local! {
    static HANDLES: Cell<*mut Handles> = const { Cell::new(std::ptr::null_mut()) };
}

/// Makes the handles of this thread's loop. None of them keeps the loop alive yet.
pub fn start(on_timer: fn(), on_check: fn()) {
    // SAFETY: libuv's handles may be zero before they are initialized; the box gives them an address
    // until `stop`.
    unsafe {
        let handles = Box::into_raw(Box::new(Handles {
            timer: std::mem::zeroed(),
            check: std::mem::zeroed(),
            idle: std::mem::zeroed(),
            open: 3,
            on_timer,
            on_check,
        }));
        let event_loop = event_loop::raw();
        sys::uv_timer_init(event_loop, &raw mut (*handles).timer);
        sys::uv_unref((&raw mut (*handles).timer).cast());
        sys::uv_check_init(event_loop, &raw mut (*handles).check);
        sys::uv_unref((&raw mut (*handles).check).cast());
        sys::uv_idle_init(event_loop, &raw mut (*handles).idle);
        sys::uv_check_start(&raw mut (*handles).check, Some(check));
        HANDLES.set(handles);
    }
}

fn with(body: impl FnOnce(*mut Handles)) {
    let handles = HANDLES.get();
    if !handles.is_null() {
        body(handles);
    }
}

/// Lets the timer fire in `milliseconds`.
pub fn schedule(milliseconds: u64) {
    // SAFETY: `start` initialized the handle.
    with(|handles| unsafe {
        sys::uv_timer_start(&raw mut (*handles).timer, Some(timer), milliseconds, 0);
    });
}

/// Whether the timer keeps the loop alive.
pub fn keep_for_timers(keep: bool) {
    // SAFETY: `start` initialized the handle.
    with(|handles| unsafe {
        let timer = (&raw mut (*handles).timer).cast();
        if keep { sys::uv_ref(timer) } else { sys::uv_unref(timer) }
    });
}

/// Whether immediates wait: the loop must neither end nor sleep.
pub fn keep_for_immediates(keep: bool) {
    // SAFETY: `start` initialized the handle.
    with(|handles| unsafe {
        let idle = &raw mut (*handles).idle;
        if keep {
            sys::uv_idle_start(idle, Some(nothing));
        } else {
            sys::uv_idle_stop(idle);
        }
    });
}

/// Closes the handles; the loop has to run until that is through.
pub(super) fn stop() {
    // SAFETY: `start` initialized the handles; nobody reaches them any more, and the last close callback frees them.
    with(|handles| unsafe {
        HANDLES.set(std::ptr::null_mut());
        let all: [*mut sys::uv_handle_t; 3] =
            [(&raw mut (*handles).timer).cast(), (&raw mut (*handles).check).cast(), (&raw mut (*handles).idle).cast()];
        for handle in all {
            (*handle).data = handles.cast();
            sys::uv_close(handle, Some(closed));
        }
    });
}

unsafe extern "C" fn closed(raw: *mut sys::uv_handle_t) {
    // SAFETY: `stop` set the pointer, and the memory lives until the last of the three is closed.
    unsafe {
        let handles = (*raw).data.cast::<Handles>();
        (*handles).open -= 1;
        if (*handles).open == 0 {
            drop(Box::from_raw(handles));
        }
    }
}

unsafe extern "C" fn timer(_: *mut sys::uv_timer_t) {
    // SAFETY: only handles of `start` come here, on their own thread.
    with(|handles| unsafe { (*handles).on_timer }());
}

unsafe extern "C" fn check(_: *mut sys::uv_check_t) {
    // SAFETY: as in `timer`.
    with(|handles| unsafe { (*handles).on_check }());
}

unsafe extern "C" fn nothing(_: *mut sys::uv_idle_t) {}
