//! Work for libuv's thread pool.

use std::cell::Cell;
use std::rc::Rc;

use libuv_sys2 as sys;

use super::event_loop;

/// What the work left: `None` when it was cancelled before it began.
pub type Outcome<T> = Option<T>;

struct Job<T> {
    request: sys::uv_work_t,
    work: Option<Box<dyn FnOnce() -> T + Send>>,
    result: Option<T>,
    done: Option<Box<dyn FnOnce(Outcome<T>)>>,
    pending: Pending,
}

/// A request that may still be cancelled.
#[derive(Clone, Default)]
pub struct Pending(Rc<Cell<*mut sys::uv_req_t>>);

impl Pending {
    /// A request in flight. The one who makes it calls [`Pending::finish`] before the request goes.
    pub(super) fn of(request: *mut sys::uv_req_t) -> Self {
        Pending(Rc::new(Cell::new(request)))
    }

    /// The request is no more.
    pub(super) fn finish(&self) {
        self.0.set(std::ptr::null_mut());
    }

    /// Tries to take the request back. It completes in any case: with an error if this worked.
    pub fn cancel(&self) {
        if !self.0.get().is_null() {
            // SAFETY: `finish` clears the pointer before the request is freed, on this very thread.
            unsafe { sys::uv_cancel(self.0.get()) };
        }
    }
}

/// Runs `work` on a thread of the pool, then `done` on this one, from the event loop.
pub fn queue<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
    done: impl FnOnce(Outcome<T>) + 'static,
) -> Pending {
    // SAFETY: a `uv_work_t` may be zero before libuv fills it. The box keeps its address until `after`, which libuv
    // calls exactly once, frees it; the other thread touches only `work` and `result`, and this one leaves them alone
    // until then.
    unsafe {
        let job = Box::into_raw(Box::new(Job {
            request: std::mem::zeroed(),
            work: Some(Box::new(work)),
            result: None,
            done: Some(Box::new(done)),
            pending: Pending::default(),
        }));
        let pending = Pending::of((&raw mut (*job).request).cast());
        (*job).pending = pending.clone();
        (*job).request.data = job.cast();
        let result = sys::uv_queue_work(event_loop::raw(), &raw mut (*job).request, Some(run::<T>), Some(after::<T>));
        // It fails only without a callback.
        debug_assert_eq!(result, 0);
        pending
    }
}

unsafe extern "C" fn run<T>(request: *mut sys::uv_work_t) {
    // SAFETY: `queue` made the request and its job; see there.
    unsafe {
        let job = (*request).data.cast::<Job<T>>();
        if let Some(work) = (*job).work.take() {
            (*job).result = Some(work());
        }
    }
}

unsafe extern "C" fn after<T>(request: *mut sys::uv_work_t, _status: i32) {
    // SAFETY: as in `run`; libuv is done with the request.
    let job = unsafe { Box::from_raw((*request).data.cast::<Job<T>>()) };
    job.pending.finish();
    if let Some(done) = job.done {
        done(job.result);
    }
}
