//! The program's ES modules, compiled while the snapshot is taken.

use v8::script_compiler::{self, NoCacheReason};
use v8::{Local, Map, Module, Object, ObjectTemplate, PinScope};

use super::{DEFAULT_ID, Place, contextify, module_of, symbols};
use crate::realm::Realm;
use crate::source::Source;
use crate::{js, preeval};

/// A map from a module's URL to an object that has the module in its internal field and its source as a
/// property.
const PRECOMPILED: &str = "module_wrap.precompiled";

/// Compiles the module of the file `path` for [`take`]. One with a syntax error is left out: it throws when the
/// program loads it.
pub fn precompile<'s>(scope: &mut PinScope<'s, '_>, path: &str, source: &'static Source) {
    let Some(module) = compile_embedded(scope, path, source) else { return };
    let code = source.string(scope);
    let url = js::string(scope, &contextify::file_url(path));
    let template = ObjectTemplate::new(scope);
    template.set_internal_field_count(1);
    let Some(holder) = template.new_instance(scope) else { return };
    holder.set_internal_field(0, module.into());
    js::set(scope, holder, "source", code);
    let map = Realm::current().map(scope, PRECOMPILED);
    map.set(scope, url.into(), holder.into());
}

/// Compiles the module of the file `path`, unless it has a syntax error.
pub fn compile_embedded<'s>(
    scope: &mut PinScope<'s, '_>,
    path: &str,
    source: &'static Source,
) -> Option<Local<'s, Module>> {
    let code = source.string(scope);
    let url = js::string(scope, &contextify::file_url(path));
    compile(scope, code, url)
}

/// Compiles the embedded module `url`, whose source is `code`, from its code cache if it has one. Returns nothing if it
/// has a syntax error.
fn compile<'s>(
    scope: &mut PinScope<'s, '_>,
    code: Local<'s, v8::String>,
    url: Local<'s, v8::String>,
) -> Option<Local<'s, Module>> {
    // A URL that is written in another way than the path is none of a module with a cache.
    let path = url.to_rust_string_lossy(scope);
    let number = preeval::code::embedded(scope, path.strip_prefix("file://")?, code)?;
    v8::tc_scope!(let scope, scope);
    let id = symbols::symbol(scope, DEFAULT_ID);
    let options = contextify::host_defined_options(scope, id);
    let origin = contextify::origin(scope, Place { name: url, line: 0, column: 0 }, true, Some(options));
    let cache = preeval::code::cache(number);
    let (mut source, options) = contextify::source(code, &origin, cache.as_deref());
    let module = script_compiler::compile_module2(scope, &mut source, options, NoCacheReason::NoReason)?;
    preeval::code::note_module(scope, number, module);
    Some(module)
}

/// The module `url` if `code` is its embedded source: the one that was compiled for the snapshot, once, or one that has
/// its code waiting.
pub fn take<'s>(
    scope: &mut PinScope<'s, '_>,
    code: Local<'s, v8::String>,
    url: Local<'s, v8::String>,
) -> Option<Local<'s, Module>> {
    taken(scope, code, url).or_else(|| compile(scope, code, url))
}

fn taken<'s>(
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
