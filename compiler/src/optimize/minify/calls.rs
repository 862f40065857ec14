//! Where V8 says that an optional call happens: at its parenthesis, of which the printer makes no note.

use swc_sourcemap::{SourceMap, SourceMapBuilder};

/// `map`, with the parentheses of `?.(` that is right after a name.
pub fn noted(code: &str, map: SourceMap, source: &str) -> SourceMap {
    const CALL: &str = "?.(";
    if !code.contains(CALL) {
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
        for (at, _) in text.match_indices(CALL) {
            let column = units(&text[..at + CALL.len() - 1]);
            let Some(token) = map.lookup_token(line as u32, column).filter(|token| token.get_dst_line() == line as u32)
            else {
                continue;
            };
            let (source_line, from) = token.get_src();
            let origin = lines.get(source_line as usize).and_then(|text| parenthesis(text, from));
            if let Some(origin) = origin {
                builder.add_raw(line as u32, column, source_line, origin, Some(token.get_src_id()), None, false);
            }
        }
    }
    builder.into_sourcemap()
}

/// The column of the parenthesis after the name that begins at a column.
fn parenthesis(line: &str, column: u32) -> Option<u32> {
    let (start, _) = line.char_indices().find(|(at, _)| units(&line[..*at]) == column)?;
    let is_part = |character: char| character.is_alphanumeric() || "_$#".contains(character);
    let rest = line[start..].trim_start_matches(is_part).trim_start().strip_prefix("?.")?.trim_start();
    rest.starts_with('(').then(|| units(&line[..line.len() - rest.len()]))
}

fn units(text: &str) -> u32 {
    text.encode_utf16().count() as u32
}

#[cfg(test)]
mod tests {
    use super::parenthesis;

    #[test]
    fn after_a_name() {
        for (line, column, expected) in [
            ("start(); go?.({});", 9, Some(13)),
            ("a.$b ?. (1)", 2, Some(8)),
            ("a.b.c?.()", 0, None),
            ("é.c?.()", 2, Some(5)),
        ] {
            assert_eq!(parenthesis(line, column), expected, "{line}");
        }
    }
}
