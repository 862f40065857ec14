//! `process.env`: an object whose properties are the environment's variables.

use v8::{
    Array, Boolean, FunctionCallbackArguments, Integer, Intercepted, Local, MapFnTo as _, Name, Object, PinScope,
    PropertyDescriptor, ReturnValue, Value,
};

use std::cell::Cell;
use std::os::unix::ffi::OsStrExt as _;

use crate::bindings::options;
use crate::errors::{self, Kind};
use crate::exotic::{self, Access, Exotic};
use crate::realm::Realm;
use crate::text;
use crate::trap::{self, Armed, Guard};

/// What a trap calls the environment.
const TRAP: &str = "process.env";
/// The slot of the object.
const PROXY: &str = "process_methods.env";

const DEPRECATION: &str = "Assigning any value other than a string, number, or boolean to a process.env property is \
                           deprecated. Please make sure to convert the value to a string before setting process.env \
                           with it.";

#[derive(Default)]
struct State {
    has_warned: Cell<bool>,
}

/// Makes `process.env`.
pub fn env_proxy<'s>(scope: &mut PinScope<'s, '_>) -> Option<Local<'s, Object>> {
    let class = v8::FunctionTemplate::new(scope, constructor);
    exotic::install::<Environment>(class.instance_template(scope));
    let proxy = class.get_function(scope)?.new_instance(scope, &[])?;
    Realm::current().set_slot(scope, PROXY, proxy);
    Some(proxy)
}

/// Whether `object` is `process.env`.
pub fn is_env<'s>(scope: &PinScope<'s, '_>, object: Local<'s, Object>) -> bool {
    Realm::current().object(scope, PROXY).is_some_and(|proxy| proxy == object)
}

/// The callbacks of [`env_proxy`], for the table of external references.
pub fn references() -> Vec<v8::ExternalReference> {
    let mut all = exotic::references::<Environment>();
    all.push(v8::ExternalReference { function: constructor.map_fn_to() });
    all
}

fn constructor<'s>(_: &mut PinScope<'s, '_>, _: FunctionCallbackArguments<'s>, _: ReturnValue<'s, Value>) {}

/// The name of a variable; none for a symbol.
fn name<'s>(scope: &PinScope<'s, '_>, key: Local<'s, Name>) -> Option<String> {
    Local::<v8::String>::try_from(key).ok().map(|key| key.to_rust_string_lossy(scope))
}

/// What a look at a variable gives where traps are armed; nothing where they are not.
fn look(scope: &mut PinScope, name: &str) -> Option<Intercepted> {
    if !trap::is_armed() {
        return None;
    }
    if trap::assume(Guard::Unset(name.to_owned())) {
        return Some(Intercepted::kNo);
    }
    match trap::spring_or_nothing(scope, &format!("{TRAP}.{name}")) {
        Armed::No => None,
        Armed::Nothing => Some(Intercepted::kNo),
        Armed::Sprung => Some(Intercepted::kYes),
    }
}

/// Sets a variable; a rehearsal believes that it did. Returns whether it is done.
fn assign_or_trap<'s>(scope: &mut PinScope<'s, '_>, key: Local<'s, Name>, value: Local<'s, Value>) -> bool {
    match trap::spring_or_nothing(scope, TRAP) {
        Armed::No => assign(scope, key, value).is_some(),
        Armed::Nothing => true,
        Armed::Sprung => false,
    }
}

/// `process.env`
struct Environment;

