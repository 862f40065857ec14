//! What a parser has read of a message's head.

use v8::{Array, Local, NewStringType, PinScope, String, Value};

/// Headers that are handed to JavaScript at once.
const MOST: usize = 32;

/// A part of [`Head::text`].
#[derive(Clone, Copy, Default)]
struct Part {
    start: usize,
    end: usize,
}

#[derive(Clone, Copy, Default)]
struct Header {
    name: Part,
    value: Option<Part>,
}

/// The head of a message, as far as it has been read and not been handed over.
#[derive(Default)]
pub struct Head {
    /// All texts, one after the other.
    text: Vec<u8>,
    url: Part,
    /// The reason phrase; it stays when headers are handed over early.
    status: Vec<u8>,
    headers: Vec<Header>,
}

impl Head {
    /// Forgets all.
    pub fn clear(&mut self) {
        self.text.clear();
        self.url = Part::default();
        self.status.clear();
        self.headers.clear();
    }

    /// Forgets what has been handed over: target and headers.
    pub fn clear_flushed(&mut self) {
        self.text.clear();
        self.url = Part::default();
        self.headers.clear();
    }

    /// Forgets the headers.
    pub fn clear_headers(&mut self) {
        self.headers.clear();
    }

    /// Whether headers wait.
    pub fn has_headers(&self) -> bool {
        !self.headers.is_empty()
    }

    /// Appends `piece` to `part`, which is the last of the text unless it is empty.
    fn append(text: &mut Vec<u8>, part: &mut Part, piece: &[u8]) {
        if part.start == part.end {
            part.start = text.len();
        }
        text.extend_from_slice(piece);
        part.end = text.len();
    }

    /// A piece of the request's target.
    pub fn add_url(&mut self, piece: &[u8]) {
        Self::append(&mut self.text, &mut self.url, piece);
    }

    /// A piece of the reason phrase.
    pub fn add_status(&mut self, piece: &[u8]) {
        self.status.extend_from_slice(piece);
    }

    /// Whether a piece of a name now would be that of one header too many: what is there must be handed over first.
    pub fn is_full(&self) -> bool {
        self.headers.len() == MOST - 1 && self.headers.last().is_some_and(|header| header.value.is_some())
    }

    /// A piece of a header's name.
    pub fn add_name(&mut self, piece: &[u8]) {
        if self.headers.last().is_none_or(|header| header.value.is_some()) {
            self.headers.push(Header::default());
        }
        if let Some(header) = self.headers.last_mut() {
            Self::append(&mut self.text, &mut header.name, piece);
        }
    }

    /// A piece of a header's value.
    pub fn add_value(&mut self, piece: &[u8]) {
        if let Some(header) = self.headers.last_mut() {
            Self::append(&mut self.text, header.value.get_or_insert_default(), piece);
        }
    }

    fn string<'s>(&self, scope: &PinScope<'s, '_>, part: Part) -> Local<'s, Value> {
        latin1(scope, &self.text[part.start..part.end])
    }

    /// The request's target.
    pub fn url<'s>(&self, scope: &PinScope<'s, '_>) -> Local<'s, Value> {
        self.string(scope, self.url)
    }

    /// The reason phrase.
    pub fn status<'s>(&self, scope: &PinScope<'s, '_>) -> Local<'s, Value> {
        latin1(scope, &self.status)
    }

    /// Names and values in turn. White space after a value is not part of it.
    pub fn headers<'s>(&self, scope: &PinScope<'s, '_>) -> Local<'s, Array> {
        let mut all = Vec::with_capacity(2 * self.headers.len());
        for header in &self.headers {
            let Some(mut value) = header.value else { continue };
            while value.end > value.start && matches!(self.text[value.end - 1], b' ' | b'\t') {
                value.end -= 1;
            }
            all.push(self.string(scope, header.name));
            all.push(self.string(scope, value));
        }
        Array::new_with_elements(scope, &all)
    }
}

fn latin1<'s>(scope: &PinScope<'s, '_>, bytes: &[u8]) -> Local<'s, Value> {
    let string = String::new_from_one_byte(scope, bytes, NewStringType::Normal);
    string.unwrap_or_else(|| String::empty(scope)).into()
}
