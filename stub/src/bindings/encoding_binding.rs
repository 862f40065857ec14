//! `internalBinding('encoding_binding')`: UTF-8 for `TextEncoder` and `TextDecoder`.

use v8::fast_api::{FastApiCallbackOptions, FastApiOneByteString};
use v8::{FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Uint8Array, Value};

use crate::errors::{self, Kind};
use crate::js;
use crate::text::{self, STORAGE, Units, Written};

crate::room! {
    name: "encoding_binding",
    functions: {
        pure "encodeInto" => encode_into as ENCODE_INTO,
        pure "encodeUtf8String" => encode_utf8_string,
        pure "decodeUTF8" => decode_utf8,
        pure "toASCII" => to_ascii,
        pure "toUnicode" => to_unicode,
    },
    setup: setup,
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

crate::shared! {
    /// `[read, written]` of the last `encodeInto`.
    RESULTS: u32 = "encoding_binding.encodeIntoResults"
}
const BOM: &[u8] = "\u{feff}".as_bytes();

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    let results = RESULTS.create(scope, 2);
    js::set(scope, target, "encodeIntoResults", results);
}

/// `encodeInto(string, array)`
fn encode_into<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let Ok(string) = Local::<v8::String>::try_from(args.get(0)) else { return };
    let Some(target) = text::view(args.get(1)) else { return };
    let done = text::units(scope, string, |units| text::write(target, |target| text::write_utf8(units, target)));
    tell(scope, done);
}

crate::fast!(ENCODE_INTO = encode_into_fast as (text, Value) -> nothing);

extern "C" fn encode_into_fast<'s>(
    _: Local<'s, Value>,
    text: &'s FastApiOneByteString,
    array: Local<'s, Value>,
    options: &FastApiCallbackOptions<'s>,
) {
    // SAFETY: V8 gave the options to this call.
    v8::callback_scope!(unsafe scope, options);
    let Some(target) = text::view(array) else { return };
    let done = text::write(target, |target| text::write_utf8(Units::Narrow(text.as_bytes()), target));
    tell(scope, done);
}

fn tell(scope: &PinScope, done: Written) {
    let results = RESULTS.cells(scope);
    results[0].set(done.read as u32);
    results[1].set(done.written as u32);
}

fn encode_utf8_string<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Ok(string) = Local::<v8::String>::try_from(args.get(0)) else { return };
    let length = text::size(scope, string, text::Encoding::Utf8);
    let buffer = crate::memory::uninitialized(scope, length);
    if let Some(cells) = js::bytes(buffer.into()) {
        text::write(cells, |target| text::write_string(scope, string, text::Encoding::Utf8, target));
    }
    if let Some(array) = Uint8Array::new(scope, buffer, 0, length) {
        rv.set(array.into());
    }
}

/// `decodeUTF8(bytes, ignoreBOM, fatal)`
fn decode_utf8<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let mut storage = STORAGE;
    let Some(bytes) = text::contents(args.get(0), &mut storage) else {
        let message = "The \"list\" argument must be an instance of SharedArrayBuffer, ArrayBuffer or ArrayBufferView.";
        errors::throw_code(scope, Kind::TypeError, "ERR_INVALID_ARG_TYPE", message);
        return;
    };
    if args.get(2).is_true() && !v8::simdutf::validate_utf8(bytes) {
        throw_invalid(scope, "utf-8");
        return;
    }
    let bytes = match args.get(1).boolean_value(scope) {
        true => bytes,
        false => bytes.strip_prefix(BOM).unwrap_or(bytes),
    };
    if let Some(string) = text::encode(scope, bytes, text::Encoding::Utf8) {
        rv.set(string);
    }
}

/// Throws what `TextDecoder` throws for bytes that are not of its encoding.
pub fn throw_invalid(scope: &mut PinScope, encoding: &str) {
    let message = format!("The encoded data was not valid for encoding {encoding}");
    errors::throw_code(scope, Kind::TypeError, "ERR_ENCODING_INVALID_ENCODED_DATA", &message);
}

fn to_ascii<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let name = args.get(0).to_rust_string_lossy(scope);
    rv.set(js::string(scope, &ada_url::Idna::ascii(&name)).into());
}

fn to_unicode<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let name = args.get(0).to_rust_string_lossy(scope);
    rv.set(js::string(scope, &ada_url::Idna::unicode(&name)).into());
}
