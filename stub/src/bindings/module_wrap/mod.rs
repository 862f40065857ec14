//! `internalBinding('module_wrap')`: ES modules.
//!
//! A module is in the internal field of its `ModuleWrap`, and all else that belongs to it is kept under private
//! symbols of that object, so both go through a snapshot as they are.

mod evaluate;
mod facade;
mod host;
mod link;
mod meta;
mod precompiled;
mod registry;
mod unsettled;

use v8::script_compiler::{self, NoCacheReason};
use v8::{Array, ContextScope, FunctionCallbackArguments, Local, Module, Object, PinScope, ReturnValue, Symbol, Value};

use super::contextify::{self, HOST_DEFINED_OPTION, Place};
use super::{errors, symbols, util};
use crate::errors::{Kind, throw_code};
use crate::{facts, js};

pub use host::install;
pub use precompiled::{compile_embedded, precompile};
pub use unsettled::{has_unsettled_entry, report_unsettled_entry};

crate::room! {
    name: "module_wrap",
    functions: {
        pure "setImportModuleDynamicallyCallback" => host::set_import_module_dynamically_callback,
        pure "setInitializeImportMetaObjectCallback" => host::set_initialize_import_meta_object_callback,
        pure "setImportMetaResolveInitializer" => host::set_import_meta_resolve_initializer,
        pure "createRequiredModuleFacade" => facade::create,
        pure "throwIfPromiseRejected" => evaluate::js_throw_if_promise_rejected,
    },
    classes: {
        "ModuleWrap" {
            pure new => new,
            pure "link" => link::link,
            pure "getModuleRequests" => link::get_module_requests,
            pure "instantiate" => link::instantiate,
            pure "evaluateSync" => evaluate::evaluate_sync,
            pure "evaluate" => evaluate::evaluate,
            pure "setExport" => set_export,
            pure "setModuleSourceObject" => set_module_source_object,
            pure "getModuleSourceObject" => get_module_source_object,
            pure "createCachedData" => create_cached_data,
            pure "getNamespace" => get_namespace,
            pure "getStatus" => get_status,
            pure "getError" => get_error,
        } get { "hasAsyncGraph" => has_async_graph },
    },
    references: evaluate::references,
    setup: setup,
}

/// Of a `ModuleWrap`: the sandbox of its context, if that is one of `vm`.
const SANDBOX: &str = "module_wrap_sandbox";
/// Of a synthetic `ModuleWrap`: the function that evaluates it, until it has.
const STEPS: &str = "module_wrap_evaluation_steps";
/// Of a `ModuleWrap`: those that its requests are linked to, in the order of the requests.
const LINKED: &str = "module_wrap_linked";
/// Of a `ModuleWrap`: what `import source` gives.
const SOURCE_OBJECT: &str = "module_wrap_source_object";
/// The identity of modules of the default loader.
const DEFAULT_ID: &str = "source_text_module_default_hdo";

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    facts::install(scope, "module_wrap", target);
}

/// Compiles an ES module. `id` is what its `import()` is known by.
pub fn compile<'s>(
    scope: &mut PinScope<'s, '_>,
    code: Local<'s, v8::String>,
    place: Place<'s>,
    id: Option<Local<'s, Symbol>>,
    cache: Option<&[u8]>,
) -> Option<Local<'s, Module>> {
    let options = id.map(|id| contextify::host_defined_options(scope, id));
    let origin = contextify::origin(scope, place, true, options);
    let (mut source, compile_options) = contextify::source(code, &origin, cache);
    let module = script_compiler::compile_module2(scope, &mut source, compile_options, NoCacheReason::NoReason)?;
    if cache.is_some() && source.get_cached_data().is_none_or(|data| data.rejected()) {
        let message = "cachedData buffer was rejected";
        throw_code(scope, Kind::Error, "ERR_VM_MODULE_CACHED_DATA_REJECTED", message);
        return None;
    }
    Some(module)
}

/// `new ModuleWrap(url, context, source, lineOffset, columnOffset[, cachedData | idSymbol])` or
/// `new ModuleWrap(url, context, exportNames, evaluationStepsCallback[, cjsModule])`
fn new<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let Ok(url) = Local::<v8::String>::try_from(args.get(0)) else { return };
    let this = args.this();
    let sandbox = Local::<Object>::try_from(args.get(1)).ok();
    let sandboxed = sandbox.and_then(|sandbox| contextify::of_sandbox(scope, sandbox));
    let context = sandboxed.map_or_else(|| scope.get_current_context(), |sandboxed| sandboxed.context);
    if let Some(sandbox) = sandbox {
        set_private(scope, this, SANDBOX, sandbox.into());
    }
    let synthetic = args.get(2).is_array();
    let module = {
        let scope = &mut ContextScope::new(scope, context);
        match synthetic {
            true => new_synthetic(scope, &args, url),
            false => new_source_text(scope, &args, url, sandbox.is_none()),
        }
    };
    let Some(module) = module else { return };
    if !synthetic {
        let awaits = js::boolean(scope, module.has_top_level_await());
        js::set(scope, this, "hasTopLevelAwait", awaits);
        let script = module.get_unbound_module_script(scope);
        let source_url = script.get_source_url(scope);
        js::set(scope, this, "sourceURL", source_url);
        let map = script.get_source_mapping_url(scope);
        js::set(scope, this, "sourceMapURL", map);
    }
    let flag = js::boolean(scope, synthetic);
    js::set(scope, this, "synthetic", flag);
    js::set(scope, this, "url", url);
    if synthetic && args.get(4).is_object() {
        let key = symbols::symbol(scope, "imported_cjs_symbol");
        this.set(scope, key.into(), args.get(4));
    }
    let undefined = js::undefined(scope);
    set_private(scope, this, "source_map_data_private_symbol", undefined);
    this.set_internal_field(0, module.into());
    registry::remember(scope, module, this);
}

