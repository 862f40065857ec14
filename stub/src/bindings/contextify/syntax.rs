//! Compiling CommonJS modules, and telling them from ES modules.

use v8::{Function, Local, Object, PinScope};

use super::compile::{self, Place};
use super::{Args, Return, precompiled};
use crate::bindings::{errors, module_wrap, process_methods, symbols};
use crate::realm::Realm;
use crate::{bootstrap, js, preeval};

/// Errors of module syntax in a CommonJS module.
const ESM_ERRORS: &[&str] = &[
    "Cannot use import statement outside a module",
    "Unexpected token 'export'",
    "Cannot use 'import.meta' outside a module",
];

/// Errors of code that is valid in an ES module and not in a CommonJS module.
const CJS_ONLY_ERRORS: &[&str] = &[
    "Identifier 'module' has already been declared",
    "Identifier 'exports' has already been declared",
    "Identifier 'require' has already been declared",
    "Identifier '__filename' has already been declared",
    "Identifier '__dirname' has already been declared",
    "await is only valid in async functions and the top level bodies of modules",
    // What a top-level `await` can look like: `f(await 1)`, `if (await 1)`.
    "missing ) after argument list",
    "SyntaxError: Unexpected",
];

/// Compiles `code` as a CommonJS module's function, or with `cjs_scope` false as one without parameters.
pub fn compile_cjs<'s>(
    scope: &mut PinScope<'s, '_>,
    code: Local<'s, v8::String>,
    filename: Local<'s, v8::String>,
    cjs_scope: bool,
) -> Option<Local<'s, Function>> {
    let id = symbols::symbol(scope, "vm_dynamic_import_default_internal");
    let options = compile::host_defined_options(scope, id);
    let origin = compile::origin(scope, Place { name: filename, line: 0, column: 0 }, false, Some(options));
    let path = filename.to_rust_string_lossy(scope);
    let module = if cjs_scope { preeval::code::embedded(scope, &path, code) } else { None };
    let cache = module.and_then(preeval::code::cache);
    let (mut source, compile_options) = compile::source(code, &origin, cache.as_deref());
    let parameters = compile::cjs_parameters(scope);
    let parameters = if cjs_scope { &parameters[..] } else { &[] };
    let function = compile::function(scope, &mut source, parameters, &[], compile_options)?;
    if let Some(module) = module {
        preeval::code::note_function(scope, module, function);
    }
    Some(function)
}

/// Whether code that failed to compile as CommonJS with `message` is an ES module.
fn should_retry_as_esm<'s>(
    scope: &mut PinScope<'s, '_>,
    message: &str,
    code: Local<'s, v8::String>,
    name: Local<'s, v8::String>,
) -> bool {
    let says = |errors: &[&str]| errors.iter().any(|error| message.contains(error));
    if says(ESM_ERRORS) {
        return true;
    }
    if !says(CJS_ONLY_ERRORS) {
        return false;
    }
    v8::tc_scope!(let scope, scope);
    let id = symbols::symbol(scope, "source_text_module_default_hdo");
    module_wrap::compile(scope, code, Place { name, line: 0, column: 0 }, Some(id), None).is_some()
}

/// `compileFunctionForCJSLoader(content, filename, isSeaMain, shouldDetectModule)`
pub fn compile_function_for_cjs_loader<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let (Ok(code), Ok(filename)) = (Local::<v8::String>::try_from(args.get(0)), args.get(1).try_into()) else { return };
    let function = preeval::take(scope, code, filename).or_else(|| precompiled::take(scope, code, filename));
    if let Some(function) = function {
        let result = cjs_result(scope, Some(function), false);
        rv.set(result.into());
        return;
    }
    let failure = {
        v8::tc_scope!(let caught, scope);
        match compile_cjs(caught, code, filename, true) {
            Some(function) => Ok(function),
            None => {
                let (exception, message) = (caught.exception(), caught.message());
                if let Some(exception) = exception {
                    errors::decorate(caught, exception, message);
                }
                let text = message.map(|message| message.get(caught).to_rust_string_lossy(caught));
                Err((exception, text.unwrap_or_default()))
            }
        }
    };
    let result = match failure {
        Ok(function) => cjs_result(scope, Some(function), false),
        Err((exception, message)) => {
            let exception = exception.unwrap_or_else(|| js::undefined(scope));
            let url = file_url(&filename.to_rust_string_lossy(scope));
            let url = js::string(scope, &url);
            if !should_retry_as_esm(scope, &message, code, url) {
                scope.throw_exception(exception);
                return;
            }
            if !args.get(3).is_true() {
                if warn_about_esm(scope, filename).is_some() {
                    scope.throw_exception(exception);
                }
                return;
            }
            cjs_result(scope, None, true)
        }
    };
    rv.set(result.into());
}

