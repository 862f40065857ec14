//! The program's ES modules, compiled while the snapshot is taken.

use v8::{Local, Map, Module, Object, ObjectTemplate, PinScope};

use super::{DEFAULT_ID, Place, compile, contextify, module_of, symbols};
use crate::js;
use crate::realm::Realm;
use crate::source::Source;

/// A map from a module's URL to an object that has the module in its internal field and its source as a
/// property.
const PRECOMPILED: &str = "module_wrap.precompiled";

/// Compiles the module of the file `path` for [`take`]. One with a syntax error is left out: it throws when the
/// program loads it.
pub fn precompile<'s>(scope: &mut PinScope<'s, '_>, path: &str, source: &'static Source) {
    let code = source.string(scope);
    let url = js::string(scope, &contextify::file_url(path));
    let id = symbols::symbol(scope, DEFAULT_ID);
    let module = {
        v8::tc_scope!(let scope, scope);
        compile(scope, code, Place { name: url, line: 0, column: 0 }, Some(id), None)
    };
    let Some(module) = module else { return };
    let template = ObjectTemplate::new(scope);
    template.set_internal_field_count(1);
    let Some(holder) = template.new_instance(scope) else { return };
    holder.set_internal_field(0, module.into());
    js::set(scope, holder, "source", code);
    let map = Realm::current().map(scope, PRECOMPILED);
    map.set(scope, url.into(), holder.into());
}

/// The module `url` if `code` is its embedded source. Each is there once.
pub fn take<'s>(
    scope: &mut PinScope<'s, '_>,
    code: Local<'s, v8::String>,
    url: Local<'s, v8::String>,
) -> Option<Local<'s, Module>> {
    let map: Local<Map> = Realm::current().slot(scope, PRECOMPILED)?.try_into().ok()?;
    let holder: Local<Object> = map.get(scope, url.into())?.try_into().ok()?;
    let source: Local<v8::String> = js::get(scope, holder, "source")?.try_into().ok()?;
    if !contextify::same_text(source, code) {
        return None;
    }
    map.delete(scope, url.into());
    module_of(scope, holder)
}
