//! The stub: the front part of every executable that Kiln makes.

// Rust's own preparations (a handler for stack overflows, checked descriptors, ignored signals) are undone or repeated
// by Node's, and take time.
#![no_main]

/// Where the C library starts the program. The standard library knows the arguments without being told.
#[unsafe(no_mangle)]
pub extern "C" fn main(_: std::ffi::c_int, _: *const *const std::ffi::c_char) -> std::ffi::c_int {
    kiln_stub::start::main()
}
