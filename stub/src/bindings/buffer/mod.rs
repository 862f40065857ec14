//! `internalBinding('buffer')`: what `Buffer` leaves to native code.

mod memory;
mod search;
mod strings;

use std::cell::Cell;

use v8::{ArrayBuffer, FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Uint8Array, Value};

use crate::errors::{self, Kind};
use crate::realm::Realm;
use crate::{facts, text};

crate::room! {
    name: "buffer",
    functions: {
        pure "setBufferPrototype" => set_buffer_prototype,
        pure "atob" => strings::atob,
        pure "btoa" => strings::btoa,
        pure "byteLengthUtf8" => strings::byte_length_utf8 as strings::BYTE_LENGTH_UTF8,
        pure "copy" => memory::copy as memory::COPY,
        pure "compare" => memory::compare as memory::COMPARE,
        pure "compareOffset" => memory::compare_offset,
        pure "fill" => memory::fill,
        pure "indexOfBuffer" => search::index_of_buffer,
        pure "indexOfNumber" => search::index_of_number,
        pure "indexOfString" => search::index_of_string,
        pure "copyArrayBuffer" => memory::copy_array_buffer,
        pure "createUnsafeArrayBuffer" => memory::create_unsafe_array_buffer,
        pure "arrayBufferAlignedOffset" => memory::array_buffer_aligned_offset,
        pure "swap16" => memory::swap16,
        pure "swap32" => memory::swap32,
        pure "swap64" => memory::swap64,
        pure "isUtf8" => strings::is_utf8,
        pure "isAscii" => strings::is_ascii,
        pure "asciiSlice" => strings::ascii_slice,
        pure "base64Slice" => strings::base64_slice,
        pure "base64urlSlice" => strings::base64url_slice,
        pure "latin1Slice" => strings::latin1_slice,
        pure "hexSlice" => strings::hex_slice,
        pure "ucs2Slice" => strings::ucs2_slice,
        pure "utf8Slice" => strings::utf8_slice,
        pure "base64Write" => strings::base64_write as strings::BASE64_WRITE,
        pure "base64urlWrite" => strings::base64url_write as strings::BASE64URL_WRITE,
        pure "hexWrite" => strings::hex_write as strings::HEX_WRITE,
        pure "ucs2Write" => strings::ucs2_write as strings::UCS2_WRITE,
        pure "asciiWriteStatic" => strings::latin1_write as strings::LATIN1_WRITE,
        pure "latin1WriteStatic" => strings::latin1_write as strings::LATIN1_WRITE,
        pure "utf8WriteStatic" => strings::utf8_write as strings::UTF8_WRITE,
        pure "setDetachKey" => memory::set_detach_key,
    },
    setup: setup,
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

const PROTOTYPE: &str = "buffer.prototype";

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    facts::install(scope, "buffer", target);
}

fn set_buffer_prototype<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    Realm::current().set_slot(scope, PROTOTYPE, args.get(0));
}

/// A `Buffer` with these bytes.
pub fn new_buffer<'s>(scope: &mut PinScope<'s, '_>, bytes: Vec<u8>) -> Local<'s, Uint8Array> {
    let length = bytes.len();
    let store = ArrayBuffer::new_backing_store_from_vec(bytes).make_shared();
    let buffer = ArrayBuffer::with_backing_store(scope, &store);
    over(scope, buffer, 0, length).unwrap_or_else(|| panic!("a vector's length is within V8's limits"))
}

/// A `Buffer` over a part of `buffer`.
pub fn over<'s>(
    scope: &mut PinScope<'s, '_>,
    buffer: Local<'s, ArrayBuffer>,
    offset: usize,
    length: usize,
) -> Option<Local<'s, Uint8Array>> {
    let array = Uint8Array::new(scope, buffer, offset, length)?;
    // Until Buffer is set up, plain arrays have to do.
    if let Some(prototype) = Realm::current().object(scope, PROTOTYPE) {
        array.set_prototype(scope, prototype.into());
    }
    Some(array)
}

/// The bytes of a view; throws when `value` is none.
fn view<'s>(scope: &mut PinScope<'s, '_>, value: Local<'s, Value>) -> Option<&'s [Cell<u8>]> {
    let bytes = text::view(value);
    if bytes.is_none() {
        throw_not_a_buffer(scope);
    }
    bytes
}

fn throw_not_a_buffer(scope: &mut PinScope) {
    errors::throw_code(scope, Kind::TypeError, "ERR_INVALID_ARG_TYPE", "argument must be a buffer");
}

fn throw_out_of_range(scope: &mut PinScope, message: &str) {
    errors::throw_code(scope, Kind::RangeError, "ERR_OUT_OF_RANGE", message);
}

/// `value` as an index, `default` if it is undefined; throws when it is negative.
fn index<'s>(scope: &mut PinScope<'s, '_>, value: Local<'s, Value>, default: usize) -> Option<usize> {
    if let Ok(index) = Local::<v8::Uint32>::try_from(value) {
        return Some(index.value() as usize);
    }
    if value.is_undefined() {
        return Some(default);
    }
    let index = value.integer_value(scope)?;
    if index < 0 {
        throw_out_of_range(scope, "Index out of range");
    }
    usize::try_from(index).ok()
}
