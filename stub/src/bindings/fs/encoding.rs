//! Bytes of paths and files as JavaScript values, and back.

use v8::{Local, NewStringType, PinScope, Value};

use crate::js;
use crate::realm::Realm;

/// An encoding by its Node name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    /// UTF-8.
    Utf8,
    /// UTF-16 in little endian.
    Ucs2,
    /// One byte a character.
    Latin1,
    /// As Latin-1, but seven bits when read.
    Ascii,
    /// Base64.
    Base64,
    /// Base64 for URLs.
    Base64Url,
    /// Hexadecimal.
    Hex,
    /// No text at all: a `Buffer`.
    Buffer,
}

impl Encoding {
    /// The encoding that `value` names, UTF-8 if it names none.
    pub fn parse(scope: &PinScope, value: Local<Value>) -> Self {
        if !value.is_string() {
            return Encoding::Utf8;
        }
        match value.to_rust_string_lossy(scope).to_ascii_lowercase().as_str() {
            "ucs2" | "ucs-2" | "utf16le" | "utf-16le" => Encoding::Ucs2,
            "latin1" | "binary" => Encoding::Latin1,
            "ascii" => Encoding::Ascii,
            "base64" => Encoding::Base64,
            "base64url" => Encoding::Base64Url,
            "hex" => Encoding::Hex,
            "buffer" => Encoding::Buffer,
            _ => Encoding::Utf8,
        }
    }

    /// `bytes` as this encoding has them; `None` if that is more than a string can hold.
    pub fn value<'s>(self, scope: &mut PinScope<'s, '_>, bytes: &[u8]) -> Option<Local<'s, Value>> {
        let one_byte = |bytes: &[u8]| v8::String::new_from_one_byte(scope, bytes, NewStringType::Normal);
        let text = match self {
            Encoding::Utf8 if bytes.is_ascii() => one_byte(bytes),
            Encoding::Utf8 => v8::String::new_from_utf8(scope, bytes, NewStringType::Normal),
            Encoding::Ucs2 => {
                let units: Vec<u16> =
                    bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
                v8::String::new_from_two_byte(scope, &units, NewStringType::Normal)
            }
            Encoding::Latin1 => one_byte(bytes),
            Encoding::Ascii => one_byte(&bytes.iter().map(|byte| byte & 0x7f).collect::<Vec<_>>()),
            Encoding::Base64 => one_byte(&to_base64(bytes, STANDARD, true)),
            Encoding::Base64Url => one_byte(&to_base64(bytes, URL, false)),
            Encoding::Hex => {
                one_byte(&bytes.iter().flat_map(|byte| [hex(byte >> 4), hex(byte & 15)]).collect::<Vec<_>>())
            }
            Encoding::Buffer => return buffer(scope, bytes.to_vec()),
        };
        text.map(Into::into)
    }

    /// The bytes that `text` stands for.
    pub fn bytes(self, scope: &PinScope, text: Local<v8::String>) -> Vec<u8> {
        let units = || {
            let mut units = vec![0; text.length()];
            text.write_v2(scope, 0, &mut units, v8::WriteFlags::empty());
            units
        };
        match self {
            Encoding::Utf8 | Encoding::Buffer => text.to_rust_string_lossy(scope).into_bytes(),
            Encoding::Ucs2 => units().into_iter().flat_map(u16::to_le_bytes).collect(),
            Encoding::Latin1 | Encoding::Ascii => units().into_iter().map(|unit| unit as u8).collect(),
            Encoding::Base64 | Encoding::Base64Url => from_base64(&units()),
            Encoding::Hex => from_hex(&units()),
        }
    }
}

/// A Node `Buffer` that owns `bytes`.
pub fn buffer<'s>(scope: &mut PinScope<'s, '_>, bytes: Vec<u8>) -> Option<Local<'s, Value>> {
    let length = bytes.len();
    let store = v8::ArrayBuffer::new_backing_store_from_vec(bytes).make_shared();
    let memory = v8::ArrayBuffer::with_backing_store(scope, &store);
    let array = v8::Uint8Array::new(scope, memory, 0, length)?;
    if let Some(prototype) = Realm::current().slot(scope, "buffer.prototype") {
        array.set_prototype(scope, prototype);
    }
    Some(array.into())
}

/// The bytes of a string (as UTF-8) or of a `Buffer`.
pub fn path_bytes(scope: &PinScope, value: Local<Value>) -> Vec<u8> {
    match js::bytes(value) {
        Some(bytes) => bytes.iter().map(|byte| byte.get()).collect(),
        None => value.to_rust_string_lossy(scope).into_bytes(),
    }
}

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn to_base64(bytes: &[u8], alphabet: &[u8; 64], pad: bool) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().enumerate().fold(0_u32, |bits, (at, &byte)| bits | u32::from(byte) << (16 - 8 * at));
        for at in 0..=group.len() {
            text.push(alphabet[(bits >> (18 - 6 * at)) as usize & 63]);
        }
        if pad {
            text.resize(text.len().next_multiple_of(4), b'=');
        }
    }
    text
}

/// Both alphabets at once, skipping what belongs to neither, up to the padding: as Node reads base64.
fn from_base64(units: &[u16]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(units.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for &unit in units.iter().take_while(|&&unit| unit != u16::from(b'=')) {
        let digit = match u8::try_from(unit) {
            Ok(letter @ b'A'..=b'Z') => letter - b'A',
            Ok(letter @ b'a'..=b'z') => letter - b'a' + 26,
            Ok(figure @ b'0'..=b'9') => figure - b'0' + 52,
            Ok(b'+' | b'-') => 62,
            Ok(b'/' | b'_') => 63,
            _ => continue,
        };
        bits = bits << 6 | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}

fn hex(digit: u8) -> u8 {
    b"0123456789abcdef"[usize::from(digit & 15)]
}

fn from_hex(units: &[u16]) -> Vec<u8> {
    let digit = |unit: u16| char::from_u32(unit.into()).and_then(|char| char.to_digit(16));
    units.chunks_exact(2).map_while(|pair| Some((digit(pair[0])? << 4 | digit(pair[1])?) as u8)).collect()
}
