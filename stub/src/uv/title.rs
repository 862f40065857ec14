//! What the system shows as the process's name and command line.

use std::ffi::{CString, OsString, c_char, c_int};
use std::os::unix::ffi::OsStringExt as _;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicPtr, Ordering};

use libuv_sys2 as sys;

static COUNT: AtomicI32 = AtomicI32::new(0);
static VALUES: AtomicPtr<*mut c_char> = AtomicPtr::new(ptr::null_mut());

/// Keeps the arguments' place in memory, which is where a title has to be written. The C library calls it before
/// `main` with the same arguments.
#[used]
#[unsafe(link_section = ".init_array")]
static REMEMBER: extern "C" fn(c_int, *mut *mut c_char, *mut *mut c_char) = remember;

extern "C" fn remember(count: c_int, values: *mut *mut c_char, _: *mut *mut c_char) {
    COUNT.store(count, Ordering::Relaxed);
    VALUES.store(values, Ordering::Relaxed);
}

/// Lets libuv have the arguments' memory. Nobody may read the arguments from it later.
pub(super) fn prepare() {
    let (count, values) = (COUNT.load(Ordering::Relaxed), VALUES.load(Ordering::Relaxed));
    if !values.is_null() {
        // SAFETY: these are the arguments of `main`, unchanged; libuv keeps its own copy of the pointers.
        unsafe { sys::uv_setup_args(count, values) };
    }
}

/// The title.
pub fn get() -> OsString {
    let mut buffer = vec![0u8; 512];
    // SAFETY: the buffer is as large as is said.
    while unsafe { sys::uv_get_process_title(buffer.as_mut_ptr().cast(), buffer.len()) } == sys::uv_errno_t_UV_ENOBUFS
        && buffer.len() < 1 << 20
    {
        let length = 2 * buffer.len();
        buffer = vec![0; length];
    }
    buffer.truncate(buffer.iter().position(|&byte| byte == 0).unwrap_or(0));
    OsString::from_vec(buffer)
}

/// Sets the title, as much of it as there is room for.
pub fn set(title: &str) {
    if let Ok(title) = CString::new(title) {
        // SAFETY: the text ends with zero.
        unsafe { sys::uv_set_process_title(title.as_ptr()) };
    }
}
