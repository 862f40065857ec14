//! `createRequiredModuleFacade(module)`: an ES module as `require` gives it, with `__esModule`.

use std::cell::RefCell;

use v8::{Context, FixedArray, Global, Local, Module, PinScope};

use super::{Args, Place, Return, compile, module_of};
use crate::js;
use crate::realm::Realm;

const URL: &str = "node:internal/require_module_default_facade";
const SOURCE: &str = "export * from 'original'; export { default } from 'original'; export const __esModule = true;";

/// The module that the facade being made stands in front of.
#[derive(Default)]
struct State {
    original: RefCell<Option<Global<Module>>>,
}

/// Makes the facade and returns its namespace.
pub fn create<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let original = args.get(0).try_into().ok().and_then(|wrap| module_of(scope, wrap));
    let Some(original) = original else { return };
    let code = js::string(scope, SOURCE);
    let name = js::string(scope, URL);
    let Some(facade) = compile(scope, code, Place { name, line: 0, column: 0 }, None, None) else { return };
    let state = Realm::current().room::<State>();
    *state.original.borrow_mut() = Some(Global::new(scope, original));
    let linked = facade.instantiate_module(scope, resolve_original);
    state.original.take();
    if linked == Some(true) && facade.evaluate(scope).is_some() {
        rv.set(facade.get_module_namespace());
    }
}

fn resolve_original<'s>(
    context: Local<'s, Context>,
    _specifier: Local<'s, v8::String>,
    _attributes: Local<'s, FixedArray>,
    _referrer: Local<'s, Module>,
) -> Option<Local<'s, Module>> {
    // SAFETY: V8 calls this inside a handle scope, with handles of the context's isolate.
    v8::callback_scope!(unsafe scope, context);
    let state = Realm::current().room::<State>();
    let original = state.original.borrow();
    original.as_ref().map(|original| Local::new(scope, original))
}
