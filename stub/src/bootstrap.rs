//! Runs Node's bootstrap scripts over the bindings, while a snapshot is taken.
//!
//! The order is that of Node's `src/node_realm.cc`; each script says at its top what it expects.

use std::collections::BTreeSet;

use v8::{Local, Object, PinScope, Value};

use crate::bindings::{builtins, contextify, process_methods, symbols, util};
use crate::realm::Realm;
use crate::{aliased, binding, errors, facts, js, library, trap};

/// The slot of the `process` object.
pub const PROCESS: &str = "bootstrap.process";
/// The slot of what the per-context scripts export: `DOMException`, `emitMessage` and the like.
pub const PER_CONTEXT_EXPORTS: &str = "bootstrap.per_context_exports";
/// The slot of the primordials.
pub const PRIMORDIALS: &str = "bootstrap.primordials";
/// The shared array behind `process.exitCode`: `[kExiting, kExitCode, kHasExitCode]`.
pub const EXIT_INFO: &str = "bootstrap.exit_info";
/// The slot of the function that runs the program.
pub const MAIN: &str = "bootstrap.main";
/// The slot of the function that runs a worker.
pub const WORKER: &str = "bootstrap.worker";

const PER_CONTEXT: &[&str] =
    &["internal/per_context/primordials", "internal/per_context/domexception", "internal/per_context/messageport"];

const SCRIPTS: &[&str] = &[
    "internal/bootstrap/node",
    "internal/bootstrap/web/exposed-wildcard",
    "internal/bootstrap/web/exposed-window-or-worker",
    "internal/bootstrap/switches/is_main_thread",
    "internal/bootstrap/switches/does_own_process_state",
];

/// `console.createTask`, which V8 adds to a console only along with its inspector. A debugger would join the stacks of
/// a task's creator and its runs; without one there is nothing to do but to run.
const CREATE_TASK: &str = "({
  createTask() {
    const name = arguments[0];
    if (typeof name !== 'string' || name === '') throw new Error('First argument must be a non-empty string.');
    const task = {
      run() {
        const body = arguments[0];
        if (this !== task) throw new Error(`'run' called with illegal receiver.`);
        if (typeof body !== 'function') throw new Error('First argument must be a function.');
        return body();
      },
    };
    return task;
  },
}).createTask";

/// Sets up Node's library in the scope's context. `None` with an exception pending when it fails.
pub fn run<'s>(scope: &mut PinScope<'s, '_>) -> Option<()> {
    let realm = Realm::current();
    let (exports, primordials) = per_context_objects(scope);
    realm.set_slot(scope, PER_CONTEXT_EXPORTS, exports);
    realm.set_slot(scope, PRIMORDIALS, primordials);
    let global = scope.get_current_context().global(scope);
    contextify::remove_break_iterator(scope, global);
    let v8_console = js::get(scope, global, "console")?;
    let private_symbols = util::private_symbols(scope);
    let symbols = symbols::all(scope);
    run_per_context(scope, [exports, primordials, private_symbols, symbols])?;

    let process = process_object(scope, private_symbols)?;
    let get_linked = crate::function!(pure, "getLinkedBinding", get_linked_binding);
    let get_internal = crate::function!(pure, "getInternalBinding", binding::get_internal_binding);
    let loaders = Object::new(scope);
    binding::define(scope, loaders, get_linked);
    binding::define(scope, loaders, get_internal);
    let get_linked = js::get(scope, loaders, "getLinkedBinding")?;
    let get_internal = js::get(scope, loaders, "getInternalBinding")?;
    call(scope, "internal/bootstrap/realm", &[process.into(), get_linked, get_internal, primordials.into()])?;

    let require = realm.slot(scope, builtins::REQUIRE)?;
    let internal_binding = realm.slot(scope, builtins::INTERNAL_BINDING)?;
    let arguments = [process.into(), require, internal_binding, primordials.into()];
    for id in SCRIPTS {
        call(scope, id, &arguments)?;
    }
    add_console_methods(scope, v8_console)?;
    let env = process_methods::env_proxy(scope)?;
    js::set(scope, process, "env", env);
    let main = builtins::compile(scope, "internal/main/run_main_module")?;
    realm.set_slot(scope, MAIN, main);
    Some(())
}

