//! The contexts of `vm.createContext`.
//!
//! A context is found by its *extras*, an object that V8 makes for each context and no script sees. The sandbox
//! object refers to it by a private symbol, and it to the sandbox, so that they live and die together.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use v8::{
    Context, ContextOptions, ContextScope, Global, Local, MicrotaskQueue, MicrotaskQueueHandle, Object, ObjectTemplate,
    PinScope, PropertyAttribute, Symbol, Value,
};

use super::compile::HOST_DEFINED_OPTION;
use super::{Args, Return, interceptors};
use crate::bindings::errors::{MAY_GENERATE_CODE, MAY_GENERATE_WASM};
use crate::bindings::util;
use crate::js;
use crate::realm::Realm;

/// Of a sandbox: its context's extras.
const CONTEXT: &str = "contextify_context_private_symbol";
/// Of the extras: the sandbox. An index is found fastest, and every access to a global passes here.
const SANDBOX: u32 = 0;
/// Of the extras: the key of the context's own microtask queue.
const MICROTASKS: &str = "contextify_microtask_queue";

/// A `vm` context.
#[derive(Clone, Copy)]
pub struct Sandboxed<'s> {
    /// The context.
    pub context: Local<'s, Context>,
    extras: Local<'s, Object>,
}

#[derive(Default)]
struct State {
    template: RefCell<Option<Global<ObjectTemplate>>>,
    queues: RefCell<HashMap<i32, Queue>>,
}

/// A microtask queue, dropped after its context.
struct Queue {
    handle: Rc<MicrotaskQueueHandle>,
    _extras: v8::Weak<Object>,
}

/// `makeContext(sandbox | vm_context_no_contextify, name, origin, strings, wasm, ownMicrotaskQueue,
/// hostDefinedOptionId)`
pub fn make_context<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let sandbox = Local::<Object>::try_from(args.get(0)).ok();
    let allowed = [(MAY_GENERATE_CODE, args.get(3)), (MAY_GENERATE_WASM, args.get(4))];
    let own_queue = args.get(5).is_true();
    let Ok(id) = Local::<Symbol>::try_from(args.get(6)) else { return };
    let main = scope.get_current_context();
    let queue = own_queue.then(|| MicrotaskQueue::new(scope, v8::MicrotasksPolicy::Explicit));
    let shared: Option<*const MicrotaskQueue> = match &queue {
        Some(queue) => Some(&raw const **queue),
        None => main.get_microtask_queue().map(|queue| &raw const *queue),
    };
    let options = ContextOptions {
        global_template: sandbox.map(|_| template(scope)),
        global_object: None,
        microtask_queue: shared.map(<*const MicrotaskQueue>::cast_mut),
    };
    let context = Context::new(scope, options);
    context.set_security_token(main.get_security_token(scope));
    context.set_allow_generation_from_strings(false);
    let extras = context.get_extras_binding_object(scope);
    {
        let scope = &mut ContextScope::new(scope, context);
        v8::tc_scope!(let caught, scope);
        if initialize(caught, Sandboxed { context, extras }, sandbox, &allowed, id).is_none() {
            caught.rethrow();
            return;
        }
    }
    if let Some(queue) = queue {
        keep_queue(scope, extras, queue);
    }
    // From now on the interceptors know the sandbox.
    if let Some(sandbox) = sandbox {
        extras.set_index(scope, SANDBOX, sandbox.into());
    }
    let holder = sandbox.unwrap_or_else(|| context.global(scope));
    let private = util::private(scope, CONTEXT);
    holder.set_private(scope, private, extras.into());
    rv.set(holder.into());
}

fn template<'s>(scope: &mut PinScope<'s, '_>) -> Local<'s, ObjectTemplate> {
    let state = Realm::current().room::<State>();
    if let Some(template) = &*state.template.borrow() {
        return Local::new(scope, template);
    }
    let template = interceptors::template(scope);
    *state.template.borrow_mut() = Some(Global::new(scope, template));
    template
}

