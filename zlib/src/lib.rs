//! The zlib that Node uses, Chromium's: what comes out of it is what comes out of Node, and it takes as long.
//!
//! The functions are those of `zlib.h`, and are called as it says.

use std::ffi::{CStr, c_char, c_int, c_uint, c_ulong, c_void};
use std::ptr;

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

/// The version whose structures these are.
pub const VERSION: &CStr = c"1.2.13";

/// `Z_NO_FLUSH`
pub const NO_FLUSH: c_int = 0;
/// `Z_FINISH`
pub const FINISH: c_int = 4;
/// `Z_DEFLATED`
pub const DEFLATED: c_int = 8;

/// `Z_OK`
pub const OK: c_int = 0;
/// `Z_STREAM_END`
pub const STREAM_END: c_int = 1;
/// `Z_NEED_DICT`
pub const NEED_DICT: c_int = 2;
/// `Z_ERRNO`
pub const ERRNO: c_int = -1;
/// `Z_STREAM_ERROR`
pub const STREAM_ERROR: c_int = -2;
/// `Z_DATA_ERROR`
pub const DATA_ERROR: c_int = -3;
/// `Z_MEM_ERROR`
pub const MEM_ERROR: c_int = -4;
/// `Z_BUF_ERROR`
pub const BUF_ERROR: c_int = -5;
/// `Z_VERSION_ERROR`
pub const VERSION_ERROR: c_int = -6;

impl Stream {
    /// A stream as it is before one of the functions initializes it.
    pub fn new(
        allocate: extern "C" fn(*mut c_void, c_uint, c_uint) -> *mut c_void,
        free: extern "C" fn(*mut c_void, *mut c_void),
    ) -> Stream {
        Stream {
            next_in: ptr::null(),
            available_in: 0,
            total_in: 0,
            next_out: ptr::null_mut(),
            available_out: 0,
            total_out: 0,
            message: ptr::null(),
            state: ptr::null_mut(),
            allocate: Some(allocate),
            free: Some(free),
            opaque: ptr::null_mut(),
            data_type: 0,
            adler: 0,
            reserved: 0,
        }
    }
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
    /// `inflateInit2`, with the version and the size of `z_stream` that the caller knows.
    #[link_name = "Cr_z_inflateInit2_"]
    pub fn inflate_init(stream: *mut Stream, window_bits: c_int, version: *const c_char, size: c_int) -> c_int;
    /// `inflate`
    #[link_name = "Cr_z_inflate"]
    pub fn inflate(stream: *mut Stream, flush: c_int) -> c_int;
    /// `inflateEnd`
    #[link_name = "Cr_z_inflateEnd"]
    pub fn inflate_end(stream: *mut Stream) -> c_int;
    /// `inflateReset`
    #[link_name = "Cr_z_inflateReset"]
    pub fn inflate_reset(stream: *mut Stream) -> c_int;
    /// `inflateSetDictionary`
    #[link_name = "Cr_z_inflateSetDictionary"]
    pub fn inflate_set_dictionary(stream: *mut Stream, dictionary: *const u8, length: c_uint) -> c_int;
    /// `crc32_z`
    #[link_name = "Cr_z_crc32_z"]
    pub fn crc32(start: c_ulong, bytes: *const u8, length: usize) -> c_ulong;
}
