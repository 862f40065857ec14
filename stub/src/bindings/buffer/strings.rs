//! From bytes to strings and back.

use std::cell::Cell;

use v8::fast_api::{FastApiCallbackOptions, FastApiOneByteString};
use v8::{Local, PinScope, Value};

use super::{Args, Return, index, throw_not_a_buffer, throw_out_of_range, view};
use crate::errors::{self, Kind};
use crate::js;
use crate::text::{self, Encoding, STORAGE, Units};

macro_rules! slices {
    ($($name:ident: $encoding:ident),* $(,)?) => {
        $(pub fn $name<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
            slice(scope, args, rv, Encoding::$encoding);
        })*
    };
}

slices! {
    ascii_slice: Ascii,
    base64_slice: Base64,
    base64url_slice: Base64Url,
    latin1_slice: Latin1,
    hex_slice: Hex,
    ucs2_slice: Ucs2,
    utf8_slice: Utf8,
}

/// `slice(buffer, start, end)`
fn slice<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>, encoding: Encoding) {
    let value = args.get(0);
    if !value.is_array_buffer_view() {
        throw_not_a_buffer(scope);
        return;
    }
    let mut storage = STORAGE;
    let Some(bytes) = text::contents(value, &mut storage) else { return };
    if bytes.is_empty() {
        rv.set_empty_string();
        return;
    }
    let Some(start) = index(scope, args.get(1), 0) else { return };
    let Some(end) = index(scope, args.get(2), bytes.len()) else { return };
    if end <= start {
        rv.set_empty_string();
        return;
    }
    let Some(bytes) = bytes.get(start..end) else {
        throw_out_of_range(scope, "Index out of range");
        return;
    };
    if let Some(string) = text::encode(scope, bytes, encoding) {
        rv.set(string);
    }
}

macro_rules! writes {
    ($($name:ident: $encoding:ident),* $(,)?) => {
        $(pub fn $name<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
            write(scope, args, rv, Encoding::$encoding);
        })*
    };
}

writes! {
    base64_write: Base64,
    base64url_write: Base64Url,
    hex_write: Hex,
    ucs2_write: Ucs2,
    latin1_write: Latin1,
    utf8_write: Utf8,
}

/// At most `length` of `bytes` from `offset` on; throws where that is outside of them.
fn target<'a>(scope: &mut PinScope, bytes: &'a [Cell<u8>], offset: usize, length: usize) -> Option<&'a [Cell<u8>]> {
    if offset > bytes.len() {
        let message = "\"offset\" is outside of buffer bounds";
        errors::throw_code(scope, Kind::RangeError, "ERR_BUFFER_OUT_OF_BOUNDS", message);
        return None;
    }
    Some(&bytes[offset..offset + length.min(bytes.len() - offset)])
}

/// `write(buffer, string, offset, length)`
fn write<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>, encoding: Encoding) {
    let Some(bytes) = view(scope, args.get(0)) else { return };
    let Ok(string) = Local::<v8::String>::try_from(args.get(1)) else {
        errors::throw_code(scope, Kind::TypeError, "ERR_INVALID_ARG_TYPE", "argument must be a string");
        return;
    };
    let Some(offset) = index(scope, args.get(2), 0) else { return };
    if target(scope, bytes, offset, 0).is_none() {
        return;
    }
    let Some(length) = index(scope, args.get(3), bytes.len() - offset) else { return };
    let Some(target) = target(scope, bytes, offset, length) else { return };
    let written = match target.is_empty() {
        true => 0,
        false => text::write(target, |target| text::write_string(scope, string, encoding, target)),
    };
    rv.set_double(written as f64);
}

crate::fast!(pub LATIN1_WRITE = latin1_write_fast as (Value, text, u32, u32) -> u32);
crate::fast!(pub UTF8_WRITE = utf8_write_fast as (Value, text, u32, u32) -> u32);

