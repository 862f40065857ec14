//! Base64, as Node reads and writes it.

use v8::simdutf::{self, Base64Options, ErrorCode, LastChunkHandling};

use super::Units;

/// The digits of `bytes`; without padding in the alphabet for URLs.
pub fn encode(bytes: &[u8], url: bool) -> Vec<u8> {
    let options = if url { Base64Options::Url } else { Base64Options::Default };
    let length = simdutf::base64_length_from_binary(bytes.len(), options);
    let mut out = vec![0; length];
    encode_to(bytes, url, &mut out);
    out
}

/// As [`encode`], into memory of just the right length.
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

fn decode_slowly(digits: impl Iterator<Item = u8>, target: &mut [u8]) -> usize {
    let mut length = 0;
    let (mut bits, mut count) = (0u32, 0);
    for digit in digits {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => break,
            _ => continue,
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

/// Decodes by the rules of `atob`: only white space is skipped, and padding has to be right.
pub fn decode_forgiving(digits: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let most = simdutf::maximal_binary_length_from_base64(digits);
    let mut out = vec![0; most];
    // SAFETY: the output has room for the most that simdutf says it can write.
    let result =
        unsafe { simdutf::base64_to_binary(digits, &mut out, Base64Options::Default, LastChunkHandling::Loose) };
    out.truncate(result.count);
    match result.error {
        ErrorCode::Success => Ok(out),
        ErrorCode::Base64InputRemainder => Err(DecodeError::Remainder),
        _ => Err(DecodeError::Character),
    }
}
