//! `internalBinding('async_wrap')`: the stack of asynchronous contexts and `async_hooks`.

use std::cell::RefCell;

use v8::{Array, FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use crate::realm::Realm;
use crate::wrap::{self, AsyncIds};
use crate::{facts, js};

crate::room! {
    name: "async_wrap",
    functions: {
        pure "setupHooks" => setup_hooks,
        pure "setCallbackTrampoline" => set_callback_trampoline,
        pure "pushAsyncContext" => js_push_context,
        pure "popAsyncContext" => js_pop_context,
        pure "executionAsyncResource" => execution_async_resource,
        pure "clearAsyncIdStack" => js_clear_stack,
        pure "queueDestroyAsyncId" => queue_destroy,
        pure "setPromiseHooks" => set_promise_hooks,
        pure "getPromiseHooks" => get_promise_hooks,
        pure "registerDestroyHook" => register_destroy_hook,
    },
    classes: {
        #[hidden] "AsyncWrap" {
            pure new => illegal,
            pure "getAsyncId" => get_async_id,
            pure "asyncReset" => async_reset,
            pure "getProviderType" => get_provider_type,
        },
    },
    setup: setup,
}

const HOOKS: &str = "async_wrap.hooks";
const TRAMPOLINE: &str = "async_wrap.trampoline";
crate::shared!(FIELDS: u32 = "async_wrap.async_hook_fields");
crate::shared!(IDS: f64 = "async_wrap.async_id_fields");
crate::shared!(STACK: f64 = "async_wrap.async_ids_stack");
const RESOURCES: &str = "async_wrap.execution_async_resources";
const PROMISE_HOOKS: &str = "async_wrap.promise_hooks";

/// Indices of `async_hook_fields`; see `Environment::AsyncHooks::Fields` in Node's `src/env.h`.
mod field {
    pub const INIT: usize = 0;
    pub const BEFORE: usize = 1;
    pub const AFTER: usize = 2;
    pub const DESTROY: usize = 3;
    pub const CHECK: usize = 6;
    pub const STACK_LENGTH: usize = 7;
    pub const USES_EXECUTION_ASYNC_RESOURCE: usize = 8;
    pub const COUNT: usize = 9;
}

/// Indices of `async_id_fields`.
mod id {
    pub const EXECUTION: usize = 0;
    pub const TRIGGER: usize = 1;
    pub const COUNTER: usize = 2;
    pub const DEFAULT_TRIGGER: usize = 3;
    pub const COUNT: usize = 4;
}

/// Contexts that fit into the shared stack before JavaScript asks native code to grow it.
const STACK_CAPACITY: usize = 16;

/// Resources of the contexts that native code pushed, by their place in the stack.
#[derive(Default)]
struct State {
    resources: RefCell<Vec<Option<v8::Global<Object>>>>,
    destroyed: RefCell<Vec<f64>>,
}

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    facts::install(scope, "async_wrap", target);
    let fields = FIELDS.create(scope, field::COUNT);
    js::set(scope, target, "async_hook_fields", fields);
    let ids = IDS.create(scope, id::COUNT);
    js::set(scope, target, "async_id_fields", ids);
    let stack = STACK.create(scope, 2 * STACK_CAPACITY);
    js::set(scope, target, "async_ids_stack", stack);
    // As in Node: the id 1 belongs to the bootstrap, and no default trigger is set.
    IDS.cells(scope)[id::COUNTER].set(1.0);
    IDS.cells(scope)[id::DEFAULT_TRIGGER].set(-1.0);
    FIELDS.cells(scope)[field::CHECK].set(1);
    let resources = Array::new(scope, 0);
    js::set(scope, target, "execution_async_resources", resources);
    let realm = Realm::current();
    realm.set_slot(scope, RESOURCES, resources);
    realm.set_slot(scope, "async_wrap.binding", target);
}

/// The function that runs callbacks when hooks want to see them.
pub fn trampoline<'s>(scope: &PinScope<'s, '_>) -> Option<Local<'s, v8::Function>> {
    Realm::current().function(scope, TRAMPOLINE)
}

