//! UTF-8.

use v8::simdutf::{self, ErrorCode};
use v8::{Local, PinScope};

use super::{SMALL, Units, from_utf16, narrow, scratch, units, wide};

/// A string of UTF-8; what is not UTF-8 becomes U+FFFD.
pub fn string<'s>(scope: &PinScope<'s, '_>, bytes: &[u8]) -> Option<Local<'s, v8::String>> {
    if bytes.is_ascii() {
        return narrow(scope, bytes);
    }
    // V8's own decoder takes one byte after the other. As Latin-1 a text needs half the memory that UTF-16 does.
    // A short text is looked at first: it takes less than to try in vain.
    let is_wide = bytes.len() <= SMALL && bytes.iter().fold(0, |most, byte| most.max(*byte)) > LAST_OF_LATIN1;
    let narrowed = scratch::with(bytes.len(), |out: &mut [u8]| {
        if is_wide {
            return None;
        }
        convert_to_latin1(bytes, out).map(|length| narrow(scope, &out[..length]))
    });
    if let Some(string) = narrowed {
        return string;
    }
    let widened = scratch::with(bytes.len(), |out: &mut [u16]| {
        let length = convert_to_utf16(bytes, out)?;
        Some(from_utf16(scope, &out[..length]))
    });
    match widened {
        Some(string) => string,
        None if bytes.len() > v8::String::MAX_LENGTH => {
            let units: Vec<u16> = String::from_utf8_lossy(bytes).encode_utf16().collect();
            v8::String::new_from_two_byte(scope, &units, v8::NewStringType::Normal)
        }
        None => v8::String::new_from_utf8(scope, bytes, v8::NewStringType::Normal),
    }
}

/// The largest byte that begins a character of Latin-1 in UTF-8.
const LAST_OF_LATIN1: u8 = 0xc3;

/// Converts to a buffer that is at least as long; `None` when that is not possible.
fn convert_to_latin1(bytes: &[u8], target: &mut [u8]) -> Option<usize> {
    assert!(target.len() >= bytes.len());
    // SAFETY: the output is never longer than the input.
    let result = unsafe { simdutf::convert_utf8_to_latin1_with_errors(bytes, target) };
    (result.error == simdutf::ErrorCode::Success).then_some(result.count)
}

/// Converts to a buffer that has at least as many units as there are bytes; `None` when they are not UTF-8.
fn convert_to_utf16(bytes: &[u8], target: &mut [u16]) -> Option<usize> {
    assert!(target.len() >= bytes.len());
    // SAFETY: no byte makes more than one unit.
    let result = unsafe { simdutf::convert_utf8_to_utf16le_with_errors(bytes, target) };
    (result.error == simdutf::ErrorCode::Success).then_some(result.count)
}

/// `bytes` as Latin-1; `None` when they are not UTF-8 or have other characters.
pub fn to_latin1(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = vec![0; bytes.len()];
    let length = convert_to_latin1(bytes, &mut out)?;
    out.truncate(length);
    Some(out)
}

/// `bytes` as UTF-16; `None` when they are not UTF-8.
pub fn to_utf16(bytes: &[u8]) -> Option<Vec<u16>> {
    let mut out = vec![0; bytes.len()];
    let length = convert_to_utf16(bytes, &mut out)?;
    out.truncate(length);
    Some(out)
}

/// How many bytes `string` has as UTF-8.
pub fn length<'s>(scope: &mut PinScope<'s, '_>, string: Local<'s, v8::String>) -> usize {
    match string.length() > SMALL {
        // V8 looks at each code unit twice.
        true => units(scope, string, units_length),
        false => string.utf8_length(scope),
    }
}

/// How many bytes a string has as UTF-8 of which the code units are at hand.
pub fn units_length(units: Units) -> usize {
    match units {
        Units::Narrow(bytes) => bytes.len() + count_above_ascii(bytes),
        Units::Wide(units) => wide::utf8_length(units),
    }
}

/// How many of `bytes` are not ASCII.
fn count_above_ascii(bytes: &[u8]) -> usize {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has these instructions.
        return unsafe { count_at_once(bytes) };
    }
    simdutf::utf8_length_from_latin1(bytes) - bytes.len()
}

/// The same, with a count in each byte of a few registers.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn count_at_once(bytes: &[u8]) -> usize {
    use std::arch::x86_64::{__m256i, _mm256_cmpgt_epi8, _mm256_setzero_si256, _mm256_sub_epi8};
    const LANE: usize = size_of::<__m256i>();
    const LANES: usize = 4;
    /// What a byte can count to.
    const MOST: usize = u8::MAX as usize;
    let zero = _mm256_setzero_si256();
    let (groups, rest) = bytes.as_chunks::<{ LANE * LANES }>();
    let mut total = rest.iter().filter(|byte| !byte.is_ascii()).count();
    for part in groups.chunks(MOST) {
        let mut counts = [zero; LANES];
        for group in part {
            // SAFETY: the bytes are as many, and the type may lie anywhere.
            let group: [__m256i; LANES] = unsafe { group.as_ptr().cast::<[__m256i; LANES]>().read_unaligned() };
            for (count, lane) in counts.iter_mut().zip(group) {
                // Where a byte is above ASCII, which is negative, -1 is taken from the count.
                *count = _mm256_sub_epi8(*count, _mm256_cmpgt_epi8(zero, lane));
            }
        }
        // SAFETY: they are plain bytes.
        let counts: [u8; LANE * LANES] = unsafe { std::mem::transmute(counts) };
        total += counts.iter().map(|count| usize::from(*count)).sum::<usize>();
    }
    total
}

