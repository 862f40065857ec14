//! Between JavaScript's strings and bytes: Node's `StringBytes`.
//!
//! What several rooms need to turn buffers into strings and back, in each of Node's encodings.

mod base64;
mod hex;
pub mod scratch;
mod utf8;
mod wide;

use std::cell::Cell;

use v8::{ArrayBufferView, Local, PinScope, Value, ValueView, ValueViewData, WriteFlags};

use crate::errors::{self, Kind};
use crate::realm::Realm;

pub use base64::{DecodeError, decode_forgiving, encode_to as encode_base64, encoded_length as base64_length};
pub use utf8::{Written, length as utf8_length, string as utf8, to_latin1 as utf8_to_latin1};
pub use utf8::{to_utf16 as utf8_to_utf16, units_length as utf8_units_length, write as write_utf8};

/// An encoding of Node's, with the number by which the library and native code name it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Encoding {
    /// Seven bits: the eighth is cleared when a string is made.
    Ascii = 0,
    /// UTF-8; bytes that are not become U+FFFD.
    Utf8 = 1,
    /// Base64; takes both alphabets.
    Base64 = 2,
    /// UTF-16, little-endian.
    Ucs2 = 3,
    /// One byte for each code unit.
    Latin1 = 4,
    /// Two hexadecimal digits for each byte.
    Hex = 5,
    /// No string at all but a `Buffer`.
    Buffer = 6,
    /// Base64 for URLs, without padding; takes both alphabets.
    Base64Url = 7,
}

/// Names of the encodings in the order of their numbers.
pub const ENCODINGS: [&str; 8] = ["ascii", "utf8", "base64", "utf16le", "latin1", "hex", "buffer", "base64url"];

impl Encoding {
    /// The encoding that the library calls `number`.
    pub fn from_number(number: u32) -> Option<Encoding> {
        use Encoding::*;
        [Ascii, Utf8, Base64, Ucs2, Latin1, Hex, Buffer, Base64Url].get(number as usize).copied()
    }

    /// The encoding that a program calls `name`, in any case and with any of its names.
    pub fn from_name(name: &str) -> Option<Encoding> {
        // No name is longer.
        let mut lower = [0; 9];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name.as_bytes());
        lower.make_ascii_lowercase();
        Some(match std::str::from_utf8(lower).ok()? {
            "utf8" | "utf-8" => Encoding::Utf8,
            "ucs2" | "ucs-2" | "utf16le" | "utf-16le" => Encoding::Ucs2,
            "latin1" | "binary" => Encoding::Latin1,
            "ascii" => Encoding::Ascii,
            "base64" => Encoding::Base64,
            "base64url" => Encoding::Base64Url,
            "hex" => Encoding::Hex,
            "buffer" => Encoding::Buffer,
            _ => return None,
        })
    }

    /// The encoding that `value` names or numbers; `default` where it does neither. Node's `ParseEncoding`.
    pub fn parse<'s>(scope: &mut PinScope<'s, '_>, value: Local<'s, Value>, default: Encoding) -> Encoding {
        let parsed = match (value.is_string(), value.is_uint32()) {
            (true, _) => with_str(scope, value, Encoding::from_name),
            (_, true) => Encoding::from_number(value.uint32_value(scope).unwrap_or(u32::MAX)),
            _ => None,
        };
        parsed.unwrap_or(default)
    }
}

/// Room for the contents of a view that V8 keeps in its own heap, see [`contents`].
pub type Storage = [u8; v8::TYPED_ARRAY_MAX_SIZE_IN_HEAP];

/// An empty [`Storage`].
pub const STORAGE: Storage = [0; v8::TYPED_ARRAY_MAX_SIZE_IN_HEAP];

/// The bytes of a view, for reading, without giving a small one a buffer of its own. JavaScript must not run
/// while they are in use.
pub fn contents<'a>(value: Local<'a, Value>, storage: &'a mut Storage) -> Option<&'a [u8]> {
    if let Ok(view) = Local::<ArrayBufferView>::try_from(value) {
        let (data, length) = {
            let bytes = view.get_contents(storage);
            (bytes.as_ptr(), bytes.len())
        };
        if length == 0 {
            return Some(&[]);
        }
        // SAFETY: these are the bytes just returned; the handle keeps them alive for as long as `'a`, if they are not
        // in `storage`, which is borrowed as long.
        return Some(unsafe { std::slice::from_raw_parts(data, length) });
    }
    crate::js::bytes(value).map(read)
}

