//! Where generated code comes from: a source map, in a form that is looked things up in right away.

use rkyv::{Archive, Deserialize, Serialize};

use crate::archive;

/// The origins of one module's text.
#[derive(Archive, Serialize, Deserialize, Debug, Default, Clone, PartialEq, Eq)]
pub struct Origins {
    /// The files that it was made of.
    pub sources: Vec<Origin>,
    /// What stretches of it come from, in the order of the text.
    pub stretches: Vec<Stretch>,
}

/// A file that code was made of.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Its virtual path.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// What a stretch of text, up to the next, comes from. Lines and columns count from zero, columns in UTF-16 code units.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stretch {
    /// The line that it begins on.
    pub line: u32,
    /// The column that it begins at.
    pub column: u32,
    /// Which of the sources it comes from.
    pub source: u32,
    /// The line there.
    pub source_line: u32,
    /// The column there.
    pub source_column: u32,
    /// Whether it is that text, letter for letter, and not only made of it.
    pub goes_on: bool,
}

impl Stretch {
    /// The column that a column in the stretch comes from.
    pub fn column_of(&self, column: u32) -> u32 {
        self.source_column + if self.goes_on { column.saturating_sub(self.column) } else { 0 }
    }
}

impl Origins {
    /// What a place of the text comes from.
    pub fn find(&self, line: u32, column: u32) -> Option<(&Origin, &Stretch)> {
        let after = self.stretches.partition_point(|stretch| (stretch.line, stretch.column) <= (line, column));
        let stretch = self.stretches[..after].last().filter(|stretch| stretch.line == line)?;
        Some((self.sources.get(stretch.source as usize)?, stretch))
    }

    /// The archive's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        archive::to_bytes(self)
    }

    /// Reads the archive's bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        archive::from_bytes(bytes)
    }
}

impl Origin {
    /// A line of the file, without its end.
    pub fn line(&self, number: u32) -> &str {
        self.text.split('\n').nth(number as usize).unwrap_or_default().trim_end_matches('\r')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_covers_a_place() {
        let stretch = |line, column, source_line| Stretch {
            line,
            column,
            source: 0,
            source_line,
            source_column: 7,
            goes_on: line == 1,
        };
        let sources = vec![Origin { path: "/a.ts".into(), text: "one\r\ntwo\n".into() }];
        let origins = Origins { sources, stretches: vec![stretch(1, 2, 0), stretch(1, 5, 1), stretch(3, 0, 0)] };
        let origins = Origins::from_bytes(&origins.to_bytes()).unwrap();
        let line = |line, column| origins.find(line, column).map(|(_, stretch)| stretch.source_line);
        assert_eq!([line(0, 9), line(1, 1), line(1, 2), line(1, 9), line(2, 0)], [None, None, Some(0), Some(1), None]);
        let (origin, stretch) = origins.find(1, 5).unwrap();
        assert_eq!((origin.path.as_str(), origin.line(0), origin.line(stretch.source_line)), ("/a.ts", "one", "two"));
        assert_eq!([stretch.column_of(5), stretch.column_of(9)], [7, 11]);
        assert_eq!(origins.find(3, 9).map(|(_, stretch)| stretch.column_of(9)), Some(7));
        assert_eq!(Origins::from_bytes(b"nonsense"), None);
    }
}
