//! Properties that load a built-in module when they are first read.

use v8::{
    Array, FunctionCallbackArguments, Local, MapFnTo, Name, Object, PinScope, PropertyAttribute,
    PropertyCallbackArguments, ReturnValue, SideEffectType, Value,
};

use crate::js;
use crate::realm::Realm;

/// The slot of the library's own `require`.
const REQUIRE: &str = crate::bindings::builtins::REQUIRE;

/// What the table of external references needs for these properties.
pub fn reference() -> v8::ExternalReference {
    let getter: v8::AccessorNameGetterCallback = load.map_fn_to();
    v8::ExternalReference { pointer: getter as *mut std::ffi::c_void }
}

/// The slot of a map from an object to the modules of its lazy properties, while a snapshot is taken: to look at such a
/// property loads its module.
pub const LAZY: &str = "util.lazy";

/// `defineLazyProperties(target, id, keys, enumerable = true)`
pub fn define_lazy_properties<'s>(
    scope: &mut PinScope<'s, '_>,
    args: FunctionCallbackArguments<'s>,
    _: ReturnValue<'s, Value>,
) {
    let target = Local::<Object>::try_from(args.get(0));
    let keys = Local::<Array>::try_from(args.get(2));
    let (Ok(target), Ok(keys)) = (target, keys) else { return };
    if Realm::current().building {
        let map = Realm::current().map(scope, LAZY);
        let known = map.get(scope, target.into()).and_then(|known| Local::<Object>::try_from(known).ok());
        let known = known.unwrap_or_else(|| Object::new(scope));
        for index in 0..keys.length() {
            if let Some(key) = keys.get_index(scope, index) {
                known.set(scope, key, args.get(1));
            }
        }
        map.set(scope, target.into(), known.into());
    }
    let enumerable = args.length() == 3 || args.get(3).is_true();
    for index in 0..keys.length() {
        let Some(key) = keys.get_index(scope, index) else { return };
        let Ok(key) = Local::<Name>::try_from(key) else { continue };
        let attribute = if enumerable { PropertyAttribute::NONE } else { PropertyAttribute::DONT_ENUM };
        let effects = (SideEffectType::HasSideEffect, SideEffectType::HasSideEffect);
        let defined =
            target.set_lazy_data_property_with_data(scope, key, load, args.get(1), attribute, effects.0, effects.1);
        if defined.is_none() {
            return;
        }
    }
}

fn load<'s>(
    scope: &mut PinScope<'s, '_>,
    key: Local<'s, Name>,
    args: PropertyCallbackArguments<'s>,
    mut rv: ReturnValue<Value>,
) {
    let Some(require) = Realm::current().function(scope, REQUIRE) else { return };
    let null = js::null(scope);
    let module = require.call(scope, null, &[args.data()]);
    let module = module.and_then(|module| Local::<Object>::try_from(module).ok());
    if let Some(value) = module.and_then(|module| module.get(scope, key.into())) {
        rv.set(value);
    }
}
