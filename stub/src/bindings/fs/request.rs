//! The three ways of a file system call: at once, with a callback, with a promise.

use std::cell::{Cell, RefCell};

use v8::{FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use super::output::{Product, Shape};
use crate::bindings::{async_wrap, symbols};
use crate::errors::{self, Failure};
use crate::realm::Realm;
use crate::uv::fs::{self, Call, Pending};
use crate::uv::work;
use crate::vfs::{self, Served};
use crate::{binding, callback, js, realm, trap, wrap};

pub type Args<'s> = FunctionCallbackArguments<'s>;
pub type Return<'s> = ReturnValue<'s, Value>;

/// Something to do.
pub enum Task {
    /// One system call.
    Call(Call),
    /// Several of them, named after the first argument.
    Work(&'static str, Work),
}

/// What a thread of the pool can do.
pub type Work = Box<dyn FnOnce() -> Result<Product, Failed> + Send>;

/// Why a task failed.
#[derive(Debug)]
pub struct Failed {
    /// A libuv error number.
    pub errno: i32,
    /// The system call.
    pub syscall: &'static str,
    /// What it was about.
    pub path: Option<Vec<u8>>,
    /// The second path.
    pub dest: Option<Vec<u8>>,
}

impl Failed {
    /// The failure of `call`.
    pub fn of(call: &Call, errno: i32) -> Self {
        Failed {
            errno,
            syscall: call.name(),
            path: call.path().map(|path| path.to_bytes().to_vec()),
            dest: call.dest().map(|path| path.to_bytes().to_vec()),
        }
    }

    /// A failure that names one path.
    pub fn at(syscall: &'static str, path: &[u8], errno: i32) -> Self {
        Failed { errno, syscall, path: Some(path.to_vec()), dest: None }
    }

    /// The error that JavaScript gets.
    pub fn exception<'s>(&self, scope: &mut PinScope<'s, '_>) -> Local<'s, Value> {
        let text = |path: &Option<Vec<u8>>| path.as_deref().map(|path| String::from_utf8_lossy(path).into_owned());
        let (path, dest) = (text(&self.path), text(&self.dest));
        let failure =
            Failure { errno: self.errno, syscall: self.syscall, path: path.as_deref(), dest: dest.as_deref() };
        errors::uv_exception(scope, failure)
    }
}

/// The native side of an `FSReqCallback`.
#[derive(Default)]
pub struct Request {
    pending: RefCell<Pending>,
    bigint: Cell<bool>,
}

/// `new FSReqCallback(bigint)`
pub fn new_request<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let request = wrap::attach(scope, args.this(), Request::default());
    request.bigint.set(args.get(0).is_true());
    async_wrap::init_object(scope, args.this(), "FSREQCALLBACK");
}

/// `req.cancel()`
pub fn cancel<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if let Some(request) = wrap::get::<Request>(scope, args.this()) {
        request.pending.borrow().cancel();
    }
}

/// The constructor of requests that JavaScript never makes itself.
pub fn new_promise_request<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    wrap::attach(scope, args.this(), Request::default());
    async_wrap::init_object(scope, args.this(), "FSREQPROMISE");
}

/// The symbol that asks for a promise.
pub fn promise_symbol<'s>(scope: &mut PinScope<'s, '_>) -> Local<'s, v8::Symbol> {
    symbols::symbol(scope, "fs_use_promises_symbol")
}

/// Who waits for a task.
enum Waiter {
    Callback(v8::Global<Object>),
    Promise(v8::Global<Object>, v8::Global<v8::PromiseResolver>),
}

/// Performs `task` as `request` wants: `undefined` at once, the symbol with a promise, an `FSReqCallback` with a
/// callback. What fails at once is thrown.
pub fn dispatch<'s>(
    scope: &mut PinScope<'s, '_>,
    request: Local<'s, Value>,
    rv: &mut Return<'s>,
    task: Task,
    shape: Shape,
) {
    if request.is_undefined() {
        match at_once(scope, task, shape) {
            Ok(Some(value)) => rv.set(value),
            Ok(None) => {}
            Err(failed) => {
                let exception = failed.exception(scope);
                scope.throw_exception(exception);
            }
        }
        return;
    }
    if trap::spring(scope, task.name()) {
        return;
    }
    // There is only one symbol that the library passes: `kUsePromises`.
    let waiter = if request.is_symbol() {
        let Some(object) = binding::construct(scope, "FSReqPromise", &[]) else { return };
        let Some(resolver) = v8::PromiseResolver::new(scope) else { return };
        let promise = resolver.get_promise(scope);
        js::set(scope, object, "promise", promise);
        rv.set(promise.into());
        wrap::keep_alive(scope, object, true);
        Waiter::Promise(v8::Global::new(scope, object), v8::Global::new(scope, resolver))
    } else {
        let Ok(object) = Local::<Object>::try_from(request) else { return };
        wrap::keep_alive(scope, object, true);
        Waiter::Callback(v8::Global::new(scope, object))
    };
    let object = waiter.object(scope);
    let pending = start(task, Box::new(move |result| enter(|scope| waiter.settle(scope, result, shape))));
    if let Some(request) = wrap::get::<Request>(scope, object) {
        *request.pending.borrow_mut() = pending;
    }
}

