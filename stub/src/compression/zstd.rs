//! Zstandard.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::NonNull;

use zstd_sys as sys;

use super::{Engine, Problem, Process, Transfer};

/// A parameter that the program left alone.
const UNSET: u32 = u32::MAX;

/// `ZSTD_CONTENTSIZE_UNKNOWN`
const UNKNOWN_SIZE: u64 = u64::MAX;

// With plain numbers: a program may give any, which the crate's own declarations take for known ones.
unsafe extern "C" {
    #[link_name = "ZSTD_CCtx_setParameter"]
    fn set_compression_parameter(context: *mut sys::ZSTD_CCtx, parameter: c_int, value: c_int) -> usize;
    #[link_name = "ZSTD_DCtx_setParameter"]
    fn set_decompression_parameter(context: *mut sys::ZSTD_DCtx, parameter: c_int, value: c_int) -> usize;
    #[link_name = "ZSTD_getErrorCode"]
    fn error_code(result: usize) -> c_int;
    #[link_name = "ZSTD_getErrorString"]
    fn error_string(code: c_int) -> *const c_char;
}

fn is_error(result: usize) -> bool {
    // SAFETY: it looks at the number alone.
    unsafe { sys::ZSTD_isError(result) != 0 }
}

/// The problem that `result` stands for, if it does.
fn problem_of(result: usize) -> Option<Problem> {
    if !is_error(result) {
        return None;
    }
    // SAFETY: both look at the number alone; the text lives for ever.
    let (code, text) = unsafe {
        let code = error_code(result);
        (code, CStr::from_ptr(error_string(code)).to_string_lossy())
    };
    let name = NAMES.iter().find(|(number, _)| *number == code).map_or("GENERIC", |(_, name)| name);
    Some(Problem::new(&text, &format!("ZSTD_error_{name}"), code))
}

/// The names of `ZSTD_ErrorCode`.
const NAMES: &[(c_int, &str)] = &[
    (1, "GENERIC"),
    (10, "prefix_unknown"),
    (12, "version_unsupported"),
    (14, "frameParameter_unsupported"),
    (16, "frameParameter_windowTooLarge"),
    (20, "corruption_detected"),
    (22, "checksum_wrong"),
    (24, "literals_headerWrong"),
    (30, "dictionary_corrupted"),
    (32, "dictionary_wrong"),
    (34, "dictionaryCreation_failed"),
    (40, "parameter_unsupported"),
    (41, "parameter_combination_unsupported"),
    (42, "parameter_outOfBound"),
    (44, "tableLog_tooLarge"),
    (46, "maxSymbolValue_tooLarge"),
    (48, "maxSymbolValue_tooSmall"),
    (50, "stabilityCondition_notRespected"),
    (60, "stage_wrong"),
    (62, "init_missing"),
    (64, "memory_allocation"),
    (66, "workSpace_tooSmall"),
    (70, "dstSize_tooSmall"),
    (72, "srcSize_wrong"),
    (74, "dstBuffer_null"),
    (80, "noForwardProgress_destFull"),
    (82, "noForwardProgress_inputEmpty"),
];

/// A stream that compresses.
pub struct ZstdCompressor {
    context: NonNull<sys::ZSTD_CCtx>,
    size: u64,
    problem: Option<Problem>,
}

// SAFETY: the context is reached only through this value, and the library does not care which thread that is.
unsafe impl Send for ZstdCompressor {}

impl ZstdCompressor {
    /// A stream with parameters by their numbers, for `size` bytes if that is known. The error is a message.
    pub fn new(parameters: &[u32], size: Option<u64>, dictionary: &[u8]) -> Result<ZstdCompressor, &'static str> {
        // SAFETY: it takes nothing.
        let context = NonNull::new(unsafe { sys::ZSTD_createCCtx() }).ok_or("Could not initialize zstd instance")?;
        let size = size.unwrap_or(UNKNOWN_SIZE);
        let compressor = ZstdCompressor { context, size, problem: None };
        let raw = context.as_ptr();
        // SAFETY: the context is valid; the library copies the dictionary and checks the numbers.
        unsafe {
            if is_error(sys::ZSTD_CCtx_setPledgedSrcSize(raw, size)) {
                return Err("Could not set pledged src size");
            }
            if !dictionary.is_empty()
                && is_error(sys::ZSTD_CCtx_loadDictionary(raw, dictionary.as_ptr().cast(), dictionary.len()))
            {
                return Err("Failed to load zstd dictionary");
            }
            for (parameter, value) in parameters.iter().enumerate().filter(|(_, value)| **value != UNSET) {
                if is_error(set_compression_parameter(raw, parameter as c_int, *value as c_int)) {
                    return Err("Setting parameter failed");
                }
            }
        }
        Ok(compressor)
    }
}

