//! What simdutf does with UTF-16 that the `v8` crate does not pass on.

use std::ffi::c_int;

/// `simdutf::result`
#[repr(C)]
struct Outcome {
    error: c_int,
    count: usize,
}

unsafe extern "C" {
    /// It is in V8's library, by its C++ name.
    #[link_name = "_ZN7simdutf41utf8_length_from_utf16le_with_replacementEPKDsm"]
    fn length_with_replacement(units: *const u16, length: usize) -> Outcome;
}

/// How many bytes `units` have as UTF-8, with U+FFFD for each lone surrogate.
pub fn utf8_length(units: &[u16]) -> usize {
    // SAFETY: it reads that many units, and returns the structure in registers as C would.
    unsafe { length_with_replacement(units.as_ptr(), units.len()) }.count
}

#[cfg(test)]
mod tests {
    use super::utf8_length;

    #[test]
    fn lone_surrogates_count_as_replacements() {
        let text: Vec<u16> = "żółw 😀 a".encode_utf16().collect();
        assert_eq!(utf8_length(&text), "żółw 😀 a".len());
        assert_eq!(utf8_length(&[0xd83d, 0x61, 0xde00]), 7);
        assert_eq!(utf8_length(&[]), 0);
    }
}
