//! One libuv loop for each thread.

use std::cell::OnceCell;

use libuv_sys2 as sys;

thread_local! {
    static LOOP: OnceCell<*mut sys::uv_loop_t> = const { OnceCell::new() };
}

/// The loop of this thread, made when first asked for. It lives until the process ends.
pub fn raw() -> *mut sys::uv_loop_t {
    LOOP.with(|slot| {
        *slot.get_or_init(|| {
            // SAFETY: a `uv_loop_t` may be zero before `uv_loop_init`, which fills it; the box gives it
            // an address for ever.
            unsafe {
                let event_loop: *mut sys::uv_loop_t = Box::into_raw(Box::new(std::mem::zeroed()));
                let result = sys::uv_loop_init(event_loop);
                assert_eq!(result, 0, "the event loop can't be made: {}", super::error_message(result));
                sys::uv_loop_configure(event_loop, sys::uv_loop_option_UV_METRICS_IDLE_TIME);
                event_loop
            }
        })
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