fn output_of(transfer: &Transfer) -> sys::ZSTD_outBuffer {
    sys::ZSTD_outBuffer { dst: transfer.output.cast::<c_void>(), size: transfer.available_out, pos: 0 }
}

fn input_of(transfer: &Transfer) -> sys::ZSTD_inBuffer {
    sys::ZSTD_inBuffer { src: transfer.input.cast::<c_void>(), size: transfer.available_in, pos: 0 }
}

impl Process for ZstdCompressor {
    unsafe fn process(&mut self, transfer: &mut Transfer, flush: i32) {
        let directive = match flush {
            0 => sys::ZSTD_EndDirective::ZSTD_e_continue,
            1 => sys::ZSTD_EndDirective::ZSTD_e_flush,
            _ => sys::ZSTD_EndDirective::ZSTD_e_end,
        };
        // All at once, the library would take the size of the input for the one that was announced.
        let first = sys::ZSTD_EndDirective::ZSTD_e_continue;
        let announced = self.size != UNKNOWN_SIZE && directive != first;
        for directive in announced.then_some(first).into_iter().chain([directive]) {
            let (mut input, mut output) = (input_of(transfer), output_of(transfer));
            // SAFETY: the context is valid, and the caller says that the memory is.
            unsafe {
                let result = sys::ZSTD_compressStream2(self.context.as_ptr(), &mut output, &mut input, directive);
                self.problem = problem_of(result);
                transfer.advance(input.pos, output.pos);
            }
            if self.problem.is_some() {
                return;
            }
        }
    }
}

impl Engine for ZstdCompressor {
    fn problem(&self) -> Option<Problem> {
        self.problem.clone()
    }

    fn reset(&mut self) -> Option<Problem> {
        // SAFETY: the context is valid.
        let result = unsafe {
            let directive = sys::ZSTD_ResetDirective::ZSTD_reset_session_only;
            sys::ZSTD_CCtx_reset(self.context.as_ptr(), directive);
            sys::ZSTD_CCtx_setPledgedSrcSize(self.context.as_ptr(), self.size)
        };
        self.problem = None;
        problem_of(result)
    }
}

impl Drop for ZstdCompressor {
    fn drop(&mut self) {
        // SAFETY: it is used for the last time.
        unsafe { sys::ZSTD_freeCCtx(self.context.as_ptr()) };
    }
}

/// A stream that decompresses, frame by frame.
pub struct ZstdDecompressor {
    context: NonNull<sys::ZSTD_DCtx>,
    /// Between two frames: the bytes that may begin the next one.
    between: Option<Vec<u8>>,
    /// Something else than a frame has followed.
    over: bool,
    ended_early: bool,
    problem: Option<Problem>,
}

// SAFETY: as for the compressor.
unsafe impl Send for ZstdDecompressor {}

/// What a frame begins with.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// What a frame that is skipped begins with; the low half of the first byte is free.
const SKIPPABLE: [u8; 4] = [0x50, 0x2a, 0x4d, 0x18];

fn may_begin_frame(bytes: &[u8]) -> bool {
    let skippable = || {
        let first = bytes.first().is_none_or(|byte| byte & 0xf0 == SKIPPABLE[0]);
        first && bytes.iter().skip(1).zip(&SKIPPABLE[1..]).all(|(byte, expected)| byte == expected)
    };
    MAGIC.starts_with(bytes) || skippable()
}

