//! llhttp, the HTTP/1 parser that Node uses, with a safe face.
//!
//! There is no such crate to depend on. What llhttp accepts and how it words an error can be told apart by programs,
//! so another parser would not do; `build.rs` says where the sources come from.

mod sys;

use std::cell::{Cell, UnsafeCell};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::slice;

/// What a message is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A client's.
    Request = 1,
    /// A server's.
    Response = 2,
}

/// All is well: the result of a [`Handler`]'s function that lets the parser continue, and of parsing without an error.
pub const OK: i32 = 0;
/// A handler's own error; it says itself what it is.
pub const USER: i32 = 24;
/// [`Parser::pause`] was called.
pub const PAUSED: i32 = 21;
/// The message asks for another protocol, whose data follows.
pub const PAUSED_UPGRADE: i32 = 22;

/// What is told of the messages that a parser sees. A result other than [`OK`] stops the parser, which then reports it.
///
/// A part may come in several pieces, whenever it is spread over several calls of [`Parser::execute`].
pub trait Handler {
    /// A message begins.
    fn message_begin(&self) -> i32;
    /// A piece of a request's target.
    fn url(&self, piece: &[u8]) -> i32;
    /// A piece of a response's reason phrase.
    fn status(&self, piece: &[u8]) -> i32;
    /// A piece of a header's name.
    fn header_field(&self, piece: &[u8]) -> i32;
    /// A piece of a header's value.
    fn header_value(&self, piece: &[u8]) -> i32;
    /// A piece of a chunk's extension.
    fn chunk_extension(&self, piece: &[u8]) -> i32;
    /// The head is complete. 1 says that there is no body, 2 that another protocol follows.
    fn headers_complete(&self) -> i32;
    /// A piece of the body.
    fn body(&self, piece: &[u8]) -> i32;
    /// The message is complete.
    fn message_complete(&self) -> i32;
    /// The line before a chunk is complete.
    fn chunk_header(&self) -> i32;
    /// A chunk is complete.
    fn chunk_complete(&self) -> i32;
}

/// Why parsing stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stop {
    /// A number of llhttp's, or the handler's own.
    pub code: i32,
    /// How many bytes of the data had been taken.
    pub position: usize,
}

/// A parser. A handler's functions may call any of its functions.
pub struct Parser {
    raw: UnsafeCell<sys::Raw>,
    /// Whether `execute` is under way.
    executing: Cell<bool>,
    _pinned: PhantomPinned,
}

static SETTINGS: sys::Settings = sys::Settings {
    on_message_begin: Some(on_message_begin),
    on_url: Some(on_url),
    on_status: Some(on_status),
    on_header_field: Some(on_header_field),
    on_header_value: Some(on_header_value),
    on_chunk_extension_name: Some(on_chunk_extension),
    on_chunk_extension_value: Some(on_chunk_extension),
    on_headers_complete: Some(on_headers_complete),
    on_body: Some(on_body),
    on_message_complete: Some(on_message_complete),
    on_chunk_header: Some(on_chunk_header),
    on_chunk_complete: Some(on_chunk_complete),
    on_protocol: None,
    on_method: None,
    on_version: None,
    on_protocol_complete: None,
    on_url_complete: None,
    on_status_complete: None,
    on_method_complete: None,
    on_version_complete: None,
    on_header_field_complete: None,
    on_header_value_complete: None,
    on_chunk_extension_name_complete: None,
    on_chunk_extension_value_complete: None,
    on_reset: None,
};

impl Parser {
    /// A parser of `kind`, which is strict.
    pub fn new(kind: Kind) -> Pin<Box<Self>> {
        // SAFETY: the structure is made of numbers and pointers: all zero is valid.
        let raw = UnsafeCell::new(unsafe { std::mem::zeroed() });
        let parser = Box::pin(Parser { raw, executing: Cell::new(false), _pinned: PhantomPinned });
        parser.reset(kind, 0);
        parser
    }

    fn raw(&self) -> *mut sys::Raw {
        self.raw.get()
    }

    /// Begins anew. `leniency` are llhttp's flags for what may be let pass.
    pub fn reset(&self, kind: Kind, leniency: u16) {
        // SAFETY: the structure is ours and does not move; the settings live for ever. A handler that is running
        // stays the one that is called.
        unsafe {
            let handler = (*self.raw()).data;
            sys::llhttp_init(self.raw(), kind as c_int, &SETTINGS);
            (*self.raw()).data = handler;
            (*self.raw()).lenient_flags = leniency;
        }
    }

