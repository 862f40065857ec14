//! ICU's sets of strings, filled as fast as they can be.
//!
//! `\p{RGI_Emoji}` in a regular expression, which most programs with a terminal have through string-width, makes ICU add some
//! thousand strings to a set. It looks for each among all that are there, one by one, which takes 11 ms, though it keeps
//! them in order.

use std::cmp::Ordering;
use std::slice;

/// `icu::UnicodeSet`.
#[repr(C)]
pub struct UnicodeSet([u8; 0]);

/// `icu::UnicodeString` (`unicode/unistr.h`): the text is in the object, or where a pointer says.
#[repr(C)]
pub struct UnicodeString {
    vtable: usize,
    length_and_flags: i16,
    short: [u16; 1],
    length: i32,
    capacity: i32,
    text: *const u16,
}

const IS_SHORT: i16 = 2;
const LENGTH_SHIFT: i16 = 5;

impl UnicodeString {
    fn text(&self) -> &[u16] {
        let length = match self.length_and_flags >> LENGTH_SHIFT {
            short @ 0.. => usize::try_from(short),
            _ => usize::try_from(self.length),
        };
        let text = match self.length_and_flags & IS_SHORT {
            0 => self.text,
            _ => self.short.as_ptr(),
        };
        // A bogus string has no units.
        if text.is_null() {
            return &[];
        }
        // SAFETY: ICU has so many units there; a short text goes on behind the field, in the room of the others.
        unsafe { slice::from_raw_parts(text, length.unwrap_or_default()) }
    }
}

unsafe extern "C" {
    #[link_name = "__real__ZN6icu_7810UnicodeSet3addERKNS_13UnicodeStringE"]
    fn add(set: *mut UnicodeSet, string: *const UnicodeString) -> *mut UnicodeSet;
    /// `UnicodeSet::_add`: adds what is known to be absent.
    #[link_name = "_ZN6icu_7810UnicodeSet4_addERKNS_13UnicodeStringE"]
    fn add_absent(set: *mut UnicodeSet, string: *const UnicodeString);
    #[link_name = "_ZNK6icu_7810UnicodeSet11stringsSizeEv"]
    fn count(set: *const UnicodeSet) -> i32;
    #[link_name = "_ZNK6icu_7810UnicodeSet9getStringEi"]
    fn string_at(set: *const UnicodeSet, index: i32) -> *const UnicodeString;
}

/// What ICU calls for `UnicodeSet::add(const UnicodeString&)`.
///
/// # Safety
///
/// As for the function that it stands for.
#[unsafe(export_name = "__wrap__ZN6icu_7810UnicodeSet3addERKNS_13UnicodeStringE")]
unsafe extern "C" fn add_string(set: *mut UnicodeSet, string: *const UnicodeString) -> *mut UnicodeSet {
    // SAFETY: both are ICU's own and live for the call, and the indices are those that there are.
    unsafe {
        let text = (*string).text();
        // What is a single character goes elsewhere.
        if text.len() < 3 {
            return add(set, string);
        }
        // Strings in a set are in the order of their units.
        let (mut low, mut high) = (0, count(set));
        while low < high {
            let middle = low + (high - low) / 2;
            match (*string_at(set, middle)).text().cmp(text) {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => return set,
            }
        }
        add_absent(set, string);
        set
    }
}
