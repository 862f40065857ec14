//! Objects whose properties are something else: the environment, a storage, another object.
//!
//! V8 asks for names and for indices by callbacks of two kinds. Here an index is a name like any other.

use v8::{
    Array, Boolean, ExternalReference, IndexedPropertyHandlerConfiguration, Integer, Intercepted, Local, MapFnTo as _,
    Name, NamedPropertyHandlerConfiguration, ObjectTemplate, PinScope, PropertyCallbackArguments, PropertyDescriptor,
    PropertyHandlerFlags, ReturnValue, Value,
};

use crate::js;

/// What an operation knows of the object.
pub type Access<'s> = PropertyCallbackArguments<'s>;

/// What happens instead of operations on properties. `Intercepted::kNo` leaves it to V8.
pub trait Exotic: 'static {
    /// Whether [`Exotic::descriptor`] is there; otherwise V8 puts a descriptor together from the value and the attributes.
    const DESCRIBES: bool = false;

    /// Reads a property.
    fn get<'s>(
        scope: &mut PinScope<'s, '_>,
        key: Local<'s, Name>,
        args: Access<'s>,
        rv: ReturnValue<Value>,
    ) -> Intercepted;

    /// Assigns to a property.
    fn set<'s>(
        scope: &mut PinScope<'s, '_>,
        key: Local<'s, Name>,
        value: Local<'s, Value>,
        args: Access<'s>,
        rv: ReturnValue<Boolean>,
    ) -> Intercepted;

    /// Tells the attributes of a property, if it is there.
    fn query<'s>(
        scope: &mut PinScope<'s, '_>,
        key: Local<'s, Name>,
        args: Access<'s>,
        rv: ReturnValue<Integer>,
    ) -> Intercepted;

    /// Deletes a property.
    fn delete<'s>(
        scope: &mut PinScope<'s, '_>,
        key: Local<'s, Name>,
        args: Access<'s>,
        rv: ReturnValue<Boolean>,
    ) -> Intercepted;

    /// Defines a property.
    fn define<'s>(
        scope: &mut PinScope<'s, '_>,
        key: Local<'s, Name>,
        descriptor: &PropertyDescriptor,
        args: Access<'s>,
        rv: ReturnValue<Boolean>,
    ) -> Intercepted;

    /// Tells a property's descriptor, if [`Exotic::DESCRIBES`] says so.
    fn descriptor<'s>(
        _: &mut PinScope<'s, '_>,
        _: Local<'s, Name>,
        _: Access<'s>,
        _: ReturnValue<Value>,
    ) -> Intercepted {
        Intercepted::kNo
    }

    /// Lists the names.
    fn names<'s>(scope: &mut PinScope<'s, '_>, args: Access<'s>, rv: ReturnValue<Array>);

    /// Lists the indices, if they are not among the names.
    fn indices<'s>(_: &mut PinScope<'s, '_>, _: Access<'s>, _: ReturnValue<Array>) {}
}

/// Makes the objects of `template` such objects.
pub fn install<E: Exotic>(template: Local<ObjectTemplate>) {
    let mut named = NamedPropertyHandlerConfiguration::new()
        .getter(E::get)
        .setter(E::set)
        .query(E::query)
        .deleter(E::delete)
        .enumerator(E::names)
        .definer(E::define)
        .flags(PropertyHandlerFlags::HAS_NO_SIDE_EFFECT);
    let mut indexed = IndexedPropertyHandlerConfiguration::new()
        .getter(get::<E>)
        .setter(set::<E>)
        .query(query::<E>)
        .deleter(delete::<E>)
        .enumerator(E::indices)
        .definer(define::<E>)
        .flags(PropertyHandlerFlags::HAS_NO_SIDE_EFFECT);
    if E::DESCRIBES {
        named = named.descriptor(E::descriptor);
        indexed = indexed.descriptor(descriptor::<E>);
    }
    template.set_named_property_handler(named);
    template.set_indexed_property_handler(indexed);
}

/// The callbacks, for the table of external references of a room whose objects go into the snapshot.
pub fn references<E: Exotic>() -> Vec<ExternalReference> {
    vec![
        ExternalReference { named_getter: E::get.map_fn_to() },
        ExternalReference { named_setter: E::set.map_fn_to() },
        ExternalReference { named_query: E::query.map_fn_to() },
        ExternalReference { named_deleter: E::delete.map_fn_to() },
        ExternalReference { named_definer: E::define.map_fn_to() },
        ExternalReference { enumerator: E::names.map_fn_to() },
        ExternalReference { indexed_getter: get::<E>.map_fn_to() },
        ExternalReference { indexed_setter: set::<E>.map_fn_to() },
        ExternalReference { indexed_query: query::<E>.map_fn_to() },
        ExternalReference { indexed_deleter: delete::<E>.map_fn_to() },
        ExternalReference { indexed_definer: define::<E>.map_fn_to() },
        ExternalReference { enumerator: E::indices.map_fn_to() },
    ]
}

fn name<'s>(scope: &PinScope<'s, '_>, index: u32) -> Local<'s, Name> {
    js::string(scope, &index.to_string()).into()
}

fn get<'s, E: Exotic>(
    scope: &mut PinScope<'s, '_>,
    index: u32,
    args: Access<'s>,
    rv: ReturnValue<Value>,
) -> Intercepted {
    let key = name(scope, index);
    E::get(scope, key, args, rv)
}

fn set<'s, E: Exotic>(
    scope: &mut PinScope<'s, '_>,
    index: u32,
    value: Local<'s, Value>,
    args: Access<'s>,
    rv: ReturnValue<Boolean>,
) -> Intercepted {
    let key = name(scope, index);
    E::set(scope, key, value, args, rv)
}

fn query<'s, E: Exotic>(
    scope: &mut PinScope<'s, '_>,
    index: u32,
    args: Access<'s>,
    rv: ReturnValue<Integer>,
) -> Intercepted {
    let key = name(scope, index);
    E::query(scope, key, args, rv)
}

fn delete<'s, E: Exotic>(
    scope: &mut PinScope<'s, '_>,
    index: u32,
    args: Access<'s>,
    rv: ReturnValue<Boolean>,
) -> Intercepted {
    let key = name(scope, index);
    E::delete(scope, key, args, rv)
}

fn define<'s, E: Exotic>(
    scope: &mut PinScope<'s, '_>,
    index: u32,
    given: &PropertyDescriptor,
    args: Access<'s>,
    rv: ReturnValue<Boolean>,
) -> Intercepted {
    let key = name(scope, index);
    E::define(scope, key, given, args, rv)
}

fn descriptor<'s, E: Exotic>(
    scope: &mut PinScope<'s, '_>,
    index: u32,
    args: Access<'s>,
    rv: ReturnValue<Value>,
) -> Intercepted {
    let key = name(scope, index);
    E::descriptor(scope, key, args, rv)
}
