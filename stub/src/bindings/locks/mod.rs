//! `internalBinding('locks')`: `navigator.locks`, locks by name for all threads of the process.

mod manager;

use std::cell::RefCell;
use std::collections::HashMap;

use v8::{
    Function, FunctionCallbackArguments, Global, Local, Object, PinScope, Promise, PromiseResolver, ReturnValue, Value,
};

use crate::realm::{self, Realm};
use crate::uv::wakeup::Wakeup;
use crate::wrap::AsyncIds;
use crate::{callback, facts, js};

use manager::{Entry, Mode, Notice};

pub use manager::leave;

crate::room! {
    name: "locks",
    functions: {
        trap "request" => request,
        trap "query" => query,
    },
    setup: setup,
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

/// What the error says whose lock was stolen; the library turns it into another one.
const STOLEN: &str = "LOCK_STOLEN";

/// A request or a lock of this thread.
struct Own {
    entry: Entry,
    callback: Global<Function>,
    /// Settled when the lock is released.
    released: Global<PromiseResolver>,
    /// The asynchronous context of the request.
    frame: Global<Value>,
}

#[derive(Default)]
struct State {
    own: RefCell<HashMap<u64, Own>>,
    /// How other threads tell this one; there from the first request on.
    wakeup: RefCell<Option<Wakeup>>,
}

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    facts::install(scope, "locks", target);
}

fn this_thread() -> u64 {
    Realm::current().thread.id
}

/// `request(name, clientId, mode, steal, ifAvailable, callback)`
fn request<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Ok(callback) = Local::<Function>::try_from(args.get(5)) else { return };
    let Some(released) = PromiseResolver::new(scope) else { return };
    let state = Realm::current().room::<State>();
    if state.wakeup.borrow().is_none() {
        let wakeup = Wakeup::new(|| realm::enter(|scope| serve(scope, true)));
        if let Ok(wakeup) = wakeup {
            wakeup.set_ref(false);
            manager::join(this_thread(), wakeup.waker());
            *state.wakeup.borrow_mut() = Some(wakeup);
        }
    }
    let mode = match args.get(2).to_rust_string_lossy(scope).as_str() {
        "shared" => Mode::Shared,
        _ => Mode::Exclusive,
    };
    let entry = Entry {
        id: manager::new_id(),
        thread: this_thread(),
        name: args.get(0).to_rust_string_lossy(scope),
        client: args.get(1).to_rust_string_lossy(scope),
        mode,
        steal: args.get(3).is_true(),
        if_available: args.get(4).is_true(),
    };
    let frame = scope.get_continuation_preserved_embedder_data();
    let own = Own {
        entry: entry.clone(),
        callback: Global::new(scope, callback),
        released: Global::new(scope, released),
        frame: Global::new(scope, frame),
    };
    state.own.borrow_mut().insert(entry.id, own);
    rv.set(released.get_promise(scope).into());
    manager::request(entry);
    serve(scope, false);
}

/// Does what became of this thread's requests. `from_loop` says that no JavaScript is running.
fn serve(scope: &mut PinScope, from_loop: bool) {
    while let Some(notice) = manager::next_notice(this_thread()) {
        v8::scope!(let scope, scope);
        match notice {
            Notice::Granted(id) => enter(scope, id, true, from_loop),
            Notice::Unavailable(id) => enter(scope, id, false, from_loop),
            Notice::Stolen(id) => {
                let own = Realm::current().room::<State>().own.borrow_mut().remove(&id);
                let Some(own) = own else { continue };
                let message = js::string(scope, STOLEN);
                let error = v8::Exception::error(scope, message);
                Local::new(scope, own.released).reject(scope, error);
                if from_loop {
                    callback::run_ticks(scope);
                }
            }
        }
    }
}

