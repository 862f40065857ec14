//! Hexadecimal digits, as Node reads and writes them.

use super::Units;

/// Two lower-case digits for each byte, into memory of that length.
pub fn encode(bytes: &[u8], out: &mut [u8]) {
    // It has vector instructions for it, and fails only if the target is too short.
    let _ = faster_hex::hex_encode(bytes, out);
}

/// Decodes as many bytes as fit, up to the first pair that is not two digits.
pub fn decode(digits: Units, target: &mut [u8]) -> usize {
    match digits {
        Units::Narrow(digits) => {
            let mut length = 0;
            for (byte, &[high, low]) in target.iter_mut().zip(digits.as_chunks().0) {
                let (high, low) = (VALUES[usize::from(high)], VALUES[usize::from(low)]);
                if high | low > 15 {
                    break;
                }
                *byte = high << 4 | low;
                length += 1;
            }
            length
        }
        // Node looks at the low byte of each code unit only.
        Units::Wide(digits) => decode_bytes(digits.iter().map(|&unit| unit as u8), target),
    }
}

fn decode_bytes(mut digits: impl Iterator<Item = u8>, target: &mut [u8]) -> usize {
    let mut length = 0;
    for byte in target {
        let (Some(high), Some(low)) = (digits.next(), digits.next()) else { break };
        let (high, low) = (VALUES[usize::from(high)], VALUES[usize::from(low)]);
        // No digit has a value over 15.
        if high | low > 15 {
            break;
        }
        *byte = high << 4 | low;
        length += 1;
    }
    length
}

/// The value of each digit; 255 for what is none.
const VALUES: [u8; 256] = {
    let mut table = [255; 256];
    let mut value = 0;
    while value < 16 {
        let digit = b"0123456789abcdef"[value];
        table[digit as usize] = value as u8;
        table[digit.to_ascii_uppercase() as usize] = value as u8;
        value += 1;
    }
    table
};
