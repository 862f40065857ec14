//! `MessagePort`: an end of a channel as JavaScript sees it.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use v8::{Function, Global, Local, Object, PinScope, Value};

use super::channel::{End, Group, Item, Sent};
use super::message::Message;
use super::{Args, Return, foreign, per_context, transfer_list};
use crate::bindings::{async_wrap, contextify, symbols};
use crate::errors::{self, Kind};
use crate::realm::{self, Realm};
use crate::uv::wakeup::Wakeup;
use crate::{binding, callback, js, wrap};

/// The state of a port.
struct Port {
    wakeup: Wakeup,
    /// None once the port was closed or transferred.
    end: RefCell<Option<Arc<End>>>,
    /// Whether messages are emitted as they come.
    receiving: Cell<bool>,
    /// None once the handle is closed.
    object: RefCell<Option<Global<Object>>>,
}

/// Whether the constructor was called from here.
#[derive(Default)]
struct Constructing(Cell<bool>);

/// `new MessagePort()`: only native code may.
pub fn construct<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, _: Return<'s>) {
    if !Realm::current().room::<Constructing>().0.get() {
        let message = "Constructor cannot be called";
        errors::throw_code(scope, Kind::TypeError, "ERR_CONSTRUCT_CALL_INVALID", message);
    }
}

/// `new MessageChannel()`
pub fn construct_channel<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if !args.is_construct_call() {
        let message = "Cannot call constructor without `new`";
        errors::throw_code(scope, Kind::TypeError, "ERR_CONSTRUCT_CALL_REQUIRED", message);
        return;
    }
    let group = Group::pair();
    let ends = [End::new(group.clone()), End::new(group)];
    for (name, end) in ["port1", "port2"].into_iter().zip(ends) {
        let Some(port) = create(scope, end) else { return };
        js::set(scope, args.this(), name, port);
    }
}

/// `broadcastChannel(name)`
pub fn broadcast_channel<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let name = args.get(0).to_rust_string_lossy(scope);
    if let Some(port) = create(scope, End::new(Group::named(&name))) {
        rv.set(port.into());
    }
}

/// A port over `end`.
pub fn create<'s>(scope: &mut PinScope<'s, '_>, end: Arc<End>) -> Option<Local<'s, Object>> {
    let constructing = Realm::current().room::<Constructing>();
    constructing.0.set(true);
    let object = match foreign::is_foreign(scope) {
        true => foreign::port_class(scope).and_then(|class| class.new_instance(scope, &[])),
        false => binding::construct(scope, "MessagePort", &[]),
    };
    constructing.0.set(false);
    let object = object?;
    let port = Rc::new_cyclic(|port: &Weak<Port>| {
        let port = port.clone();
        let wakeup = Wakeup::new(move || {
            if let Some(port) = port.upgrade() {
                realm::enter(|scope| port.receive(scope, false));
            }
        });
        Port {
            wakeup: wakeup.unwrap_or_else(|error| panic!("no handle for a port: {}", crate::uv::error_message(error))),
            end: RefCell::new(Some(end.clone())),
            receiving: Cell::new(false),
            object: RefCell::new(Some(Global::new(scope, object))),
        }
    });
    wrap::attach(scope, object, port.clone());
    // In Node there is no handle yet while the `init` hooks run.
    port.wakeup.set_ref(false);
    async_wrap::init_object(scope, object, "MESSAGEPORT");
    port.wakeup.set_ref(true);
    wrap::keep_alive(scope, object, true);
    let symbol = symbols::symbol(scope, "oninit");
    if let Ok(oninit) = Local::<Function>::try_from(object.get(scope, symbol.into())?) {
        oninit.call(scope, object.into(), &[])?;
    }
    end.set_owner(Some(port.wakeup.waker()));
    Some(object)
}

fn port_of<'s>(scope: &PinScope<'s, '_>, object: Local<'s, Object>) -> Option<Rc<Port>> {
    wrap::get::<Rc<Port>>(scope, object).map(|port| (*port).clone())
}

/// Whether `object` is a port, open or not.
pub fn is_port<'s>(scope: &PinScope<'s, '_>, object: Local<'s, Object>) -> bool {
    port_of(scope, object).is_some()
}

/// The end of an open port.
pub fn end_of<'s>(scope: &PinScope<'s, '_>, object: Local<'s, Object>) -> Option<Arc<End>> {
    port_of(scope, object).and_then(|port| port.open_end())
}