/// The bytes of a view, to read and to write, like [`js::bytes`](crate::js::bytes), but quicker for the usual case.
pub fn view<'a>(value: Local<'a, Value>) -> Option<&'a [Cell<u8>]> {
    let view = Local::<ArrayBufferView>::try_from(value).ok()?;
    let mut storage = STORAGE;
    // SAFETY: the result is a part of `storage`, or what the view's buffer holds.
    let (data, length) = unsafe { view.get_contents_raw_parts(&mut storage) };
    if length == 0 {
        return Some(&[]);
    }
    if data == storage.as_mut_ptr() {
        // It lies in V8's heap, and gets a buffer of its own by being asked for it.
        return crate::js::bytes(value);
    }
    // SAFETY: as for `js::bytes`.
    Some(unsafe { std::slice::from_raw_parts(data.cast(), length) })
}

/// The bytes of `cells`, for reading. Nobody may write to them meanwhile: JavaScript must not run.
pub fn read(cells: &[Cell<u8>]) -> &[u8] {
    // SAFETY: a `Cell<u8>` is laid out as a `u8`. Native code reads between two JavaScript operations, on the thread
    // that runs them; another thread can only race for a SharedArrayBuffer, whose contents are then unspecified for
    // any runtime.
    unsafe { std::slice::from_raw_parts(cells.as_ptr().cast(), cells.len()) }
}

/// Runs `body` with the bytes of `cells`, for writing. They must not be reachable from `body` by other ways.
pub fn write<R>(cells: &[Cell<u8>], body: impl FnOnce(&mut [u8]) -> R) -> R {
    // SAFETY: as in `read`; a `Cell` allows writing through a shared reference.
    body(unsafe { std::slice::from_raw_parts_mut(cells.as_ptr().cast_mut().cast(), cells.len()) })
}

/// Copies `source` to the start of `target`, as far as both reach; they may overlap.
pub fn copy(target: &[Cell<u8>], source: &[Cell<u8>]) -> usize {
    let length = target.len().min(source.len());
    // SAFETY: both are valid for `length` bytes, and `copy` allows for overlapping.
    unsafe { std::ptr::copy(source.as_ptr().cast::<u8>(), target.as_ptr().cast_mut().cast::<u8>(), length) };
    length
}

/// The code units of a string.
#[derive(Clone, Copy)]
pub enum Units<'a> {
    /// All of them are below 256.
    Narrow(&'a [u8]),
    /// UTF-16.
    Wide(&'a [u16]),
}

/// Runs `body` with the code units of `string`, which are not copied: it must not call into V8.
pub fn units<'s, R>(scope: &mut PinScope<'s, '_>, string: Local<'s, v8::String>, body: impl FnOnce(Units) -> R) -> R {
    let view = ValueView::new(scope, string);
    match view.data() {
        ValueViewData::OneByte(bytes) => body(Units::Narrow(bytes)),
        ValueViewData::TwoByte(units) => body(Units::Wide(units)),
    }
}

/// Runs `body` with `value` as a string, which is not copied if it is one and all ASCII. `body` must not call into V8.
pub fn with_str<R>(scope: &mut PinScope, value: Local<Value>, body: impl FnOnce(&str) -> R) -> R {
    if let Ok(string) = Local::<v8::String>::try_from(value) {
        let view = ValueView::new(scope, string);
        if let ValueViewData::OneByte(bytes) = view.data()
            && bytes.is_ascii()
        {
            // SAFETY: ASCII is UTF-8.
            return body(unsafe { std::str::from_utf8_unchecked(bytes) });
        }
    }
    body(&value.to_rust_string_lossy(scope))
}

/// V8 itself is quick enough for texts up to this length.
const SMALL: usize = 128;

