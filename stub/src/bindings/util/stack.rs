//! What the JavaScript stack looks like.

use v8::{Array, FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, StackTrace, Value};

use crate::js;

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

/// Whether the nearest function that is not of Node's own library lies in a `node_modules` folder.
pub fn is_inside_node_modules<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let limit = match args.get(0).is_int32() {
        true => args.get(0).int32_value(scope).unwrap_or_default().max(0) as usize,
        false => 10,
    };
    let name = StackTrace::current_stack_trace(scope, limit).and_then(|stack| {
        (0..stack.get_frame_count())
            .filter_map(|index| stack.get_frame(scope, index)?.get_script_name(scope))
            .map(|name| name.to_rust_string_lossy(scope))
            .find(|name| !name.is_empty() && !name.starts_with("node:"))
    });
    rv.set_bool(name.is_some_and(|name| {
        ["/node_modules/", "\\node_modules\\", "/node_modules\\", "\\node_modules/"]
            .iter()
            .any(|folder| name.contains(folder))
    }));
}

/// `[line, column, file]` of the caller's caller.
pub fn get_caller_location<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    let Some(stack) = StackTrace::current_stack_trace(scope, 2) else { return };
    if stack.get_frame_count() != 2 {
        return;
    }
    let Some(frame) = stack.get_frame(scope, 1) else { return };
    let Some(file) = frame.get_script_name_or_source_url(scope) else { return };
    let line = js::integer(scope, frame.get_line_number() as i32);
    let column = js::integer(scope, frame.get_column() as i32);
    rv.set(Array::new_with_elements(scope, &[line, column, file.into()]).into());
}

/// The frames above the caller as plain objects, for `util.getCallSites`.
pub fn get_call_sites<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let limit = args.get(0).uint32_value(scope).unwrap_or_default() as usize;
    let Some(stack) = StackTrace::current_stack_trace(scope, limit + 1) else { return };
    let null = js::null(scope);
    let keys = ["functionName", "scriptId", "scriptName", "lineNumber", "columnNumber", "column"]
        .map(|key| js::name(scope, key).into());
    let mut sites: Vec<Local<Value>> = Vec::new();
    // The first frame is that of node:util.
    for index in 1..stack.get_frame_count() {
        let Some(frame) = stack.get_frame(scope, index) else { continue };
        let empty = v8::String::empty(scope);
        let line = js::integer(scope, frame.get_line_number() as i32);
        let column = js::integer(scope, frame.get_column() as i32);
        let values = [
            frame.get_function_name(scope).unwrap_or(empty).into(),
            js::string(scope, &frame.get_script_id().to_string()).into(),
            frame.get_script_name(scope).unwrap_or(empty).into(),
            line,
            column,
            column,
        ];
        sites.push(Object::with_prototype_and_properties(scope, null, &keys, &values).into());
    }
    rv.set(Array::new_with_elements(scope, &sites).into());
}