/// Takes the end out of a port, which is closed thereby.
pub fn take_end<'s>(scope: &PinScope<'s, '_>, object: Local<'s, Object>) -> Option<Arc<End>> {
    let port = port_of(scope, object)?;
    let end = port.end.take()?;
    end.set_owner(None);
    port.close();
    Some(end)
}

impl Port {
    fn open_end(&self) -> Option<Arc<End>> {
        self.end.borrow().clone().filter(|_| !self.wakeup.is_closing())
    }

    fn close(self: &Rc<Self>) {
        if self.wakeup.is_closing() {
            return;
        }
        let port = self.clone();
        self.wakeup.close(move || realm::enter(|scope| port.closed(scope)));
    }

    fn closed(&self, scope: &mut PinScope) {
        if let Some(end) = self.end.take() {
            end.set_owner(None);
            end.leave();
        }
        let object = self.object.take().map(|object| Local::new(scope, object));
        let Some(object) = object else { return };
        let symbol = symbols::symbol(scope, "handle_onclose");
        let onclose = object.get(scope, symbol.into()).and_then(|onclose| Local::<Function>::try_from(onclose).ok());
        if let Some(onclose) = onclose {
            callback::function(scope, object, onclose, &[]);
        }
        let ids = wrap::async_ids(scope, object);
        async_wrap::emit_destroy(scope, ids.id);
        wrap::keep_alive(scope, object, false);
    }

    /// Takes one message; the error is an exception of making its value.
    fn take<'s>(
        self: &Rc<Self>,
        scope: &mut PinScope<'s, '_>,
        force: bool,
        ports: Option<&mut Vec<Local<'s, Value>>>,
    ) -> Option<Result<Local<'s, Value>, Local<'s, Value>>> {
        let end = self.end.borrow().clone()?;
        let message = match end.take(force || self.receiving.get())? {
            Item::Message(message) => message,
            Item::Close => {
                self.close();
                return None;
            }
        };
        let object = self.object.borrow().as_ref().map(|object| Local::new(scope, object));
        let context = object.and_then(|object| object.get_creation_context(scope));
        let context = context.unwrap_or_else(|| scope.get_current_context());
        let scope = &mut v8::ContextScope::new(scope, context);
        v8::tc_scope!(let caught, scope);
        let value = message.deserialize(caught, ports);
        match value {
            Some(value) => Some(Ok(value)),
            None => {
                let exception = caught.exception();
                Some(Err(exception.unwrap_or_else(|| js::undefined(caught))))
            }
        }
    }

    /// Emits the messages that are there.
    fn receive(self: &Rc<Self>, scope: &mut PinScope, force: bool) {
        /// So many at once are no harm to what else the loop has to do.
        const BATCH: usize = 1000;
        let limit = match force {
            true => usize::MAX,
            false => self.end.borrow().as_ref().map_or(0, |end| end.waiting()).max(BATCH),
        };
        for _ in 0..limit {
            v8::scope!(let scope, scope);
            let mut ports = Vec::new();
            let Some(message) = self.take(scope, force, Some(&mut ports)) else { return };
            let object = self.object.borrow().as_ref().map(|object| Local::new(scope, object));
            let Some(context) = object.and_then(|object| object.get_creation_context(scope)) else { return };
            let scope = &mut v8::ContextScope::new(scope, context);
            let emit = per_context(scope, "emitMessage").and_then(|emit| Local::<Function>::try_from(emit).ok());
            let (Some(object), Some(emit)) = (object, emit) else { return };
            let (value, ports, kind) = match message {
                Ok(value) if ports.is_empty() => (value, js::undefined(scope), "message"),
                Ok(value) => (value, v8::Array::new_with_elements(scope, &ports).into(), "message"),
                Err(error) => (error, js::undefined(scope), "messageerror"),
            };
            let arguments = [value, ports, js::string(scope, kind).into()];
            let done = callback::function(scope, object, emit, &arguments).is_some();
            if !done || kind == "messageerror" {
                break;
            }
        }
        // The rest comes in the loop's next round.
        self.wakeup.waker().wake();
    }
}