    /// Parses `data` and tells `handler` what is in it. A handler may call it: then the parser begins where it stood
    /// when the outer call began.
    pub fn execute(&self, data: &[u8], handler: &dyn Handler) -> Result<(), Stop> {
        let outer = self.executing.replace(true);
        let code = self.with_handler(handler, || {
            // SAFETY: the structure is initialized, and the data lives during the call.
            unsafe { sys::llhttp_execute(self.raw(), data.as_ptr().cast(), data.len()) }
        });
        self.executing.set(outer);
        if outer {
            // Handlers are called between parts, so the outer call has none that is open; one of this call's data must
            // not be taken for one.
            // SAFETY: the structure is initialized.
            unsafe { (*self.raw()).span_start = std::ptr::null_mut() };
        }
        if code == OK {
            return Ok(());
        }
        // SAFETY: the structure is initialized.
        let position = unsafe { (*self.raw()).error_position }.addr().wrapping_sub(data.as_ptr().addr());
        Err(Stop { code, position: if position <= data.len() { position } else { 0 } })
    }

    /// Says that no more data will come.
    pub fn finish(&self, handler: &dyn Handler) -> Result<(), Stop> {
        // SAFETY: the structure is initialized.
        let code = self.with_handler(handler, || unsafe { sys::llhttp_finish(self.raw()) });
        if code == OK { Ok(()) } else { Err(Stop { code, position: 0 }) }
    }

    fn with_handler(&self, handler: &dyn Handler, body: impl FnOnce() -> i32) -> i32 {
        // A callback finds the reference to the handler, which lies in this frame, by a thin pointer.
        let place: *const &dyn Handler = &handler;
        // SAFETY: the structure is ours. Callbacks come only during `body`, which is when the pointer is valid.
        unsafe {
            let outer = std::mem::replace(&mut (*self.raw()).data, place.cast_mut().cast::<c_void>());
            let code = body();
            (*self.raw()).data = outer;
            code
        }
    }

    /// Whether `execute` is under way.
    pub fn is_executing(&self) -> bool {
        self.executing.get()
    }

    /// Stops after the part that is being parsed.
    pub fn pause(&self) {
        // SAFETY: the structure is initialized.
        unsafe { sys::llhttp_pause(self.raw()) }
    }

    /// Continues after [`pause`](Self::pause).
    pub fn resume(&self) {
        // SAFETY: the structure is initialized.
        unsafe { sys::llhttp_resume(self.raw()) }
    }

    /// Continues after [`PAUSED_UPGRADE`].
    pub fn resume_after_upgrade(&self) {
        // SAFETY: the structure is initialized.
        unsafe { sys::llhttp_resume_after_upgrade(self.raw()) }
    }

    /// Whether another message may follow on the connection. For use when the head is complete.
    pub fn should_keep_alive(&self) -> bool {
        // SAFETY: the structure is initialized.
        unsafe { sys::llhttp_should_keep_alive(self.raw()) != 0 }
    }

    fn read<T>(&self, get: impl FnOnce(&sys::Raw) -> T) -> T {
        // SAFETY: the structure is initialized, and nothing writes to it while `get` reads a field.
        get(unsafe { &*self.raw() })
    }

    /// What the messages are.
    pub fn kind(&self) -> Kind {
        self.read(|raw| if raw.kind == Kind::Request as u8 { Kind::Request } else { Kind::Response })
    }

    /// The number of a request's method.
    pub fn method(&self) -> u8 {
        self.read(|raw| raw.method)
    }

    /// The version of HTTP, such as (1, 1).
    pub fn version(&self) -> (u8, u8) {
        self.read(|raw| (raw.http_major, raw.http_minor))
    }

    /// A response's status.
    pub fn status_code(&self) -> u16 {
        self.read(|raw| raw.status_code)
    }

    /// Whether the message asks for another protocol.
    pub fn upgrade(&self) -> bool {
        self.read(|raw| raw.upgrade != 0)
    }

    /// What is wrong, in words, after an error.
    pub fn reason(&self) -> String {
        let reason = self.read(|raw| raw.reason);
        if reason.is_null() {
            return String::new();
        }
        // SAFETY: llhttp's reasons are literals that end with zero; nothing here sets others.
        unsafe { CStr::from_ptr(reason) }.to_string_lossy().into_owned()
    }
}

/// The name of an error, such as `HPE_INVALID_METHOD`.
pub fn error_name(code: i32) -> &'static str {
    if !matches!(code, 0..=35 | 38) {
        return "HPE_UNKNOWN";
    }
    // SAFETY: llhttp has a literal for each of its numbers, and these are they.
    unsafe { CStr::from_ptr(sys::llhttp_errno_name(code)) }.to_str().unwrap_or_default()
}

