//! Arguments of `fs` functions, checked as Node's native half checks them.

use std::cell::Cell;
use std::ffi::CString;

use v8::{Local, PinScope, Value};

use crate::errors::{Kind, throw_code};
use crate::js;
use crate::text;
use crate::uv::fs::Chunk;

/// The bytes of a string (as UTF-8) or of a `Buffer`.
pub fn path_bytes(scope: &mut PinScope, value: Local<Value>) -> Vec<u8> {
    match js::bytes(value) {
        Some(bytes) => bytes.iter().map(|byte| byte.get()).collect(),
        // With room for the NUL that a path ends in.
        None => text::with_str(scope, value, |text| {
            let mut bytes = Vec::with_capacity(text.len() + 1);
            bytes.extend_from_slice(text.as_bytes());
            bytes
        }),
    }
}

/// A path as the kernel wants it. Should it contain NUL, which the library rules out, it ends there.
pub fn path(scope: &mut PinScope, value: Local<Value>) -> CString {
    c_string(path_bytes(scope, value))
}

/// `bytes` up to the first NUL.
pub fn c_string(bytes: Vec<u8>) -> CString {
    CString::new(bytes).unwrap_or_else(|error| {
        let end = error.nul_position();
        let mut bytes = error.into_vec();
        bytes.truncate(end);
        CString::new(bytes).unwrap_or_default()
    })
}

/// A file descriptor; throws and gives `None` if it is none.
pub fn fd<'s>(scope: &mut PinScope<'s, '_>, value: Local<'s, Value>) -> Option<i32> {
    if let Ok(fd) = Local::<v8::Int32>::try_from(value)
        && fd.value() >= 0
    {
        return Some(fd.value());
    }
    let Some(number) = value.is_number().then(|| value.number_value(scope)).flatten() else {
        let received = describe(scope, value);
        // In Node this is a string of C's, which ends at the first zero.
        let received = received.split('\0').next().unwrap_or_default();
        let message = format!("The \"fd\" argument must be of type number. Received {received}");
        throw_code(scope, Kind::TypeError, "ERR_INVALID_ARG_TYPE", &message);
        return None;
    };
    let outside = number.is_finite() && !(0.0..=f64::from(i32::MAX)).contains(&number);
    if !outside && number.fract() == 0.0 {
        return Some(number as i32);
    }
    let wanted = if outside { ">= 0 && <= 2147483647" } else { "an integer" };
    let received = value.to_rust_string_lossy(scope);
    let message = format!("The value of \"fd\" is out of range. It must be {wanted}. Received {received}");
    throw_code(scope, Kind::RangeError, "ERR_OUT_OF_RANGE", &message);
    None
}

/// The mode of `access` or `copyFile`; throws and gives `None` if it is none.
pub fn mode<'s>(scope: &mut PinScope<'s, '_>, value: Local<'s, Value>) -> Option<i32> {
    if value.is_null_or_undefined() {
        return Some(0);
    }
    let Some(number) = value.is_number().then(|| value.number_value(scope)).flatten() else {
        let message = "mode must be int32 or null/undefined";
        throw_code(scope, Kind::TypeError, "ERR_INVALID_ARG_TYPE", message);
        return None;
    };
    if (0.0..8.0).contains(&number) {
        return Some(number as i32);
    }
    let message = if number.is_finite() { "mode is out of range: >= 0 && <= 7" } else { "mode is out of range" };
    throw_code(scope, Kind::RangeError, "ERR_OUT_OF_RANGE", message);
    None
}

/// What Node's messages say of a value of the wrong type.
fn describe<'s>(scope: &mut PinScope<'s, '_>, value: Local<'s, Value>) -> String {
    if value.is_null_or_undefined() {
        return value.to_rust_string_lossy(scope);
    }
    if value.is_function() {
        return "function".to_owned();
    }
    if let Ok(object) = Local::<v8::Object>::try_from(value) {
        return format!("an instance of {}", object.get_constructor_name().to_rust_string_lossy(scope));
    }
    let detail = value.to_detail_string(scope).map(|text| text.to_rust_string_lossy(scope)).unwrap_or_default();
    if value.is_symbol() {
        return detail;
    }
    if value.is_string() {
        let short: String = match detail.chars().count() {
            0..=28 => detail,
            _ => detail.chars().take(25).chain("...".chars()).collect(),
        };
        let quote = if short.contains('\'') { '"' } else { '\'' };
        return format!("type string ({quote}{short}{quote})");
    }
    format!("type {} ({detail})", value.type_of(scope).to_rust_string_lossy(scope))
}

/// An integer argument.
pub fn integer(scope: &PinScope, value: Local<Value>) -> i32 {
    value.int32_value(scope).unwrap_or_default()
}

/// A user or group; `-1`, which leaves it alone, is the largest number there is.
pub fn id(scope: &PinScope, value: Local<Value>) -> u32 {
    value.integer_value(scope).unwrap_or_default() as u32
}

/// A number argument.
pub fn number(scope: &PinScope, value: Local<Value>) -> f64 {
    value.number_value(scope).unwrap_or_default()
}

/// A position in a file, which may be a big integer.
pub fn big_position(scope: &PinScope, value: Local<Value>) -> i64 {
    match Local::<v8::BigInt>::try_from(value) {
        Ok(big) => big.i64_value().0,
        Err(_) => position(scope, value),
    }
}

/// A position in a file; whatever is not an integer means the file's own: -1.
pub fn position(scope: &PinScope, value: Local<Value>) -> i64 {
    match value.is_number().then(|| value.number_value(scope)).flatten() {
        Some(number) if number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_991.0 => number as i64,
        _ => -1,
    }
}

/// The memory of a view, from an offset, for a call on this thread. Nothing beyond its end.
pub fn memory<'s>(view: Local<'s, Value>, offset: usize, length: usize) -> &'s [Cell<u8>] {
    let bytes = js::bytes(view).unwrap_or(&[]);
    let bytes = bytes.get(offset..).unwrap_or(&[]);
    &bytes[..length.min(bytes.len())]
}

/// The same for a call on the pool.
pub fn chunk<'s>(scope: &mut PinScope<'s, '_>, view: Local<'s, Value>, offset: usize, length: usize) -> Option<Chunk> {
    let view = Local::<v8::ArrayBufferView>::try_from(view).ok()?;
    let available = view.byte_length().saturating_sub(offset);
    // Only now does a small view get a buffer of its own.
    let buffer = view.buffer(scope)?;
    Some(Chunk::Shared(buffer.get_backing_store(), view.byte_offset() + offset, length.min(available)))
}