impl Exotic for Environment {
    fn get<'s>(
        scope: &mut PinScope<'s, '_>,
        key: Local<'s, Name>,
        _: Access<'s>,
        mut rv: ReturnValue<Value>,
    ) -> Intercepted {
        let Some(name) = name(scope, key) else { return Intercepted::kNo };
        if let Some(intercepted) = look(scope, &name) {
            return intercepted;
        }
        let value = Realm::current()
            .thread
            .environment
            .get(name.as_bytes())
            .and_then(|value| text::utf8(scope, value.as_bytes()));
        match value {
            Some(value) => {
                rv.set(value.into());
                Intercepted::kYes
            }
            None => Intercepted::kNo,
        }
    }

    fn set<'s>(
        scope: &mut PinScope<'s, '_>,
        key: Local<'s, Name>,
        value: Local<'s, Value>,
        _: Access<'s>,
        mut rv: ReturnValue<Boolean>,
    ) -> Intercepted {
        if assign_or_trap(scope, key, value) {
            rv.set_bool(true);
        }
        Intercepted::kYes
    }

    fn query<'s>(
        scope: &mut PinScope<'s, '_>,
        key: Local<'s, Name>,
        _: Access<'s>,
        mut rv: ReturnValue<Integer>,
    ) -> Intercepted {
        let Some(name) = name(scope, key) else { return Intercepted::kNo };
        if let Some(intercepted) = look(scope, &name) {
            return intercepted;
        }
        if Realm::current().thread.environment.get(name.as_bytes()).is_none() {
            return Intercepted::kNo;
        }
        rv.set_int32(v8::PropertyAttribute::NONE.as_u32() as i32);
        Intercepted::kYes
    }

    fn delete<'s>(
        scope: &mut PinScope<'s, '_>,
        key: Local<'s, Name>,
        _: Access<'s>,
        mut rv: ReturnValue<Boolean>,
    ) -> Intercepted {
        if let Some(name) = name(scope, key)
            && !trap::assume(Guard::Unset(name.clone()))
            && trap::spring_or_nothing(scope, TRAP) == Armed::No
        {
            Realm::current().thread.environment.remove(name.as_bytes());
            notice(scope, &name);
        }
        // All of its properties are configurable.
        rv.set_bool(true);
        Intercepted::kYes
    }

    fn names<'s>(scope: &mut PinScope<'s, '_>, _: Access<'s>, mut rv: ReturnValue<Array>) {
        if trap::names_matter() && trap::spring_or_nothing(scope, TRAP) != Armed::No {
            return;
        }
        let all = Realm::current().thread.environment.all();
        let names: Vec<Local<Value>> =
            all.iter().filter_map(|(name, _)| text::utf8(scope, name.as_bytes())).map(Into::into).collect();
        rv.set(Array::new_with_elements(scope, &names));
    }

    fn define<'s>(
        scope: &mut PinScope<'s, '_>,
        key: Local<'s, Name>,
        descriptor: &PropertyDescriptor,
        _: Access<'s>,
        mut rv: ReturnValue<Boolean>,
    ) -> Intercepted {
        let message = if descriptor.has_value() {
            let plain = descriptor.has_writable()
                && descriptor.has_enumerable()
                && descriptor.has_configurable()
                && descriptor.writable()
                && descriptor.enumerable()
                && descriptor.configurable();
            if plain {
                let value = Local::new(scope, descriptor.value());
                if assign_or_trap(scope, key, value) {
                    rv.set_bool(true);
                }
                return Intercepted::kYes;
            }
            "'process.env' only accepts a configurable, writable, and enumerable data descriptor"
        } else if descriptor.has_get() || descriptor.has_set() {
            "'process.env' does not accept an accessor(getter/setter) descriptor"
        } else {
            "'process.env' only accepts a configurable, writable, and enumerable data descriptor"
        };
        errors::throw_code(scope, Kind::TypeError, "ERR_INVALID_OBJECT_DEFINE_PROPERTY", message);
        Intercepted::kYes
    }
}

/// Sets a variable; what is set becomes a string. `None` with an exception pending if it can't.
fn assign<'s>(scope: &mut PinScope<'s, '_>, key: Local<'s, Name>, value: Local<'s, Value>) -> Option<()> {
    let is_plain = value.is_string() || value.is_number() || value.is_boolean();
    if !is_plain && options::flag(scope, "--pending-deprecation") {
        deprecate(scope)?;
    }
    // In this order a symbol is refused, with V8's own words.
    let key = Local::<Value>::from(key).to_string(scope)?.to_rust_string_lossy(scope);
    let value = value.to_string(scope)?.to_rust_string_lossy(scope);
    let realm = Realm::current();
    realm.thread.environment.set(key.as_bytes(), value.as_bytes());
    notice(scope, &key);
    Some(())
}

/// Warns of a value that has to be made a string, once.
fn deprecate(scope: &mut PinScope) -> Option<()> {
    let realm = Realm::current();
    if realm.room::<State>().has_warned.replace(true) {
        return Some(());
    }
    errors::emit_deprecation(scope, DEPRECATION, "DEP0104")
}

/// Lets V8 know that the time zone may be another one.
fn notice(scope: &mut PinScope, key: &str) {
    if key == "TZ" && Realm::current().thread.environment.is_process() {
        scope.date_time_configuration_change_notification(v8::TimeZoneDetection::Redetect);
    }
}
