//! `internalBinding('types')`: which kind of object a value is.

use v8::{FunctionCallbackArguments, PinScope, ReturnValue, Value};

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

macro_rules! checks {
    ($($name:literal => $function:ident: $($check:ident)||+),* $(,)?) => {
        crate::room! {
            name: "types",
            functions: { $(pure $name => $function),* },
        }

        $(fn $function<'s>(_: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
            let value = args.get(0);
            rv.set_bool($(value.$check())||+);
        })*
    };
}

checks! {
    "isArgumentsObject" => arguments: is_arguments_object,
    "isArrayBuffer" => array_buffer: is_array_buffer,
    "isAsyncFunction" => async_function: is_async_function,
    "isBigIntObject" => big_int: is_big_int_object,
    "isBooleanObject" => boolean: is_boolean_object,
    "isDate" => date: is_date,
    "isExternal" => external: is_external,
    "isGeneratorFunction" => generator_function: is_generator_function,
    "isGeneratorObject" => generator: is_generator_object,
    "isMap" => map: is_map,
    "isMapIterator" => map_iterator: is_map_iterator,
    "isModuleNamespaceObject" => namespace: is_module_namespace_object,
    "isNativeError" => native_error: is_native_error,
    "isNumberObject" => number: is_number_object,
    "isPromise" => promise: is_promise,
    "isProxy" => proxy: is_proxy,
    "isRegExp" => reg_exp: is_reg_exp,
    "isSet" => set: is_set,
    "isSetIterator" => set_iterator: is_set_iterator,
    "isSharedArrayBuffer" => shared_array_buffer: is_shared_array_buffer,
    "isStringObject" => string: is_string_object,
    "isSymbolObject" => symbol: is_symbol_object,
    "isWeakMap" => weak_map: is_weak_map,
    "isWeakSet" => weak_set: is_weak_set,
    "isAnyArrayBuffer" => any_array_buffer: is_array_buffer || is_shared_array_buffer,
    "isBoxedPrimitive" => boxed: is_number_object || is_string_object || is_boolean_object || is_big_int_object || is_symbol_object,
}