/// The most bytes that `string` can have in `encoding`.
pub fn size<'s>(scope: &mut PinScope<'s, '_>, string: Local<'s, v8::String>, encoding: Encoding) -> usize {
    let length = string.length();
    match encoding {
        Encoding::Ascii | Encoding::Latin1 => length,
        Encoding::Utf8 | Encoding::Buffer => utf8_length(scope, string),
        Encoding::Ucs2 => 2 * length,
        Encoding::Hex => length / 2,
        Encoding::Base64 | Encoding::Base64Url => length.div_ceil(4) * 3,
    }
}

/// Writes `string` to `target` as far as it fits, without partial characters. Returns how many bytes that took.
pub fn write_string<'s>(
    scope: &mut PinScope<'s, '_>,
    string: Local<'s, v8::String>,
    encoding: Encoding,
    target: &mut [u8],
) -> usize {
    match encoding {
        Encoding::Ascii | Encoding::Latin1 => {
            string.write_one_byte_v2(scope, 0, target, WriteFlags::empty());
            target.len().min(string.length())
        }
        Encoding::Utf8 | Encoding::Buffer if string.length() <= SMALL => {
            string.write_utf8_v2(scope, target, WriteFlags::kReplaceInvalidUtf8, None)
        }
        _ => units(scope, string, |units| write_units(units, encoding, target)),
    }
}

/// As [`write_string`], for a string of which the code units are at hand.
pub fn write_units(units: Units, encoding: Encoding, target: &mut [u8]) -> usize {
    match encoding {
        Encoding::Ascii | Encoding::Latin1 => match units {
            Units::Narrow(bytes) => {
                let length = bytes.len().min(target.len());
                target[..length].copy_from_slice(&bytes[..length]);
                length
            }
            Units::Wide(units) => target.iter_mut().zip(units).map(|(byte, unit)| *byte = *unit as u8).count(),
        },
        Encoding::Utf8 | Encoding::Buffer => utf8::write(units, target).written,
        Encoding::Ucs2 => {
            let pairs = target.as_chunks_mut().0.iter_mut();
            match units {
                Units::Narrow(bytes) => pairs.zip(bytes).map(|(pair, byte)| *pair = [*byte, 0]).count() * 2,
                Units::Wide(units) => pairs.zip(units).map(|(pair, unit)| *pair = unit.to_le_bytes()).count() * 2,
            }
        }
        Encoding::Hex => hex::decode(units, target),
        Encoding::Base64 => base64::decode(units, target, false),
        Encoding::Base64Url => base64::decode(units, target, true),
    }
}

/// The bytes of `string` in `encoding`.
pub fn bytes_of<'s>(scope: &mut PinScope<'s, '_>, string: Local<'s, v8::String>, encoding: Encoding) -> Vec<u8> {
    let mut bytes = vec![0; size(scope, string, encoding)];
    let length = write_string(scope, string, encoding, &mut bytes);
    bytes.truncate(length);
    bytes
}

/// Runs `body` with the bytes of `string` in `encoding`, which are not copied if they are those of the string itself.
/// `body` must not call into V8.
pub fn with_bytes<'s, R>(
    scope: &mut PinScope<'s, '_>,
    string: Local<'s, v8::String>,
    encoding: Encoding,
    body: impl FnOnce(&[u8]) -> R,
) -> R {
    if matches!(encoding, Encoding::Ascii | Encoding::Latin1 | Encoding::Utf8 | Encoding::Buffer) {
        let view = ValueView::new(scope, string);
        if let ValueViewData::OneByte(bytes) = view.data()
            && (bytes.is_ascii() || matches!(encoding, Encoding::Ascii | Encoding::Latin1))
        {
            return body(bytes);
        }
    }
    body(&bytes_of(scope, string, encoding))
}

/// The bytes of a view or buffer, or of a string in `encoding`.
pub fn bytes_of_value<'s>(
    scope: &mut PinScope<'s, '_>,
    value: Local<'s, Value>,
    encoding: Encoding,
) -> Option<Vec<u8>> {
    if let Ok(string) = Local::<v8::String>::try_from(value) {
        return Some(bytes_of(scope, string, encoding));
    }
    let mut storage = STORAGE;
    contents(value, &mut storage).map(<[u8]>::to_vec)
}

