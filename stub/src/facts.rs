//! What Node's native half hands to its library as plain data, taken from Node when the stub was
//! built: constants, versions, option values, and the names of all functions.

use crate::realm::Realm;
use crate::{js, library};

/// The facts as one JavaScript object, parsed when first asked for.
fn all<'s>(scope: &mut v8::PinScope<'s, '_>) -> Option<v8::Local<'s, v8::Object>> {
    let realm = Realm::current();
    let weak = realm.room::<Parsed>();
    if let Some(object) = weak.0.borrow().as_ref().and_then(|object| object.to_local(scope)) {
        return Some(object);
    }
    let text = js::string(scope, &library::facts());
    let object = v8::json::parse(scope, text)?.try_into().ok()?;
    *weak.0.borrow_mut() = Some(v8::Weak::new(scope, object));
    Some(object)
}

/// Weak, so that the facts do not end up in the snapshot: what needs them copies them.
#[derive(Default)]
struct Parsed(std::cell::RefCell<Option<v8::Weak<v8::Object>>>);

/// The fact at `path`, such as `["options", "values"]`.
pub fn get<'s>(scope: &mut v8::PinScope<'s, '_>, path: &[&str]) -> Option<v8::Local<'s, v8::Value>> {
    let mut value: v8::Local<v8::Value> = all(scope)?.into();
    for key in path {
        value = js::get(scope, value.try_into().ok()?, key)?;
    }
    (!value.is_undefined()).then_some(value)
}

/// The fact at `path` as an object.
pub fn object<'s>(scope: &mut v8::PinScope<'s, '_>, path: &[&str]) -> Option<v8::Local<'s, v8::Object>> {
    get(scope, path)?.try_into().ok()
}

/// Copies the plain data of Node's binding `name` (numbers, strings, objects of them) into `target`.
pub fn install<'s>(scope: &mut v8::PinScope<'s, '_>, name: &str, target: v8::Local<'s, v8::Object>) {
    let Some(surface) = surface(scope, name) else { return };
    let Some(keys) = surface.get_own_property_names(scope, Default::default()) else { return };
    for index in 0..keys.length() {
        let key = keys.get_index(scope, index);
        let value = key.and_then(|key| surface.get(scope, key));
        if let (Some(key), Some(value)) = (key, value)
            && !value.is_null()
        {
            target.set(scope, key, value);
        }
    }
}

/// True when Node has a binding of that name.
pub fn has_binding(scope: &mut v8::PinScope, name: &str) -> bool {
    surface(scope, name).is_some()
}

/// All string keys of Node's binding `name`: its data, and `null` for each function.
pub fn surface<'s>(scope: &mut v8::PinScope<'s, '_>, name: &str) -> Option<v8::Local<'s, v8::Object>> {
    object(scope, &["bindings", name])
}