/// What a new context gets before any script runs in it.
fn initialize<'s>(
    scope: &mut PinScope<'s, '_>,
    new: Sandboxed<'s>,
    sandbox: Option<Local<'s, Object>>,
    allowed: &[(&'static str, Local<'s, Value>)],
    id: Local<'s, Symbol>,
) -> Option<()> {
    let global = new.context.global(scope);
    remove_break_iterator(scope, global);
    for (name, value) in allowed {
        let private = util::private(scope, name);
        new.extras.set_private(scope, private, *value)?;
    }
    if let Some(sandbox) = sandbox {
        let name = sandbox.get_constructor_name().to_rust_string_lossy(scope);
        if name != "Object" {
            let name = js::string(scope, &name);
            let tag = Symbol::get_to_string_tag(scope);
            global.define_own_property(scope, tag.into(), name.into(), PropertyAttribute::DONT_ENUM)?;
        }
    }
    let private = util::private(scope, HOST_DEFINED_OPTION);
    global.set_private(scope, private, id.into())?;
    if let Some(sandbox) = sandbox {
        sandbox.set_private(scope, private, id.into())?;
    }
    Some(())
}

/// Deletes `Intl.v8BreakIterator`, which is no standard, as Node does.
pub fn remove_break_iterator<'s>(scope: &mut PinScope<'s, '_>, global: Local<'s, Object>) {
    if let Some(intl) = js::get(scope, global, "Intl").and_then(|intl| Local::<Object>::try_from(intl).ok()) {
        let name = js::name(scope, "v8BreakIterator");
        intl.delete(scope, name.into());
    }
}

/// Keeps a context's own queue for as long as the context lives.
fn keep_queue<'s>(scope: &mut PinScope<'s, '_>, extras: Local<'s, Object>, queue: MicrotaskQueueHandle) {
    let realm = Realm::current();
    let state = realm.room::<State>();
    let key = (1..).find(|key| !state.queues.borrow().contains_key(key)).unwrap_or_default();
    let finalizer = move || {
        Realm::with_current(|realm| drop(realm.room::<State>().queues.borrow_mut().remove(&key)));
    };
    let weak = v8::Weak::with_guaranteed_finalizer(scope, extras, Box::new(finalizer));
    let queue = Queue { handle: Rc::new(queue), _extras: weak };
    state.queues.borrow_mut().insert(key, queue);
    let private = util::private(scope, MICROTASKS);
    let key = js::integer(scope, key);
    extras.set_private(scope, private, key);
}

/// The context that `sandbox` stands for: what `vm.createContext` gave.
pub fn of_sandbox<'s>(scope: &PinScope<'s, '_>, sandbox: Local<'s, Object>) -> Option<Sandboxed<'s>> {
    let private = util::private(scope, CONTEXT);
    let extras: Local<Object> = sandbox.get_private(scope, private)?.try_into().ok()?;
    Some(Sandboxed { context: extras.get_creation_context(scope)?, extras })
}

/// The context and the sandbox of a `vm` context's global object, once it is complete.
pub fn of_global<'s>(
    scope: &PinScope<'s, '_>,
    global: Local<'s, Object>,
) -> Option<(Local<'s, Context>, Local<'s, Object>)> {
    let context = global.get_creation_context(scope)?;
    let sandbox = context.get_extras_binding_object(scope).get_index(scope, SANDBOX)?;
    Some((context, sandbox.try_into().ok()?))
}

impl<'s> Sandboxed<'s> {
    /// The context's own microtask queue, if it has one.
    pub fn own_queue(&self, scope: &PinScope<'s, '_>) -> Option<Rc<MicrotaskQueueHandle>> {
        let private = util::private(scope, MICROTASKS);
        let key = self.extras.get_private(scope, private).filter(|key| key.is_int32())?.int32_value(scope)?;
        let state = Realm::current().room::<State>();
        let queues = state.queues.borrow();
        queues.get(&key).map(|queue| queue.handle.clone())
    }
}
