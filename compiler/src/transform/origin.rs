//! Where transformed text comes from.

use std::ops::Range;

use super::SourceMap;

/// The stretch of `source` that a stretch of the text made from it comes from. Without a map, it is at the same lines
/// and columns.
pub fn origin(text: &str, source: &str, map: Option<&SourceMap>, span: Range<usize>) -> Range<usize> {
    let place = |offset: usize| {
        let (line, column) = position(text, offset);
        let (line, column) = match map {
            None => (line, column),
            Some(map) => map.lookup_token(line, column).map_or((0, 0), |token| token.get_src()),
        };
        offset_of(source, line, column)
    };
    let start = place(span.start);
    let end = match map {
        None => place(span.end),
        // Generated code has no need to be as long; quoted text mostly is.
        Some(_) => {
            let rest = &source[start..];
            let same = text.get(span).filter(|text| rest.get(1..).is_some() && rest.starts_with(text));
            start + same.map_or_else(|| rest.chars().next().map_or(0, char::len_utf8), str::len)
        }
    };
    start..end.max(start)
}

/// The line and column of an offset, both from zero, in UTF-16 code units.
fn position(text: &str, offset: usize) -> (u32, u32) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|&byte| byte == b'\n').count();
    (line as u32, before[line_start..].encode_utf16().count() as u32)
}

fn offset_of(text: &str, line: u32, column: u32) -> usize {
    let start: usize = text.split_inclusive('\n').take(line as usize).map(str::len).sum();
    let mut units = 0;
    for (offset, character) in text[start..].char_indices() {
        if units >= column || character == '\n' {
            return start + offset;
        }
        units += character.len_utf16() as u32;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_positions() {
        let text = "one\nzwö 🙂 x\n";
        for (offset, _) in text.char_indices() {
            let (line, column) = position(text, offset);
            assert_eq!(offset_of(text, line, column), offset);
        }
        let x = text.find('x').unwrap();
        assert_eq!(origin("a\n       x", text, None, 9..10), x..x + 1);
    }
}
