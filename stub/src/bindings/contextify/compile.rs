//! Compiling with an origin, host-defined options and a code cache.

use v8::script_compiler::{CachedData, CompileOptions, NoCacheReason, Source};
use v8::{
    Array, Context, ContextScope, Function, Local, Object, PinScope, PrimitiveArray, ScriptOrigin, Symbol, Value,
};

use super::{Args, Return, of_sandbox};
use crate::bindings::{errors, util};
use crate::js;

/// The private symbol under which a script, function or module keeps its identity for `import()`.
pub const HOST_DEFINED_OPTION: &str = "host_defined_option_symbol";

/// What `import()` in a script learns about the script: the symbol that its makers are found by.
pub fn host_defined_options<'s>(scope: &PinScope<'s, '_>, id: Local<'s, Symbol>) -> Local<'s, PrimitiveArray> {
    let options = PrimitiveArray::new(scope, 1);
    options.set(scope, 0, id.into());
    options
}

/// Where a text comes from.
#[derive(Clone, Copy)]
pub struct Place<'s> {
    /// A file name or URL.
    pub name: Local<'s, v8::String>,
    /// The line that the text begins on.
    pub line: i32,
    /// The column that it begins at.
    pub column: i32,
}

/// An origin for V8.
pub fn origin<'s>(
    scope: &PinScope<'s, '_>,
    place: Place<'s>,
    is_module: bool,
    options: Option<Local<'s, PrimitiveArray>>,
) -> ScriptOrigin<'s> {
    let options = options.map(Into::into);
    ScriptOrigin::new(
        scope,
        place.name.into(),
        place.line,
        place.column,
        true,
        -1,
        None,
        false,
        false,
        is_module,
        options,
    )
}

/// A source for the compiler, with a code cache if `cache` holds one.
pub fn source<'s>(
    code: Local<'s, v8::String>,
    origin: &ScriptOrigin<'s>,
    cache: Option<&[u8]>,
) -> (Source, CompileOptions) {
    match cache {
        Some(cache) => {
            let cache = CachedData::new(cache);
            (Source::new_with_cached_data(code, Some(origin), cache), CompileOptions::ConsumeCodeCache)
        }
        None => (Source::new(code, Some(origin)), CompileOptions::NoCompileOptions),
    }
}

/// The bytes of a code cache that JavaScript passes, copied: V8 reads them while JavaScript could write.
pub fn cache_bytes(value: Local<Value>) -> Option<Vec<u8>> {
    js::bytes(value).map(|bytes| bytes.iter().map(|byte| byte.get()).collect())
}

/// The parameters of a CommonJS module's function.
pub fn cjs_parameters<'s>(scope: &PinScope<'s, '_>) -> [Local<'s, v8::String>; 5] {
    ["exports", "require", "module", "__filename", "__dirname"].map(|name| js::name(scope, name))
}

/// Compiles `source` as the body of a function.
pub fn function<'s>(
    scope: &PinScope<'s, '_>,
    source: &mut Source,
    parameters: &[Local<'s, v8::String>],
    extensions: &[Local<'s, Object>],
    options: CompileOptions,
) -> Option<Local<'s, Function>> {
    v8::script_compiler::compile_function(scope, source, parameters, extensions, options, NoCacheReason::NoReason)
}

/// The strings or objects of a JavaScript array.
fn elements<'s, T>(scope: &PinScope<'s, '_>, array: Local<'s, Value>) -> Vec<Local<'s, T>>
where
    Local<'s, T>: TryFrom<Local<'s, Value>>,
{
    let Ok(array) = Local::<Array>::try_from(array) else { return Vec::new() };
    (0..array.length()).filter_map(|index| array.get_index(scope, index)?.try_into().ok()).collect()
}