/// The handler of the call of `execute` or `finish` that is under way.
///
/// # Safety
///
/// Only for use in a callback, with what that got.
unsafe fn handler<'a>(raw: *mut sys::Raw) -> &'a dyn Handler {
    // SAFETY: `with_handler` has put it there, and its frame is below the callback's.
    unsafe { *(*raw).data.cast::<&dyn Handler>() }
}

macro_rules! callbacks {
    ($($name:ident => $method:ident),*) => {
        $(unsafe extern "C" fn $name(raw: *mut sys::Raw) -> c_int {
            // SAFETY: llhttp passes on what `execute` gave it.
            unsafe { handler(raw) }.$method()
        })*
    };
}

macro_rules! data_callbacks {
    ($($name:ident => $method:ident),*) => {
        $(unsafe extern "C" fn $name(raw: *mut sys::Raw, at: *const c_char, length: usize) -> c_int {
            let piece = match length {
                0 => &[],
                // SAFETY: the piece lies in the data that `execute` got.
                _ => unsafe { slice::from_raw_parts(at.cast::<u8>(), length) },
            };
            // SAFETY: llhttp passes on what `execute` gave it.
            unsafe { handler(raw) }.$method(piece)
        })*
    };
}

callbacks!(
    on_message_begin => message_begin,
    on_headers_complete => headers_complete,
    on_message_complete => message_complete,
    on_chunk_header => chunk_header,
    on_chunk_complete => chunk_complete
);
data_callbacks!(
    on_url => url,
    on_status => status,
    on_header_field => header_field,
    on_header_value => header_value,
    on_chunk_extension => chunk_extension,
    on_body => body
);

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[derive(Default)]
    struct Log(RefCell<Vec<String>>);

    impl Log {
        fn add(&self, what: &str, piece: &[u8]) -> i32 {
            self.0.borrow_mut().push(format!("{what} {}", String::from_utf8_lossy(piece)).trim().to_owned());
            OK
        }
    }

    impl Handler for Log {
        fn message_begin(&self) -> i32 {
            self.add("begin", b"")
        }
        fn url(&self, piece: &[u8]) -> i32 {
            self.add("url", piece)
        }
        fn status(&self, piece: &[u8]) -> i32 {
            self.add("status", piece)
        }
        fn header_field(&self, piece: &[u8]) -> i32 {
            self.add("field", piece)
        }
        fn header_value(&self, piece: &[u8]) -> i32 {
            self.add("value", piece)
        }
        fn chunk_extension(&self, piece: &[u8]) -> i32 {
            self.add("extension", piece)
        }
        fn headers_complete(&self) -> i32 {
            self.add("headers", b"")
        }
        fn body(&self, piece: &[u8]) -> i32 {
            self.add("body", piece)
        }
        fn message_complete(&self) -> i32 {
            self.add("complete", b"")
        }
        fn chunk_header(&self) -> i32 {
            self.add("chunk", b"")
        }
        fn chunk_complete(&self) -> i32 {
            self.add("chunk end", b"")
        }
    }

    #[test]
    fn every_part_is_told_in_order() {
        let (parser, log) = (Parser::new(Kind::Request), Log::default());
        let text = b"POST /a HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\n\r\n";
        let (head, rest) = text.split_at(6);
        assert_eq!(parser.execute(head, &log), Ok(()));
        assert_eq!(parser.execute(rest, &log), Ok(()));
        assert_eq!((parser.version(), parser.method(), parser.upgrade()), ((1, 1), 3, false));
        let expected = [
            "begin",
            "url /",
            "url a",
            "field Host",
            "value b",
            "field Transfer-Encoding",
            "value chunked",
            "headers",
            "extension x",
            "extension y",
            "chunk",
            "body abc",
            "chunk end",
            "chunk",
            "chunk end",
            "complete",
        ];
        assert_eq!(*log.0.borrow(), expected);
    }

    #[test]
    fn an_error_has_a_place_a_name_and_a_reason() {
        let (parser, log) = (Parser::new(Kind::Response), Log::default());
        let stop = parser.execute(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", &log).unwrap_err();
        assert_eq!((error_name(stop.code), stop.position), ("HPE_INVALID_HEADER_TOKEN", 19));
        assert_eq!((parser.status_code(), parser.reason()), (200, "Invalid header token".into()));
    }
}
