//! The source line with an underline that Node puts in front of an error's stack.

use v8::{Local, PinScope, Value};

use super::{SOURCE_MAP_ERROR_SOURCE, hooks, origins, source_maps_enabled};
use crate::bindings::util;
use crate::js;
use crate::realm::Realm;

const ARROW: &str = "arrow_message_private_symbol";
const DECORATED: &str = "decorated_private_symbol";

/// The underline stops there, however long the line.
const UNDERLINE_LIMIT: usize = 1020;

/// A line that says so is never shown.
const DO_NOT_SHOW: &str = "node-do-not-add-exception-line";

/// The place of a message: `file:line`, the line, and an underline. `None` when it should not be shown.
pub fn error_source<'s>(scope: &mut PinScope<'s, '_>, message: Local<'s, v8::Message>) -> Option<String> {
    let line = message.get_source_line(scope).map(|line| line.to_rust_string_lossy(scope)).unwrap_or_default();
    if line.contains(DO_NOT_SHOW) {
        return None;
    }
    let origin = hooks::script_origin(message);
    let has_map = origin.source_map_url.is_some_and(|url| !url.is_undefined());
    if has_map
        && source_maps_enabled(scope)
        && let Some(source) = mapped_source(scope, message)
    {
        return Some(source);
    }
    if let Some(place) = origins::of_message(scope, message) {
        let tab_or_space = |unit| if unit == '\t' { '\t' } else { ' ' };
        let indent: String = place.text.chars().take(place.column as usize).map(tab_or_space).collect();
        return Some(format!("{}:{}\n{}\n{indent}^\n", place.name, place.line, place.text));
    }
    let file = message.get_script_resource_name(scope).filter(|name| !name.is_undefined());
    let file = file.map_or_else(|| "<anonymous_script>".to_owned(), |name| name.to_rust_string_lossy(scope));
    let number = message.get_line_number(scope).unwrap_or_default();
    let script_start = match number as i64 - i64::from(origin.line_offset) == 1 {
        true => i64::from(origin.column_offset),
        false => 0,
    };
    let (mut start, mut end) = (message.get_start_column() as i64, message.get_end_column() as i64);
    if start >= script_start {
        start -= script_start;
        end -= script_start;
    }
    let mut text = format!("{file}:{number}\n{line}\n");
    if let (Ok(start), Ok(end)) = (usize::try_from(start), usize::try_from(end))
        && start <= end
        && end <= line.len()
    {
        let tab_or_space = |byte| if byte == b'\t' { '\t' } else { ' ' };
        let indent = line.bytes().take(start).map(tab_or_space);
        text.extend(indent.chain(std::iter::repeat_n('^', end - start)).take(UNDERLINE_LIMIT));
        text.push('\n');
    }
    Some(text)
}

/// The original source of a message's place, by the source map.
fn mapped_source<'s>(scope: &mut PinScope<'s, '_>, message: Local<'s, v8::Message>) -> Option<String> {
    let find = Realm::current().function(scope, SOURCE_MAP_ERROR_SOURCE)?;
    v8::tc_scope!(let caught, scope);
    let name = message.get_script_resource_name(caught)?;
    let line = js::integer(caught, message.get_line_number(caught)? as i32);
    let column = js::integer(caught, message.get_start_column() as i32);
    let undefined = js::undefined(caught);
    let source = find.call(caught, undefined, &[name, line, column])?;
    source.is_string().then(|| source.to_rust_string_lossy(caught))
}

/// Attaches the source line to an error, for whoever prints it.
pub fn append_exception_line<'s>(
    scope: &mut PinScope<'s, '_>,
    exception: Local<'s, Value>,
    message: Option<Local<'s, v8::Message>>,
) {
    let (Some(message), Ok(error)) = (message, Local::<v8::Object>::try_from(exception)) else { return };
    if arrow(scope, exception).is_some() {
        return;
    }
    if let Some(source) = error_source(scope, message) {
        let source = js::string(scope, &source);
        let key = util::private(scope, ARROW);
        error.set_private(scope, key, source.into());
    }
}

/// The source line attached to `exception`.
pub fn arrow<'s>(scope: &mut PinScope<'s, '_>, exception: Local<'s, Value>) -> Option<Local<'s, v8::String>> {
    let error = Local::<v8::Object>::try_from(exception).ok()?;
    let key = util::private(scope, ARROW);
    error.get_private(scope, key)?.try_into().ok()
}

/// Whether the source line is part of the error's stack already.
pub fn is_decorated<'s>(scope: &mut PinScope<'s, '_>, exception: Local<'s, Value>) -> bool {
    let Ok(error) = Local::<v8::Object>::try_from(exception) else { return false };
    let key = util::private(scope, DECORATED);
    error.get_private(scope, key).is_some_and(|decorated| decorated.is_true())
}

/// Puts the source line in front of the error's stack.
pub fn decorate<'s>(
    scope: &mut PinScope<'s, '_>,
    exception: Local<'s, Value>,
    message: Option<Local<'s, v8::Message>>,
) {
    let Ok(error) = Local::<v8::Object>::try_from(exception) else { return };
    if is_decorated(scope, exception) {
        return;
    }
    append_exception_line(scope, exception, message);
    v8::tc_scope!(let scope, scope);
    let Some(arrow) = arrow(scope, exception) else { return };
    let stack = js::get(scope, error, "stack").and_then(|stack| Local::<v8::String>::try_from(stack).ok());
    let Some(stack) = stack else { return };
    let newline = js::string(scope, "\n");
    let head = v8::String::concat(scope, arrow, newline);
    let Some(stack) = head.and_then(|head| v8::String::concat(scope, head, stack)) else { return };
    js::set(scope, error, "stack", stack);
    let key = util::private(scope, DECORATED);
    let yes = js::boolean(scope, true);
    error.set_private(scope, key, yes);
}
