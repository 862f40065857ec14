//! `internalBinding('internal_only_v8')`: what Node hides from its own tests.

use v8::{Array, FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use crate::profiler;

crate::room! {
    name: "internal_only_v8",
    functions: { trap "queryObjects" => query_objects },
}

/// `queryObjects(prototype)`
fn query_objects<'s>(
    scope: &mut PinScope<'s, '_>,
    args: FunctionCallbackArguments<'s>,
    mut rv: ReturnValue<'s, Value>,
) {
    let found = match Local::<Object>::try_from(args.get(0)) {
        Ok(prototype) => profiler::objects_with_prototype(scope, prototype),
        Err(_) => Vec::new(),
    };
    let found: Vec<Local<Value>> = found.into_iter().map(Into::into).collect();
    rv.set(Array::new_with_elements(scope, &found).into());
}
