//! Strings of which only a part is known.

use kiln_payload::normalize;

/// A string of which the beginning, and perhaps the end, is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pattern {
    /// How it begins.
    pub prefix: String,
    /// How it ends, after a middle that is not known. `None` if the prefix is all.
    pub tail: Option<String>,
    /// Whether it is a path that begins at the module's own place.
    pub anchored: bool,
}

impl Pattern {
    pub fn text(text: impl Into<String>) -> Self {
        Self { prefix: text.into(), ..Self::default() }
    }

    pub fn anything() -> Self {
        Self { tail: Some(String::new()), ..Self::default() }
    }

    pub fn then(mut self, next: Pattern) -> Self {
        match (&mut self.tail, next.tail) {
            (None, tail) => {
                self.prefix.push_str(&next.prefix);
                self.tail = tail;
            }
            (Some(mine), None) => mine.push_str(&next.prefix),
            (Some(mine), Some(tail)) => *mine = tail,
        }
        self
    }

    /// Resolves `.` and `..` as far as the path is known.
    pub fn normalize(mut self) -> Self {
        if self.tail.is_none() {
            self.prefix = normalize(&self.prefix);
        } else {
            let (folder, name) = self.prefix.rsplit_once('/').unwrap_or(("", &self.prefix));
            self.prefix = format!("{}/{name}", normalize(folder).trim_end_matches('/'));
            // What follows may climb back out of the unknown part.
            self.tail = self.tail.filter(|tail| !tail.contains("..")).or(Some(String::new()));
        }
        self
    }

    /// A relative path, seen from a folder.
    pub fn relative_to(mut self, directory: &str) -> Self {
        self.prefix = format!("{directory}/{}", self.prefix);
        Self { anchored: true, ..self.normalize() }
    }

    /// What is one or the other: at least what both begin and end with.
    pub fn or(self, other: Self) -> Self {
        if self == other {
            return self;
        }
        let common = self.prefix.bytes().zip(other.prefix.bytes()).take_while(|(a, b)| a == b).count();
        let common = (0..=common).rev().find(|&end| self.prefix.is_char_boundary(end)).unwrap_or(0);
        let end = |pattern: &Self| pattern.tail.clone().unwrap_or_else(|| pattern.prefix[common..].to_owned());
        let (mine, its) = (end(&self), end(&other));
        let mut tail = mine.len() - mine.bytes().rev().zip(its.bytes().rev()).take_while(|(a, b)| a == b).count();
        while !mine.is_char_boundary(tail) {
            tail += 1;
        }
        Self { prefix: self.prefix[..common].to_owned(), tail: Some(mine[tail..].to_owned()), anchored: self.anchored }
    }

    pub fn parent(mut self) -> Option<Self> {
        if self.tail.is_some() {
            return None;
        }
        self.prefix = match self.prefix.trim_end_matches('/').rsplit_once('/') {
            Some(("", _)) | None => "/".into(),
            Some((parent, _)) => parent.into(),
        };
        Some(self)
    }
}
