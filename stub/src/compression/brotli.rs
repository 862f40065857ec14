//! Brotli.

use std::ffi::CStr;
use std::ptr::{NonNull, null_mut};

use kiln_brotli as sys;

use super::{Engine, Problem, Process, Transfer};

/// The operation that ends a stream: `BROTLI_OPERATION_FINISH`.
const FINISH: i32 = sys::OPERATION_FINISH;

/// A parameter that the program left alone.
const UNSET: u32 = u32::MAX;

/// A stream that compresses.
pub struct BrotliEncoder {
    state: NonNull<sys::Encoder>,
    prepared: *mut sys::Dictionary,
    parameters: Vec<u32>,
    /// Brotli points into it.
    dictionary: Vec<u8>,
    failed: bool,
}

// SAFETY: the state is reached only through this value, and Brotli does not care which thread that is.
unsafe impl Send for BrotliEncoder {}

impl BrotliEncoder {
    /// A stream with parameters by their numbers. `None` when Brotli refuses one of them.
    pub fn new(parameters: Vec<u32>, dictionary: Vec<u8>) -> Option<BrotliEncoder> {
        // SAFETY: without functions of ours Brotli allocates by itself.
        let state = NonNull::new(unsafe { sys::encoder_create(None, None, null_mut()) })?;
        let mut encoder = BrotliEncoder { state, prepared: null_mut(), parameters, dictionary, failed: false };
        encoder.set_up().then_some(encoder)
    }

    fn set_up(&mut self) -> bool {
        let state = self.state.as_ptr();
        // SAFETY: the state is a fresh one; the dictionary lives as long as it.
        unsafe {
            let set = self.parameters.iter().enumerate().filter(|(_, value)| **value != UNSET);
            for (parameter, value) in set {
                if sys::encoder_set_parameter(state, parameter as i32, *value) == 0 {
                    return false;
                }
            }
            if self.dictionary.is_empty() {
                return true;
            }
            self.prepared = sys::encoder_prepare_dictionary(
                sys::SHARED_DICTIONARY_RAW,
                self.dictionary.len(),
                self.dictionary.as_ptr(),
                sys::MAX_QUALITY,
                None,
                None,
                null_mut(),
            );
            !self.prepared.is_null() && sys::encoder_attach_dictionary(state, self.prepared) != 0
        }
    }

    fn destroy(&mut self) {
        // SAFETY: both are used for the last time; the state goes first, for it refers to the dictionary.
        unsafe {
            sys::encoder_destroy(self.state.as_ptr());
            if !self.prepared.is_null() {
                sys::encoder_destroy_dictionary(self.prepared);
                self.prepared = null_mut();
            }
        }
    }
}

impl Process for BrotliEncoder {
    unsafe fn process(&mut self, transfer: &mut Transfer, flush: i32) {
        let Transfer { input, available_in, output, available_out } = transfer;
        // SAFETY: the state is valid, and the caller says that the memory is; Brotli moves pointers and counts along.
        let result = unsafe {
            let state = self.state.as_ptr();
            sys::encoder_compress(state, flush, available_in, input, available_out, output, null_mut())
        };
        self.failed = result == 0;
    }
}

impl Engine for BrotliEncoder {
    fn problem(&self) -> Option<Problem> {
        self.failed.then(|| Problem::new("Compression failed", "ERR_BROTLI_COMPRESSION_FAILED", -1))
    }

    fn reset(&mut self) -> Option<Problem> {
        let fresh = BrotliEncoder::new(self.parameters.clone(), std::mem::take(&mut self.dictionary));
        match fresh {
            Some(fresh) => {
                *self = fresh;
                None
            }
            None => Some(Problem::new("Could not initialize Brotli instance", "ERR_ZLIB_INITIALIZATION_FAILED", -1)),
        }
    }
}

impl Drop for BrotliEncoder {
    fn drop(&mut self) {
        self.destroy();
    }
}

/// A stream that decompresses.
pub struct BrotliDecoder {
    state: NonNull<sys::Decoder>,
    parameters: Vec<u32>,
    /// Brotli points into it.
    dictionary: Vec<u8>,
    flush: i32,
    result: i32,
}

// SAFETY: as for the encoder.
unsafe impl Send for BrotliDecoder {}

impl BrotliDecoder {
    /// A stream with parameters by their numbers. `None` when Brotli refuses one of them.
    pub fn new(parameters: Vec<u32>, dictionary: Vec<u8>) -> Option<BrotliDecoder> {
        // SAFETY: without functions of ours Brotli allocates by itself.
        let state = NonNull::new(unsafe { sys::decoder_create(None, None, null_mut()) })?;
        let result = sys::RESULT_SUCCESS;
        let decoder = BrotliDecoder { state, parameters, dictionary, flush: 0, result };
        decoder.set_up().then_some(decoder)
    }

    fn set_up(&self) -> bool {
        let state = self.state.as_ptr();
        // SAFETY: the state is a fresh one; the dictionary lives as long as it.
        unsafe {
            let set = self.parameters.iter().enumerate().filter(|(_, value)| **value != UNSET);
            for (parameter, value) in set {
                if sys::decoder_set_parameter(state, parameter as i32, *value) == 0 {
                    return false;
                }
            }
            let raw = sys::SHARED_DICTIONARY_RAW;
            let (length, start) = (self.dictionary.len(), self.dictionary.as_ptr());
            length == 0 || sys::decoder_attach_dictionary(state, raw, length, start) != 0
        }
    }
}

impl Process for BrotliDecoder {
    unsafe fn process(&mut self, transfer: &mut Transfer, flush: i32) {
        self.flush = flush;
        let Transfer { input, available_in, output, available_out } = transfer;
        // SAFETY: the state is valid, and the caller says that the memory is; Brotli moves pointers and counts along.
        self.result = unsafe {
            let state = self.state.as_ptr();
            sys::decoder_decompress(state, available_in, input, available_out, output, null_mut())
        };
    }
}

impl Engine for BrotliDecoder {
    fn problem(&self) -> Option<Problem> {
        match self.result {
            sys::RESULT_ERROR => {
                // SAFETY: the state is valid, and the text lives for ever.
                let (code, name) = unsafe {
                    let code = sys::decoder_error_code(self.state.as_ptr());
                    (code, CStr::from_ptr(sys::decoder_error_name(code)).to_string_lossy())
                };
                Some(Problem::new("Decompression failed", &format!("ERR_{name}"), code))
            }
            sys::RESULT_NEEDS_MORE_INPUT if self.flush == FINISH => Some(Problem::unexpected_end()),
            _ => None,
        }
    }

    fn reset(&mut self) -> Option<Problem> {
        match BrotliDecoder::new(self.parameters.clone(), std::mem::take(&mut self.dictionary)) {
            Some(fresh) => {
                *self = fresh;
                None
            }
            None => Some(Problem::new("Could not initialize Brotli instance", "ERR_ZLIB_INITIALIZATION_FAILED", -1)),
        }
    }
}

impl Drop for BrotliDecoder {
    fn drop(&mut self) {
        // SAFETY: it is used for the last time.
        unsafe { sys::decoder_destroy(self.state.as_ptr()) };
    }
}