extern "C" fn latin1_write_fast<'s>(
    _: Local<'s, Value>,
    buffer: Local<'s, Value>,
    text: &'s FastApiOneByteString,
    offset: u32,
    length: u32,
    options: &FastApiCallbackOptions<'s>,
) -> u32 {
    write_fast(buffer, offset, length, options, |target| text::write_narrow(text.as_bytes(), Encoding::Latin1, target))
}

extern "C" fn utf8_write_fast<'s>(
    _: Local<'s, Value>,
    buffer: Local<'s, Value>,
    text: &'s FastApiOneByteString,
    offset: u32,
    length: u32,
    options: &FastApiCallbackOptions<'s>,
) -> u32 {
    write_fast(buffer, offset, length, options, |target| text::write_narrow(text.as_bytes(), Encoding::Utf8, target))
}

/// What the fast calls and the ordinary ones have in common: where to write, and what is wrong with that.
fn write_fast<'s>(
    buffer: Local<'s, Value>,
    offset: u32,
    length: u32,
    options: &FastApiCallbackOptions<'s>,
    body: impl FnOnce(&mut [u8]) -> usize,
) -> u32 {
    // SAFETY: V8 gave the options to this call.
    v8::callback_scope!(unsafe scope, options);
    let Some(bytes) = view(scope, buffer) else { return 0 };
    let Some(target) = target(scope, bytes, offset as usize, length as usize) else { return 0 };
    text::write(target, body) as u32
}

pub fn byte_length_utf8<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    if let Ok(string) = Local::<v8::String>::try_from(args.get(0)) {
        rv.set_double(text::utf8_length(scope, string) as f64);
    }
}

crate::fast!(pub BYTE_LENGTH_UTF8 = byte_length_utf8_fast as (text) -> u32);

extern "C" fn byte_length_utf8_fast<'s>(
    _: Local<'s, Value>,
    text: &'s FastApiOneByteString,
    _: &FastApiCallbackOptions<'s>,
) -> u32 {
    v8::simdutf::utf8_length_from_latin1(text.as_bytes()) as u32
}

/// -1 stands for an invalid character.
pub fn btoa<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Ok(string) = Local::<v8::String>::try_from(args.get(0)) else { return };
    let digits = text::units(scope, string, |units| match units {
        Units::Narrow(bytes) => Some(text::encode_base64(bytes, false)),
        Units::Wide(units) => narrowed(units).map(|bytes| text::encode_base64(&bytes, false)),
    });
    set_narrow(scope, digits.ok_or(-1), &mut rv);
}

/// -1 stands for an incomplete last byte, -2 for an invalid character.
pub fn atob<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Ok(string) = Local::<v8::String>::try_from(args.get(0)) else { return };
    let bytes = text::units(scope, string, |units| match units {
        Units::Narrow(digits) => text::decode_forgiving(digits),
        Units::Wide(units) => match narrowed(units) {
            Some(digits) => text::decode_forgiving(&digits),
            None => Err(text::DecodeError::Character),
        },
    });
    let bytes = bytes.map_err(|error| match error {
        text::DecodeError::Remainder => -1,
        text::DecodeError::Character => -2,
    });
    set_narrow(scope, bytes, &mut rv);
}

fn narrowed(units: &[u16]) -> Option<Vec<u8>> {
    units.iter().map(|&unit| u8::try_from(unit).ok()).collect()
}

fn set_narrow<'s>(scope: &mut PinScope<'s, '_>, result: Result<Vec<u8>, i32>, rv: &mut Return<'s>) {
    match result.map(|bytes| text::narrow(scope, &bytes)) {
        Ok(Some(string)) => rv.set(string.into()),
        Ok(None) => text::throw_too_long(scope),
        Err(code) => rv.set_int32(code),
    }
}

pub fn is_utf8<'s>(_: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    rv.set_bool(check(args.get(0), v8::simdutf::validate_utf8));
}

pub fn is_ascii<'s>(_: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    rv.set_bool(check(args.get(0), v8::simdutf::validate_ascii));
}

fn check(value: Local<Value>, valid: fn(&[u8]) -> bool) -> bool {
    js::bytes(value).is_some_and(|bytes| valid(text::read(bytes)))
}
