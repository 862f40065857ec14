//! `internalBinding('messaging')`: structured clones, and ports that carry them.

mod channel;
mod foreign;
mod memory;
mod message;
mod port;

use v8::{Array, Function, FunctionCallbackArguments, Local, Object, PinScope, PropertyAttribute, ReturnValue, Value};

use crate::bootstrap::PER_CONTEXT_EXPORTS;
use crate::errors::{self, Kind};
use crate::js;
use crate::realm::Realm;

pub use channel::{End, Group};
pub use message::{CLONEABLE, Message, Parcel, TRANSFERABLE, Traveller};
pub use port::create as create_port;

crate::room! {
    name: "messaging",
    functions: {
        pure "exposeLazyDOMExceptionProperty" => expose_dom_exception,
        pure "setDeserializerCreateObjectFunction" => set_create_object,
        pure "structuredClone" => structured_clone,
        trap "stopMessagePort" => port::stop,
        trap "drainMessagePort" => port::drain,
        trap "receiveMessageOnPort" => port::receive_one,
        trap "moveMessagePortToContext" => port::move_to_context,
        trap "broadcastChannel" => port::broadcast_channel,
    },
    classes: {
        #[hidden] "MessagePortHandle" extends "AsyncWrap" {
            pure new => port::construct,
            trap "close" => port::close,
            trap "hasRef" => port::has_ref,
            trap "ref" => port::add_ref,
            trap "unref" => port::unref,
        },
        "MessagePort" extends "MessagePortHandle" {
            pure new => port::construct,
            trap "postMessage" => port::post_message,
            trap "start" => port::start,
        },
        "MessageChannel" { trap new => port::construct_channel },
    },
    setup: setup,
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

/// The slot of the function that makes an object of the library's from its description.
const CREATE_OBJECT: &str = "messaging.createObject";

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    for name in ["DOMException", "QuotaExceededError"] {
        if let Some(class) = per_context(scope, name) {
            js::set(scope, target, name, class);
        }
    }
}

/// What a per-context script exports as `name`.
fn per_context<'s>(scope: &mut PinScope<'s, '_>, name: &str) -> Option<Local<'s, Value>> {
    let exports = match foreign::is_foreign(scope) {
        true => foreign::exports(scope)?,
        false => Realm::current().object(scope, PER_CONTEXT_EXPORTS)?,
    };
    js::get(scope, exports, name).filter(|value| !value.is_undefined())
}

fn expose_dom_exception<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let Ok(target) = Local::<Object>::try_from(args.get(0)) else { return };
    if let Some(class) = per_context(scope, "DOMException") {
        let name = js::name(scope, "DOMException");
        target.define_own_property(scope, name.into(), class, PropertyAttribute::DONT_ENUM);
    }
}

/// Throws a `DOMException`.
pub fn throw_dom_exception(scope: &mut PinScope, name: &str, message: &str) {
    let arguments = [js::string(scope, message).into(), js::string(scope, name).into()];
    let class = per_context(scope, "DOMException").and_then(|class| Local::<Function>::try_from(class).ok());
    if let Some(exception) = class.and_then(|class| class.new_instance(scope, &arguments)) {
        scope.throw_exception(exception.into());
    }
}

fn throw_data_clone_error(scope: &mut PinScope, message: &str) {
    throw_dom_exception(scope, "DataCloneError", message);
}

fn set_create_object<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    Realm::current().set_slot(scope, CREATE_OBJECT, args.get(0));
}

/// `structuredClone(value, { transfer })`
fn structured_clone<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(transfers) = transfer_list(scope, args.get(1)) else { return };
    let message = Message::serialize(scope, args.get(0), &transfers, None);
    if let Some(clone) = message.and_then(|message| message.deserialize(scope, None)) {
        rv.set(clone);
    }
}

/// The list that `value` is, or that is its property `transfer`. `None` when reading it threw.
fn transfer_list<'s>(scope: &mut PinScope<'s, '_>, value: Local<'s, Value>) -> Option<Vec<Local<'s, Value>>> {
    let Ok(object) = Local::<Object>::try_from(value) else { return Some(Vec::new()) };
    if let Some(list) = read_iterable(scope, value)? {
        return Some(list);
    }
    let transfer = js::get(scope, object, "transfer")?;
    if transfer.is_undefined() {
        return Some(Vec::new());
    }
    let list = read_iterable(scope, transfer)?;
    if list.is_none() {
        let message = "Optional options.transfer argument must be an iterable";
        errors::throw_code(scope, Kind::TypeError, "ERR_INVALID_ARG_TYPE", message);
    }
    list
}

/// The elements of an iterable; `Some(None)` if `value` is none, `None` when reading it threw.
fn read_iterable<'s>(scope: &mut PinScope<'s, '_>, value: Local<'s, Value>) -> Option<Option<Vec<Local<'s, Value>>>> {
    if let Ok(array) = Local::<Array>::try_from(value) {
        return (0..array.length()).map(|index| array.get_index(scope, index)).collect::<Option<_>>().map(Some);
    }
    let Ok(object) = Local::<Object>::try_from(value) else { return Some(None) };
    let symbol = v8::Symbol::get_iterator(scope);
    let Ok(method) = Local::<Function>::try_from(object.get(scope, symbol.into())?) else { return Some(None) };
    let Ok(iterator) = Local::<Object>::try_from(method.call(scope, value, &[])?) else { return Some(None) };
    let Ok(next) = Local::<Function>::try_from(js::get(scope, iterator, "next")?) else { return Some(None) };
    let mut values = Vec::new();
    loop {
        let Ok(step) = Local::<Object>::try_from(next.call(scope, iterator.into(), &[])?) else { return Some(None) };
        if js::get(scope, step, "done")?.boolean_value(scope) {
            return Some(Some(values));
        }
        values.push(js::get(scope, step, "value")?);
    }
}
