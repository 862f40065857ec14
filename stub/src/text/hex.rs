//! Hexadecimal digits, as Node reads and writes them.

use super::Units;

/// Two lower-case digits for each byte.
pub fn encode(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = Vec::with_capacity(2 * bytes.len());
    for &byte in bytes {
        out.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    out
}

/// Decodes as many bytes as fit, up to the first pair that is not two digits.
pub fn decode(digits: Units, target: &mut [u8]) -> usize {
    match digits {
        Units::Narrow(digits) => decode_bytes(digits.iter().copied(), target),
        // Node looks at the low byte of each code unit only.
        Units::Wide(digits) => decode_bytes(digits.iter().map(|&unit| unit as u8), target),
    }
}

fn decode_bytes(mut digits: impl Iterator<Item = u8>, target: &mut [u8]) -> usize {
    let mut length = 0;
    for byte in target {
        let (Some(high), Some(low)) = (digits.next().and_then(value), digits.next().and_then(value)) else { break };
        *byte = high << 4 | low;
        length += 1;
    }
    length
}

fn value(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}