/// Performs `task` on this thread. `None` when a trap or JavaScript itself threw, or there is nothing to say.
pub fn at_once<'s>(scope: &mut PinScope<'s, '_>, task: Task, shape: Shape) -> Result<Option<Local<'s, Value>>, Failed> {
    let result = match task {
        Task::Call(mut call) => {
            // What is inside of the executable is the same at any time: it may be asked for while modules are evaluated
            // for a snapshot.
            let is_own = matches!(call, Call::Close(fd) if vfs::path_of_descriptor(fd).is_some());
            let result = match vfs::serve(&mut call) {
                Some(Served::Now(answer)) => answer,
                Some(Served::Work(work)) if matches!(call, Call::Open(..)) => work(),
                _ if !is_own && trap::spring(scope, call.name()) => return Ok(None),
                Some(Served::Work(work)) => work(),
                None => fs::run(&call),
            };
            result.map(Product::Output).map_err(|errno| Failed::of(&call, errno))
        }
        Task::Work(name, _) if trap::spring(scope, name) => return Ok(None),
        Task::Work(_, work) => work(),
    };
    match result {
        Ok(product) => Ok(shape.value(scope, product, true)),
        Err(failed) if shape.forgives(failed.errno, failed.syscall) => Ok(Some(js::undefined(scope))),
        Err(failed) => Err(failed),
    }
}

/// Performs `task` on the pool, then `done` on this thread.
pub fn start(task: Task, done: Box<dyn FnOnce(Result<Product, Failed>)>) -> Pending {
    let cancelled = |syscall| Failed { errno: -libc::ECANCELED, syscall, path: None, dest: None };
    match task {
        Task::Call(mut call) => match vfs::serve(&mut call) {
            None => fs::submit(
                call,
                Box::new(move |call, result| {
                    done(result.map(Product::Output).map_err(|errno| Failed::of(&call, errno)));
                }),
            ),
            // The answer takes the way over the pool all the same, so that it comes when one from the disk would.
            Some(served) => work::queue(
                move || match served {
                    Served::Now(answer) => answer,
                    Served::Work(work) => work(),
                },
                move |result| {
                    let result = result.unwrap_or(Err(-libc::ECANCELED));
                    done(result.map(Product::Output).map_err(|errno| Failed::of(&call, errno)));
                },
            ),
        },
        Task::Work(name, work) => {
            vfs::prepare();
            work::queue(work, move |result| done(result.unwrap_or_else(|| Err(cancelled(name)))))
        }
    }
}

impl Task {
    fn name(&self) -> &'static str {
        match self {
            Task::Call(call) => call.name(),
            Task::Work(name, _) => name,
        }
    }
}

impl Waiter {
    fn object<'s>(&self, scope: &PinScope<'s, '_>) -> Local<'s, Object> {
        let (Waiter::Callback(object) | Waiter::Promise(object, _)) = self;
        Local::new(scope, object)
    }

    fn settle(self, scope: &mut PinScope, result: Result<Product, Failed>, shape: Shape) {
        let object = self.object(scope);
        let shared = matches!(self, Waiter::Callback(_));
        let outcome = outcome(scope, result, shape, shared);
        match self {
            Waiter::Callback(_) => {
                let null = js::null(scope);
                let arguments = match outcome {
                    Ok(value) if value.is_undefined() => vec![null],
                    Ok(value) => vec![null, value],
                    Err(exception) => vec![exception],
                };
                callback::method(scope, object, "oncomplete", &arguments);
            }
            Waiter::Promise(_, resolver) => {
                let resolver = Local::new(scope, &resolver);
                settle_promise(scope, object, resolver, outcome);
            }
        }
        end(scope, object);
    }
}

/// The request is over: its native side goes.
pub fn end(scope: &mut PinScope, object: Local<Object>) {
    let ids = wrap::async_ids(scope, object);
    async_wrap::emit_destroy(scope, ids.id);
    wrap::detach(scope, object);
}

/// Runs `body` in the realm, if that has not gone while the pool was at work.
pub fn enter(body: impl FnOnce(&mut PinScope)) {
    let mut there = false;
    Realm::with_current(|_| there = true);
    if there {
        realm::enter(body);
    }
}

/// Resolves or rejects a promise in the asynchronous context of `object`.
pub fn settle_promise<'s>(
    scope: &mut PinScope<'s, '_>,
    object: Local<'s, Object>,
    resolver: Local<'s, v8::PromiseResolver>,
    outcome: Result<Local<'s, Value>, Local<'s, Value>>,
) {
    let ids = wrap::async_ids(scope, object);
    let frame = wrap::context_frame(scope, object);
    callback::in_context(scope, object, ids, frame, |scope| {
        match outcome {
            Ok(value) => resolver.resolve(scope, value),
            Err(exception) => resolver.reject(scope, exception),
        };
        Some(js::undefined(scope))
    });
}

fn outcome<'s>(
    scope: &mut PinScope<'s, '_>,
    result: Result<Product, Failed>,
    shape: Shape,
    shared: bool,
) -> Result<Local<'s, Value>, Local<'s, Value>> {
    let failed = match result {
        Ok(product) => {
            v8::tc_scope!(let caught, scope);
            let value = shape.value(caught, product, shared);
            return value.ok_or_else(|| caught.exception().unwrap_or_else(|| js::undefined(caught)));
        }
        Err(failed) => failed,
    };
    // Unlike `stat`, `lstat` has no such option when it is asynchronous.
    match shape.forgives(failed.errno, failed.syscall) && failed.syscall == "stat" {
        true => Ok(js::undefined(scope)),
        false => Err(failed.exception(scope)),
    }
}
