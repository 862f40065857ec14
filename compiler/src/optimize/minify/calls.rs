//! Where V8 says that a call of no name happens, or an optional one: at its parenthesis or its `?.`, of which the printer
//! makes no note.

use swc_sourcemap::{SourceMap, SourceMapBuilder};

/// `map`, with these places where what is right before them is in it.
pub fn noted(code: &str, map: SourceMap, source: &str) -> SourceMap {
    if !code.contains(")(") && !code.contains("?.") {
        return map;
    }
    let lines: Vec<&str> = source.split('\n').collect();
    let mut builder = SourceMapBuilder::new(None);
    for id in 0..map.get_source_count() {
        let id = builder.add_source(map.get_source(id).cloned().unwrap_or_default());
        builder.set_source_contents(id, map.get_source_contents(id).cloned());
    }
    for token in map.tokens() {
        let ((to_line, to), (line, column)) = (token.get_dst(), token.get_src());
        let id = token.has_source().then(|| token.get_src_id());
        builder.add_raw(to_line, to, line, column, id, None, false);
    }
    for (line, text) in code.split('\n').enumerate() {
        for at in places(text) {
            let (line, column) = (line as u32, units(&text[..at]));
            let Some(token) = map.lookup_token(line, column).filter(|token| token.get_dst_line() == line) else {
                continue;
            };
            let (source_line, from) = token.get_src();
            let origin = byte(text, token.get_dst_col())
                .and_then(|start| Some((text.get(start..at)?, lines.get(source_line as usize)?)))
                .and_then(|(passed, line)| after(line, from, passed, &text[at..=at]));
            if let Some(origin) = origin {
                builder.add_raw(line, column, source_line, origin, Some(token.get_src_id()), None, false);
            }
        }
    }
    builder.into_sourcemap()
}

/// The parentheses and `?.` of such calls in a line.
fn places(text: &str) -> impl Iterator<Item = usize> {
    let calls = text.match_indices(")(").map(|(at, _)| at + 1);
    let optional = text.match_indices("?.").map(|(at, _)| if text[at + 2..].starts_with('(') { at + 2 } else { at });
    calls.chain(optional)
}

/// The column of `what` after a name that begins at a column, or ends there, and after `passed` without its name.
fn after(line: &str, column: u32, passed: &str, what: &str) -> Option<u32> {
    let is_part = |character: char| character.is_alphanumeric() || "_$#".contains(character);
    let mut rest = line[byte(line, column)?..].trim_start_matches(is_part).trim_start();
    for character in passed.trim_start_matches(is_part).chars() {
        // Of anything else the printer makes its notes.
        if !")(?.".contains(character) {
            return None;
        }
        rest = rest.strip_prefix(character)?.trim_start();
    }
    // Parentheses that the printer puts where they are needed begin and end with what is inside.
    let rest = rest.trim_start_matches(|character: char| character == ')' || character.is_whitespace());
    rest.starts_with(what).then(|| units(&line[..line.len() - rest.len()]))
}

/// Where a column begins.
fn byte(line: &str, column: u32) -> Option<usize> {
    let mut count = 0;
    let mut starts = line.char_indices().map(|(at, character)| {
        let start = count;
        count += character.len_utf16() as u32;
        (at, start)
    });
    starts.find(|(_, start)| *start == column).map(|(at, _)| at)
}

fn units(text: &str) -> u32 {
    text.encode_utf16().count() as u32
}

#[cfg(test)]
mod tests {
    use super::after;

    #[test]
    fn after_a_name() {
        for (line, column, passed, what, expected) in [
            ("start(); go?.({});", 9, "n?.", "(", Some(13)),
            ("a.$b ?. (1)", 2, "$b?.", "(", Some(8)),
            ("a.b.c?.()", 0, "e?.", "(", None),
            ("é.c?.()", 2, "c?.", "(", Some(5)),
            ("f?.( )?.x", 0, "n?.()", "?", Some(6)),
            ("(() => g(1) )()", 10, "))", "(", Some(13)),
            ("(() => g(1) )()", 10, ")", "(", Some(13)),
        ] {
            assert_eq!(after(line, column, passed, what), expected, "{line}");
        }
    }
}
