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
    match u32::try_from(written) {
        Ok(written) => rv.set_uint32(written),
        Err(_) => rv.set_double(written as f64),
    }
}

macro_rules! fast_writes {
    ($($name:ident = $function:ident: $encoding:ident),* $(,)?) => {
        $(crate::fast!(pub $name = $function as (Value, text, u32, u32) -> u32);

        extern "C" fn $function<'s>(
            _: Local<'s, Value>,
            buffer: Local<'s, Value>,
            text: &'s FastApiOneByteString,
            offset: u32,
            length: u32,
            options: &FastApiCallbackOptions<'s>,
        ) -> u32 {
            write_fast(buffer, offset, length, options, |target| {
                text::write_units(Units::Narrow(text.as_bytes()), Encoding::$encoding, target)
            })
        })*
    };
}

fast_writes! {
    BASE64_WRITE = base64_write_fast: Base64,
    BASE64URL_WRITE = base64url_write_fast: Base64Url,
    HEX_WRITE = hex_write_fast: Hex,
    UCS2_WRITE = ucs2_write_fast: Ucs2,
    LATIN1_WRITE = latin1_write_fast: Latin1,
    UTF8_WRITE = utf8_write_fast: Utf8,
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
    text::utf8_units_length(Units::Narrow(text.as_bytes())) as u32
}

/// -1 stands for an invalid character.
pub fn btoa<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    let room = |length| text::base64_length(length, false);
    convert(scope, args.get(0), rv, room, -1, |bytes, digits| {
        text::encode_base64(bytes, false, digits);
        Ok(digits.len())
    });
}

/// -1 stands for an incomplete last byte, -2 for an invalid character.
pub fn atob<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    convert(
        scope,
        args.get(0),
        rv,
        |length| length,
        -2,
        |digits, bytes| {
            text::decode_forgiving(digits, bytes).map_err(|error| match error {
                text::DecodeError::Remainder => -1,
                text::DecodeError::Character => -2,
            })
        },
    );
}

/// Returns what `body` makes of a string of Latin-1, in memory of a length that depends on the string's; `invalid` for
/// other strings, or the number that `body` gives.
fn convert<'s>(
    scope: &mut PinScope<'s, '_>,
    value: Local<'s, Value>,
    mut rv: Return<'s>,
    room: impl FnOnce(usize) -> usize,
    invalid: i32,
    body: impl FnOnce(&[u8], &mut [u8]) -> Result<usize, i32>,
) {
    let Ok(string) = Local::<v8::String>::try_from(value) else { return };
    text::scratch::with(room(string.length()), |out: &mut [u8]| {
        let length = text::units(scope, string, |units| match units {
            Units::Narrow(bytes) => body(bytes, out),
            Units::Wide(units) => narrowed(units).ok_or(invalid).and_then(|bytes| body(&bytes, out)),
        });
        match length.map(|length| text::narrow(scope, &out[..length])) {
            Ok(Some(string)) => rv.set(string.into()),
            Ok(None) => text::throw_too_long(scope),
            Err(code) => rv.set_int32(code),
        }
    });
}

fn narrowed(units: &[u16]) -> Option<Vec<u8>> {
    units.iter().map(|&unit| u8::try_from(unit).ok()).collect()
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
