//! The layer over libuv: the only place that calls it.

pub mod address;
pub mod child;
pub mod environment;
pub mod event_loop;
pub mod fs;
pub mod handle;
pub mod process;
pub mod sampler;
pub mod signal;
pub mod spawn_sync;
pub mod stream;
pub mod system;
pub mod timers;
pub mod title;
pub mod udp;
pub mod wakeup;
pub mod watch;
pub mod work;

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

/// All of libuv's errors on Linux, in the order of its own list.
pub const ERRORS: &[i32] = &[
    -7, -13, -98, -99, -97, -11, -3000, -3001, -3002, -3013, -3003, -3004, -3005, -3006, -3007, -3008, -3009, -3014,
    -3010, -3011, -114, -9, -16, -125, -4080, -103, -111, -104, -89, -17, -14, -27, -113, -4, -22, -5, -106, -21, -40,
    -24, -90, -36, -100, -101, -23, -105, -19, -2, -12, -64, -92, -28, -38, -107, -20, -39, -88, -95, -75, -1, -32,
    -71, -93, -91, -34, -30, -108, -29, -3, -110, -26, -18, -4094, -4095, -6, -31, -112, -121, -25, -4028, -84, -94,
    -61, -49, -8,
];
