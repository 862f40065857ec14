//! Linking a module to those that it requests.

use v8::{
    Array, Context, ContextScope, FixedArray, Local, Module, ModuleImportPhase, ModuleRequest, Object, PinScope, Value,
};

use super::{
    Args, LINKED, Return, SOURCE_OBJECT, errors, get_private, module_of, registry, sandboxed, set_private,
    throw_no_source_object,
};
use crate::errors::{Kind, throw_code};
use crate::js;

/// The library's number of a phase.
pub fn phase_number(phase: ModuleImportPhase) -> i32 {
    match phase {
        ModuleImportPhase::kSource => 1,
        ModuleImportPhase::kDefer => 2,
        ModuleImportPhase::kEvaluation => 3,
    }
}

/// Import attributes as an object; each takes `stride` elements of the array.
pub fn attributes_object<'s>(
    scope: &PinScope<'s, '_>,
    attributes: Local<'s, FixedArray>,
    stride: usize,
) -> Local<'s, Object> {
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    for (key, value) in attribute_pairs(scope, attributes, stride) {
        keys.push(key.into());
        values.push(value.into());
    }
    let prototype = js::null(scope);
    Object::with_prototype_and_properties(scope, prototype, &keys, &values)
}

fn attribute_pairs<'s>(
    scope: &PinScope<'s, '_>,
    attributes: Local<'s, FixedArray>,
    stride: usize,
) -> Vec<(Local<'s, v8::String>, Local<'s, v8::String>)> {
    let text = |index| {
        let value: Local<Value> = attributes.get(scope, index)?.try_into().ok()?;
        value.try_into().ok()
    };
    (0..attributes.length()).step_by(stride).filter_map(|index| Some((text(index)?, text(index + 1)?))).collect()
}

fn requests<'s>(scope: &PinScope<'s, '_>, module: Local<'s, Module>) -> Vec<Local<'s, ModuleRequest>> {
    let requests = module.get_module_requests();
    (0..requests.length()).filter_map(|index| requests.get(scope, index)?.try_into().ok()).collect()
}

/// What makes two requests of a module the same: specifier and attributes, sorted.
#[derive(PartialEq, Eq, Hash, Clone)]
struct Key {
    specifier: String,
    attributes: Vec<(String, String)>,
}

impl Key {
    fn new<'s>(scope: &PinScope<'s, '_>, specifier: Local<'s, v8::String>, attributes: Local<'s, FixedArray>) -> Self {
        let mut attributes: Vec<_> = attribute_pairs(scope, attributes, 3)
            .into_iter()
            .map(|(key, value)| (key.to_rust_string_lossy(scope), value.to_rust_string_lossy(scope)))
            .collect();
        attributes.sort();
        Key { specifier: specifier.to_rust_string_lossy(scope), attributes }
    }

    fn of<'s>(scope: &PinScope<'s, '_>, request: Local<'s, ModuleRequest>) -> Self {
        Key::new(scope, request.get_specifier(), request.get_import_attributes())
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ModuleCacheKey(\"{}\"", self.specifier)?;
        if !self.attributes.is_empty() {
            let pairs: Vec<_> = self.attributes.iter().map(|(key, value)| format!("\"{key}\": \"{value}\"")).collect();
            write!(f, ", {{{}}}", pairs.join(", "))?;
        }
        write!(f, ")")
    }
}

/// `module.getModuleRequests()`: `{ specifier, attributes, phase }` of each.
pub fn get_module_requests<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(module) = module_of(scope, args.this()) else { return };
    let keys = ["specifier", "attributes", "phase"].map(|key| js::name(scope, key).into());
    let prototype = js::null(scope);
    let all: Vec<Local<Value>> = requests(scope, module)
        .into_iter()
        .map(|request| {
            let attributes = attributes_object(scope, request.get_import_attributes(), 3);
            attributes.set_integrity_level(scope, v8::IntegrityLevel::Frozen);
            let phase = js::integer(scope, phase_number(request.get_phase()));
            let values = [request.get_specifier().into(), attributes.into(), phase];
            let request = Object::with_prototype_and_properties(scope, prototype, &keys, &values);
            request.set_integrity_level(scope, v8::IntegrityLevel::Frozen);
            request.into()
        })
        .collect();
    let all = Array::new_with_elements(scope, &all);
    all.set_integrity_level(scope, v8::IntegrityLevel::Frozen);
    rv.set(all.into());
}

