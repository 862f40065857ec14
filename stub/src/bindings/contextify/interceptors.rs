//! The global object of a `vm` context: what scripts do to it happens to the sandbox.

use v8::{
    Array, Boolean, Context, ContextScope, GetPropertyNamesArgs, IndexFilter, Integer, Intercepted, KeyCollectionMode,
    KeyConversionMode, Local, Name, Object, ObjectTemplate, PinScope, PropertyAttribute, PropertyDescriptor,
    PropertyFilter, ReturnValue, Value,
};

use super::context::of_global;
use crate::exotic::{self, Access, Exotic};
use crate::js;

/// The template of the global object.
pub fn template<'s>(scope: &mut PinScope<'s, '_>) -> Local<'s, ObjectTemplate> {
    // A global object's template has to come from a function's.
    let class = v8::FunctionTemplate::new(scope, |_: &mut PinScope, _: super::Args, _: super::Return| {});
    let template = class.instance_template(scope);
    exotic::install::<Sandbox>(template);
    template
}

/// The two objects that a property can be on.
#[derive(Clone, Copy)]
struct Pair<'s> {
    sandbox: Local<'s, Object>,
    global: Local<'s, Object>,
}

/// Runs `body` in the context that the access belongs to; not while the context is being made.
fn within<'s>(
    scope: &mut PinScope<'s, '_>,
    args: &Access<'s>,
    body: impl FnOnce(&mut PinScope<'s, '_>, Pair<'s>) -> Option<()>,
) -> Intercepted {
    let Some((context, sandbox)) = of_global(scope, args.holder()) else { return Intercepted::kNo };
    let global = Context::global(&context, scope);
    let scope = &mut ContextScope::new(scope, context);
    match body(scope, Pair { sandbox, global }) {
        Some(()) => Intercepted::kYes,
        None => Intercepted::kNo,
    }
}

/// The sandbox behind a global object.
struct Sandbox;

impl Exotic for Sandbox {
    const DESCRIBES: bool = true;

