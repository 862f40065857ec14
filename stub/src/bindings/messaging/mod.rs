//! `internalBinding('messaging')`: structured clones, and ports that carry them.

use v8::{FunctionCallbackArguments, Local, Object, PinScope, PropertyAttribute, ReturnValue, Value};

use crate::bootstrap::PER_CONTEXT_EXPORTS;
use crate::js;
use crate::realm::Realm;

crate::room! {
    name: "messaging",
    functions: {
        pure "exposeLazyDOMExceptionProperty" => expose_dom_exception,
        pure "setDeserializerCreateObjectFunction" => set_create_object,
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
    let exports = Realm::current().object(scope, PER_CONTEXT_EXPORTS)?;
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
    let class = per_context(scope, "DOMException").and_then(|class| Local::<v8::Function>::try_from(class).ok());
    if let Some(exception) = class.and_then(|class| class.new_instance(scope, &arguments)) {
        scope.throw_exception(exception.into());
    }
}

fn set_create_object<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    Realm::current().set_slot(scope, CREATE_OBJECT, args.get(0));
}
