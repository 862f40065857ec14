//! `HTTPParser`: tells JavaScript what messages are in a connection's data.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;

use kiln_llhttp::{self as llhttp, Handler, Kind, Stop};
use v8::{Function, FunctionCallbackArguments, Global, Local, Object, PinScope, ReturnValue, Value};

use super::connections::ConnectionsList;
use super::messages::Head;
use crate::bindings::stream_wrap::{self, HandleState, Listener};
use crate::bindings::{async_wrap, buffer, options};
use crate::callback::{self, Ticks};
use crate::uv::event_loop;
use crate::wrap::AsyncIds;
use crate::{js, realm, wrap};

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

/// What a parser's object has at these indices is called.
mod on {
    pub const MESSAGE_BEGIN: u32 = 0;
    pub const HEADERS: u32 = 1;
    pub const HEADERS_COMPLETE: u32 = 2;
    pub const BODY: u32 = 3;
    pub const MESSAGE_COMPLETE: u32 = 4;
    pub const EXECUTE: u32 = 5;
}

/// How long all the extensions of a message's chunks may be.
const MOST_EXTENSIONS: u64 = 16384;

thread_local! {
    static NEXT: Cell<u64> = const { Cell::new(0) };
}

/// The native state of an `HTTPParser`.
pub struct Parser {
    raw: Pin<Box<llhttp::Parser>>,
    /// Tells parsers with the same start apart.
    number: u64,
    object: RefCell<Option<Global<Object>>>,
    head: RefCell<Head>,
    /// Headers of this message went to JavaScript before they were complete.
    flushed: Cell<bool>,
    threw: Cell<bool>,
    /// JavaScript let go of the parser while it was parsing.
    freed: Cell<bool>,
    headers_completed: Cell<bool>,
    header_bytes: Cell<u64>,
    most_header_bytes: Cell<u64>,
    extension_bytes: Cell<u64>,
    /// The code and the words of an error of ours, when llhttp says that there is one.
    own_error: Cell<Option<(&'static str, &'static str)>>,
    /// When the message began, or 0.
    start: Cell<u64>,
    list: RefCell<Option<Rc<ConnectionsList>>>,
    /// The data that is being parsed.
    current: RefCell<Vec<u8>>,
    /// The stream whose data comes here.
    consumed: RefCell<Option<Rc<HandleState>>>,
}

impl Parser {
    /// Where the parser stands among others.
    pub fn order(&self) -> (u64, u64) {
        (self.start.get(), self.number)
    }

    /// The JavaScript object, until the parser is closed.
    pub fn object<'s>(&self, scope: &PinScope<'s, '_>) -> Option<Local<'s, Object>> {
        self.object.borrow().as_ref().map(|object| Local::new(scope, object))
    }

    /// Whether the head of the message is complete.
    pub fn has_headers(&self) -> bool {
        self.headers_completed.get()
    }

    fn leave_list(&self) {
        let list = self.list.borrow().clone();
        if let Some(list) = list {
            list.remove(self);
        }
    }

    /// Moves in the list to where a message that began at `start` belongs.
    fn restart(self: &Rc<Self>, start: u64) {
        self.leave_list();
        self.start.set(start);
        if let Some(list) = &*self.list.borrow() {
            list.add(self, start != 0);
        }
    }

