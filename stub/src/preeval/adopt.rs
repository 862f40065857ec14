//! Handing the loader what was evaluated at build time.

use v8::{Function, FunctionCallbackArguments, Local, Map, Object, PinScope, ReturnValue, Value};

use super::FUNCTIONS;
use crate::bindings::contextify;
use crate::js;
use crate::realm::{Program, Realm};
use crate::uv::environment;

/// The slot of a map from the path of a unit's first module to its source.
const SOURCES: &str = "preeval.sources";

/// Variables with which Node's library loads modules in other ways than those at build time.
const UNUSUAL: &[&[u8]] = &[
    b"NODE_DEBUG",
    b"NODE_DEBUG_NATIVE",
    b"NODE_OPTIONS",
    b"NODE_PATH",
    b"NODE_PENDING_DEPRECATION",
    b"NODE_PRESERVE_SYMLINKS",
    b"NODE_PRESERVE_SYMLINKS_MAIN",
    b"WATCH_REPORT_DEPENDENCIES",
];

/// Notes the source of the unit at `path` while the snapshot is taken.
pub fn keep(scope: &mut PinScope, program: &'static Program, path: &str) -> Result<(), String> {
    let index = program.image.index().map_err(|damage| damage.to_string())?;
    let module = index.modules.iter().position(|module| module.path == path).ok_or("there is no such module")?;
    let source = program.sources[module].string(scope);
    let map = Realm::current().map(scope, SOURCES);
    let path = js::string(scope, path);
    map.set(scope, path.into(), source.into());
    Ok(())
}

/// Before the entry runs, on the main thread: makes units available.
pub fn begin<'s>(scope: &mut PinScope<'s, '_>) -> Option<()> {
    let realm = Realm::current();
    let functions = realm.object(scope, FUNCTIONS)?;
    if UNUSUAL.iter().any(|name| environment::get(name).is_some()) {
        return None;
    }
    let begin: Local<Function> = js::get(scope, functions, "begin")?.try_into().ok()?;
    begin.call(scope, functions.into(), &[])?;
    realm.room::<Begun>().0.set(true);
    Some(())
}

#[derive(Default)]
struct Begun(std::cell::Cell<bool>);

/// The function of the module `filename`, with the text `code`, if it is a unit's first.
pub fn take<'s>(
    scope: &mut PinScope<'s, '_>,
    code: Local<'s, v8::String>,
    filename: Local<'s, v8::String>,
) -> Option<Local<'s, Function>> {
    let realm = Realm::current();
    if !realm.room::<Begun>().0.get() {
        return None;
    }
    let map: Local<Map> = realm.slot(scope, SOURCES)?.try_into().ok()?;
    let source: Local<v8::String> = map.get(scope, filename.into())?.try_into().ok()?;
    if !contextify::same_text(source, code) {
        return None;
    }
    // A function's data are part of what all contexts of a snapshot share, so they can't be more than a name.
    Function::builder(load).data(filename.into()).build(scope)
}

/// The loader calls it as it calls any module's function.
pub fn load<'s>(scope: &mut PinScope<'s, '_>, args: FunctionCallbackArguments<'s>, mut rv: ReturnValue<'s, Value>) {
    if adopt(scope, &args) == Some(true) {
        return;
    }
    let Some(function) = compile(scope, args.data()) else { return };
    let arguments: Vec<Local<Value>> = (0..args.length()).map(|index| args.get(index)).collect();
    if let Some(result) = function.call(scope, args.this().into(), &arguments) {
        rv.set(result);
    }
}

fn adopt<'s>(scope: &mut PinScope<'s, '_>, args: &FunctionCallbackArguments<'s>) -> Option<bool> {
    let functions: Local<Object> = Realm::current().object(scope, FUNCTIONS)?;
    let adopt: Local<Function> = js::get(scope, functions, "adopt")?.try_into().ok()?;
    // Whatever the program has done to make it fail: it is not told.
    v8::tc_scope!(let scope, scope);
    Some(adopt.call(scope, functions.into(), &[args.get(2), args.data()])?.is_true())
}

fn compile<'s>(scope: &mut PinScope<'s, '_>, path: Local<'s, Value>) -> Option<Local<'s, Function>> {
    let map: Local<Map> = Realm::current().slot(scope, SOURCES)?.try_into().ok()?;
    let source: Local<v8::String> = map.get(scope, path)?.try_into().ok()?;
    contextify::compile_cjs(scope, source, path.try_into().ok()?, true)
}
