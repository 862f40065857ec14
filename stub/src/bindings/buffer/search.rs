//! `indexOf` and `lastIndexOf`.

use memchr::memmem;
use v8::{Local, PinScope, Value};

use super::{Args, Return, view};
use crate::text::{self, Encoding, STORAGE};

/// `indexOfString(buffer, string, offset, encoding, forward, end)`
pub fn index_of_string<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(haystack) = view(scope, args.get(0)) else { return };
    let Ok(string) = Local::<v8::String>::try_from(args.get(1)) else { return };
    let search = Search::from(scope, &args);
    let haystack = text::read(haystack);
    // Here, unlike with a buffer to look for, half a code unit at the end does not count from the start.
    let length = if search.encoding == Encoding::Ucs2 { haystack.len() & !1 } else { haystack.len() };
    let found = text::with_bytes(scope, string, search.encoding, |needle| search.run(&haystack[..length], needle));
    rv.set_double(found);
}

/// `indexOfBuffer(buffer, needle, offset, encoding, forward, end)`
pub fn index_of_buffer<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(haystack) = view(scope, args.get(0)) else { return };
    if view(scope, args.get(1)).is_none() {
        return;
    }
    let search = Search::from(scope, &args);
    let mut storage = STORAGE;
    let Some(needle) = text::contents(args.get(1), &mut storage) else { return };
    rv.set_double(search.run(text::read(haystack), needle));
}

/// `indexOfNumber(buffer, byte, offset, forward, end)`
pub fn index_of_number<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(haystack) = view(scope, args.get(0)) else { return };
    let byte = args.get(1).uint32_value(scope).unwrap_or_default() as u8;
    let search = Search {
        offset: args.get(2).integer_value(scope).unwrap_or_default(),
        encoding: Encoding::Latin1,
        forward: args.get(3).is_true(),
        end: end(scope, args.get(4)),
    };
    rv.set_double(search.run(text::read(haystack), &[byte]));
}

struct Search {
    offset: i64,
    encoding: Encoding,
    forward: bool,
    end: i64,
}

fn end<'s>(scope: &mut PinScope<'s, '_>, value: Local<'s, Value>) -> i64 {
    match value.is_undefined() {
        true => i64::MAX,
        false => value.integer_value(scope).unwrap_or_default(),
    }
}

impl Search {
    fn from<'s>(scope: &mut PinScope<'s, '_>, args: &Args<'s>) -> Search {
        Search {
            offset: args.get(2).integer_value(scope).unwrap_or_default(),
            encoding: Encoding::parse(scope, args.get(3), Encoding::Utf8),
            forward: args.get(4).is_true(),
            end: end(scope, args.get(5)),
        }
    }

    /// Where `needle` lies; -1 if nowhere.
    fn run(&self, haystack: &[u8], needle: &[u8]) -> f64 {
        self.find(haystack, needle).map_or(-1.0, |position| position as f64)
    }

    fn find(&self, haystack: &[u8], needle: &[u8]) -> Option<usize> {
        let wide = self.encoding == Encoding::Ucs2;
        let start = self.start(haystack.len() as i64, needle.len() as i64)?;
        let end = self.end.clamp(0, haystack.len() as i64) as usize;
        let end = if wide { end & !1 } else { end };
        if needle.is_empty() {
            return Some(start.min(end));
        }
        let haystack = &haystack[..end];
        if needle.len() > end || self.forward && start + needle.len() > end || wide && needle.len() < 2 {
            return None;
        }
        if wide {
            return self.find_wide(haystack, needle, start);
        }
        if self.forward {
            return memmem::find(haystack.get(start..)?, needle).map(|position| start + position);
        }
        let last = start.min(end - needle.len());
        memmem::rfind(&haystack[..last + needle.len()], needle)
    }

    /// Matches begin at whole code units only.
    fn find_wide(&self, haystack: &[u8], needle: &[u8], start: usize) -> Option<usize> {
        let start = start & !1;
        if self.forward {
            let mut from = start;
            loop {
                from += memmem::find(haystack.get(from..)?, needle)?;
                if from.is_multiple_of(2) {
                    return Some(from);
                }
                from += 1;
            }
        }
        let mut last = start.min((haystack.len() - needle.len()) & !1);
        loop {
            last = memmem::rfind(&haystack[..last + needle.len()], needle)?;
            if last.is_multiple_of(2) {
                return Some(last);
            }
            last -= 1;
        }
    }

    /// Where to begin; negative offsets count from the end.
    fn start(&self, length: i64, needle: i64) -> Option<usize> {
        let start = if self.offset < 0 {
            match self.offset.checked_add(length) {
                Some(start) if start >= 0 => start,
                _ if self.forward || needle == 0 => 0,
                _ => return None,
            }
        } else if self.offset.saturating_add(needle) <= length {
            self.offset
        } else if needle == 0 {
            length
        } else if self.forward {
            return None;
        } else {
            length - 1
        };
        usize::try_from(start).ok()
    }
}
