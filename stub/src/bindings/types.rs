//! `internalBinding('types')`: which kind of object a value is.

use v8::{FunctionCallbackArguments, PinScope, ReturnValue, Value};

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

macro_rules! checks {
    ($($name:literal => $function:ident $fast:ident: $($check:ident)||+),* $(,)?) => {
        crate::room! {
            name: "types",
            functions: { $(pure $name => $function as fast::$fast),* },
        }

        $(fn $function<'s>(_: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
            let value = args.get(0);
            rv.set_bool($(value.$check())||+);
        })*

        /// The same, for optimized code.
        mod fast {
            use v8::fast_api::FastApiCallbackOptions;
            use v8::{Local, Value};

            $(crate::fast!(pub $fast = $function as (Value) -> bool);

            extern "C" fn $function<'s>(
                _: Local<'s, Value>,
                value: Local<'s, Value>,
                _: &FastApiCallbackOptions<'s>,
            ) -> bool {
                $(value.$check())||+
            })*
        }
    };
}

checks! {
    "isArgumentsObject" => arguments ARGUMENTS: is_arguments_object,
    "isArrayBuffer" => array_buffer ARRAY_BUFFER: is_array_buffer,
    "isAsyncFunction" => async_function ASYNC_FUNCTION: is_async_function,
    "isBigIntObject" => big_int BIG_INT: is_big_int_object,
    "isBooleanObject" => boolean BOOLEAN: is_boolean_object,
    "isDate" => date DATE: is_date,
    "isExternal" => external EXTERNAL: is_external,
    "isGeneratorFunction" => generator_function GENERATOR_FUNCTION: is_generator_function,
    "isGeneratorObject" => generator GENERATOR: is_generator_object,
    "isMap" => map MAP: is_map,
    "isMapIterator" => map_iterator MAP_ITERATOR: is_map_iterator,
    "isModuleNamespaceObject" => namespace NAMESPACE: is_module_namespace_object,
    "isNativeError" => native_error NATIVE_ERROR: is_native_error,
    "isNumberObject" => number NUMBER: is_number_object,
    "isPromise" => promise PROMISE: is_promise,
    "isProxy" => proxy PROXY: is_proxy,
    "isRegExp" => reg_exp REG_EXP: is_reg_exp,
    "isSet" => set SET: is_set,
    "isSetIterator" => set_iterator SET_ITERATOR: is_set_iterator,
    "isSharedArrayBuffer" => shared_array_buffer SHARED_ARRAY_BUFFER: is_shared_array_buffer,
    "isStringObject" => string STRING: is_string_object,
    "isSymbolObject" => symbol SYMBOL: is_symbol_object,
    "isWeakMap" => weak_map WEAK_MAP: is_weak_map,
    "isWeakSet" => weak_set WEAK_SET: is_weak_set,
    "isAnyArrayBuffer" => any_array_buffer ANY_ARRAY_BUFFER: is_array_buffer || is_shared_array_buffer,
    "isBoxedPrimitive" => boxed BOXED: is_number_object || is_string_object || is_boolean_object || is_big_int_object || is_symbol_object,
}