/// What makes a worker's context of the main thread's, as Node does it too.
const WORKER_SCRIPTS: &[&str] =
    &["internal/bootstrap/switches/is_not_main_thread", "internal/bootstrap/switches/does_not_own_process_state"];

/// Modules that ask at their top level which thread they are on. A snapshot may have them, with the answers of the main
/// thread.
const THREAD_MODULES: &[&str] = &[
    "inspector",
    "inspector/promises",
    "internal/locks",
    "internal/util/trace_sigint",
    "internal/webworker",
    "internal/worker",
    "internal/worker/messaging",
    "trace_events",
    "worker_threads",
];

/// Makes the context, which was set up for the main thread, that of a worker. `None` with an exception pending when it
/// fails.
pub fn become_worker<'s>(scope: &mut PinScope<'s, '_>) -> Option<()> {
    let realm = Realm::current();
    let process = realm.slot(scope, PROCESS)?;
    let require = realm.function(scope, builtins::REQUIRE)?;
    let internal_binding = realm.slot(scope, builtins::INTERNAL_BINDING)?;
    let primordials = realm.slot(scope, PRIMORDIALS)?;
    let modules = modules(scope)?;
    let undefined = js::undefined(scope);
    for id in THREAD_MODULES {
        let id = js::string(scope, id);
        let module = modules.get(scope, id.into()).and_then(|module| Local::<Object>::try_from(module).ok());
        let Some(module) = module else { continue };
        let no = js::boolean(scope, false);
        js::set(scope, module, "loaded", no);
        js::set(scope, module, "module", undefined);
        js::set(scope, module, "exportKeys", undefined);
        let exports = Object::new(scope);
        js::set(scope, module, "exports", exports);
    }
    for id in WORKER_SCRIPTS {
        call(scope, id, &[process, require.into(), internal_binding, primordials])?;
    }
    Some(())
}

fn per_context_objects<'s>(scope: &mut PinScope<'s, '_>) -> (Local<'s, Object>, Local<'s, Object>) {
    let exports = Object::new(scope);
    let primordials = Object::new(scope);
    let null = js::null(scope);
    primordials.set_prototype(scope, null);
    js::set(scope, exports, "primordials", primordials);
    (exports, primordials)
}

fn run_per_context<'s>(scope: &mut PinScope<'s, '_>, arguments: [Local<'s, Object>; 4]) -> Option<()> {
    let arguments = arguments.map(Into::into);
    for id in PER_CONTEXT {
        call(scope, id, &arguments)?;
    }
    Some(())
}

/// What the per-context scripts export in the scope's context, which is not the main one. Runs them.
pub fn foreign_exports<'s>(scope: &mut PinScope<'s, '_>) -> Option<Local<'s, Object>> {
    let (exports, primordials) = per_context_objects(scope);
    let private_symbols = util::private_symbols(scope);
    let symbols = symbols::all(scope);
    run_per_context(scope, [exports, primordials, private_symbols, symbols])?;
    Some(exports)
}

/// Gives Node's console the methods that only V8's has, such as `console.timeStamp`. They tell a debugger something
/// and do nothing without one.
fn add_console_methods<'s>(scope: &mut PinScope<'s, '_>, v8_console: Local<'s, Value>) -> Option<()> {
    let v8_console: Local<Object> = v8_console.try_into().ok()?;
    let global = scope.get_current_context().global(scope);
    let console: Local<Object> = js::get(scope, global, "console")?.try_into().ok()?;
    let names = v8_console.get_own_property_names(scope, Default::default())?;
    for index in 0..names.length() {
        let name = names.get_index(scope, index)?;
        if !console.has(scope, name)? {
            let method = v8_console.get(scope, name)?;
            console.set(scope, name, method);
        }
    }
    let create_task = evaluate(scope, CREATE_TASK)?;
    js::set(scope, console, "createTask", create_task);
    Some(())
}