/// Sets what compiling gave beside the result: `cachedDataRejected`, and a new cache.
pub fn store_cache<'s>(
    scope: &mut PinScope<'s, '_>,
    target: Local<'s, Object>,
    source: &Source,
    consumed: bool,
    produced: Option<&[u8]>,
) {
    if consumed {
        let rejected = js::boolean(scope, source.get_cached_data().is_none_or(CachedData::rejected));
        js::set(scope, target, "cachedDataRejected", rejected);
    }
    if let Some(produced) = produced {
        let buffer = buffer(scope, produced);
        js::set(scope, target, "cachedData", buffer);
        let yes = js::boolean(scope, true);
        js::set(scope, target, "cachedDataProduced", yes);
    }
}

/// A `Buffer` with a copy of `bytes`.
pub fn buffer<'s>(scope: &mut PinScope<'s, '_>, bytes: &[u8]) -> Local<'s, Value> {
    crate::bindings::buffer::new_buffer(scope, bytes.to_vec()).into()
}

/// `compileFunction(code, filename, lineOffset, columnOffset, cachedData, produceCachedData, parsingContext,
/// contextExtensions, params, hostDefinedOptionId)`
pub fn compile_function<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let (Ok(code), Ok(name), Ok(id)) = (args.get(0).try_into(), args.get(1).try_into(), args.get(9).try_into()) else {
        return;
    };
    let line = args.get(2).int32_value(scope).unwrap_or_default();
    let column = args.get(3).int32_value(scope).unwrap_or_default();
    let parsing_context = Local::<Object>::try_from(args.get(6)).ok();
    let parsing_context = parsing_context.and_then(|sandbox| of_sandbox(scope, sandbox));
    let context = parsing_context.map_or_else(|| scope.get_current_context(), |sandboxed| sandboxed.context);
    let extensions = elements::<Object>(scope, args.get(7));
    let parameters = elements::<v8::String>(scope, args.get(8));
    let request = Request {
        code,
        place: Place { name, line, column },
        cache: cache_bytes(args.get(4)),
        produce: args.get(5).is_true(),
        id,
    };
    let scope = &mut ContextScope::new(scope, context);
    v8::tc_scope!(let caught, scope);
    match request.compile(caught, context, &parameters, &extensions) {
        Some(result) => rv.set(result.into()),
        None => {
            if let Some(exception) = caught.exception().filter(|_| !caught.has_terminated()) {
                let message = caught.message();
                errors::decorate(caught, exception, message);
            }
            caught.rethrow();
        }
    }
}

struct Request<'s> {
    code: Local<'s, v8::String>,
    place: Place<'s>,
    cache: Option<Vec<u8>>,
    produce: bool,
    id: Local<'s, Symbol>,
}

impl<'s> Request<'s> {
    fn compile(
        self,
        scope: &mut PinScope<'s, '_>,
        context: Local<'s, Context>,
        parameters: &[Local<'s, v8::String>],
        extensions: &[Local<'s, Object>],
    ) -> Option<Local<'s, Object>> {
        debug_assert!(scope.get_current_context() == context);
        let options = host_defined_options(scope, self.id);
        let origin = origin(scope, self.place, false, Some(options));
        let (mut source, compile_options) = source(self.code, &origin, self.cache.as_deref());
        let function = function(scope, &mut source, parameters, extensions, compile_options)?;
        let key = util::private(scope, HOST_DEFINED_OPTION);
        function.set_private(scope, key, self.id.into())?;
        let result = Object::new(scope);
        js::set(scope, result, "function", function);
        let (url, map) = urls(scope, function);
        js::set(scope, result, "sourceURL", url);
        js::set(scope, result, "sourceMapURL", map);
        let produced = if self.produce { function.create_code_cache() } else { None };
        store_cache(scope, result, &source, self.cache.is_some(), produced.as_deref().map(|data| &**data));
        Some(result)
    }
}

/// A function's source URL (from a magic comment if it has one) and its source map's.
pub fn urls<'s>(scope: &PinScope<'s, '_>, function: Local<'s, Function>) -> (Local<'s, Value>, Local<'s, Value>) {
    let undefined = js::undefined(scope);
    let origin = function.get_script_origin(scope);
    (origin.resource_name().unwrap_or(undefined), origin.source_map_url().unwrap_or(undefined))
}
