//! `HandleWrap`: JavaScript objects that own a libuv handle.
//!
//! Such an object is alive, and so is its callback's closure, until its handle has been closed.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use v8::{FunctionCallbackArguments, Global, Local, Object, PinScope, ReturnValue, Value};

use super::stream::Stream;
use crate::bindings::async_wrap;
use crate::uv::handle::Handle;
use crate::{callback, realm, wrap};

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

/// The native state of a `HandleWrap`.
pub struct HandleState {
    handle: RefCell<Option<Rc<Handle>>>,
    object: RefCell<Option<Global<Object>>>,
    on_close: RefCell<Option<Global<v8::Function>>>,
    closing: Cell<bool>,
    stream: Option<Stream>,
}

impl HandleState {
    /// Gives `object` a state and an asynchronous identity. Without a handle it does nothing until
    /// [`HandleState::open`].
    pub fn attach<'s>(
        scope: &mut PinScope<'s, '_>,
        object: Local<'s, Object>,
        provider: &'static str,
        handle: Option<Handle>,
    ) -> Rc<HandleState> {
        let stream = handle.as_ref().is_some_and(|handle| handle.kind().is_stream());
        let state = HandleState {
            handle: RefCell::default(),
            object: RefCell::default(),
            on_close: RefCell::default(),
            closing: Cell::new(false),
            stream: stream.then(Stream::default),
        };
        let state = wrap::attach(scope, object, state);
        async_wrap::init_object(scope, object, provider);
        if let Some(handle) = handle {
            state.open(scope, object, handle);
        }
        state
    }

    /// Gives the state its handle.
    pub fn open<'s>(&self, scope: &mut PinScope<'s, '_>, object: Local<'s, Object>, handle: Handle) {
        *self.handle.borrow_mut() = Some(Rc::new(handle));
        *self.object.borrow_mut() = Some(Global::new(scope, object));
        wrap::keep_alive(scope, object, true);
    }

    /// The state of a `HandleWrap`.
    pub fn of<'s>(scope: &PinScope<'s, '_>, object: Local<'s, Object>) -> Option<Rc<HandleState>> {
        wrap::get(scope, object)
    }

    /// The handle; none before it is opened and after it is closed.
    pub fn handle(&self) -> Option<Rc<Handle>> {
        self.handle.borrow().clone()
    }

    /// The JavaScript object, as long as there is a handle.
    pub fn object<'s>(&self, scope: &PinScope<'s, '_>) -> Option<Local<'s, Object>> {
        self.object.borrow().as_ref().map(|object| Local::new(scope, object))
    }

    /// What a stream has besides.
    pub fn stream(&self) -> Option<&Stream> {
        self.stream.as_ref()
    }

    /// Closes the handle, then calls `on_close` on the object. Does nothing the second time.
    pub fn close<'s>(self: &Rc<Self>, scope: &PinScope<'s, '_>, on_close: Option<Local<'s, v8::Function>>) {
        let handle = self.handle();
        if let Some(handle) = handle.filter(|handle| !handle.is_closing()) {
            self.prepare_close(scope, on_close);
            let state = self.clone();
            handle.close(move || state.closed());
        }
    }

    /// As [`close`](Self::close), but resets a TCP connection. Returns a libuv error or 0.
    pub fn close_reset<'s>(
        self: &Rc<Self>,
        scope: &PinScope<'s, '_>,
        on_close: Option<Local<'s, v8::Function>>,
    ) -> i32 {
        let handle = self.handle();
        let Some(handle) = handle.filter(|handle| !handle.is_closing()) else { return 0 };
        let state = self.clone();
        let result = handle.close_reset(move || state.closed());
        if result == 0 {
            self.prepare_close(scope, on_close);
        }
        result
    }

    fn prepare_close<'s>(&self, scope: &PinScope<'s, '_>, on_close: Option<Local<'s, v8::Function>>) {
        self.closing.set(true);
        *self.on_close.borrow_mut() = on_close.map(|function| Global::new(scope, function));
    }

    fn closed(&self) {
        realm::enter(|scope| {
            let Some(object) = self.object(scope) else { return };
            let on_close = self.on_close.take().map(|function| Local::new(scope, function));
            if let Some(on_close) = on_close {
                callback::function(scope, object, on_close, &[]);
            }
            let ids = wrap::async_ids(scope, object);
            async_wrap::emit_destroy(scope, ids.id);
            self.handle.take();
            self.object.take();
            if let Some(stream) = self.stream() {
                stream.clear();
            }
            wrap::detach(scope, object);
        });
    }
}

/// The handle of `args.this()`.
pub fn handle_of<'s>(scope: &PinScope<'s, '_>, args: &Args<'s>) -> Option<Rc<Handle>> {
    HandleState::of(scope, args.this()).and_then(|state| state.handle())
}

pub fn close<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if let Some(state) = HandleState::of(scope, args.this()) {
        state.close(scope, args.get(0).try_into().ok());
    }
}

pub fn has_ref<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    rv.set_bool(handle_of(scope, &args).is_some_and(|handle| handle.has_ref()));
}

pub fn add_ref<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if let Some(handle) = handle_of(scope, &args) {
        handle.set_ref(true);
    }
}

pub fn unref<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if let Some(handle) = handle_of(scope, &args) {
        handle.set_ref(false);
    }
}