/// `port.postMessage(value, transfers)`
pub fn post_message<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    if args.length() == 0 {
        let message = "Not enough arguments to MessagePort.postMessage";
        errors::throw_code(scope, Kind::TypeError, "ERR_MISSING_ARGS", message);
        return;
    }
    let Some(port) = port_of(scope, args.this()) else {
        throw_illegal_invocation(scope);
        return;
    };
    if !args.get(1).is_null_or_undefined() && !args.get(1).is_object() {
        let message = "Optional transferList argument must be an iterable";
        errors::throw_code(scope, Kind::TypeError, "ERR_INVALID_ARG_TYPE", message);
        return;
    }
    let Some(transfers) = transfer_list(scope, args.get(1)) else { return };
    // A closed port's message is made as well: what it transfers is gone.
    let Some(message) = Message::serialize(scope, args.get(0), &transfers, Some(args.this())) else { return };
    let Some(end) = port.open_end() else { return };
    match end.send(message) {
        Sent::Yes => rv.set_bool(true),
        Sent::NoReceiver => rv.set_bool(false),
        Sent::ToItself => {
            errors::emit_warning(scope, "The target port was posted to itself, and the communication channel was lost");
            rv.set_bool(true);
        }
        Sent::ManyReceivers => errors::emit_warning(scope, "Transferables cannot be used with multiple destinations."),
    }
}

/// Throws what V8 throws for a native method that is called on something else.
fn throw_illegal_invocation(scope: &mut PinScope) {
    let message = js::string(scope, "Illegal invocation");
    let error = v8::Exception::type_error(scope, message);
    scope.throw_exception(error);
}

/// `port.start()`
pub fn start<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let Some(port) = port_of(scope, args.this()) else { return };
    let Some(end) = port.open_end() else { return };
    port.receiving.set(true);
    if end.waiting() > 0 {
        port.wakeup.waker().wake();
    }
}

/// `stopMessagePort(port)`
pub fn stop<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if let Some(port) = argument(scope, &args) {
        port.receiving.set(false);
    }
}

/// `drainMessagePort(port)`: emits all that is there, now.
pub fn drain<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if let Some(port) = argument(scope, &args) {
        port.receive(scope, true);
    }
}

fn argument<'s>(scope: &PinScope<'s, '_>, args: &Args<'s>) -> Option<Rc<Port>> {
    Local::<Object>::try_from(args.get(0)).ok().and_then(|object| port_of(scope, object))
}

/// `receiveMessageOnPort(port)`: one message, or `no_message_symbol`.
pub fn receive_one<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(port) = argument(scope, &args) else {
        throw_no_port(scope);
        return;
    };
    match port.take(scope, true, None) {
        Some(Ok(value)) => rv.set(value),
        Some(Err(error)) => {
            scope.throw_exception(error);
        }
        None => rv.set(symbols::symbol(scope, "no_message_symbol").into()),
    }
}

fn throw_no_port(scope: &mut PinScope) {
    let message = "The \"port\" argument must be a MessagePort instance";
    errors::throw_code(scope, Kind::TypeError, "ERR_INVALID_ARG_TYPE", message);
}

/// `moveMessagePortToContext(port, context)`
pub fn move_to_context<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(port) = argument(scope, &args) else {
        throw_no_port(scope);
        return;
    };
    if port.open_end().is_none() {
        let message = "Cannot send data on closed MessagePort";
        errors::throw_code(scope, Kind::Error, "ERR_CLOSED_MESSAGE_PORT", message);
        return;
    }
    let sandbox = Local::<Object>::try_from(args.get(1)).ok();
    let Some(target) = sandbox.and_then(|sandbox| contextify::of_sandbox(scope, sandbox)) else {
        errors::throw_code(scope, Kind::TypeError, "ERR_INVALID_ARG_TYPE", "Invalid context argument");
        return;
    };
    let end = port.end.take();
    port.close();
    let Some(end) = end else { return };
    end.set_owner(None);
    let scope = &mut v8::ContextScope::new(scope, target.context);
    if let Some(moved) = create(scope, end) {
        rv.set(moved.into());
    }
}

/// `port.close()`
pub fn close<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if let Some(port) = port_of(scope, args.this()) {
        port.close();
    }
}

/// `port.ref()`
pub fn add_ref<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if let Some(port) = port_of(scope, args.this()) {
        port.wakeup.set_ref(true);
    }
}

/// `port.unref()`
pub fn unref<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if let Some(port) = port_of(scope, args.this()) {
        port.wakeup.set_ref(false);
    }
}

/// `port.hasRef()`: undefined for a closed port.
pub fn has_ref<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    match port_of(scope, args.this()) {
        Some(port) if port.object.borrow().is_none() => (),
        Some(port) => rv.set_bool(port.wakeup.has_ref()),
        None => throw_illegal_invocation(scope),
    }
}
