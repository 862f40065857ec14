//! Base64, as Node reads and writes it.

use v8::simdutf::{self, Base64Options, ErrorCode, LastChunkHandling};

use super::Units;

/// How many digits `length` bytes have; without padding in the alphabet for URLs.
pub fn encoded_length(length: usize, url: bool) -> usize {
    simdutf::base64_length_from_binary(length, if url { Base64Options::Url } else { Base64Options::Default })
}

/// The digits of `bytes`, into memory of just the right length.
pub fn encode_to(bytes: &[u8], url: bool, out: &mut [u8]) {
    let options = if url { Base64Options::Url } else { Base64Options::Default };
    assert_eq!(out.len(), simdutf::base64_length_from_binary(bytes.len(), options));
    // SAFETY: the output has the length that simdutf tells for this input.
    unsafe { simdutf::binary_to_base64(bytes, out, options) };
}

/// Decodes as many bytes as fit. Both alphabets are taken, what belongs to neither is skipped, and `=` ends it. `url`
/// tells which alphabet to try first.
pub fn decode(digits: Units, target: &mut [u8], url: bool) -> usize {
    match digits {
        Units::Narrow(digits) => {
            if let Some(length) = decode_short(digits, target, &BOTH) {
                return length;
            }
            let mut alphabets = [Base64Options::Default, Base64Options::Url];
            if url {
                alphabets.reverse();
            }
            let decoded = alphabets.into_iter().find_map(|alphabet| decode_fast(digits, target, alphabet));
            decoded.unwrap_or_else(|| decode_slowly(digits.iter().copied(), target))
        }
        // Node looks at the low byte of each code unit only.
        Units::Wide(units) => decode_slowly(units.iter().map(|&unit| unit as u8), target),
    }
}

/// Decodes what has no flaws in one alphabet; `None` for the rest, and where the target is too small.
fn decode_fast(digits: &[u8], target: &mut [u8], alphabet: Base64Options) -> Option<usize> {
    let most = simdutf::maximal_binary_length_from_base64(digits);
    if most > target.len() {
        return None;
    }
    // SAFETY: the target has room for the most that simdutf says it can write.
    let result = unsafe { simdutf::base64_to_binary(digits, target, alphabet, LastChunkHandling::Loose) };
    (result.error == ErrorCode::Success).then_some(result.count)
}

/// What simdutf needs longer to set out for than it takes digit by digit.
const SHORT: usize = 64;

/// Decodes a short text that has no flaws and fits; `None` for others.
fn decode_short(digits: &[u8], target: &mut [u8], values: &[u8; 256]) -> Option<usize> {
    if digits.len() > SHORT {
        return None;
    }
    let digits = match digits {
        // Padding that is right.
        [rest @ .., b'=', b'='] | [rest @ .., b'='] if digits.len().is_multiple_of(4) => rest,
        _ => digits,
    };
    let value = |digit: u8| u32::from(values[usize::from(digit)]);
    let (groups, rest) = digits.as_chunks::<4>();
    let target = target.get_mut(..groups.len() * 3 + rest.len().saturating_sub(1))?;
    // Nothing is written to the target if there are flaws.
    let mut bytes = [0; SHORT / 4 * 3];
    let bytes = &mut bytes[..target.len()];
    let (triples, last) = bytes.as_chunks_mut::<3>();
    let mut seen = 0;
    for (triple, group) in triples.iter_mut().zip(groups) {
        let [first, second, third, fourth] = group.map(value);
        seen |= first | second | third | fourth;
        let [_, bytes @ ..] = (first << 18 | second << 12 | third << 6 | fourth).to_be_bytes();
        *triple = bytes;
    }
    match (rest, last) {
        ([], []) => {}
        ([first, second], [byte]) => {
            seen |= value(*first) | value(*second);
            *byte = (value(*first) << 2 | value(*second) >> 4) as u8;
        }
        ([first, second, third], [high, low]) => {
            seen |= value(*first) | value(*second) | value(*third);
            *high = (value(*first) << 2 | value(*second) >> 4) as u8;
            *low = (value(*second) << 4 | value(*third) >> 2) as u8;
        }
        _ => return None,
    }
    (seen < 64).then(|| {
        target.copy_from_slice(bytes);
        target.len()
    })
}

/// The values of the digits of the standard alphabet; 255 for what is none.
const STANDARD: [u8; 256] = values(b"+/");
/// The same with the digits of the alphabet for URLs.
const BOTH: [u8; 256] = values(b"+/-_");

const fn values(last: &[u8]) -> [u8; 256] {
    let mut table = [255; 256];
    let mut value = 0;
    while value < 26 {
        table[(b'A' + value) as usize] = value;
        table[(b'a' + value) as usize] = value + 26;
        if value < 10 {
            table[(b'0' + value) as usize] = value + 52;
        }
        value += 1;
    }
    let mut index = 0;
    while index < last.len() {
        table[last[index] as usize] = 62 + index as u8 % 2;
        index += 1;
    }
    table
}

fn decode_slowly(digits: impl Iterator<Item = u8>, target: &mut [u8]) -> usize {
    let mut length = 0;
    let (mut bits, mut count) = (0u32, 0);
    for digit in digits {
        let value = match BOTH[usize::from(digit)] {
            255 if digit == b'=' => break,
            255 => continue,
            value => value,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            let Some(byte) = target.get_mut(length) else { break };
            *byte = (bits >> count) as u8;
            length += 1;
        }
    }
    length
}

/// Why `atob` refuses a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DecodeError {
    /// One digit is left over, which is no whole byte.
    Remainder,
    /// A character that is no digit, or padding where none may be.
    Character,
}

/// Decodes by the rules of `atob`: only white space is skipped, and padding has to be right. Returns how many bytes
/// that makes; `out` is as long as `digits`.
pub fn decode_forgiving(digits: &[u8], out: &mut [u8]) -> Result<usize, DecodeError> {
    if let Some(length) = decode_short(digits, out, &STANDARD) {
        return Ok(length);
    }
    assert!(simdutf::maximal_binary_length_from_base64(digits) <= out.len());
    // SAFETY: the output has room for the most that simdutf says it can write.
    let result = unsafe { simdutf::base64_to_binary(digits, out, Base64Options::Default, LastChunkHandling::Loose) };
    match result.error {
        ErrorCode::Success => Ok(result.count),
        ErrorCode::Base64InputRemainder => Err(DecodeError::Remainder),
        _ => Err(DecodeError::Character),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_texts_are_decoded_like_long_ones() {
        let texts = [
            "", "YQ==", "YWI=", "YWJj", "YWJjZA", "YWJjZA==", "-_-_", "+/+/", "Y", "YWJjZ", "Y Q==", "YQ=", "=",
            "ab=c", "a===",
        ];
        for text in texts {
            for room in 0..8 {
                let (mut short, mut slow) = (vec![0; room], vec![0; room]);
                let expected = decode_slowly(text.bytes(), &mut slow);
                if let Some(length) = decode_short(text.as_bytes(), &mut short, &BOTH) {
                    assert_eq!(short[..length], slow[..expected], "{text}");
                }
            }
        }
        let mut room = [0; 8];
        assert_eq!(decode_short(b"YWJjZA==", &mut room, &STANDARD), Some(4));
        assert_eq!(decode_short(b"YWJ-ZA==", &mut room, &STANDARD), None);
        assert_eq!(decode_short(b"YWJjZ", &mut room, &BOTH), None);
        assert_eq!(decode_short(b"YQ=", &mut room, &BOTH), None);
    }
}
