//! `internalBinding('icu')`: encodings other than UTF-8, and how wide text is.

use std::borrow::Cow;
use std::cell::Cell;

use v8::{FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use crate::icu::{self, Converter, ErrorCode};
use crate::text::{self, Encoding, STORAGE, Units};
use crate::{binding, errors, js, wrap};

crate::room! {
    name: "icu",
    functions: {
        pure "getStringWidth" => get_string_width,
        pure "icuErrName" => icu_err_name,
        pure "transcode" => transcode,
        pure "getConverter" => get_converter,
        pure "decode" => decode,
        pure "hasConverter" => has_converter,
    },
    classes: {
        #[hidden] "Converter" { pure new => nothing },
    },
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

/// Flags of `getConverter` and `decode`.
mod flag {
    pub const FLUSH: u32 = 1;
    pub const FATAL: u32 = 2;
    pub const IGNORE_BOM: u32 = 4;
}

const BOM: u16 = 0xfeff;
const REPLACEMENT: u16 = 0xfffd;

/// The state of a `TextDecoder`'s converter. It is not in a snapshot, so it is opened when first needed.
struct Decoder {
    converter: Converter,
    ignore_bom: bool,
    bom_seen: Cell<bool>,
}

/// Keys of what a converter object remembers of its making.
const NAME: &str = "kiln:converter:name";
const FLAGS: &str = "kiln:converter:flags";

fn nothing<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, _: Return<'s>) {}

fn icu_err_name<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let code = args.get(0).int32_value(scope).unwrap_or_default();
    rv.set(js::string(scope, &icu::error_name(code)).into());
}

fn has_converter<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let name = args.get(0).to_rust_string_lossy(scope);
    rv.set_bool(Converter::open(&name).is_ok());
}

fn open(name: &str, flags: u32) -> Option<Decoder> {
    let converter = Converter::open(name).ok()?;
    if flags & flag::FATAL != 0 {
        converter.set_fatal();
    }
    Some(Decoder { converter, ignore_bom: flags & flag::IGNORE_BOM != 0, bom_seen: Cell::new(false) })
}

/// `getConverter(encoding, flags)`: undefined for an encoding that ICU does not have.
fn get_converter<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let name = args.get(0).to_rust_string_lossy(scope);
    let flags = args.get(1).uint32_value(scope).unwrap_or_default();
    let Some(decoder) = open(&name, flags) else { return };
    let Some(object) = binding::construct(scope, "Converter", &[]) else { return };
    for (key, value) in [(NAME, args.get(0)), (FLAGS, args.get(1))] {
        let key = v8::Private::for_api(scope, Some(js::name(scope, key)));
        object.set_private(scope, key, value);
    }
    wrap::attach(scope, object, decoder);
    rv.set(object.into());
}

/// The state of a converter object; a new one after a snapshot.
fn decoder<'s>(scope: &mut PinScope<'s, '_>, object: Local<'s, Object>) -> Option<std::rc::Rc<Decoder>> {
    if let Some(decoder) = wrap::get(scope, object) {
        return Some(decoder);
    }
    let [name, flags] = [NAME, FLAGS].map(|key| {
        let key = v8::Private::for_api(scope, Some(js::name(scope, key)));
        object.get_private(scope, key)
    });
    let flags = flags?.uint32_value(scope)?;
    let decoder = open(&name?.to_rust_string_lossy(scope), flags)?;
    Some(wrap::attach(scope, object, decoder))
}

/// `decode(converter, bytes, flags, encoding)`
fn decode<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let mut storage = STORAGE;
    let Some(bytes) = text::contents(args.get(1), &mut storage) else {
        let message =
            "The \"input\" argument must be an instance of SharedArrayBuffer, ArrayBuffer or ArrayBufferView.";
        errors::throw_code(scope, errors::Kind::TypeError, "ERR_INVALID_ARG_TYPE", message);
        return;
    };
    let Ok(object) = Local::<Object>::try_from(args.get(0)) else { return };
    let Some(decoder) = decoder(scope, object) else { return };
    let flush = args.get(2).uint32_value(scope).unwrap_or_default() & flag::FLUSH != 0;
    // SAFETY: any two bytes are a code unit.
    let (before, whole, after) = unsafe { bytes.align_to::<u16>() };
    let is_native = before.is_empty() && after.is_empty() && decoder.converter.is_native();
    let units = match is_native && v8::simdutf::validate_utf16le(whole) {
        true => Ok(Cow::Borrowed(whole)),
        false => decoder.converter.decode(bytes, flush).map(Cow::Owned),
    };
    let bom_seen = decoder.bom_seen.get();
    if flush {
        decoder.bom_seen.set(false);
        decoder.converter.reset();
    }
    let Ok(units) = units else {
        let encoding = args.get(3).to_rust_string_lossy(scope);
        super::encoding_binding::throw_invalid(scope, &encoding);
        return;
    };
    let mut units = &units[..];
    if !units.is_empty() && decoder.converter.is_unicode() && !decoder.ignore_bom && !bom_seen {
        units = units.strip_prefix(&[BOM]).unwrap_or(units);
        decoder.bom_seen.set(!flush);
    }
    match text::from_utf16(scope, units) {
        Some(string) => rv.set(string.into()),
        None => text::throw_too_long(scope),
    }
}