/// Runs the callback of a request, with the lock if it was `granted`.
fn enter<'s>(scope: &mut PinScope<'s, '_>, id: u64, granted: bool, from_loop: bool) {
    let state = Realm::current().room::<State>();
    let (function, frame, lock) = {
        let own = state.own.borrow();
        let Some(own) = own.get(&id) else { return };
        let lock = if granted { describe(scope, &own.entry).into() } else { js::null(scope) };
        (Local::new(scope, &own.callback), Local::new(scope, &own.frame), lock)
    };
    let run = |scope: &mut PinScope<'s, '_>| -> Option<Local<'s, Value>> {
        let undefined = js::undefined(scope);
        let result = {
            v8::tc_scope!(let caught, scope);
            match function.call(caught, undefined, &[lock]) {
                Some(value) => Ok(value),
                None => Err(caught.exception()?),
            }
        };
        match result {
            Ok(value) => match Local::<Promise>::try_from(value) {
                Ok(promise) => wait(scope, id, promise),
                Err(_) => release(scope, id, Ok(value)),
            },
            Err(error) => release(scope, id, Err(error)),
        }
        Some(undefined)
    };
    if from_loop {
        let resource = Object::new(scope);
        callback::in_context(scope, resource, AsyncIds::default(), Some(frame), run);
        return;
    }
    let outer = scope.get_continuation_preserved_embedder_data();
    scope.set_continuation_preserved_embedder_data(frame);
    run(scope);
    scope.set_continuation_preserved_embedder_data(outer);
}

/// Releases the lock once `promise` is settled.
fn wait<'s>(scope: &mut PinScope<'s, '_>, id: u64, promise: Local<'s, Promise>) {
    let data = js::number(scope, id as f64);
    let fulfilled = Function::builder(on_fulfilled).data(data).build(scope);
    let rejected = Function::builder(on_rejected).data(data).build(scope);
    if let (Some(fulfilled), Some(rejected)) = (fulfilled, rejected) {
        promise.then2(scope, fulfilled, rejected);
    }
}

fn on_fulfilled<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let id = args.data().integer_value(scope).unwrap_or_default() as u64;
    release(scope, id, Ok(args.get(0)));
    serve(scope, false);
}

fn on_rejected<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let id = args.data().integer_value(scope).unwrap_or_default() as u64;
    release(scope, id, Err(args.get(0)));
    serve(scope, false);
}

/// Gives back a lock, if the request got one.
fn release<'s>(scope: &mut PinScope<'s, '_>, id: u64, result: Result<Local<'s, Value>, Local<'s, Value>>) {
    let own = Realm::current().room::<State>().own.borrow_mut().remove(&id);
    let Some(own) = own else { return };
    manager::release(&own.entry);
    let released = Local::new(scope, own.released);
    match result {
        Ok(value) => released.resolve(scope, value),
        Err(error) => released.reject(scope, error),
    };
}

fn describe<'s>(scope: &mut PinScope<'s, '_>, entry: &Entry) -> Local<'s, Object> {
    let object = Object::new(scope);
    let mode = match entry.mode {
        Mode::Shared => "shared",
        Mode::Exclusive => "exclusive",
    };
    for (key, text) in [("name", entry.name.as_str()), ("mode", mode), ("clientId", entry.client.as_str())] {
        let text = js::string(scope, text);
        js::set(scope, object, key, text);
    }
    object
}

/// `query()`: a promise of all locks and requests of this thread.
fn query<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    let Some(resolver) = PromiseResolver::new(scope) else { return };
    rv.set(resolver.get_promise(scope).into());
    let (held, pending) = manager::of_thread(this_thread());
    let result = Object::new(scope);
    for (key, entries) in [("held", held), ("pending", pending)] {
        let entries: Vec<Local<Value>> = entries.iter().map(|entry| describe(scope, entry).into()).collect();
        let entries = v8::Array::new_with_elements(scope, &entries);
        js::set(scope, result, key, entries);
    }
    resolver.resolve(scope, result.into());
}
