//! What the runtime asks of ICU beyond what V8 offers: character properties and decoders.
//!
//! V8's library brings ICU along; these are its C functions, whose names carry its version. Its data has to be set
//! before, see `snapshot::initialize_v8`.

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr;

/// An ICU error, `UErrorCode`: positive for a failure.
pub type ErrorCode = i32;

/// `U_ILLEGAL_ARGUMENT_ERROR`
pub const ILLEGAL_ARGUMENT: ErrorCode = 1;
/// `U_INVALID_CHAR_FOUND`
pub const INVALID_CHARACTER: ErrorCode = 10;

#[repr(C)]
struct RawConverter {
    _opaque: [u8; 0],
}

type ToUnicodeCallback = unsafe extern "C" fn(*const c_void, *mut c_void, *const c_char, i32, i32, *mut ErrorCode);

unsafe extern "C" {
    fn u_charType_78(character: i32) -> i8;
    fn u_hasBinaryProperty_78(character: i32, property: i32) -> i8;
    fn u_getIntPropertyValue_78(character: i32, property: i32) -> i32;
    fn u_errorName_78(code: ErrorCode) -> *const c_char;
    fn ucnv_open_78(name: *const c_char, error: *mut ErrorCode) -> *mut RawConverter;
    fn ucnv_close_78(converter: *mut RawConverter);
    fn ucnv_reset_78(converter: *mut RawConverter);
    fn ucnv_getType_78(converter: *const RawConverter) -> i32;
    fn ucnv_getMinCharSize_78(converter: *const RawConverter) -> i8;
    fn ucnv_toUCountPending_78(converter: *const RawConverter, error: *mut ErrorCode) -> i32;
    fn ucnv_setToUCallBack_78(
        converter: *mut RawConverter,
        action: ToUnicodeCallback,
        context: *const c_void,
        old_action: *mut *mut c_void,
        old_context: *mut *const c_void,
        error: *mut ErrorCode,
    );
    fn UCNV_TO_U_CALLBACK_STOP_78(
        context: *const c_void,
        arguments: *mut c_void,
        units: *const c_char,
        length: i32,
        reason: i32,
        error: *mut ErrorCode,
    );
    fn ucnv_toUnicode_78(
        converter: *mut RawConverter,
        target: *mut *mut u16,
        target_limit: *const u16,
        source: *mut *const c_char,
        source_limit: *const c_char,
        offsets: *mut i32,
        flush: i8,
        error: *mut ErrorCode,
    );
}

/// How wide a character is in a terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Width {
    /// The columns that it takes.
    pub columns: usize,
    /// Whether it takes two among East Asian text.
    pub ambiguous: bool,
}

/// Numbers of ICU's headers `uchar.h` and `ucnv.h`.
mod number {
    pub const EAST_ASIAN_WIDTH: i32 = 0x1004;
    pub const DEFAULT_IGNORABLE: i32 = 5;
    pub const EMOJI_PRESENTATION: i32 = 58;
    pub const EMOJI_MODIFIER: i32 = 59;
    pub const EAW_AMBIGUOUS: i32 = 1;
    pub const EAW_FULLWIDTH: i32 = 3;
    pub const EAW_WIDE: i32 = 5;
    /// Control, format, enclosing and non-spacing characters.
    pub const ZERO_WIDTH_TYPES: [i8; 4] = [15, 16, 7, 6];
    pub const SOFT_HYPHEN: u32 = 0xad;
    pub const CONVERTER_UTF8: i32 = 4;
    pub const CONVERTER_UTF16_BE: i32 = 5;
    pub const CONVERTER_UTF16_LE: i32 = 6;
}

fn has(character: u32, property: i32) -> bool {
    // SAFETY: any number may be asked about.
    unsafe { u_hasBinaryProperty_78(character as i32, property) != 0 }
}

/// Whether a character of an emoji sequence is shown as a part of it.
pub fn joins_emoji(character: u32) -> bool {
    has(character, number::EMOJI_PRESENTATION) || has(character, number::EMOJI_MODIFIER)
}

/// Whether a character is not shown where it is not known, and so needs no substitute.
pub fn is_ignorable(character: u32) -> bool {
    has(character, number::DEFAULT_IGNORABLE)
}

