//! Requests: JavaScript objects whose `oncomplete` is called once.

use v8::{Global, Local, Object, PinScope, Value};

use crate::bindings::async_wrap;
use crate::{callback, wrap};

/// That an object is a request under way.
struct Pending;

/// A request that was handed to libuv.
pub struct Request(Global<Object>);

impl Request {
    /// Makes `object` a request: it gets an asynchronous identity and is kept alive.
    pub fn begin<'s>(scope: &mut PinScope<'s, '_>, object: Local<'s, Object>, provider: &'static str) -> Request {
        wrap::attach(scope, object, Pending);
        async_wrap::init_object(scope, object, provider);
        wrap::keep_alive(scope, object, true);
        Request(Global::new(scope, object))
    }

    /// The request that was begun with `object`, to be ended now.
    pub fn resume<'s>(scope: &PinScope<'s, '_>, object: Local<'s, Object>) -> Request {
        Request(Global::new(scope, object))
    }

    /// The JavaScript object.
    pub fn object<'s>(&self, scope: &PinScope<'s, '_>) -> Local<'s, Object> {
        Local::new(scope, &self.0)
    }

    /// Ends the request with a call of its `oncomplete`.
    pub fn complete<'s>(self, scope: &mut PinScope<'s, '_>, arguments: &[Local<'s, Value>]) {
        let object = self.object(scope);
        callback::method(scope, object, "oncomplete", arguments);
        self.end(scope);
    }

    /// Ends the request.
    pub fn end(self, scope: &mut PinScope) {
        let object = self.object(scope);
        let ids = wrap::async_ids(scope, object);
        async_wrap::emit_destroy(scope, ids.id);
        wrap::detach(scope, object);
    }
}