/// `bytes` as a string in `encoding`, or as a `Buffer`. Throws, and returns `None`, when that is longer than a
/// string can be.
pub fn encode<'s>(scope: &mut PinScope<'s, '_>, bytes: &[u8], encoding: Encoding) -> Option<Local<'s, Value>> {
    let length = match encoding {
        Encoding::Buffer => return Some(crate::bindings::buffer::new_buffer(scope, bytes.to_vec()).into()),
        Encoding::Hex => 2 * bytes.len(),
        Encoding::Base64 => 4 * bytes.len().div_ceil(3),
        Encoding::Base64Url => (4 * bytes.len()).div_ceil(3),
        Encoding::Ucs2 => bytes.len() / 2,
        // How long it gets is known only afterwards.
        Encoding::Utf8 => 0,
        Encoding::Ascii | Encoding::Latin1 => bytes.len(),
    };
    let string = match encoding {
        _ if length > v8::String::MAX_LENGTH => None,
        Encoding::Ascii if !bytes.is_ascii() => {
            narrow(scope, &bytes.iter().map(|byte| byte & 0x7f).collect::<Vec<_>>())
        }
        Encoding::Ascii | Encoding::Latin1 => narrow(scope, bytes),
        Encoding::Hex | Encoding::Base64 | Encoding::Base64Url => scratch::with(length, |out: &mut [u8]| {
            match encoding {
                Encoding::Hex => hex::encode(bytes, out),
                _ => base64::encode_to(bytes, encoding == Encoding::Base64Url, out),
            }
            narrow(scope, out)
        }),
        Encoding::Ucs2 => wide(scope, bytes),
        Encoding::Utf8 | Encoding::Buffer => utf8(scope, bytes),
    };
    if string.is_none() {
        throw_too_long(scope);
    }
    string.map(Into::into)
}

/// Throws what Node throws for a string that would be too long.
pub fn throw_too_long(scope: &mut PinScope) {
    let message = format!("Cannot create a string longer than 0x{:x} characters", v8::String::MAX_LENGTH);
    errors::throw_code(scope, Kind::Error, "ERR_STRING_TOO_LONG", &message);
}

/// From this length on, a string is outside of V8's heap, as in Node: there the memory of one that is gone can be used
/// for the next, where V8 has the kernel make new pages for each.
const OUTSIDE: usize = 1_031_913;

/// Whether a string of that length has its memory outside of V8's heap. None has in a snapshot.
fn is_outside(length: usize) -> bool {
    (OUTSIDE..=v8::String::MAX_LENGTH).contains(&length) && !Realm::current().building
}

/// A string of Latin-1.
pub fn narrow<'s>(scope: &PinScope<'s, '_>, bytes: &[u8]) -> Option<Local<'s, v8::String>> {
    match is_outside(bytes.len()) {
        true => v8::String::new_external_onebyte(scope, bytes.into()),
        false => v8::String::new_from_one_byte(scope, bytes, v8::NewStringType::Normal),
    }
}

/// A string of UTF-16.
pub fn from_utf16<'s>(scope: &PinScope<'s, '_>, units: &[u16]) -> Option<Local<'s, v8::String>> {
    match is_outside(units.len()) {
        true => v8::String::new_external_twobyte(scope, units.into()),
        false => v8::String::new_from_two_byte(scope, units, v8::NewStringType::Normal),
    }
}

/// A string of UTF-16 in little-endian bytes; an odd last byte is left out.
pub fn wide<'s>(scope: &PinScope<'s, '_>, bytes: &[u8]) -> Option<Local<'s, v8::String>> {
    let whole = &bytes[..bytes.len() & !1];
    if cfg!(target_endian = "little") {
        // SAFETY: any two bytes are a code unit.
        let (before, units, after) = unsafe { whole.align_to::<u16>() };
        // At an even address they can be taken as they are.
        if before.is_empty() && after.is_empty() {
            return from_utf16(scope, units);
        }
    }
    let pairs = whole.as_chunks::<2>().0;
    scratch::with(pairs.len(), |units: &mut [u16]| {
        units.iter_mut().zip(pairs).for_each(|(unit, pair)| *unit = u16::from_le_bytes(*pair));
        from_utf16(scope, units)
    })
}