/// How far writing came.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Written {
    /// Code units that were read.
    pub read: usize,
    /// Bytes that were written.
    pub written: usize,
}

impl Written {
    fn advance(&mut self, read: usize, written: usize) {
        self.read += read;
        self.written += written;
    }
}

/// Writes as much of a string as fits, without partial characters; U+FFFD for each lone surrogate.
pub fn write(units: Units, target: &mut [u8]) -> Written {
    match units {
        Units::Narrow(bytes) => write_narrow(bytes, target),
        Units::Wide(units) => write_wide(units, target),
    }
}

/// A part that surely fits is converted at once; less than this is not worth it.
const WORTH_IT: usize = 16;

fn write_narrow(bytes: &[u8], target: &mut [u8]) -> Written {
    let mut done = Written::default();
    loop {
        let (left, room) = (&bytes[done.read..], &mut target[done.written..]);
        let part = left.len().min(room.len() / 2);
        if part < WORTH_IT {
            break;
        }
        // SAFETY: no code unit of Latin-1 takes more than two bytes.
        let written = unsafe { simdutf::convert_latin1_to_utf8(&left[..part], room) };
        done.advance(part, written);
    }
    let left = bytes[done.read..].iter().map(|byte| (char::from(*byte), 1));
    write_each(left, target, done)
}

fn write_wide(units: &[u16], target: &mut [u8]) -> Written {
    let mut done = Written::default();
    loop {
        let (left, room) = (&units[done.read..], &mut target[done.written..]);
        let mut part = left.len().min(room.len() / 3);
        // The two halves of a pair are not parted.
        if part < left.len() && part > 0 && is_high_surrogate(left[part - 1]) {
            part -= 1;
        }
        if part < WORTH_IT {
            break;
        }
        // SAFETY: no code unit takes more than three bytes.
        let result = unsafe { simdutf::convert_utf16le_to_utf8_with_errors(&left[..part], room) };
        if result.error == ErrorCode::Success {
            done.advance(part, result.count);
            continue;
        }
        // What is before a lone surrogate has been written.
        let written = simdutf::utf8_length_from_utf16le(&left[..result.count]);
        let mut bytes = [0; 3];
        let replacement = char::REPLACEMENT_CHARACTER.encode_utf8(&mut bytes).as_bytes();
        room[written..written + replacement.len()].copy_from_slice(replacement);
        done.advance(result.count + 1, written + replacement.len());
    }
    let left = char::decode_utf16(units[done.read..].iter().copied()).map(|character| match character {
        Ok(character) => (character, character.len_utf16()),
        Err(_) => (char::REPLACEMENT_CHARACTER, 1),
    });
    write_each(left, target, done)
}

fn is_high_surrogate(unit: u16) -> bool {
    (0xd800..0xdc00).contains(&unit)
}

/// Writes characters, each with the number of its code units, one by one.
fn write_each(characters: impl Iterator<Item = (char, usize)>, target: &mut [u8], mut done: Written) -> Written {
    for (character, read) in characters {
        let Some(room) = target.get_mut(done.written..done.written + character.len_utf8()) else { break };
        character.encode_utf8(room);
        done.advance(read, character.len_utf8());
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What [`write`] makes of `text` in each number of bytes.
    fn check(text: &[u16]) {
        let characters = char::decode_utf16(text.iter().copied());
        let characters: Vec<char> = characters.map(|each| each.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        let narrow: Option<Vec<u8>> = text.iter().map(|unit| u8::try_from(*unit).ok()).collect();
        for room in 0..4 * text.len() {
            let mut expected = Written::default();
            let mut bytes = Vec::new();
            for character in &characters {
                let mut buffer = [0; 4];
                let encoded = character.encode_utf8(&mut buffer).as_bytes();
                if bytes.len() + encoded.len() > room {
                    break;
                }
                bytes.extend_from_slice(encoded);
                expected.advance(character.len_utf16(), encoded.len());
            }
            let mut target = vec![0; room];
            assert_eq!(write(Units::Wide(text), &mut target), expected, "{room}");
            assert_eq!(target[..expected.written], bytes);
            if let Some(narrow) = &narrow {
                target.fill(0);
                assert_eq!(write(Units::Narrow(narrow), &mut target), expected, "{room}");
                assert_eq!(target[..expected.written], bytes);
            }
        }
    }

    #[test]
    fn as_much_is_written_as_fits() {
        let texts = ["only ASCII in this text, ".repeat(5), "à votre santé ".repeat(9), "żółw 😀 漢字 ".repeat(9)];
        for text in texts {
            check(&text.encode_utf16().collect::<Vec<_>>());
        }
    }

    #[test]
    fn lone_surrogates_are_replaced() {
        let mut text: Vec<u16> = "😀 a long text with pairs 😀😀 and without them ".repeat(3).encode_utf16().collect();
        for (position, surrogate) in [(0, 0xd83d), (1, 0xd83d), (20, 0xde00), (40, 0xd83d), (41, 0xd83d)] {
            text[position] = surrogate;
        }
        text.push(0xd83d);
        check(&text);
    }

    #[test]
    fn lengths_are_those_of_the_bytes() {
        for length in [0usize, 1, 127, 128, 129, 5000, 128 * 255 + 5, 70_000] {
            let text: Vec<u8> = (0..length).map(|index| if index % 3 == 0 { 0xe9 } else { b'a' }).collect();
            assert_eq!(units_length(Units::Narrow(&text)), length + length.div_ceil(3));
        }
    }
}