    fn callback<'s>(&self, scope: &PinScope<'s, '_>, index: u32) -> Option<(Local<'s, Object>, Local<'s, Function>)> {
        let object = self.object(scope)?;
        let callback = object.get_index(scope, index)?.try_into().ok()?;
        Some((object, callback))
    }

    /// Calls what the object has at `index`. `None` when it threw.
    fn call<'s>(
        &self,
        scope: &mut PinScope<'s, '_>,
        index: u32,
        arguments: &[Local<'s, Value>],
        ticks: Ticks,
    ) -> Option<Option<Local<'s, Value>>> {
        let Some((object, callback)) = self.callback(scope, index) else { return Some(None) };
        let result = callback::throwing(scope, object, callback, arguments, ticks);
        if result.is_none() {
            self.threw.set(true);
        }
        result.map(Some)
    }

    fn fail(&self, code: &'static str, reason: &'static str) -> i32 {
        self.own_error.set(Some((code, reason)));
        llhttp::USER
    }

    fn count_header(&self, piece: &[u8]) -> i32 {
        self.header_bytes.set(self.header_bytes.get() + piece.len() as u64);
        if self.header_bytes.get() >= self.most_header_bytes.get() {
            return self.fail("HPE_HEADER_OVERFLOW", "Header overflow");
        }
        llhttp::OK
    }

    /// Hands over the headers that there are.
    fn flush(&self, scope: &mut PinScope) {
        let arguments = {
            let mut head = self.head.borrow_mut();
            let arguments = [head.headers(scope).into(), head.url(scope)];
            head.clear_flushed();
            arguments
        };
        self.flushed.set(true);
        self.call(scope, on::HEADERS, &arguments, Ticks::Run);
    }

    fn execute<'s>(self: &Rc<Self>, scope: &mut PinScope<'s, '_>, data: Option<&[u8]>) -> Option<Local<'s, Value>> {
        self.threw.set(false);
        let handler = Handling(self.clone());
        let result = match data {
            Some(data) => self.raw.execute(data, &handler),
            None => self.raw.finish(&handler),
        };
        if result.is_err_and(|stop| stop.code == llhttp::PAUSED_UPGRADE) {
            // Not a pause, but where another protocol begins.
            self.raw.resume_after_upgrade();
        }
        if self.threw.get() || self.freed.get() {
            return None;
        }
        let length = data.map_or(0, <[u8]>::len);
        let read = js::integer(scope, result.map_or_else(|stop| stop.position, |()| length) as i32);
        match result {
            Err(stop) if stop.code != llhttp::PAUSED_UPGRADE && !self.raw.upgrade() => {
                Some(self.error(scope, stop, read))
            }
            _ => data.map(|_| read),
        }
    }

    fn error<'s>(&self, scope: &mut PinScope<'s, '_>, stop: Stop, read: Local<'s, Value>) -> Local<'s, Value> {
        let (code, reason) = match self.own_error.take().filter(|_| stop.code == llhttp::USER) {
            Some((code, reason)) => (code, reason.to_owned()),
            None => (llhttp::error_name(stop.code), self.raw.reason()),
        };
        let message = js::string(scope, "Parse Error");
        let error = v8::Exception::error(scope, message);
        if let Ok(object) = Local::<Object>::try_from(error) {
            js::set(scope, object, "bytesParsed", read);
            for (key, text) in [("code", code), ("reason", &reason)] {
                let text = js::string(scope, text);
                js::set(scope, object, key, text);
            }
        }
        error
    }
}

/// What llhttp tells goes to JavaScript; all of this happens inside of [`Parser::execute`].
struct Handling(Rc<Parser>);

impl Handler for Handling {
    fn message_begin(&self) -> i32 {
        let parser = &self.0;
        if parser.freed.get() {
            return -1;
        }
        parser.head.borrow_mut().clear();
        parser.headers_completed.set(false);
        parser.extension_bytes.set(0);
        parser.restart(event_loop::hrtime());
        realm::enter(|scope| match parser.call(scope, on::MESSAGE_BEGIN, &[], Ticks::Skip) {
            Some(_) => llhttp::OK,
            None => -1,
        })
    }

    fn url(&self, piece: &[u8]) -> i32 {
        let counted = self.0.count_header(piece);
        if counted == llhttp::OK {
            self.0.head.borrow_mut().add_url(piece);
        }
        counted
    }

    fn status(&self, piece: &[u8]) -> i32 {
        let counted = self.0.count_header(piece);
        if counted == llhttp::OK {
            self.0.head.borrow_mut().add_status(piece);
        }
        counted
    }

    fn header_field(&self, piece: &[u8]) -> i32 {
        let counted = self.0.count_header(piece);
        if counted != llhttp::OK {
            return counted;
        }
        if self.0.head.borrow().is_full() {
            realm::enter(|scope| self.0.flush(scope));
        }
        self.0.head.borrow_mut().add_name(piece);
        if self.0.threw.get() { -1 } else { llhttp::OK }
    }

    fn header_value(&self, piece: &[u8]) -> i32 {
        let counted = self.0.count_header(piece);
        if counted == llhttp::OK {
            self.0.head.borrow_mut().add_value(piece);
        }
        counted
    }

    fn chunk_extension(&self, piece: &[u8]) -> i32 {
        let bytes = self.0.extension_bytes.get() + piece.len() as u64;
        self.0.extension_bytes.set(bytes);
        match bytes > MOST_EXTENSIONS {
            true => self.0.fail("HPE_CHUNK_EXTENSIONS_OVERFLOW", "Chunk extensions overflow"),
            false => llhttp::OK,
        }
    }