/// Whether any hook wants to see callbacks.
pub fn uses_trampoline(scope: &PinScope) -> bool {
    let fields = FIELDS.cells(scope);
    [field::BEFORE, field::AFTER, field::USES_EXECUTION_ASYNC_RESOURCE]
        .iter()
        .any(|&index| fields.get(index).is_some_and(|count| count.get() > 0))
}

/// A new object's identity; tells the `init` hooks about it.
pub fn init_object<'s>(scope: &mut PinScope<'s, '_>, object: Local<'s, Object>, provider: &'static str) -> AsyncIds {
    let ids = AsyncIds { id: new_id(scope), trigger: default_trigger(scope) };
    wrap::set_async_ids(scope, object, ids, provider);
    emit_init(scope, ids, provider, object);
    ids
}

/// Takes the next asynchronous id.
pub fn new_id(scope: &PinScope) -> f64 {
    let counter = &IDS.cells(scope)[id::COUNTER];
    counter.set(counter.get() + 1.0);
    counter.get()
}

/// What a new object's `triggerAsyncId` is.
pub fn default_trigger(scope: &PinScope) -> f64 {
    let ids = IDS.cells(scope);
    match ids[id::DEFAULT_TRIGGER].get() {
        trigger if trigger < 0.0 => ids[id::EXECUTION].get(),
        trigger => trigger,
    }
}

/// Runs `body` with `trigger` as the default `triggerAsyncId`.
pub fn with_default_trigger<'s, R>(
    scope: &mut PinScope<'s, '_>,
    trigger: f64,
    body: impl FnOnce(&mut PinScope<'s, '_>) -> R,
) -> R {
    let old = IDS.cells(scope)[id::DEFAULT_TRIGGER].replace(trigger);
    let result = body(scope);
    IDS.cells(scope)[id::DEFAULT_TRIGGER].set(old);
    result
}

fn emit_init<'s>(scope: &mut PinScope<'s, '_>, ids: AsyncIds, provider: &str, object: Local<'s, Object>) {
    if FIELDS.cells(scope)[field::INIT].get() == 0 {
        return;
    }
    let kind = js::string(scope, provider);
    let arguments = [js::number(scope, ids.id), kind.into(), js::number(scope, ids.trigger), object.into()];
    call_hook(scope, "init", &arguments);
}

fn call_hook<'s>(scope: &mut PinScope<'s, '_>, name: &str, arguments: &[Local<'s, Value>]) {
    let hooks = Realm::current().object(scope, HOOKS);
    let hook = hooks.and_then(|hooks| js::get(scope, hooks, name));
    if let Some(hook) = hook.and_then(|hook| Local::<v8::Function>::try_from(hook).ok()) {
        let undefined = js::undefined(scope);
        // The hooks end the process themselves when one of them throws.
        hook.call(scope, undefined, arguments);
    }
}

/// Enters an asynchronous context; emits `before` unless the trampoline will.
pub fn push_context<'s>(scope: &mut PinScope<'s, '_>, ids: AsyncIds, resource: Local<'s, Object>) {
    push(scope, ids, Some(resource));
}

fn push<'s>(scope: &mut PinScope<'s, '_>, new: AsyncIds, resource: Option<Local<'s, Object>>) {
    let fields = FIELDS.cells(scope);
    let ids = IDS.cells(scope);
    let offset = fields[field::STACK_LENGTH].get() as usize;
    if 2 * offset >= STACK.cells(scope).len() {
        grow(scope);
    }
    let stack = STACK.cells(scope);
    stack[2 * offset].set(ids[id::EXECUTION].get());
    stack[2 * offset + 1].set(ids[id::TRIGGER].get());
    fields[field::STACK_LENGTH].set(offset as u32 + 1);
    ids[id::EXECUTION].set(new.id);
    ids[id::TRIGGER].set(new.trigger);
    let state = Realm::current().room::<State>();
    let mut resources = state.resources.borrow_mut();
    resources.resize_with(offset, || None);
    resources.push(resource.map(|resource| v8::Global::new(scope, resource)));
}

