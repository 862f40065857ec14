//! The Brotli that Node uses: what comes out of it is what comes out of Node.
//!
//! The functions are those of `brotli/encode.h` and `brotli/decode.h`, and are called as these say.

use std::ffi::{c_char, c_int, c_void};

/// `BROTLI_OPERATION_FINISH`
pub const OPERATION_FINISH: c_int = 2;
/// `BROTLI_MAX_QUALITY`
pub const MAX_QUALITY: c_int = 11;
/// `BROTLI_SHARED_DICTIONARY_RAW`
pub const SHARED_DICTIONARY_RAW: c_int = 0;
/// `BROTLI_DECODER_RESULT_ERROR`
pub const RESULT_ERROR: c_int = 0;
/// `BROTLI_DECODER_RESULT_SUCCESS`
pub const RESULT_SUCCESS: c_int = 1;
/// `BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT`
pub const RESULT_NEEDS_MORE_INPUT: c_int = 2;

/// `brotli_alloc_func`
pub type Allocate = Option<extern "C" fn(opaque: *mut c_void, size: usize) -> *mut c_void>;
/// `brotli_free_func`
pub type Free = Option<extern "C" fn(opaque: *mut c_void, address: *mut c_void)>;

/// `BrotliEncoderState`
#[repr(C)]
pub struct Encoder {
    private: [u8; 0],
}
/// `BrotliEncoderPreparedDictionary`
#[repr(C)]
pub struct Dictionary {
    private: [u8; 0],
}
/// `BrotliDecoderState`
#[repr(C)]
pub struct Decoder {
    private: [u8; 0],
}

unsafe extern "C" {
    /// `BrotliEncoderCreateInstance`
    #[link_name = "BrotliEncoderCreateInstance"]
    pub fn encoder_create(allocate: Allocate, free: Free, opaque: *mut c_void) -> *mut Encoder;
    /// `BrotliEncoderDestroyInstance`
    #[link_name = "BrotliEncoderDestroyInstance"]
    pub fn encoder_destroy(state: *mut Encoder);
    /// `BrotliEncoderSetParameter`
    #[link_name = "BrotliEncoderSetParameter"]
    pub fn encoder_set_parameter(state: *mut Encoder, parameter: c_int, value: u32) -> c_int;
    /// `BrotliEncoderPrepareDictionary`
    #[link_name = "BrotliEncoderPrepareDictionary"]
    pub fn encoder_prepare_dictionary(
        kind: c_int,
        size: usize,
        data: *const u8,
        quality: c_int,
        allocate: Allocate,
        free: Free,
        opaque: *mut c_void,
    ) -> *mut Dictionary;
    /// `BrotliEncoderDestroyPreparedDictionary`
    #[link_name = "BrotliEncoderDestroyPreparedDictionary"]
    pub fn encoder_destroy_dictionary(dictionary: *mut Dictionary);
    /// `BrotliEncoderAttachPreparedDictionary`
    #[link_name = "BrotliEncoderAttachPreparedDictionary"]
    pub fn encoder_attach_dictionary(state: *mut Encoder, dictionary: *const Dictionary) -> c_int;
    /// `BrotliEncoderCompressStream`
    #[link_name = "BrotliEncoderCompressStream"]
    pub fn encoder_compress(
        state: *mut Encoder,
        operation: c_int,
        available_in: *mut usize,
        next_in: *mut *const u8,
        available_out: *mut usize,
        next_out: *mut *mut u8,
        total_out: *mut usize,
    ) -> c_int;
    /// `BrotliDecoderCreateInstance`
    #[link_name = "BrotliDecoderCreateInstance"]
    pub fn decoder_create(allocate: Allocate, free: Free, opaque: *mut c_void) -> *mut Decoder;
    /// `BrotliDecoderDestroyInstance`
    #[link_name = "BrotliDecoderDestroyInstance"]
    pub fn decoder_destroy(state: *mut Decoder);
    /// `BrotliDecoderSetParameter`
    #[link_name = "BrotliDecoderSetParameter"]
    pub fn decoder_set_parameter(state: *mut Decoder, parameter: c_int, value: u32) -> c_int;
    /// `BrotliDecoderAttachDictionary`
    #[link_name = "BrotliDecoderAttachDictionary"]
    pub fn decoder_attach_dictionary(state: *mut Decoder, kind: c_int, size: usize, data: *const u8) -> c_int;
    /// `BrotliDecoderDecompressStream`
    #[link_name = "BrotliDecoderDecompressStream"]
    pub fn decoder_decompress(
        state: *mut Decoder,
        available_in: *mut usize,
        next_in: *mut *const u8,
        available_out: *mut usize,
        next_out: *mut *mut u8,
        total_out: *mut usize,
    ) -> c_int;
    /// `BrotliDecoderGetErrorCode`
    #[link_name = "BrotliDecoderGetErrorCode"]
    pub fn decoder_error_code(state: *const Decoder) -> c_int;
    /// `BrotliDecoderErrorString`
    #[link_name = "BrotliDecoderErrorString"]
    pub fn decoder_error_name(code: c_int) -> *const c_char;
}
