//! Signals.

use std::ffi::c_int;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::emulate_default_handler;

/// Who sent a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A process, to this one.
    Process,
    /// The kernel, which does so for a terminal: to all that run there.
    Terminal,
}

/// Calls `act` for each signal that would end this process, on a thread of its own.
pub fn watch(act: impl Fn(c_int, Origin) + Send + 'static) {
    // Without the watch, a signal ends the process at once: no reason not to go on.
    let Ok(mut signals) = SignalsInfo::<WithOrigin>::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2]) else {
        return;
    };
    thread::spawn(move || {
        for origin in &mut signals {
            let from = if origin.process.is_some() { Origin::Process } else { Origin::Terminal };
            act(origin.signal, from);
        }
    });
}

/// Sends a signal to a process.
pub fn send(process: c_int, signal: c_int) {
    // SAFETY: no memory is involved.
    unsafe { libc::kill(process, signal) };
}

/// Ends this process as `signal` does by itself.
pub fn die_of(signal: c_int) {
    // For a signal that does not end a process, and if all else fails: the exit code that a shell would make of it.
    let _ = emulate_default_handler(signal);
    std::process::exit(128 + signal);
}
