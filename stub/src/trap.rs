//! Traps: what keeps native functions that touch the world from running while modules are evaluated at
//! build time.

use std::cell::Cell;

use v8::fast_api::FastApiCallbackOptions;

thread_local! {
    static ARMED: Cell<bool> = const { Cell::new(false) };
}

/// Arms or disarms the traps of this thread. They are disarmed while Node's own library is set up,
/// which keeps its state apart by itself, and at run time.
pub fn arm(armed: bool) {
    ARMED.set(armed);
}

/// As [`spring`], for a fast call.
pub fn spring_fast(options: &FastApiCallbackOptions, function: &str) -> bool {
    ARMED.get() && {
        // SAFETY: V8 gave the options to the function that it is calling.
        v8::callback_scope!(unsafe scope, options);
        spring(scope, function)
    }
}

/// Throws in `scope` and returns true when traps are armed and `function` must not run.
pub fn spring(scope: &mut v8::PinScope, function: &str) -> bool {
    let armed = ARMED.get();
    if armed {
        crate::errors::throw_error(scope, &format!("{function} can't run at build time"));
    }
    armed
}