/// The width of a code point.
pub fn width(character: u32) -> Width {
    // SAFETY: any number may be asked about.
    let (kind, width) = unsafe {
        (u_charType_78(character as i32), u_getIntPropertyValue_78(character as i32, number::EAST_ASIAN_WIDTH))
    };
    let no_room = number::ZERO_WIDTH_TYPES.contains(&kind) || has(character, number::EMOJI_MODIFIER);
    let own = if no_room && character != number::SOFT_HYPHEN { 0 } else { 1 };
    match width {
        number::EAW_FULLWIDTH | number::EAW_WIDE => Width { columns: 2, ambiguous: false },
        number::EAW_AMBIGUOUS => Width { columns: own, ambiguous: true },
        _ => Width { columns: own, ambiguous: false },
    }
}

/// The name of an error, such as `U_ILLEGAL_ARGUMENT_ERROR`.
pub fn error_name(code: ErrorCode) -> String {
    // SAFETY: ICU returns a string that lives for ever, for any number.
    unsafe { CStr::from_ptr(u_errorName_78(code)) }.to_string_lossy().into_owned()
}

/// A converter between an encoding and UTF-16, with the state between two chunks.
pub struct Converter {
    raw: *mut RawConverter,
}

impl Converter {
    /// The converter of the encoding `name`.
    pub fn open(name: &str) -> Result<Converter, ErrorCode> {
        let name = CString::new(name).map_err(|_| ILLEGAL_ARGUMENT)?;
        let mut error = 0;
        // SAFETY: both pointers are valid during the call.
        let raw = unsafe { ucnv_open_78(name.as_ptr(), &mut error) };
        match raw.is_null() || error > 0 {
            true => Err(error),
            false => Ok(Converter { raw }),
        }
    }

    /// Makes it fail for invalid bytes, where it else writes U+FFFD.
    pub fn set_fatal(&self) {
        let mut error = 0;
        // SAFETY: the converter is open, and the callback is ICU's own.
        unsafe {
            ucnv_setToUCallBack_78(
                self.raw,
                UCNV_TO_U_CALLBACK_STOP_78,
                ptr::null(),
                ptr::null_mut(),
                ptr::null_mut(),
                &mut error,
            );
        }
    }

    /// Whether the encoding is UTF-8 or UTF-16.
    pub fn is_unicode(&self) -> bool {
        // SAFETY: the converter is open.
        let kind = unsafe { ucnv_getType_78(self.raw) };
        [number::CONVERTER_UTF8, number::CONVERTER_UTF16_BE, number::CONVERTER_UTF16_LE].contains(&kind)
    }

    /// Whether a chunk of UTF-16 that has no flaws is what it converts to: it lies in memory as this machine has code
    /// units, and nothing is left of the chunk before.
    pub fn is_native(&self) -> bool {
        let mut error = 0;
        // SAFETY: the converter is open.
        let (kind, pending) = unsafe { (ucnv_getType_78(self.raw), ucnv_toUCountPending_78(self.raw, &mut error)) };
        kind == number::CONVERTER_UTF16_LE && cfg!(target_endian = "little") && pending == 0 && error <= 0
    }

    /// Forgets what a chunk left over.
    pub fn reset(&self) {
        // SAFETY: the converter is open.
        unsafe { ucnv_reset_78(self.raw) }
    }

    /// Converts a chunk; with `flush` nothing may be left over.
    pub fn decode(&self, bytes: &[u8], flush: bool) -> Result<Vec<u16>, ErrorCode> {
        let mut error = 0;
        // SAFETY: the converter is open, the pointers are those of the slice and of the vector's capacity, and only
        // what ICU wrote is taken.
        unsafe {
            let pending = if flush { ucnv_toUCountPending_78(self.raw, &mut error).max(0) as usize } else { 0 };
            error = 0;
            let smallest = ucnv_getMinCharSize_78(self.raw).max(1) as usize;
            let mut units: Vec<u16> = Vec::with_capacity(2 * smallest * (bytes.len() + pending));
            let start = units.as_mut_ptr();
            let (mut target, mut source) = (start, bytes.as_ptr().cast());
            ucnv_toUnicode_78(
                self.raw,
                &mut target,
                start.add(units.capacity()),
                &mut source,
                bytes.as_ptr().add(bytes.len()).cast(),
                ptr::null_mut(),
                flush.into(),
                &mut error,
            );
            units.set_len(target.offset_from(start) as usize);
            if error > 0 { Err(error) } else { Ok(units) }
        }
    }
}

impl Drop for Converter {
    fn drop(&mut self) {
        // SAFETY: the converter is open, and nobody else has it.
        unsafe { ucnv_close_78(self.raw) }
    }
}
