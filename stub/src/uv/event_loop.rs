//! One libuv loop for each thread.

use std::cell::OnceCell;
use std::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError};

use libuv_sys2 as sys;

use super::{handle, timers};

thread_local! {
    static LOOP: OnceCell<*mut sys::uv_loop_t> = const { OnceCell::new() };
}

/// The loop of this thread, made when first asked for. It lives until [`close`] or the end of the process.
pub fn raw() -> *mut sys::uv_loop_t {
    match prepare() {
        Ok(event_loop) => event_loop,
        Err(error) => panic!("the event loop can't be made: {}", super::error_message(error)),
    }
}

/// As [`raw`], where it may be that there are too many open files to make one.
pub fn prepare() -> Result<*mut sys::uv_loop_t, i32> {
    LOOP.with(|slot| {
        if let Some(event_loop) = slot.get() {
            return Ok(*event_loop);
        }
        // SAFETY: a `uv_loop_t` may be zero before `uv_loop_init`, which fills it; the box gives it an address for ever.
        let event_loop = unsafe {
            let event_loop: *mut sys::uv_loop_t = Box::into_raw(Box::new(std::mem::zeroed()));
            let result = sys::uv_loop_init(event_loop);
            if result != 0 {
                drop(Box::from_raw(event_loop));
                return Err(result);
            }
            sys::uv_loop_configure(event_loop, sys::uv_loop_option_UV_METRICS_IDLE_TIME);
            event_loop
        };
        Ok(*slot.get_or_init(|| event_loop))
    })
}

/// Runs the loop until nothing is left to wait for. Returns true if something is left all the same.
pub fn run() -> bool {
    // SAFETY: `raw` gives a loop that is initialized and belongs to this thread.
    unsafe {
        sys::uv_run(raw(), sys::uv_run_mode_UV_RUN_DEFAULT);
        sys::uv_loop_alive(raw()) != 0
    }
}

/// Waits until a request to the pool of threads is done, and what else can be done meanwhile. Returns false if there is
/// none.
pub fn finish_request() -> bool {
    // SAFETY: the loop is this thread's, nothing on the stack runs it, and the count is what this member of the union is.
    unsafe {
        let waits = (*raw()).active_reqs.count > 0;
        if waits {
            sys::uv_run(raw(), sys::uv_run_mode_UV_RUN_ONCE);
        }
        waits
    }
}

/// The loop's idea of now, in milliseconds from an arbitrary start.
pub fn now() -> u64 {
    // SAFETY: as in `run`.
    unsafe { sys::uv_now(raw()) }
}

/// Brings the loop's idea of now up to date.
pub fn update_time() {
    // SAFETY: as in `run`.
    unsafe { sys::uv_update_time(raw()) }
}

/// A monotonic clock, in nanoseconds.
pub fn hrtime() -> u64 {
    // SAFETY: it takes and keeps nothing.
    unsafe { sys::uv_hrtime() }
}

/// Whether anything keeps the loop running.
pub fn alive() -> bool {
    // SAFETY: as in `run`.
    unsafe { sys::uv_loop_alive(raw()) != 0 }
}

/// Nanoseconds that the loop has waited for events.
pub fn idle_time() -> u64 {
    // SAFETY: as in `run`.
    unsafe { sys::uv_metrics_idle_time(raw()) }
}

/// How many rounds the loop made, how many events it handled, and how many of them had been waiting.
pub fn metrics() -> [u64; 3] {
    // SAFETY: as in `run`; plain numbers may be zero before libuv fills them in.
    unsafe {
        let mut metrics: sys::uv_metrics_t = std::mem::zeroed();
        sys::uv_metrics_info(raw(), &raw mut metrics);
        [metrics.loop_count, metrics.events, metrics.events_waiting]
    }
}

/// Has [`run`] return after the round that it is in.
pub fn stop() {
    // SAFETY: as in `run`.
    unsafe { sys::uv_stop(raw()) }
}

/// Closes all handles of this thread's loop, and runs it until everything that was under way is over.
pub fn wind_up() {
    timers::stop();
    // SAFETY: as in `run`. The callback closes handles, which is allowed while they are walked over.
    unsafe {
        sys::uv_walk(raw(), Some(close_handle), std::ptr::null_mut());
        while sys::uv_run(raw(), sys::uv_run_mode_UV_RUN_DEFAULT) != 0 {}
    }
}

unsafe extern "C" fn close_handle(raw: *mut sys::uv_handle_t, _: *mut c_void) {
    // SAFETY: the timers' handles are closing by now; all others are of `Handle`, whose memory lives until its close
    // callback.
    unsafe { handle::close_raw(raw) }
}

/// Frees the loop of this thread, which must have been wound up. The thread must not ask for it again.
pub fn close() {
    let event_loop = raw();
    // SAFETY: as in `run`. A loop that something still refers to is not closed, and then its memory stays.
    unsafe {
        if sys::uv_loop_close(event_loop) == 0 {
            drop(Box::from_raw(event_loop));
        }
    }
}

/// A loop that other threads can ask how long it has waited.
#[derive(Clone)]
pub struct Watched(Arc<Mutex<Option<LoopPointer>>>);

struct LoopPointer(*mut sys::uv_loop_t);

// SAFETY: the pointer is only used under the lock, for a function of libuv that any thread may call.
unsafe impl Send for LoopPointer {}

impl Watched {
    /// This thread's loop. It must not be closed before [`Watched::forget`] was called.
    pub fn new() -> Self {
        Watched(Arc::new(Mutex::new(Some(LoopPointer(raw())))))
    }

    /// Nanoseconds that the loop has waited for events.
    pub fn idle_time(&self) -> Option<u64> {
        let pointer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the loop is open as long as the pointer is there, and libuv guards the number with a lock.
        pointer.as_ref().map(|pointer| unsafe { sys::uv_metrics_idle_time(pointer.0) })
    }

    /// The loop is about to be closed.
    pub fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Default for Watched {
    fn default() -> Self {
        Self::new()
    }
}
