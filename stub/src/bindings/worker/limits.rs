//! How much memory a worker may use: `resourceLimits`.

use std::ffi::c_void;
use std::sync::Arc;

use v8::{CreateParams, Isolate};

use super::control::Control;
use crate::thread::Worker;
use crate::uv::{process, system};

unsafe extern "C" {
    // `v8::Isolate::SetStackLimit(uintptr_t)`, which the crate does not have: it has only a parameter for new isolates,
    // which V8's flag for the size of stacks takes precedence of.
    #[link_name = "_ZN2v87Isolate13SetStackLimitEm"]
    fn set_stack_limit(isolate: *mut c_void, address: usize);
}

const MIB: f64 = 1048576.0;

/// `[kMaxYoungGenerationSizeMb, kMaxOldGenerationSizeMb, kCodeRangeSizeMb, kStackSizeMb]`; what is not positive is up to
/// V8.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits(pub [f64; 4]);

/// The stack of a worker, unless a size is asked for, in MiB.
const STACK: f64 = 4.0;
/// What native code has of the stack besides, in bytes.
const RESERVE: usize = 192 * 1024;
/// What a thread gets beyond the size that is asked for: native code of ours may need more than Node's does.
const EXTRA: usize = 1 << 20;

impl Limits {
    /// The limits as they will be, with V8's own where none were set.
    pub fn effective(mut self) -> Limits {
        let defaults = Limits::defaults();
        let defaults = [
            defaults.max_young_generation_size_in_bytes() as f64 / MIB,
            defaults.max_old_generation_size_in_bytes() as f64 / MIB,
            defaults.code_range_size_in_bytes() as f64 / MIB,
            STACK,
        ];
        for (limit, default) in self.0.iter_mut().zip(defaults) {
            if limit.is_nan() || *limit <= 0.0 {
                *limit = default;
            }
        }
        // A stack that native code alone would fill is none.
        if self.0[3] * MIB < RESERVE as f64 {
            self.0[3] = STACK;
        }
        self
    }

    fn defaults() -> CreateParams {
        let memory = system::memory::usable();
        let params = CreateParams::default();
        if memory > 0 { params.heap_limits_from_system_memory(memory, 0) } else { params }
    }

    /// Sets the limits of a new isolate.
    pub fn apply(&self, params: CreateParams) -> CreateParams {
        let bytes = |limit: f64| (limit * MIB) as usize;
        let [young, old, code, _] = self.0;
        let params = params.set_max_young_generation_size_in_bytes(bytes(young));
        let params = params.set_max_old_generation_size_in_bytes(bytes(old));
        if code > 0.0 { params.set_code_range_size_in_bytes(bytes(code)) } else { params }
    }

    /// How large the thread's stack has to be, in bytes.
    pub fn thread_stack(&self) -> usize {
        (self.0[3] * MIB) as usize + EXTRA
    }

    /// How much of the stack JavaScript can use, in bytes.
    pub fn script_stack(&self) -> usize {
        (self.0[3] * MIB) as usize - RESERVE
    }
}

/// Has a new isolate, which is entered on its own thread, keep to the limits of `worker`.
pub fn install(isolate: &mut Isolate, worker: &Worker) {
    // The thread has the control for longer than the isolate.
    isolate.add_near_heap_limit_callback(near_heap_limit, Arc::as_ptr(&worker.control).cast_mut().cast());
    let lowest = process::stack_position() - worker.limits.script_stack();
    // SAFETY: the pointer is that of the isolate; the thread was given a stack of at least this size.
    unsafe {
        let isolate: *mut c_void = std::mem::transmute(isolate.as_raw_isolate_ptr());
        set_stack_limit(isolate, lowest);
    }
}

/// What V8 calls when the heap of a worker is full: the worker ends, and needs some more memory for that. `data` is a
/// pointer to the worker's [`Control`].
unsafe extern "C" fn near_heap_limit(data: *mut c_void, current: usize, _: usize) -> usize {
    /// Enough for a garbage collection to end and for the program to get out.
    const LEEWAY: usize = 16 << 20;
    // SAFETY: `install` registered it with this pointer.
    let control = unsafe { &*data.cast::<Control>() };
    control.exit(1, Some(("ERR_WORKER_OUT_OF_MEMORY", "JS heap out of memory".to_owned())));
    current + LEEWAY
}