fn new_synthetic<'s>(
    scope: &mut PinScope<'s, '_>,
    args: &Args<'s>,
    url: Local<'s, v8::String>,
) -> Option<Local<'s, Module>> {
    let names: Local<Array> = args.get(2).try_into().ok()?;
    let names: Option<Vec<Local<v8::String>>> =
        (0..names.length()).map(|index| names.get_index(scope, index)?.try_into().ok()).collect();
    set_private(scope, args.this(), STEPS, args.get(3));
    Some(Module::create_synthetic_module(scope, url, &names?, evaluate::evaluate_synthetic))
}

fn new_source_text<'s>(
    scope: &mut PinScope<'s, '_>,
    args: &Args<'s>,
    url: Local<'s, v8::String>,
    main_context: bool,
) -> Option<Local<'s, Module>> {
    let code: Local<v8::String> = args.get(2).try_into().ok()?;
    let line = args.get(3).int32_value(scope).unwrap_or_default();
    let column = args.get(4).int32_value(scope).unwrap_or_default();
    let id = Local::<Symbol>::try_from(args.get(5)).unwrap_or_else(|_| Symbol::new(scope, Some(url)));
    set_private(scope, args.this(), HOST_DEFINED_OPTION, id.into());
    if main_context
        && id == symbols::symbol(scope, DEFAULT_ID)
        && let Some(module) = precompiled::take(scope, code, url)
    {
        return Some(module);
    }
    let cache = contextify::cache_bytes(args.get(5));
    v8::tc_scope!(let caught, scope);
    let module = compile(caught, code, Place { name: url, line, column }, Some(id), cache.as_deref());
    if let Some(exception) = caught.exception().filter(|_| !caught.has_terminated()) {
        let message = caught.message();
        errors::append_exception_line(caught, exception, message);
        caught.rethrow();
    }
    module
}

/// The module of a `ModuleWrap`.
fn module_of<'s>(scope: &PinScope<'s, '_>, wrap: Local<'s, Object>) -> Option<Local<'s, Module>> {
    wrap.get_internal_field(scope, 0)?.try_into().ok()
}

fn get_private<'s>(
    scope: &PinScope<'s, '_>,
    object: Local<'s, Object>,
    name: &'static str,
) -> Option<Local<'s, Value>> {
    let key = util::private(scope, name);
    object.get_private(scope, key).filter(|value| !value.is_undefined())
}

fn set_private<'s>(scope: &PinScope<'s, '_>, object: Local<'s, Object>, name: &'static str, value: Local<'s, Value>) {
    let key = util::private(scope, name);
    object.set_private(scope, key, value);
}

/// The context of a module, if it is one of `vm`.
fn sandboxed<'s>(scope: &PinScope<'s, '_>, wrap: Local<'s, Object>) -> Option<contextify::Sandboxed<'s>> {
    let sandbox = get_private(scope, wrap, SANDBOX)?;
    contextify::of_sandbox(scope, sandbox.try_into().ok()?)
}

fn throw_not_instantiated(scope: &mut PinScope) {
    throw_code(scope, Kind::Error, "ERR_MODULE_NOT_INSTANTIATED", "Module is not instantiated");
}

/// The error for `import source` of a module without a source object.
fn throw_no_source_object<'s>(scope: &mut PinScope<'s, '_>, wrap: Local<'s, Object>) {
    let url = js::get(scope, wrap, "url").map(|url| url.to_rust_string_lossy(scope)).unwrap_or_default();
    let message = js::string(scope, &format!("Source phase import object is not defined for module '{url}'"));
    let error = v8::Exception::syntax_error(scope, message);
    if let Ok(object) = Local::<Object>::try_from(error) {
        let code = js::string(scope, "ERR_SOURCE_PHASE_NOT_DEFINED");
        js::set(scope, object, "code", code);
    }
    scope.throw_exception(error);
}

fn is_instantiated(module: Local<Module>) -> bool {
    !matches!(module.get_status(), v8::ModuleStatus::Uninstantiated | v8::ModuleStatus::Instantiating)
}

fn set_export<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if let (Some(module), Ok(name)) = (module_of(scope, args.this()), args.get(0).try_into()) {
        // An unknown name throws by itself.
        let _ = module.set_synthetic_module_export(scope, name, args.get(1));
    }
}

fn set_module_source_object<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    set_private(scope, args.this(), SOURCE_OBJECT, args.get(0));
}

fn get_module_source_object<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    match get_private(scope, args.this(), SOURCE_OBJECT) {
        Some(object) => rv.set(object),
        None => throw_no_source_object(scope, args.this()),
    }
}

fn create_cached_data<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(module) = module_of(scope, args.this()) else { return };
    let data = module.get_unbound_module_script(scope).create_code_cache();
    let buffer = contextify::buffer(scope, data.as_deref().map_or(&[], |data| &**data));
    rv.set(buffer);
}

fn get_namespace<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(module) = module_of(scope, args.this()) else { return };
    match is_instantiated(module) {
        true => rv.set(module.get_module_namespace()),
        false => throw_not_instantiated(scope),
    }
}

fn get_status<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    if let Some(module) = module_of(scope, args.this()) {
        rv.set_int32(module.get_status() as i32);
    }
}

fn get_error<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    if let Some(module) = module_of(scope, args.this())
        && module.get_status() == v8::ModuleStatus::Errored
    {
        rv.set(module.get_exception());
    }
}

fn has_async_graph<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(module) = module_of(scope, args.this()) else { return };
    match is_instantiated(module) {
        true => rv.set_bool(module.is_graph_async()),
        false => throw_not_instantiated(scope),
    }
}
