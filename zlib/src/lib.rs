//! The compressor that Node uses: deflate as Chromium's zlib has it. What comes out is what comes out of Node.
//!
//! The functions are those of `zlib.h`, and are called as it says.

use std::ffi::{c_char, c_int, c_uint, c_ulong, c_void};

/// `z_stream`
#[repr(C)]
pub struct Stream {
    /// `next_in`
    pub next_in: *const u8,
    /// `avail_in`
    pub available_in: c_uint,
    /// `total_in`
    pub total_in: c_ulong,
    /// `next_out`
    pub next_out: *mut u8,
    /// `avail_out`
    pub available_out: c_uint,
    /// `total_out`
    pub total_out: c_ulong,
    /// `msg`
    pub message: *const c_char,
    state: *mut c_void,
    /// `zalloc`
    pub allocate: Option<extern "C" fn(*mut c_void, c_uint, c_uint) -> *mut c_void>,
    /// `zfree`
    pub free: Option<extern "C" fn(*mut c_void, *mut c_void)>,
    /// `opaque`
    pub opaque: *mut c_void,
    /// `data_type`
    pub data_type: c_int,
    /// `adler`
    pub adler: c_ulong,
    reserved: c_ulong,
}

unsafe extern "C" {
    /// `deflateInit2`, with the version and the size of `z_stream` that the caller knows.
    #[link_name = "Cr_z_deflateInit2_"]
    pub fn deflate_init(
        stream: *mut Stream,
        level: c_int,
        method: c_int,
        window_bits: c_int,
        memory_level: c_int,
        strategy: c_int,
        version: *const c_char,
        size: c_int,
    ) -> c_int;
    /// `deflate`
    #[link_name = "Cr_z_deflate"]
    pub fn deflate(stream: *mut Stream, flush: c_int) -> c_int;
    /// `deflateEnd`
    #[link_name = "Cr_z_deflateEnd"]
    pub fn deflate_end(stream: *mut Stream) -> c_int;
    /// `deflateReset`
    #[link_name = "Cr_z_deflateReset"]
    pub fn deflate_reset(stream: *mut Stream) -> c_int;
    /// `deflateParams`
    #[link_name = "Cr_z_deflateParams"]
    pub fn deflate_params(stream: *mut Stream, level: c_int, strategy: c_int) -> c_int;
    /// `deflateSetDictionary`
    #[link_name = "Cr_z_deflateSetDictionary"]
    pub fn deflate_set_dictionary(stream: *mut Stream, dictionary: *const u8, length: c_uint) -> c_int;
}