/// `getStringWidth(text, ambiguousAsFullWidth, expandEmojiSequence)`: columns in a terminal.
fn get_string_width<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    /// Joins emoji to one.
    const JOINER: u32 = 0x200d;
    let Ok(string) = Local::<v8::String>::try_from(args.get(0)) else { return };
    let wide_ambiguous = args.get(1).is_true();
    let expand = !args.get(2).is_boolean() || args.get(2).is_true();
    let columns = text::units(scope, string, |units| {
        let units = match units {
            Units::Narrow(bytes) => return bytes.len(),
            Units::Wide(units) => units,
        };
        let mut previous = 0;
        char::decode_utf16(units.iter().copied())
            .map(|character| match character {
                Ok(character) => u32::from(character),
                Err(surrogate) => surrogate.unpaired_surrogate().into(),
            })
            .map(|character| {
                let joined = std::mem::replace(&mut previous, character) == JOINER;
                let width = icu::width(character);
                match () {
                    () if !expand && joined && icu::joins_emoji(character) => 0,
                    () if wide_ambiguous && width.ambiguous => 2,
                    () => width.columns,
                }
            })
            .sum()
    });
    rv.set_uint32(columns as u32);
}

/// `transcode(source, from, to)`: a `Buffer`, or an ICU error.
fn transcode<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let mut storage = STORAGE;
    let Some(bytes) = text::contents(args.get(0), &mut storage) else { return };
    let from = Encoding::parse(scope, args.get(1), Encoding::Buffer);
    let to = Encoding::parse(scope, args.get(2), Encoding::Buffer);
    match convert(bytes, from, to) {
        Ok(bytes) => rv.set(super::buffer::new_buffer(scope, bytes).into()),
        Err(code) => rv.set_int32(code),
    }
}

fn convert(bytes: &[u8], from: Encoding, to: Encoding) -> Result<Vec<u8>, ErrorCode> {
    use Encoding::{Ascii, Latin1, Ucs2, Utf8};
    if ![from, to].iter().all(|encoding| matches!(encoding, Ascii | Latin1 | Ucs2 | Utf8)) {
        return Err(icu::ILLEGAL_ARGUMENT);
    }
    if (from, to) == (Utf8, Latin1)
        && let Some(narrowed) = text::utf8_to_latin1(bytes)
    {
        return Ok(narrowed);
    }
    let pairs = || bytes.as_chunks().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
    let units: Vec<u16> = match (from, to) {
        (Utf8, Ucs2) => text::utf8_to_utf16(bytes).ok_or(icu::INVALID_CHARACTER)?,
        (Utf8, _) => Converter::open("utf-8")?.decode(bytes, true)?,
        (Ucs2, Ucs2) => Converter::open("utf-16le")?.decode(bytes, true)?,
        (Ucs2, _) => pairs(),
        // Into UTF-16, Node takes ASCII for Latin-1.
        (Ascii, Ascii | Latin1 | Utf8) => {
            bytes.iter().map(|&byte| if byte.is_ascii() { byte.into() } else { REPLACEMENT }).collect()
        }
        _ => bytes.iter().map(|&byte| byte.into()).collect(),
    };
    match to {
        Ucs2 => Ok(units.iter().flat_map(|unit| unit.to_le_bytes()).collect()),
        // Half a code unit alone is invalid, at the end of others it is left out.
        Utf8 if from == Ucs2 && units.is_empty() => Err(icu::INVALID_CHARACTER),
        Utf8 if from == Ucs2 => String::from_utf16(&units).map(String::into_bytes).map_err(|_| icu::INVALID_CHARACTER),
        Utf8 => Ok(String::from_utf16_lossy(&units).into_bytes()),
        _ => {
            let last = if to == Ascii { 0x7f } else { 0xff };
            let characters = char::decode_utf16(units).map(|character| character.map_or(u32::MAX, u32::from));
            let shown = characters.filter(|&character| character <= last || !icu::is_ignorable(character));
            Ok(shown.map(|character| if character <= last { character as u8 } else { b'?' }).collect())
        }
    }
}
