//! `ContextifyScript`: what `vm.Script` is made of.
//!
//! The script is in the object's internal field, so it goes through a snapshot with the object.

use v8::script_compiler::{self, NoCacheReason};
use v8::{ContextScope, Data, Local, Object, PinScope, UnboundScript};

use super::compile::{self, HOST_DEFINED_OPTION, Place};
use super::{Args, Return, of_sandbox, watchdog};
use crate::bindings::{errors, util};
use crate::js;

/// `new ContextifyScript(code, filename[, lineOffset, columnOffset, cachedData, produceCachedData,
/// parsingContext, hostDefinedOptionId])`
pub fn new<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let this = args.this();
    let (Ok(code), Ok(name), Ok(id)) = (args.get(0).try_into(), args.get(1).try_into(), args.get(7).try_into()) else {
        return;
    };
    let line = args.get(2).int32_value(scope).unwrap_or_default();
    let column = args.get(3).int32_value(scope).unwrap_or_default();
    let cache = compile::cache_bytes(args.get(4));
    let parsing_context = Local::<Object>::try_from(args.get(6)).ok();
    let parsing_context = parsing_context.and_then(|sandbox| of_sandbox(scope, sandbox));
    let context = parsing_context.map_or_else(|| scope.get_current_context(), |sandboxed| sandboxed.context);
    let id: Local<v8::Symbol> = id;
    let options = compile::host_defined_options(scope, id);
    let origin = compile::origin(scope, Place { name, line, column }, false, Some(options));
    let (mut source, compile_options) = compile::source(code, &origin, cache.as_deref());
    let script = {
        let scope = &mut ContextScope::new(scope, context);
        v8::tc_scope!(let caught, scope);
        let script =
            script_compiler::compile_unbound_script(caught, &mut source, compile_options, NoCacheReason::NoReason);
        if script.is_none() {
            if let Some(exception) = caught.exception().filter(|_| !caught.has_terminated()) {
                let message = caught.message();
                errors::decorate(caught, exception, message);
                caught.rethrow();
            }
            return;
        }
        script
    };
    let Some(script) = script else { return };
    this.set_internal_field(0, script.into());
    let key = util::private(scope, HOST_DEFINED_OPTION);
    this.set_private(scope, key, id.into());
    let produced = if args.get(5).is_true() { script.create_code_cache() } else { None };
    compile::store_cache(scope, this, &source, cache.is_some(), produced.as_deref().map(|data| &**data));
    let url = script.get_source_url(scope);
    js::set(scope, this, "sourceURL", url);
    let map = script.get_source_mapping_url(scope);
    js::set(scope, this, "sourceMapURL", map);
}

/// The script of a `ContextifyScript`.
fn script_of<'s>(scope: &PinScope<'s, '_>, object: Local<'s, Object>) -> Option<Local<'s, UnboundScript>> {
    let field = object.get_internal_field(scope, 0).filter(|field| !field.is_value())?;
    // SAFETY: the fields of this class hold `undefined`, which is a value, until `new` puts a script there; only
    // objects of this class come here, by `is_script`.
    is_script(scope, object).then(|| unsafe { std::mem::transmute::<Local<'s, Data>, Local<'s, UnboundScript>>(field) })
}

fn is_script<'s>(scope: &PinScope<'s, '_>, object: Local<'s, Object>) -> bool {
    let class = crate::realm::Realm::current().function(scope, "class ContextifyScript");
    class.is_some_and(|class| object.instance_of(scope, class.into()) == Some(true))
}

/// `script.createCachedData()`
pub fn create_cached_data<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(script) = script_of(scope, args.this()) else { return };
    let data = script.create_code_cache();
    let buffer = compile::buffer(scope, data.as_deref().map_or(&[], |data| &**data));
    rv.set(buffer);
}

/// `script.runInContext(sandbox | null, timeout, displayErrors, breakOnSigint, breakOnFirstLine)`
pub fn run_in_context<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(script) = script_of(scope, args.this()) else {
        let message = js::string(scope, "Illegal invocation");
        let error = v8::Exception::type_error(scope, message);
        scope.throw_exception(error);
        return;
    };
    let sandboxed = Local::<Object>::try_from(args.get(0)).ok().and_then(|sandbox| of_sandbox(scope, sandbox));
    let context = match sandboxed {
        Some(sandboxed) => sandboxed.context,
        None => scope.get_current_context(),
    };
    let timeout = args.get(1).integer_value(scope).unwrap_or(-1);
    let display_errors = args.get(2).is_true();
    let interrupt = watchdog::Interrupt { timeout: u64::try_from(timeout).ok(), sigint: args.get(3).is_true() };
    let scope = &mut ContextScope::new(scope, context);
    v8::tc_scope!(let caught, scope);
    let result = watchdog::run_guarded(caught, interrupt, |scope| {
        let result = script.bind_to_current_context(scope).run(scope)?;
        if let Some(queue) = sandboxed.and_then(|sandboxed| sandboxed.own_queue(scope)) {
            queue.perform_checkpoint(scope);
        }
        Some(result)
    });
    match result {
        Ok(Some(result)) if !caught.has_caught() => rv.set(result),
        Ok(_) => {
            if !caught.has_terminated() {
                if let Some(exception) = caught.exception().filter(|_| display_errors) {
                    let message = caught.message();
                    errors::decorate(caught, exception, message);
                }
                caught.rethrow();
            }
        }
        Err(error) => {
            caught.reset();
            caught.throw_exception(error);
            caught.rethrow();
        }
    }
}
