//! The layer over libuv: the only place that calls it.

pub mod event_loop;
pub mod fs;
pub mod stream;
pub mod timers;

use std::ffi::CStr;

/// The name of a libuv error, such as `ENOENT`.
pub fn error_name(errno: i32) -> String {
    // SAFETY: libuv gives a string that lives for ever for each number that it knows; for others it
    // allocates one, which is small and rare.
    unsafe { CStr::from_ptr(libuv_sys2::uv_err_name(errno)) }.to_string_lossy().into_owned()
}

/// The text of a libuv error, such as `no such file or directory`.
pub fn error_message(errno: i32) -> String {
    // SAFETY: as in `error_name`.
    unsafe { CStr::from_ptr(libuv_sys2::uv_strerror(errno)) }.to_string_lossy().into_owned()
}