/// Leaves the context `id`. Returns whether an outer one remains.
pub fn pop_context(scope: &mut PinScope, expected: f64) -> bool {
    let fields = FIELDS.cells(scope);
    let ids = IDS.cells(scope);
    let length = fields[field::STACK_LENGTH].get() as usize;
    // An uncaught exception has cleared the stack.
    if length == 0 {
        return false;
    }
    if ids[id::EXECUTION].get() != expected && fields[field::CHECK].get() > 0 {
        eprintln!(
            "Error: async hook stack has become corrupted (actual: {}, expected: {expected})",
            ids[id::EXECUTION].get()
        );
        std::process::exit(1);
    }
    let offset = length - 1;
    let stack = STACK.cells(scope);
    ids[id::EXECUTION].set(stack[2 * offset].get());
    ids[id::TRIGGER].set(stack[2 * offset + 1].get());
    fields[field::STACK_LENGTH].set(offset as u32);
    Realm::current().room::<State>().resources.borrow_mut().truncate(offset);
    // What JavaScript has put there it has taken out again, which leaves a hole where native code's own resource would
    // be. To leave the hole where it is saves making the array longer again for the next callback.
    if let Some(resources) = js_resources(scope)
        && resources.length() as usize > offset + 1
    {
        let length = js::integer(scope, offset as i32);
        js::set(scope, resources.into(), "length", length);
    }
    offset > 0
}

fn js_resources<'s>(scope: &PinScope<'s, '_>) -> Option<Local<'s, Array>> {
    Realm::current().slot(scope, RESOURCES).and_then(|value| value.try_into().ok())
}

fn grow(scope: &mut PinScope) {
    let old: Vec<f64> = STACK.cells(scope).iter().map(|cell| cell.get()).collect();
    let stack = STACK.create(scope, 3 * old.len());
    for (cell, value) in STACK.cells(scope).iter().zip(old) {
        cell.set(value);
    }
    if let Some(binding) = Realm::current().object(scope, "async_wrap.binding") {
        js::set(scope, binding, "async_ids_stack", stack);
    }
}

/// Empties the stack, after an uncaught exception.
pub fn clear_stack(scope: &mut PinScope) {
    let ids = IDS.cells(scope);
    ids[id::EXECUTION].set(0.0);
    ids[id::TRIGGER].set(0.0);
    FIELDS.cells(scope)[field::STACK_LENGTH].set(0);
    Realm::current().room::<State>().resources.borrow_mut().clear();
    if let Some(resources) = js_resources(scope) {
        let zero = js::integer(scope, 0);
        js::set(scope, resources.into(), "length", zero);
    }
}

/// The id of the running asynchronous context.
pub fn execution_id(scope: &PinScope) -> f64 {
    IDS.cells(scope)[id::EXECUTION].get()
}

/// Whether any `after` hook is there.
pub fn has_after_hooks(scope: &PinScope) -> bool {
    FIELDS.cells(scope)[field::AFTER].get() > 0
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

fn setup_hooks<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    Realm::current().set_slot(scope, HOOKS, args.get(0));
}

fn set_callback_trampoline<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    Realm::current().set_slot(scope, TRAMPOLINE, args.get(0));
}

fn js_push_context<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let ids = AsyncIds {
        id: args.get(0).number_value(scope).unwrap_or_default(),
        trigger: args.get(1).number_value(scope).unwrap_or_default(),
    };
    push(scope, ids, args.get(2).try_into().ok());
}

fn js_pop_context<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let expected = args.get(0).number_value(scope).unwrap_or_default();
    rv.set_bool(pop_context(scope, expected));
}

fn execution_async_resource<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let index = args.get(0).uint32_value(scope).unwrap_or_default() as usize;
    let state = Realm::current().room::<State>();
    let resources = state.resources.borrow();
    if let Some(Some(resource)) = resources.get(index) {
        rv.set(Local::new(scope, resource).into());
    }
}

fn js_clear_stack<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, _: Return<'s>) {
    clear_stack(scope);
}

/// Tells the `destroy` hooks about `id`, later.
pub fn emit_destroy(scope: &mut PinScope, id: f64) {
    if FIELDS.cells(scope)[field::DESTROY].get() == 0 {
        return;
    }
    let state = Realm::current().room::<State>();
    let first = state.destroyed.borrow().is_empty();
    state.destroyed.borrow_mut().push(id);
    if first {
        super::timers::set_native_immediate(scope, run_destroy_hooks);
    }
}