    fn headers_complete(&self) -> i32 {
        let parser = &self.0;
        if parser.freed.get() {
            return -1;
        }
        parser.headers_completed.set(true);
        parser.header_bytes.set(0);
        realm::enter(|scope| {
            if parser.callback(scope, on::HEADERS_COMPLETE).is_none() {
                return 0;
            }
            let is_request = parser.raw.kind() == Kind::Request;
            let undefined = js::undefined(scope);
            let (mut headers, mut url) = (undefined, undefined);
            if parser.flushed.get() {
                parser.flush(scope);
            } else {
                let head = parser.head.borrow();
                headers = head.headers(scope).into();
                if is_request {
                    url = head.url(scope);
                }
            }
            let status = parser.head.borrow().status(scope);
            parser.head.borrow_mut().clear_headers();
            let (major, minor) = parser.raw.version();
            let (method, code, status) = match is_request {
                true => (js::integer(scope, parser.raw.method().into()), undefined, undefined),
                false => (undefined, js::integer(scope, parser.raw.status_code().into()), status),
            };
            let arguments = [
                js::integer(scope, major.into()),
                js::integer(scope, minor.into()),
                headers,
                method,
                url,
                code,
                status,
                js::boolean(scope, parser.raw.upgrade()),
                js::boolean(scope, parser.raw.should_keep_alive()),
            ];
            if parser.threw.get() {
                return -1;
            }
            let result = parser.call(scope, on::HEADERS_COMPLETE, &arguments, Ticks::Skip).flatten();
            match result.and_then(|result| result.integer_value(scope)) {
                Some(number) => number as i32,
                None => {
                    parser.threw.set(true);
                    -1
                }
            }
        })
    }

    fn body(&self, piece: &[u8]) -> i32 {
        if piece.is_empty() {
            return llhttp::OK;
        }
        if self.0.freed.get() {
            return self.0.fail("HPE_USER", "Parser was freed");
        }
        realm::enter(|scope| {
            if self.0.callback(scope, on::BODY).is_none() {
                return llhttp::OK;
            }
            let piece = buffer::new_buffer(scope, piece.to_vec()).into();
            match self.0.call(scope, on::BODY, &[piece], Ticks::Run) {
                Some(_) => llhttp::OK,
                None => self.0.fail("HPE_JS_EXCEPTION", "JS Exception"),
            }
        })
    }

    fn message_complete(&self) -> i32 {
        let parser = &self.0;
        if parser.freed.get() {
            return -1;
        }
        parser.restart(0);
        realm::enter(|scope| {
            // Headers that came after the body.
            if parser.head.borrow().has_headers() {
                parser.flush(scope);
            }
            if parser.threw.get() {
                return -1;
            }
            match parser.call(scope, on::MESSAGE_COMPLETE, &[], Ticks::Skip) {
                Some(_) => llhttp::OK,
                None => -1,
            }
        })
    }

    fn chunk_header(&self) -> i32 {
        self.0.header_bytes.set(0);
        self.0.extension_bytes.set(0);
        llhttp::OK
    }

    fn chunk_complete(&self) -> i32 {
        self.0.header_bytes.set(0);
        llhttp::OK
    }
}

/// A stream's data goes right to the parser.
struct Consumer(Rc<Parser>);

impl Listener for Consumer {
    fn read(&self, scope: &mut PinScope, stream: &Rc<HandleState>, data: Result<&[u8], i32>) {
        let parser = &self.0;
        let bytes = match data {
            Ok([]) => return,
            Ok(bytes) => bytes,
            Err(_) => {
                if let (Some(stream), Some(object)) = (stream.stream(), stream.object(scope)) {
                    stream_wrap::emit(scope, stream, object, data);
                }
                return;
            }
        };
        parser.current.borrow_mut().extend_from_slice(bytes);
        let result = callback::reporting(scope, |scope| parser.execute(scope, Some(bytes)));
        if let Some(result) = result
            && let Some((object, on_execute)) = parser.callback(scope, on::EXECUTE)
        {
            callback::function(scope, object, on_execute, &[result]);
        }
        parser.current.borrow_mut().clear();
    }
}

/// The parser of `this`; otherwise throws, unless it is one that was closed.
fn this<'s>(scope: &mut PinScope<'s, '_>, args: &Args<'s>) -> Option<Rc<Parser>> {
    let parser = wrap::get(scope, args.this());
    if args.this().internal_field_count() < wrap::FIELDS {
        let message = js::string(scope, "Illegal invocation");
        let error = v8::Exception::type_error(scope, message);
        scope.throw_exception(error);
    }
    parser
}

/// `new HTTPParser()`: of no use before `initialize`. It lives until `close`.
pub fn new_parser<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let number = NEXT.get();
    NEXT.set(number + 1);
    let parser = Parser {
        raw: llhttp::Parser::new(Kind::Request),
        number,
        object: RefCell::new(Some(Global::new(scope, args.this()))),
        head: RefCell::default(),
        flushed: Cell::new(false),
        threw: Cell::new(false),
        freed: Cell::new(false),
        headers_completed: Cell::new(false),
        header_bytes: Cell::new(0),
        most_header_bytes: Cell::new(0),
        extension_bytes: Cell::new(0),
        own_error: Cell::new(None),
        start: Cell::new(0),
        list: RefCell::default(),
        current: RefCell::default(),
        consumed: RefCell::default(),
    };
    wrap::attach(scope, args.this(), parser);
}