impl ZstdDecompressor {
    /// A stream with parameters by their numbers. The error is a message.
    pub fn new(parameters: &[u32], dictionary: &[u8]) -> Result<ZstdDecompressor, &'static str> {
        // SAFETY: it takes nothing.
        let context = NonNull::new(unsafe { sys::ZSTD_createDCtx() }).ok_or("Could not initialize zstd instance")?;
        let decompressor = ZstdDecompressor { context, between: None, over: false, ended_early: false, problem: None };
        let raw = context.as_ptr();
        // SAFETY: the context is valid; the library copies the dictionary and checks the numbers.
        unsafe {
            if !dictionary.is_empty()
                && is_error(sys::ZSTD_DCtx_loadDictionary(raw, dictionary.as_ptr().cast(), dictionary.len()))
            {
                return Err("Failed to load zstd dictionary");
            }
            for (parameter, value) in parameters.iter().enumerate().filter(|(_, value)| **value != UNSET) {
                if is_error(set_decompression_parameter(raw, parameter as c_int, *value as c_int)) {
                    return Err("Setting parameter failed");
                }
            }
        }
        Ok(decompressor)
    }

    /// Looks for the start of another frame. True when there is one; the input then goes on behind its magic number.
    ///
    /// # Safety
    ///
    /// As for `process`.
    unsafe fn next_frame(&mut self, transfer: &mut Transfer, is_last: bool) -> bool {
        let Some(mut magic) = self.between.take() else { return true };
        let mut taken = 0;
        while magic.len() < MAGIC.len() && taken < transfer.available_in {
            // SAFETY: within what is available.
            magic.push(unsafe { *transfer.input.add(taken) });
            taken += 1;
            if !may_begin_frame(&magic) {
                self.over = true;
                self.between = Some(Vec::new());
                return false;
            }
        }
        if magic.len() < MAGIC.len() {
            // At the end of everything these bytes are left over.
            if !is_last {
                // SAFETY: so many are available.
                unsafe { transfer.advance(taken, 0) };
            }
            self.between = Some(magic);
            return false;
        }
        let mut input = sys::ZSTD_inBuffer { src: magic.as_ptr().cast(), size: magic.len(), pos: 0 };
        let mut output = output_of(transfer);
        // SAFETY: the context is valid, and so is the memory.
        unsafe {
            transfer.advance(taken, 0);
            let result = sys::ZSTD_decompressStream(self.context.as_ptr(), &mut output, &mut input);
            self.problem = problem_of(result);
        }
        self.problem.is_none()
    }
}

impl Process for ZstdDecompressor {
    unsafe fn process(&mut self, transfer: &mut Transfer, flush: i32) {
        let is_last = flush == sys::ZSTD_EndDirective::ZSTD_e_end as i32;
        self.problem = None;
        // SAFETY: the context is valid, and the caller says that the memory is.
        unsafe {
            while !self.over && self.next_frame(transfer, is_last) {
                let (mut input, mut output) = (input_of(transfer), output_of(transfer));
                let result = sys::ZSTD_decompressStream(self.context.as_ptr(), &mut output, &mut input);
                transfer.advance(input.pos, output.pos);
                self.problem = problem_of(result);
                if result != 0 || self.problem.is_some() {
                    break;
                }
                self.between = Some(Vec::new());
                if transfer.available_in == 0 {
                    break;
                }
            }
        }
        self.ended_early = is_last && self.between.is_none() && transfer.available_out > 0;
    }
}

impl Engine for ZstdDecompressor {
    fn problem(&self) -> Option<Problem> {
        self.problem.clone().or_else(|| self.ended_early.then(Problem::unexpected_end))
    }

    fn reset(&mut self) -> Option<Problem> {
        self.between = None;
        self.over = false;
        self.problem = None;
        // SAFETY: the context is valid.
        let result =
            unsafe { sys::ZSTD_DCtx_reset(self.context.as_ptr(), sys::ZSTD_ResetDirective::ZSTD_reset_session_only) };
        problem_of(result)
    }
}

impl Drop for ZstdDecompressor {
    fn drop(&mut self) {
        // SAFETY: it is used for the last time.
        unsafe { sys::ZSTD_freeDCtx(self.context.as_ptr()) };
    }
}
