//! Watching for signals.

use std::ffi::c_int;

use libuv_sys2 as sys;

use super::handle::{Handle, Kind, OnNumber, storage_of};

impl Handle {
    /// A watcher of a signal.
    pub fn signal() -> Result<Handle, c_int> {
        // SAFETY: the function initializes the memory; when it fails it has not touched it.
        unsafe { Handle::create(Kind::Signal, |event_loop, raw| sys::uv_signal_init(event_loop, raw.cast())) }
    }

    /// Watches for `signal`. Returns a libuv error or 0.
    pub fn signal_start(&self, signal: c_int, on_signal: OnNumber) -> c_int {
        if self.kind() != Kind::Signal || self.is_closing() {
            return sys::uv_errno_t_UV_EINVAL;
        }
        *self.storage().on_number.borrow_mut() = Some(on_signal);
        // SAFETY: the handle is an initialized signal watcher.
        unsafe { sys::uv_signal_start(self.raw(), Some(signalled), signal) }
    }

    /// Stops to watch. Returns a libuv error or 0.
    pub fn signal_stop(&self) -> c_int {
        if self.kind() != Kind::Signal || self.is_closing() {
            return sys::uv_errno_t_UV_EINVAL;
        }
        // SAFETY: the handle is an initialized signal watcher.
        unsafe { sys::uv_signal_stop(self.raw()) }
    }
}

unsafe extern "C" fn signalled(raw: *mut sys::uv_signal_t, signal: c_int) {
    // SAFETY: only handles of `Handle::signal_start` have this callback, and none is freed inside one.
    let on_signal = unsafe { storage_of(raw) }.on_number.borrow().clone();
    if let Some(on_signal) = on_signal {
        on_signal(signal);
    }
}

/// A signal's name, such as `SIGTERM`; empty for numbers that have none.
pub fn name(signal: c_int) -> &'static str {
    match signal {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGUSR1 => "SIGUSR1",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGUSR2 => "SIGUSR2",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGALRM => "SIGALRM",
        libc::SIGTERM => "SIGTERM",
        libc::SIGCHLD => "SIGCHLD",
        libc::SIGSTKFLT => "SIGSTKFLT",
        libc::SIGCONT => "SIGCONT",
        libc::SIGSTOP => "SIGSTOP",
        libc::SIGTSTP => "SIGTSTP",
        libc::SIGTTIN => "SIGTTIN",
        libc::SIGTTOU => "SIGTTOU",
        libc::SIGURG => "SIGURG",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGXFSZ => "SIGXFSZ",
        libc::SIGVTALRM => "SIGVTALRM",
        libc::SIGPROF => "SIGPROF",
        libc::SIGWINCH => "SIGWINCH",
        libc::SIGIO => "SIGIO",
        libc::SIGPWR => "SIGPWR",
        libc::SIGSYS => "SIGSYS",
        _ => "",
    }
}