/// `module.link(modules)`: one for each request.
pub fn link<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let this = args.this();
    let (Some(module), Ok(modules)) = (module_of(scope, this), Local::<Array>::try_from(args.get(0))) else { return };
    let mut first = std::collections::HashMap::new();
    for (index, request) in (0..).zip(requests(scope, module)) {
        let key = Key::of(scope, request);
        let earlier = *first.entry(key.clone()).or_insert(index);
        if earlier != index && modules.get_index(scope, earlier) != modules.get_index(scope, index) {
            let message = format!(
                "Module request '{key}' at index {index} must be linked to the same module requested at index {earlier}"
            );
            throw_code(scope, Kind::TypeError, "ERR_MODULE_LINK_MISMATCH", &message);
            return;
        }
    }
    set_private(scope, this, LINKED, modules.into());
}

/// `module.instantiate()`
pub fn instantiate<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let this = args.this();
    let Some(module) = module_of(scope, this) else { return };
    if module.is_source_text_module() && get_private(scope, this, LINKED).is_none() {
        throw_code(scope, Kind::Error, "ERR_VM_MODULE_LINK_FAILURE", "module is not linked");
        return;
    }
    let context = sandboxed(scope, this).map_or_else(|| scope.get_current_context(), |sandboxed| sandboxed.context);
    let scope = &mut ContextScope::new(scope, context);
    v8::tc_scope!(let caught, scope);
    // What it returns says no more than what was caught.
    let _ = module.instantiate_module2(caught, resolve_module, resolve_source);
    if let Some(exception) = caught.exception().filter(|_| !caught.has_terminated()) {
        let message = caught.message();
        errors::append_exception_line(caught, exception, message);
        caught.rethrow();
    }
}

/// The `ModuleWrap` that a request of `referrer` is linked to; throws when there is none.
fn resolve<'s>(
    scope: &mut PinScope<'s, '_>,
    specifier: Local<'s, v8::String>,
    attributes: Local<'s, FixedArray>,
    referrer: Local<'s, Module>,
) -> Option<Local<'s, Object>> {
    let name = specifier.to_rust_string_lossy(scope);
    let fail = |scope: &mut PinScope<'s, '_>, message: String| {
        throw_code(scope, Kind::Error, "ERR_VM_MODULE_LINK_FAILURE", &message);
        None
    };
    let Some(wrap) = registry::wrap_of(scope, referrer) else {
        return fail(scope, format!("request for '{name}' is from invalid module"));
    };
    let linked = get_private(scope, wrap, LINKED).and_then(|linked| Local::<Array>::try_from(linked).ok());
    let Some(linked) = linked else {
        let url = js::get(scope, wrap, "url").map(|url| url.to_rust_string_lossy(scope)).unwrap_or_default();
        let message = format!("request for '{name}' can not be resolved on module '{url}' that is not linked");
        return fail(scope, message);
    };
    let is_it = |request: &Local<'s, ModuleRequest>| {
        let other = request.get_specifier();
        // The attributes are compared only where there are some, which is rare.
        other == specifier
            && (attributes.length() == 0 && request.get_import_attributes().length() == 0
                || Key::of(scope, *request) == Key::new(scope, specifier, attributes))
    };
    let position = requests(scope, referrer).iter().position(is_it);
    let module = position.and_then(|position| linked.get_index(scope, position as u32)?.try_into().ok());
    match module {
        Some(module) => Some(module),
        None => fail(scope, format!("request for '{name}' did not return an object")),
    }
}

fn resolve_module<'s>(
    context: Local<'s, Context>,
    specifier: Local<'s, v8::String>,
    attributes: Local<'s, FixedArray>,
    referrer: Local<'s, Module>,
) -> Option<Local<'s, Module>> {
    // SAFETY: V8 calls this inside a handle scope, with handles of the context's isolate.
    v8::callback_scope!(unsafe scope, context);
    let wrap = resolve(scope, specifier, attributes, referrer)?;
    module_of(scope, wrap)
}

fn resolve_source<'s>(
    context: Local<'s, Context>,
    specifier: Local<'s, v8::String>,
    attributes: Local<'s, FixedArray>,
    referrer: Local<'s, Module>,
) -> Option<Local<'s, Object>> {
    // SAFETY: as in `resolve_module`.
    v8::callback_scope!(unsafe scope, context);
    let wrap = resolve(scope, specifier, attributes, referrer)?;
    let source = get_private(scope, wrap, SOURCE_OBJECT).and_then(|source| source.try_into().ok());
    if source.is_none() {
        throw_no_source_object(scope, wrap);
    }
    source
}