/// What every start loads, and what `process.stdout` and `process.stderr` do, be they files, pipes or terminals.
const EVERY_START: &[&str] = &["internal/modules/esm/get_format", "internal/fs/sync_write_stream", "tty", "net"];

/// What loads ES modules.
const ES_MODULES: &[&str] =
    &["internal/modules/esm/loader", "internal/modules/esm/translators", "internal/encoding", "url"];

/// Evaluates built-in modules that the program will ask for: those of every start, of ES modules if it `has_es_modules`,
/// and `reached`, which are specifiers such as `node:fs`. One that touches the world stays for run time.
///
/// Of those that ES modules have `imported` all exports are read, as is done when they are: some load more then.
pub fn preload<'s>(
    scope: &mut PinScope<'s, '_>,
    has_es_modules: bool,
    reached: impl Iterator<Item = &'static str>,
    imported: &BTreeSet<&str>,
) {
    let Some(require) = Realm::current().function(scope, builtins::REQUIRE) else { return };
    let ids = reached.filter_map(|specifier| specifier.strip_prefix("node:"));
    let ids: BTreeSet<&str> = ids.filter(|id| library::position(id).is_some()).collect();
    let es_modules = ES_MODULES.iter().filter(|_| has_es_modules);
    for id in EVERY_START.iter().chain(es_modules).copied().chain(ids) {
        let exports = load(scope, require, id);
        if imported.contains(id) {
            exports.and_then(|exports| read_all(scope, exports));
        }
    }
}

/// Reads every property of `exports`, but for those that need the world.
fn read_all<'s>(scope: &mut PinScope<'s, '_>, exports: Local<'s, Value>) -> Option<()> {
    let exports = Local::<Object>::try_from(exports).ok()?;
    let keys = exports.get_own_property_names(scope, Default::default())?;
    for index in 0..keys.length() {
        let key = keys.get_index(scope, index)?;
        trap::arm(true);
        v8::tc_scope!(let caught, scope);
        exports.get(caught, key);
        trap::arm(false);
    }
    Some(())
}

/// Evaluates those built-in modules that a rehearsal has loaded besides, by their `ids`.
pub fn preload_rehearsed(scope: &mut PinScope, ids: impl Iterator<Item = &'static str>) {
    let Some(require) = Realm::current().function(scope, builtins::REQUIRE) else { return };
    let is_script = |id: &str| NO_MODULES.iter().any(|folder| id.starts_with(folder));
    for id in ids.filter(|id| !is_script(id)) {
        load(scope, require, id);
    }
}

/// Compiles those built-in modules for a start that could not be evaluated, as far as it was tried.
pub fn precompile_others(scope: &mut PinScope) {
    let Some(modules) = modules(scope) else { return };
    for id in builtins::compiled() {
        let key = js::string(scope, id);
        let module = modules.get(scope, key.into()).and_then(|module| Local::<Object>::try_from(module).ok());
        let loaded = module.and_then(|module| js::get(scope, module, "loaded"));
        if loaded.is_some_and(|loaded| loaded.is_false()) {
            v8::tc_scope!(let scope, scope);
            builtins::precompile(scope, id);
        }
    }
}

/// The map of all built-in modules, by their ids.
fn modules<'s>(scope: &mut PinScope<'s, '_>) -> Option<Local<'s, v8::Map>> {
    let require = Realm::current().function(scope, builtins::REQUIRE)?;
    let id = js::string(scope, "internal/bootstrap/realm");
    let undefined = js::undefined(scope);
    let loader: Local<Object> = require.call(scope, undefined, &[id.into()])?.try_into().ok()?;
    let class: Local<Object> = js::get(scope, loader, "BuiltinModule")?.try_into().ok()?;
    js::get(scope, class, "map")?.try_into().ok()
}

