//! `internalBinding('builtins')`: Node's library itself.

use v8::{FunctionCallbackArguments, Local, MapFnTo as _, Object, PinScope, ReturnValue, Value, script_compiler};

use crate::realm::Realm;
use crate::{errors, facts, js, library, train, trap};

crate::room! {
    name: "builtins",
    functions: {
        pure "compileFunction" => js_compile_function,
        pure "setInternalLoaders" => set_internal_loaders,
        pure "hasCachedBuiltins" => has_cached_builtins,
        pure "getCacheUsage" => get_cache_usage,
    },
    references: references,
    setup: setup,
}

/// The slot of `internalBinding`.
pub const INTERNAL_BINDING: &str = "builtins.internalBinding";
/// The slot of the `require` that loads built-in modules.
pub const REQUIRE: &str = "builtins.require";

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    let ids = js::strings(scope, library::ids());
    js::set(scope, target, "builtinIds", ids);
    for (name, path) in [("config", "config"), ("builtinCategories", "builtinCategories")] {
        if let Some(value) = facts::get(scope, &[path]) {
            js::set(scope, target, name, value);
        }
    }
    let configuration = v8::AccessorConfiguration::new(get_natives);
    target.set_accessor_with_configuration(scope, js::name(scope, "natives").into(), configuration);
}

/// The callback of an accessor, for the table of external references.
fn references() -> Vec<v8::ExternalReference> {
    let getter: v8::AccessorNameGetterCallback = get_natives.map_fn_to();
    vec![v8::ExternalReference { pointer: getter as *mut std::ffi::c_void }]
}

/// The sources of the library, by their ids: a new object each time.
fn get_natives<'s>(
    scope: &mut PinScope<'s, '_>,
    _: Local<'s, v8::Name>,
    _: v8::PropertyCallbackArguments<'s>,
    mut rv: ReturnValue<Value>,
) {
    let realm = Realm::current();
    let natives = Object::new(scope);
    for (position, id) in library::ids().enumerate() {
        let source = realm.program.library.source(position).string(scope);
        js::set(scope, natives, id, source);
    }
    rv.set(natives.into());
}

/// The parameters of the function that a built-in module is compiled to, as Node's `BuiltinLoader` has them.
fn parameters(id: &str) -> &'static [&'static str] {
    if id == "internal/bootstrap/realm" {
        &["process", "getLinkedBinding", "getInternalBinding", "primordials"]
    } else if id.starts_with("internal/per_context/") {
        &["exports", "primordials", "privateSymbols", "perIsolateSymbols"]
    } else if id.starts_with("internal/main/") || id.starts_with("internal/bootstrap/") {
        &["process", "require", "internalBinding", "primordials"]
    } else {
        &["exports", "require", "module", "process", "internalBinding", "primordials"]
    }
}

/// A map from ids to the functions of built-in modules that a start evaluates.
const PRECOMPILED: &str = "builtins.precompiled";

/// The modules that were compiled while a snapshot is taken.
#[derive(Default)]
struct Compiled(std::cell::RefCell<std::collections::BTreeSet<&'static str>>);

/// The ids of all modules that were compiled so far.
pub fn compiled() -> Vec<&'static str> {
    Realm::current().room::<Compiled>().0.borrow().iter().copied().collect()
}

/// Compiles the built-in module `id`, while the snapshot is taken, for a start to evaluate.
pub fn precompile<'s>(scope: &mut PinScope<'s, '_>, id: &str) {
    let Some(function) = compile(scope, id) else { return };
    let map = Realm::current().map(scope, PRECOMPILED);
    let id = js::string(scope, id);
    map.set(scope, id.into(), function.into());
}

fn precompiled<'s>(scope: &mut PinScope<'s, '_>, id: &str) -> Option<Local<'s, v8::Function>> {
    let map: Local<v8::Map> = Realm::current().slot(scope, PRECOMPILED)?.try_into().ok()?;
    let id = js::string(scope, id);
    let function = map.get(scope, id.into())?.try_into().ok()?;
    map.delete(scope, id.into());
    Some(function)
}

/// Compiles the built-in module `id` to a function; `None` with an exception pending if there is none.
pub fn compile<'s>(scope: &mut PinScope<'s, '_>, id: &str) -> Option<Local<'s, v8::Function>> {
    if let Some(function) = precompiled(scope, id) {
        return Some(function);
    }
    let Some(position) = library::position(id) else {
        errors::throw_error(scope, &format!("No such built-in module: {id}"));
        return None;
    };
    let source = Realm::current().program.library.source(position).string(scope);
    let resource = js::string(scope, &format!("node:{id}"));
    let origin = v8::ScriptOrigin::new(scope, resource.into(), 0, 0, true, -1, None, false, false, false, None);
    let program = Realm::current().program;
    let (mut source, options) = match program.library.cache(position) {
        Some(cache) => {
            let cache = script_compiler::CachedData::new(cache);
            let source = script_compiler::Source::new_with_cached_data(source, Some(&origin), cache);
            (source, script_compiler::CompileOptions::ConsumeCodeCache)
        }
        None => {
            (script_compiler::Source::new(source, Some(&origin)), script_compiler::CompileOptions::NoCompileOptions)
        }
    };
    let parameters: Vec<_> = parameters(id).iter().map(|name| js::name(scope, name)).collect();
    let reason = script_compiler::NoCacheReason::NoReason;
    let function = script_compiler::compile_function(scope, &mut source, &parameters, &[], options, reason)?;
    train::note(scope, position, function);
    if let Some(id) = library::id(position)
        && trap::is_armed()
    {
        Realm::current().room::<Compiled>().0.borrow_mut().insert(id);
    }
    Some(function)
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

fn js_compile_function<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let id = args.get(0).to_rust_string_lossy(scope);
    if let Some(function) = compile(scope, &id) {
        rv.set(function.into());
    }
}

fn set_internal_loaders<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let realm = Realm::current();
    realm.set_slot(scope, INTERNAL_BINDING, args.get(0));
    realm.set_slot(scope, REQUIRE, args.get(1));
}

fn has_cached_builtins<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_bool(true);
}

fn get_cache_usage<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    let usage = Object::new(scope);
    for name in ["compiledWithCache", "compiledWithoutCache", "compiledInSnapshot"] {
        let none = v8::Array::new(scope, 0);
        js::set(scope, usage, name, none);
    }
    rv.set(usage.into());
}
