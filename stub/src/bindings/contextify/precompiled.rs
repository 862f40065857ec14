//! The program's CommonJS modules, compiled while the snapshot is taken.

use v8::{Array, Function, Local, Map, PinScope};

use super::syntax;
use crate::js;
use crate::realm::Realm;
use crate::source::Source;

/// A map from a module's path to `[source, function]`.
const PRECOMPILED: &str = "contextify.precompiled";

/// Compiles the module `path` for [`take`]. One with a syntax error is left out: it throws when the program
/// loads it.
pub fn precompile<'s>(scope: &mut PinScope<'s, '_>, path: &str, source: &'static Source) {
    let Some(function) = compile(scope, path, source) else { return };
    let code = source.string(scope);
    let filename = js::string(scope, path);
    let entry = Array::new_with_elements(scope, &[code.into(), function.into()]);
    let map = Realm::current().map(scope, PRECOMPILED);
    map.set(scope, filename.into(), entry.into());
}

/// Compiles the module `path`, unless it has a syntax error.
pub fn compile<'s>(scope: &mut PinScope<'s, '_>, path: &str, source: &'static Source) -> Option<Local<'s, Function>> {
    let code = source.string(scope);
    let filename = js::string(scope, path);
    v8::tc_scope!(let scope, scope);
    syntax::compile_cjs(scope, code, filename, true)
}

/// The function of the module `filename` if `code` is its embedded source. Each is there once: a module that is
/// loaded again must have functions of its own.
pub fn take<'s>(
    scope: &mut PinScope<'s, '_>,
    code: Local<'s, v8::String>,
    filename: Local<'s, v8::String>,
) -> Option<Local<'s, Function>> {
    let map: Local<Map> = Realm::current().slot(scope, PRECOMPILED)?.try_into().ok()?;
    let entry: Local<Array> = map.get(scope, filename.into())?.try_into().ok()?;
    let source: Local<v8::String> = entry.get_index(scope, 0)?.try_into().ok()?;
    if !same_text(source, code) {
        return None;
    }
    map.delete(scope, filename.into());
    entry.get_index(scope, 1)?.try_into().ok()
}

/// Whether two strings are equal; at once if both are the same text of the executable.
pub fn same_text<'s>(left: Local<'s, v8::String>, right: Local<'s, v8::String>) -> bool {
    let (own, _) = left.get_external_string_resource_base();
    let (other, _) = right.get_external_string_resource_base();
    own.is_some() && own == other || left.strict_equals(right.into())
}