/// Where the scripts of Node's library are that nobody can load as modules.
const NO_MODULES: &[&str] = &["internal/bootstrap/", "internal/main/", "internal/per_context/"];

/// Evaluates the built-in module `id`, unless that would touch the world. Returns its exports.
fn load<'s>(scope: &mut PinScope<'s, '_>, require: Local<'s, v8::Function>, id: &str) -> Option<Local<'s, Value>> {
    let id = js::string(scope, id);
    let undefined = js::undefined(scope);
    trap::arm(true);
    v8::tc_scope!(let caught, scope);
    let exports = require.call(caught, undefined, &[id.into()]);
    trap::arm(false);
    exports
}

/// The external references of this file.
pub fn references() -> impl Iterator<Item = v8::ExternalReference> {
    use v8::MapFnTo as _;
    [get_linked_binding.map_fn_to(), itself.map_fn_to()].map(|function| v8::ExternalReference { function }).into_iter()
}

fn call<'s>(scope: &mut PinScope<'s, '_>, id: &str, arguments: &[Local<'s, Value>]) -> Option<Local<'s, Value>> {
    let function = builtins::compile(scope, id)?;
    let undefined = js::undefined(scope);
    function.call(scope, undefined, arguments)
}

fn evaluate<'s>(scope: &mut PinScope<'s, '_>, text: &str) -> Option<Local<'s, Value>> {
    let text = js::string(scope, text);
    v8::Script::compile(scope, text, None)?.run(scope)
}

/// The `process` object as it is before any script has seen it.
fn process_object<'s>(scope: &mut PinScope<'s, '_>, private_symbols: Local<'s, Object>) -> Option<Local<'s, Object>> {
    let template = v8::FunctionTemplate::new(scope, itself);
    template.set_class_name(js::name(scope, "process"));
    let process = template.get_function(scope)?.new_instance(scope, &[])?;
    Realm::current().set_slot(scope, PROCESS, process);
    let exit_info = aliased::create::<i32>(scope, EXIT_INFO, 3);
    let key = js::get(scope, private_symbols, "exit_info_private_symbol")?;
    process.set(scope, key, exit_info);

    let version = js::string(scope, library::VERSION);
    let key = js::name(scope, "version");
    process.define_own_property(scope, key.into(), version.into(), v8::PropertyAttribute::READ_ONLY);
    let versions = facts::object(scope, &["process", "versions"])?;
    freeze_each(scope, versions);
    for name in ["versions", "release", "arch", "platform"] {
        let value = facts::get(scope, &["process", name])?;
        let key = js::name(scope, name);
        process.define_own_property(scope, key.into(), value, v8::PropertyAttribute::READ_ONLY);
    }
    Some(process)
}

/// Makes every property of `object` read-only, as those of `process.versions` are.
fn freeze_each<'s>(scope: &mut PinScope<'s, '_>, object: Local<'s, Object>) {
    let Some(keys) = object.get_own_property_names(scope, Default::default()) else { return };
    for index in 0..keys.length() {
        let Some(key) = keys.get_index(scope, index) else { continue };
        let value = object.get(scope, key);
        if let (Some(value), Ok(key)) = (value, key.try_into()) {
            object.define_own_property(scope, key, value, v8::PropertyAttribute::READ_ONLY);
        }
    }
}

/// The constructor of `process`. Some call it on an object of their own, to make that another `process`.
fn itself<'s>(_: &mut PinScope<'s, '_>, args: v8::FunctionCallbackArguments<'s>, mut rv: v8::ReturnValue<'s, Value>) {
    rv.set(args.this().into());
}

/// `process._linkedBinding`: no embedder adds bindings.
fn get_linked_binding<'s>(
    scope: &mut PinScope<'s, '_>,
    args: v8::FunctionCallbackArguments<'s>,
    _: v8::ReturnValue<'s, Value>,
) {
    let name = args.get(0).to_rust_string_lossy(scope);
    let message = format!("No such binding: {name}");
    errors::throw_code(scope, errors::Kind::Error, "ERR_INVALID_MODULE", &message);
}