    fn query<'s>(
        scope: &mut PinScope<'s, '_>,
        key: Local<'s, Name>,
        args: Access<'s>,
        mut rv: ReturnValue<Integer>,
    ) -> Intercepted {
        within(scope, &args, |scope, pair| {
            for object in [pair.sandbox, pair.global] {
                if object.has_real_named_property(scope, key)? {
                    rv.set_uint32(object.get_real_named_property_attributes(scope, key)?.as_u32());
                    return Some(());
                }
            }
            None
        })
    }

    fn get<'s>(
        scope: &mut PinScope<'s, '_>,
        key: Local<'s, Name>,
        args: Access<'s>,
        mut rv: ReturnValue<Value>,
    ) -> Intercepted {
        within(scope, &args, |scope, pair| {
            v8::tc_scope!(let scope, scope);
            let value = pair.sandbox.get_real_named_property(scope, key);
            let value = value.or_else(|| pair.global.get_real_named_property(scope, key));
            if scope.has_caught() && !scope.has_terminated() {
                scope.rethrow();
            }
            let value = value?;
            rv.set(if value == pair.sandbox { pair.global.into() } else { value });
            Some(())
        })
    }

    fn set<'s>(
        scope: &mut PinScope<'s, '_>,
        key: Local<'s, Name>,
        value: Local<'s, Value>,
        args: Access<'s>,
        _: ReturnValue<Boolean>,
    ) -> Intercepted {
        // V8 itself has thrown by now if this is strict code's store to a name that nobody declared.
        within(scope, &args, |scope, pair| {
            let on_global = pair.global.get_real_named_property_attributes(scope, key);
            let on_sandbox = pair.sandbox.get_real_named_property_attributes(scope, key);
            if [&on_global, &on_sandbox].into_iter().flatten().any(PropertyAttribute::is_read_only) {
                return None;
            }
            let declared = on_global.is_some() || on_sandbox.is_some();
            if !declared && key.is_symbol() {
                return None;
            }
            pair.sandbox.set(scope, key.into(), value)?;
            // An accessor of the sandbox has done all that there is to do.
            on_sandbox?;
            let descriptor = pair.sandbox.get_own_property_descriptor(scope, key)?;
            let descriptor: Local<Object> = descriptor.try_into().ok()?;
            ["get", "set"]
                .iter()
                .any(|accessor| {
                    let accessor = js::name(scope, accessor);
                    descriptor.has_own_property(scope, accessor.into()) == Some(true)
                })
                .then_some(())
        })
    }

    fn descriptor<'s>(
        scope: &mut PinScope<'s, '_>,
        key: Local<'s, Name>,
        args: Access<'s>,
        mut rv: ReturnValue<Value>,
    ) -> Intercepted {
        within(scope, &args, |scope, pair| {
            if pair.sandbox.has_own_property(scope, key) != Some(true) {
                return None;
            }
            rv.set(pair.sandbox.get_own_property_descriptor(scope, key)?);
            Some(())
        })
    }

    fn define<'s>(
        scope: &mut PinScope<'s, '_>,
        key: Local<'s, Name>,
        given: &PropertyDescriptor,
        args: Access<'s>,
        _: ReturnValue<Boolean>,
    ) -> Intercepted {
        within(scope, &args, |scope, pair| {
            let attributes = pair.global.get_real_named_property_attributes(scope, key);
            if attributes.is_some_and(|attributes| attributes.is_read_only() && attributes.is_dont_delete()) {
                return None;
            }
            let undefined = js::undefined(scope);
            let mut copy = if given.has_get() || given.has_set() {
                let getter = if given.has_get() { given.get() } else { undefined };
                let setter = if given.has_set() { given.set() } else { undefined };
                PropertyDescriptor::new_from_get_set(getter, setter)
            } else {
                let value = if given.has_value() { given.value() } else { undefined };
                match given.has_writable() {
                    true => PropertyDescriptor::new_from_value_writable(value, given.writable()),
                    false => PropertyDescriptor::new_from_value(value),
                }
            };
            if given.has_enumerable() {
                copy.set_enumerable(given.enumerable());
            }
            if given.has_configurable() {
                copy.set_configurable(given.configurable());
            }
            pair.sandbox.define_property(scope, key, &copy);
            // The global object gets it too.
            None
        })
    }

    fn delete<'s>(
        scope: &mut PinScope<'s, '_>,
        key: Local<'s, Name>,
        args: Access<'s>,
        mut rv: ReturnValue<Boolean>,
    ) -> Intercepted {
        within(scope, &args, |scope, pair| {
            if pair.sandbox.delete(scope, key.into()) == Some(true) {
                return None;
            }
            // What can't be deleted from the sandbox stays on the global object.
            rv.set_bool(false);
            Some(())
        })
    }

    fn names<'s>(scope: &mut PinScope<'s, '_>, args: Access<'s>, mut rv: ReturnValue<Array>) {
        within(scope, &args, |scope, pair| {
            rv.set(own_names(scope, pair.sandbox, PropertyFilter::ALL_PROPERTIES, IndexFilter::SkipIndices)?);
            Some(())
        });
    }

    fn indices<'s>(scope: &mut PinScope<'s, '_>, args: Access<'s>, mut rv: ReturnValue<Array>) {
        within(scope, &args, |scope, pair| {
            let names = own_names(scope, pair.sandbox, PropertyFilter::SKIP_SYMBOLS, IndexFilter::IncludeIndices)?;
            let names = (0..names.length()).filter_map(|position| names.get_index(scope, position));
            let indices: Vec<_> = names.filter(|name| name.is_number()).collect();
            rv.set(Array::new_with_elements(scope, &indices));
            Some(())
        });
    }
}

fn own_names<'s>(
    scope: &PinScope<'s, '_>,
    sandbox: Local<'s, Object>,
    property_filter: PropertyFilter,
    index_filter: IndexFilter,
) -> Option<Local<'s, Array>> {
    let names = GetPropertyNamesArgs {
        mode: KeyCollectionMode::OwnOnly,
        property_filter,
        index_filter,
        key_conversion: KeyConversionMode::KeepNumbers,
    };
    sandbox.get_property_names(scope, names)
}