pub fn close<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let Some(parser) = this(scope, &args) else { return };
    parser.freed.set(parser.raw.is_executing());
    release_stream(&parser);
    parser.leave_list();
    let object = parser.object.take();
    drop(object);
    wrap::detach(scope, args.this());
}

pub fn free<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let Some(parser) = this(scope, &args) else { return };
    parser.freed.set(parser.raw.is_executing());
    let ids = wrap::async_ids(scope, args.this());
    async_wrap::emit_destroy(scope, ids.id);
    // Until it is used again, nothing of its last use may stay: not its identity, which is not to be destroyed twice.
    let provider = wrap::provider(scope, args.this());
    wrap::set_async_ids(scope, args.this(), AsyncIds::default(), provider);
    wrap::leave_context_frame(scope, args.this());
}

pub fn remove<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if let Some(parser) = this(scope, &args) {
        parser.leave_list();
    }
}

/// `execute(buffer)`: how many bytes were taken, or the error that is in them.
pub fn execute<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(parser) = this(scope, &args) else { return };
    // Callbacks may change the memory while it is read.
    let bytes: Vec<u8> = js::bytes(args.get(0)).unwrap_or_default().iter().map(|byte| byte.get()).collect();
    parser.current.borrow_mut().extend_from_slice(&bytes);
    if let Some(result) = parser.execute(scope, Some(&bytes)) {
        rv.set(result);
    }
    parser.current.borrow_mut().clear();
}

pub fn finish<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(parser) = this(scope, &args) else { return };
    if let Some(result) = parser.execute(scope, None) {
        rv.set(result);
    }
}

/// `initialize(type, resource, maxHeaderSize, lenientFlags, connectionsList)`
pub fn initialize<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let Some(parser) = this(scope, &args) else { return };
    let (kind, provider) = match args.get(0).int32_value(scope) {
        Some(2) => (Kind::Response, "HTTPCLIENTREQUEST"),
        _ => (Kind::Request, "HTTPINCOMINGMESSAGE"),
    };
    let mut most = args.get(2).number_value(scope).filter(|most| *most > 0.0).unwrap_or_default();
    if most == 0.0 {
        most = options::number(scope, "--max-http-header-size").unwrap_or_default();
    }
    let leniency = args.get(3).uint32_value(scope).unwrap_or_default() as u16;
    async_wrap::reset(scope, args.this(), args.get(1).try_into().ok(), provider);
    parser.raw.reset(kind, leniency);
    parser.head.borrow_mut().clear();
    parser.flushed.set(false);
    parser.threw.set(false);
    parser.freed.set(false);
    parser.headers_completed.set(false);
    parser.header_bytes.set(0);
    parser.extension_bytes.set(0);
    parser.most_header_bytes.set(most as u64);
    parser.own_error.set(None);
    let list = Local::<Object>::try_from(args.get(4)).ok().and_then(|list| wrap::get::<ConnectionsList>(scope, list));
    let is_server = list.is_some();
    *parser.list.borrow_mut() = list;
    if is_server {
        // A connection on which nothing comes is late some time too.
        parser.start.set(event_loop::hrtime());
        parser.restart(parser.start.get());
    }
}

pub fn pause<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if let Some(parser) = this(scope, &args) {
        parser.raw.pause();
    }
}

pub fn resume<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if let Some(parser) = this(scope, &args) {
        parser.raw.resume();
    }
}

/// `consume(handle)`: takes the handle's data without a way through JavaScript.
pub fn consume<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let Some(parser) = this(scope, &args) else { return };
    let handle = Local::<Object>::try_from(args.get(0)).ok().and_then(|handle| HandleState::of(scope, handle));
    if let Some(handle) = handle
        && let Some(stream) = handle.stream()
    {
        stream.set_listener(Some(Rc::new(Consumer(parser.clone()))));
        *parser.consumed.borrow_mut() = Some(handle.clone());
    }
}

fn release_stream(parser: &Parser) {
    let handle = parser.consumed.take();
    if let Some(stream) = handle.as_ref().and_then(|handle| handle.stream()) {
        stream.set_listener(None);
    }
}

pub fn unconsume<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if let Some(parser) = this(scope, &args) {
        release_stream(&parser);
    }
}

/// The data that is being parsed.
pub fn get_current_buffer<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(parser) = this(scope, &args) else { return };
    let bytes = parser.current.borrow().clone();
    rv.set(buffer::new_buffer(scope, bytes).into());
}
