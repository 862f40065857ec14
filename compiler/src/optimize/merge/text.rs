//! Putting the text of an island together, and remembering where each part comes from.

use std::ops::Range;

use swc_sourcemap::{SourceMap, SourceMapBuilder};

/// A change to a stretch of a source.
pub type Edit = (Range<usize>, String);

/// A source to copy from.
pub struct Source<'a> {
    /// Its number in the map.
    pub id: u32,
    /// Its text.
    pub text: &'a str,
    /// Where that comes from, if it was generated.
    pub map: Option<&'a SourceMap>,
    /// What changes, in order.
    pub edits: Vec<Edit>,
    /// Where its lines begin.
    lines: Vec<usize>,
    /// The last position that was asked for: offset, line and column.
    last: (usize, u32, u32),
}

/// The text as far as it is written.
pub struct Text {
    text: String,
    line: u32,
    column: u32,
    map: SourceMapBuilder,
}

impl<'a> Source<'a> {
    pub fn new(id: u32, text: &'a str, map: Option<&'a SourceMap>, mut edits: Vec<Edit>) -> Self {
        edits.sort_by_key(|(range, _)| (range.start, range.end));
        let lines = std::iter::once(0).chain(ends(text)).collect();
        Self { id, text, map, edits, lines, last: (0, 0, 0) }
    }

    /// Where it begins to mean something: behind a line for the shell.
    pub fn start(&self) -> usize {
        if self.text.starts_with("#!") { self.lines.get(1).copied().unwrap_or(self.text.len()) } else { 0 }
    }

    /// The line and column of an offset.
    fn position(&mut self, offset: usize) -> (u32, u32) {
        let line = self.lines.partition_point(|start| *start <= offset) - 1;
        let (from, column) = match self.last {
            (known, known_line, column) if known_line as usize == line && known <= offset => (known, column),
            _ => (self.lines[line], 0),
        };
        let column = column + self.text[from..offset].encode_utf16().count() as u32;
        self.last = (offset, line as u32, column);
        (line as u32, column)
    }
}

impl Text {
    pub fn new() -> Self {
        Self { text: String::new(), line: 0, column: 0, map: SourceMapBuilder::new(None) }
    }

    /// Adds a source to the map.
    pub fn source(&mut self, name: &str, text: &str) -> u32 {
        let id = self.map.add_source(name.to_owned().into());
        self.map.set_source_contents(id, Some(text.to_owned().into()));
        id
    }

    /// Writes what comes from nowhere.
    pub fn raw(&mut self, text: &str) {
        self.text.push_str(text);
        for line in pieces(text) {
            self.advance(line);
        }
    }

    fn advance(&mut self, piece: &str) {
        if piece.ends_with(is_end) {
            self.line += 1;
            self.column = 0;
        } else {
            self.column += piece.encode_utf16().count() as u32;
        }
    }

    /// Copies a stretch of a source, with the changes in it.
    pub fn copy(&mut self, source: &mut Source, range: Range<usize>) {
        let mut at = range.start;
        let first = source.edits.partition_point(|(edit, _)| edit.start < range.start);
        for number in first..source.edits.len() {
            let (edit, replacement) = source.edits[number].clone();
            if edit.end > range.end || edit.start >= range.end && edit.start != edit.end {
                break;
            }
            self.verbatim(source, at..edit.start);
            if edit.start < edit.end {
                self.begin(source, edit.start, edit.start);
            }
            self.raw(&replacement);
            at = edit.end;
        }
        self.verbatim(source, at..range.end);
    }

    fn verbatim(&mut self, source: &mut Source, range: Range<usize>) {
        let mut at = range.start;
        let text = source.text;
        for piece in pieces(&text[range]) {
            let end = at + piece.len();
            self.begin(source, at, end);
            self.text.push_str(piece);
            self.advance(piece);
            at = end;
        }
    }

    /// Notes that what comes next is a source's text between two offsets of one line.
    fn begin(&mut self, source: &mut Source, start: usize, end: usize) {
        let (line, column) = source.position(start);
        let Some(map) = source.map else {
            self.map.add_raw(self.line, self.column, line, column, Some(source.id), None, start != end);
            return;
        };
        if let Some(token) = map.lookup_token(line, column).filter(|token| token.get_dst_line() == line) {
            let (src_line, src_column) = token.get_src();
            self.map.add_raw(self.line, self.column, src_line, src_column, Some(source.id), None, false);
        }
        if start == end {
            return;
        }
        let (_, end_column) = source.position(end - usize::from(source.text[..end].ends_with('\n')));
        for id in after(map, (line, column)).. {
            let Some(token) = map.get_token(id) else { break };
            if token.get_dst() >= (line, end_column.max(column + 1)) {
                break;
            }
            let (src_line, src_column) = token.get_src();
            let there = self.column + token.get_dst_col() - column;
            self.map.add_raw(self.line, there, src_line, src_column, Some(source.id), None, false);
        }
    }

    pub fn finish(self) -> (String, SourceMap) {
        (self.text, self.map.into_sourcemap())
    }
}

/// The number of the first token behind a place.
fn after(map: &SourceMap, place: (u32, u32)) -> usize {
    let (mut low, mut high) = (0, map.get_token_count() as usize);
    while low < high {
        let middle = (low + high) / 2;
        match map.get_token(middle).is_some_and(|token| token.get_dst() <= place) {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    low
}

fn is_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}')
}

/// The offsets at which lines end, as V8 counts them.
fn ends(text: &str) -> impl Iterator<Item = usize> {
    text.char_indices().filter(|(_, c)| is_end(*c)).filter_map(|(at, c)| {
        let end = at + c.len_utf8();
        (c != '\r' || !text[end..].starts_with('\n')).then_some(end)
    })
}

/// The lines of a text, each with its end.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut start = 0;
    let ends: Vec<usize> = ends(text).chain([text.len()]).collect();
    ends.into_iter().filter_map(move |end| {
        let piece = &text[start..end];
        start = end;
        (!piece.is_empty()).then_some(piece)
    })
}
