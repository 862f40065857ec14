//! The process's environment variables.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

/// What C sees of `bytes`: they end at the first zero.
fn c_text(bytes: &[u8]) -> &OsStr {
    OsStr::from_bytes(bytes.split(|&byte| byte == 0).next().unwrap_or_default())
}

/// Whether the system has variables of this name.
fn is_name(name: &OsStr) -> bool {
    !name.is_empty() && !name.as_bytes().contains(&b'=')
}

/// The value of a variable.
pub fn get(name: &[u8]) -> Option<OsString> {
    let name = c_text(name);
    is_name(name).then(|| std::env::var_os(name)).flatten()
}

/// Sets a variable. What cannot be the name of one is ignored.
pub fn set(name: &[u8], value: &[u8]) {
    let name = c_text(name);
    if is_name(name) {
        // SAFETY: Rust's own readers take the same lock. Of the libraries that read the environment behind its
        // back, libuv does so on this thread, and none keeps a pointer into it.
        unsafe { std::env::set_var(name, c_text(value)) }
    }
}

/// Removes a variable.
pub fn remove(name: &[u8]) {
    let name = c_text(name);
    if is_name(name) {
        // SAFETY: as in `set`.
        unsafe { std::env::remove_var(name) }
    }
}

/// All variables' names and values.
pub fn all() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os()
}