fn cjs_result<'s>(
    scope: &mut PinScope<'s, '_>,
    function: Option<Local<'s, Function>>,
    can_parse_as_esm: bool,
) -> Local<'s, Object> {
    let undefined = js::undefined(scope);
    let (url, map) = function.map_or((undefined, undefined), |function| compile::urls(scope, function));
    let keys = ["cachedDataRejected", "sourceMapURL", "sourceURL", "function", "canParseAsESM"];
    let keys = keys.map(|key| js::name(scope, key).into());
    let function = function.map_or(undefined, Into::into);
    let values = [js::boolean(scope, false), map, url, function, js::boolean(scope, can_parse_as_esm)];
    let prototype = js::null(scope);
    Object::with_prototype_and_properties(scope, prototype, &keys, &values)
}

/// Tells the user why a module can't be loaded. `None` when a listener to warnings threw.
fn warn_about_esm<'s>(scope: &mut PinScope<'s, '_>, filename: Local<'s, v8::String>) -> Option<()> {
    #[derive(Default)]
    struct State {
        warned: std::cell::Cell<bool>,
    }
    let realm = Realm::current();
    if realm.room::<State>().warned.replace(true) {
        return Some(());
    }
    let filename = filename.to_rust_string_lossy(scope);
    let text = js::string(
        scope,
        &format!(
            "Failed to load the ES module: {filename}. Make sure to set \"type\": \"module\" in the nearest \
             package.json file or use the .mjs extension."
        ),
    );
    let process = realm.object(scope, bootstrap::PROCESS)?;
    let emit = realm.function(scope, process_methods::EMIT_WARNING_SYNC);
    let emit = match emit {
        Some(emit) => emit,
        None => js::get(scope, process, "emitWarning")?.try_into().ok()?,
    };
    emit.call(scope, process.into(), &[text.into()]).map(|_| ())
}

/// The `file:` URL of a path.
pub fn file_url(path: &str) -> String {
    let mut url = String::from("file://");
    for byte in path.bytes() {
        match byte {
            b'%'
            | b' '
            | b'"'
            | b'#'
            | b'<'
            | b'>'
            | b'?'
            | b'`'
            | b'{'
            | b'}'
            | b'\\'
            | b'^'
            | b'|'
            | 0..0x20
            | 0x7f.. => {
                url += &format!("%{byte:02X}");
            }
            _ => url.push(byte as char),
        }
    }
    url
}

/// What the build has found out of an embedded file.
fn is_known_module<'s>(
    scope: &mut PinScope<'s, '_>,
    code: Local<'s, v8::String>,
    filename: Local<'s, v8::String>,
) -> Option<bool> {
    let path = filename.to_rust_string_lossy(scope);
    let id = preeval::code::embedded(scope, &path, code)?;
    let index = Realm::current().program.image.index().ok()?;
    Some(index.modules.get(id as usize)?.format == kiln_payload::ArchivedFormat::Module)
}

/// `containsModuleSyntax(code, filename[, resourceName[, "no CJS variables"]])`
pub fn contains_module_syntax<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let (Ok(code), Ok(filename)) = (args.get(0).try_into(), args.get(1).try_into()) else { return };
    if !args.get(3).is_string()
        && let Some(is_module) = is_known_module(scope, code, filename)
    {
        rv.set_bool(is_module);
        return;
    }
    let name = args.get(2).try_into().unwrap_or(filename);
    let message = {
        v8::tc_scope!(let caught, scope);
        if compile_cjs(caught, code, filename, !args.get(3).is_string()).is_some() {
            rv.set_bool(false);
            return;
        }
        caught.message().map(|message| message.get(caught).to_rust_string_lossy(caught))
    };
    let is_module = should_retry_as_esm(scope, &message.unwrap_or_default(), code, name);
    rv.set_bool(is_module);
}
