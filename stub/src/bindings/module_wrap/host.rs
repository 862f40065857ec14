//! What V8 asks its host about modules: `import()` and `import.meta`.

use v8::{Context, ContextScope, Data, FixedArray, Local, Module, ModuleImportPhase, Object, PinScope, Promise, Value};

use super::{Args, DEFAULT_ID, HOST_DEFINED_OPTION, Return, get_private, link, meta, registry, symbols};
use crate::realm::Realm;
use crate::{errors, js};

/// The library's `import()`.
const IMPORT: &str = "module_wrap.importModuleDynamically";
/// The library's `import.meta` for modules of `vm`.
const IMPORT_META: &str = "module_wrap.initializeImportMetaObject";
/// Makes `import.meta.resolve`.
pub const IMPORT_META_RESOLVE: &str = "module_wrap.importMetaResolveInitializer";

/// Registers the callbacks with a new isolate.
pub fn install(isolate: &mut v8::Isolate) {
    isolate.set_host_import_module_dynamically_callback(import_evaluated);
    isolate.set_host_import_module_with_phase_dynamically_callback(import_with_phase);
    isolate.set_host_initialize_import_meta_object_callback(initialize_import_meta);
}

pub fn set_import_module_dynamically_callback<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    Realm::current().set_slot(scope, IMPORT, args.get(0));
}

pub fn set_initialize_import_meta_object_callback<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    Realm::current().set_slot(scope, IMPORT_META, args.get(0));
}

pub fn set_import_meta_resolve_initializer<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    Realm::current().set_slot(scope, IMPORT_META_RESOLVE, args.get(0));
}

fn import_evaluated<'s, 'i>(
    scope: &mut PinScope<'s, 'i>,
    options: Local<'s, Data>,
    referrer: Local<'s, Value>,
    specifier: Local<'s, v8::String>,
    attributes: Local<'s, FixedArray>,
) -> Option<Local<'s, Promise>> {
    import_with_phase(scope, options, referrer, specifier, ModuleImportPhase::kEvaluation, attributes)
}

fn import_with_phase<'s, 'i>(
    scope: &mut PinScope<'s, 'i>,
    options: Local<'s, Data>,
    referrer: Local<'s, Value>,
    specifier: Local<'s, v8::String>,
    phase: ModuleImportPhase,
    attributes: Local<'s, FixedArray>,
) -> Option<Local<'s, Promise>> {
    let Some(import) = Realm::current().function(scope, IMPORT) else {
        errors::throw_error(scope, "import() is not available yet");
        return None;
    };
    let id = referrer_id(scope, options)?;
    let phase = js::integer(scope, link::phase_number(phase));
    let attributes = link::attributes_object(scope, attributes, 2);
    let undefined = js::undefined(scope);
    let result = import.call(scope, undefined, &[id, specifier.into(), phase, attributes.into(), referrer])?;
    // A promise of the referrer's context, whichever the library's promise is of.
    let resolver = v8::PromiseResolver::new(scope)?;
    resolver.resolve(scope, result)?;
    Some(resolver.get_promise(scope))
}

/// The symbol that a script or module is known by; that of the context for code without one, such as of `eval`.
fn referrer_id<'s>(scope: &mut PinScope<'s, '_>, options: Local<'s, Data>) -> Option<Local<'s, Value>> {
    let own = Local::<FixedArray>::try_from(options).ok().filter(|options| options.length() == 1);
    if let Some(id) = own.and_then(|options| Local::<Value>::try_from(options.get(scope, 0)?).ok()) {
        return Some(id);
    }
    let context = scope.get_current_context();
    let global = context.global(scope);
    Some(get_private(scope, global, HOST_DEFINED_OPTION).unwrap_or_else(|| js::undefined(scope)))
}

unsafe extern "C" fn initialize_import_meta(context: Local<Context>, module: Local<Module>, meta: Local<Object>) {
    // SAFETY: V8 calls this inside a handle scope of its own, which the three handles belong to.
    let (context, module, meta) = unsafe {
        type Handles<'a> = (Local<'a, Context>, Local<'a, Module>, Local<'a, Object>);
        std::mem::transmute::<Handles, Handles>((context, module, meta))
    };
    // SAFETY: as above.
    v8::callback_scope!(unsafe scope, context);
    let scope = &mut ContextScope::new(scope, context);
    fill_import_meta(scope, module, meta);
}

fn fill_import_meta<'s>(scope: &mut PinScope<'s, '_>, module: Local<'s, Module>, meta: Local<'s, Object>) {
    let Some(wrap) = registry::wrap_of(scope, module) else { return };
    let Some(id) = get_private(scope, wrap, HOST_DEFINED_OPTION) else { return };
    if id == symbols::symbol(scope, DEFAULT_ID) {
        meta::initialize(scope, wrap, meta);
    } else if let Some(callback) = Realm::current().function(scope, IMPORT_META) {
        let undefined = js::undefined(scope);
        callback.call(scope, undefined, &[id, meta.into(), wrap.into()]);
    }
}