/// Tells the `destroy` hooks what [`emit_destroy`] has collected.
pub fn run_destroy_hooks(scope: &mut PinScope) {
    let state = Realm::current().room::<State>();
    loop {
        let ids = state.destroyed.take();
        if ids.is_empty() {
            return;
        }
        for id in ids {
            let id = js::number(scope, id);
            call_hook(scope, "destroy", &[id]);
        }
    }
}

fn queue_destroy<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let id = args.get(0).number_value(scope).unwrap_or_default();
    emit_destroy(scope, id);
}

fn set_promise_hooks<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let hooks: Vec<Option<Local<v8::Function>>> = (0..4).map(|index| args.get(index).try_into().ok()).collect();
    scope.set_promise_hooks(hooks[0], hooks[1], hooks[2], hooks[3]);
    let all: Vec<Local<Value>> = (0..4).map(|index| args.get(index)).collect();
    let all = Array::new_with_elements(scope, &all);
    Realm::current().set_slot(scope, PROMISE_HOOKS, all);
}

fn get_promise_hooks<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    let hooks = Realm::current().slot(scope, PROMISE_HOOKS);
    let none = [js::undefined(scope); 4];
    rv.set(hooks.unwrap_or_else(|| Array::new_with_elements(scope, &none).into()));
}

fn register_destroy_hook<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let Ok(target) = Local::<Object>::try_from(args.get(0)) else { return };
    let id = args.get(1).number_value(scope).unwrap_or_default();
    let bag: Option<Local<Object>> = args.get(2).try_into().ok();
    let bag = bag.map(|bag| v8::Global::new(scope, bag));
    let weak = RefCell::new(None);
    let weak = std::rc::Rc::new(weak);
    let own = weak.clone();
    let finalizer = move |_: &mut v8::Isolate| {
        own.take();
        crate::realm::enter(|scope| {
            let destroyed = bag.map(|bag| Local::new(scope, bag)).and_then(|bag| js::get(scope, bag, "destroyed"));
            if destroyed.is_none_or(|destroyed| destroyed.is_false()) {
                emit_destroy(scope, id);
            }
        });
    };
    *weak.borrow_mut() = Some(v8::Weak::with_finalizer(scope, target, Box::new(finalizer)));
}

fn illegal<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, _: Return<'s>) {
    crate::errors::throw_code(scope, crate::errors::Kind::TypeError, "ERR_ILLEGAL_CONSTRUCTOR", "Illegal constructor");
}

fn get_async_id<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let ids = wrap::async_ids(scope, args.this());
    rv.set_double(if ids == AsyncIds::default() { -1.0 } else { ids.id });
}

fn async_reset<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let provider = wrap::provider(scope, args.this());
    reset(scope, args.this(), args.get(0).try_into().ok(), provider);
}

/// Gives an object that is used again a new identity; `resource` is what hooks get to see of it.
pub fn reset<'s>(
    scope: &mut PinScope<'s, '_>,
    object: Local<'s, Object>,
    resource: Option<Local<'s, Object>>,
    provider: &'static str,
) {
    let old = wrap::async_ids(scope, object);
    if old != AsyncIds::default() {
        emit_destroy(scope, old.id);
    }
    let resource = resource.unwrap_or(object);
    if resource != object {
        let symbol = super::symbols::symbol(scope, "resource_symbol");
        object.set(scope, symbol.into(), resource.into());
    }
    let ids = AsyncIds { id: new_id(scope), trigger: default_trigger(scope) };
    wrap::set_async_ids(scope, object, ids, provider);
    wrap::renew_context_frame(scope, object);
    emit_init(scope, ids, provider, resource);
}

fn get_provider_type<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let provider = wrap::provider(scope, args.this());
    let binding = Realm::current().object(scope, "async_wrap.binding");
    let providers = binding.and_then(|binding| js::get(scope, binding, "Providers"));
    let providers = providers.and_then(|providers| Local::<Object>::try_from(providers).ok());
    if let Some(number) = providers.and_then(|providers| js::get(scope, providers, provider)) {
        rv.set(number);
    }
}
