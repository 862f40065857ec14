//! `internalBinding('util')`: looking into values, stacks and promises as only native code can.

pub mod env_file;
mod lazy;
mod stack;

use std::cell::RefCell;

use v8::{Array, ArrayBufferView, FunctionCallbackArguments, Local, Object, PinScope, Private, ReturnValue, Value};

use crate::errors::{self, Kind};
use crate::realm::Realm;
use crate::{aliased, facts, js};

pub use lazy::LAZY;

crate::room! {
    name: "util",
    functions: {
        // Modules ask this while they load, to know whether to warn: at build time nobody is there to be warned.
        trap "isInsideNodeModules" => stack::is_inside_node_modules,
        pure "defineLazyProperties" => lazy::define_lazy_properties,
        pure "getPromiseDetails" => get_promise_details,
        pure "getProxyDetails" => get_proxy_details,
        pure "getCallerLocation" => stack::get_caller_location,
        pure "previewEntries" => preview_entries,
        pure "getOwnNonIndexProperties" => get_own_non_index_properties,
        pure "getConstructorName" => get_constructor_name,
        pure "getExternalValue" => get_external_value,
        pure "getCallSites" => stack::get_call_sites,
        trap "sleep" => sleep,
        pure "parseEnv" => parse_env,
        pure "arrayBufferViewHasBuffer" => array_buffer_view_has_buffer,
        pure "constructSharedArrayBuffer" => construct_shared_array_buffer,
        pure "markPromiseAsHandled" => mark_promise_as_handled,
        trap "guessHandleType" => guess_handle_type,
    },
    references: references,
    setup: setup,
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

const PRIVATE_SYMBOLS: &str = "util.privateSymbols";
const SHOULD_ABORT: &str = "util.shouldAbortOnUncaughtToggle";

fn references() -> Vec<v8::ExternalReference> {
    vec![lazy::reference()]
}

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    facts::install(scope, "util", target);
    let symbols = private_symbols(scope);
    js::set(scope, target, "privateSymbols", symbols);
    let toggle = aliased::create::<u32>(scope, SHOULD_ABORT, 1);
    aliased::cells::<u32>(scope, SHOULD_ABORT)[0].set(1);
    js::set(scope, target, "shouldAbortOnUncaughtToggle", toggle);
    if let Some(getter) = growable_getter(scope) {
        js::set(scope, target, "getSharedArrayBufferGrowable", getter);
    }
}

/// The getter of `SharedArrayBuffer.prototype.growable`, which primordials don't have because the class can be
/// switched off.
fn growable_getter<'s>(scope: &mut PinScope<'s, '_>) -> Option<Local<'s, Value>> {
    let buffer: Local<Object> = v8::SharedArrayBuffer::new(scope, 0)?.into();
    let prototype: Local<Object> = buffer.get_prototype(scope)?.try_into().ok()?;
    let name = js::name(scope, "growable");
    let descriptor: Local<Object> = prototype.get_own_property_descriptor(scope, name.into())?.try_into().ok()?;
    js::get(scope, descriptor, "get")
}

/// The private symbols that the library uses, by name; made once for each context.
pub fn private_symbols<'s>(scope: &mut PinScope<'s, '_>) -> Local<'s, Object> {
    let realm = Realm::current();
    if let Some(symbols) = realm.object(scope, PRIVATE_SYMBOLS) {
        return symbols;
    }
    // Only a template takes private symbols as values.
    let template = v8::ObjectTemplate::new(scope);
    let names: Option<Local<Array>> = facts::get(scope, &["privateSymbols"]).and_then(|names| names.try_into().ok());
    for index in 0..names.map_or(0, |names| names.length()) {
        let Some(name) = names.and_then(|names| names.get_index(scope, index)) else { continue };
        let name = name.to_rust_string_lossy(scope);
        let symbol = make_private(scope, &name);
        template.set(js::name(scope, &name).into(), symbol.into());
    }
    let symbols = template.new_instance(scope).unwrap_or_else(|| Object::new(scope));
    realm.set_slot(scope, PRIVATE_SYMBOLS, symbols);
    symbols
}

/// Private symbols by the addresses of their names: native code asks for one for each object that is cloned.
#[derive(Default)]
struct Privates(RefCell<Vec<(&'static str, v8::Global<Private>)>>);

/// The private symbol `name`, such as `host_defined_option_symbol`.
pub fn private<'s>(scope: &PinScope<'s, '_>, name: &'static str) -> Local<'s, Private> {
    let privates = Realm::current().room::<Privates>();
    let mut privates = privates.0.borrow_mut();
    if let Some((_, symbol)) = privates.iter().find(|(known, _)| std::ptr::eq(*known, name)) {
        return Local::new(scope, symbol);
    }
    let symbol = make_private(scope, name);
    privates.push((name, v8::Global::new(scope, symbol)));
    symbol
}

fn make_private<'s>(scope: &PinScope<'s, '_>, name: &str) -> Local<'s, Private> {
    let name = js::name(scope, &format!("node:{name}"));
    Private::for_api(scope, Some(name))
}

/// Whether an uncaught exception may abort the process with a core dump.
pub fn should_abort_on_uncaught(scope: &PinScope) -> bool {
    aliased::cells::<u32>(scope, SHOULD_ABORT).first().is_some_and(|toggle| toggle.get() != 0)
}

fn get_promise_details<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Ok(promise) = Local::<v8::Promise>::try_from(args.get(0)) else { return };
    let state = promise.state();
    let pending = state == v8::PromiseState::Pending;
    let mut details = vec![js::integer(scope, state as i32)];
    if !pending {
        details.push(promise.result(scope));
    }
    rv.set(Array::new_with_elements(scope, &details).into());
}

fn get_proxy_details<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Ok(proxy) = Local::<v8::Proxy>::try_from(args.get(0)) else { return };
    let target = proxy.get_target(scope);
    if args.length() == 1 || args.get(1).is_true() {
        let details = [target, proxy.get_handler(scope)];
        rv.set(Array::new_with_elements(scope, &details).into());
    } else {
        rv.set(target);
    }
}

fn preview_entries<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Ok(object) = Local::<Object>::try_from(args.get(0)) else { return };
    let (Some(entries), is_key_value) = object.preview_entries(scope) else { return };
    if args.length() == 1 {
        rv.set(entries.into());
        return;
    }
    let both = [entries.into(), js::boolean(scope, is_key_value)];
    rv.set(Array::new_with_elements(scope, &both).into());
}

fn get_own_non_index_properties<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    use v8::PropertyFilter as Filter;
    let Ok(object) = Local::<Object>::try_from(args.get(0)) else { return };
    let bits = args.get(1).uint32_value(scope).unwrap_or_default();
    let flags = [
        Filter::ONLY_WRITABLE,
        Filter::ONLY_ENUMERABLE,
        Filter::ONLY_CONFIGURABLE,
        Filter::SKIP_STRINGS,
        Filter::SKIP_SYMBOLS,
    ];
    let filter = flags
        .into_iter()
        .enumerate()
        .filter(|(bit, _)| bits & (1 << bit) != 0)
        .fold(Filter::ALL_PROPERTIES, |filter, (_, flag)| filter | flag);
    let names = object.get_property_names(
        scope,
        v8::GetPropertyNamesArgs {
            mode: v8::KeyCollectionMode::OwnOnly,
            property_filter: filter,
            index_filter: v8::IndexFilter::SkipIndices,
            key_conversion: v8::KeyConversionMode::KeepNumbers,
        },
    );
    if let Some(names) = names {
        rv.set(names.into());
    }
}

fn get_constructor_name<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    if let Ok(object) = Local::<Object>::try_from(args.get(0)) {
        let name = Local::new(scope, object.get_constructor_name());
        rv.set(name.into());
    }
}

fn get_external_value<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    if let Ok(external) = Local::<v8::External>::try_from(args.get(0)) {
        rv.set(v8::BigInt::new_from_u64(scope, external.value().addr() as u64).into());
    }
}

fn sleep<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let milliseconds = args.get(0).uint32_value(scope).unwrap_or_default();
    std::thread::sleep(std::time::Duration::from_millis(milliseconds.into()));
}

fn parse_env<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let text = args.get(0).to_rust_string_lossy(scope);
    let null = js::null(scope);
    let object = Object::with_prototype_and_properties(scope, null, &[], &[]);
    for (name, value) in env_file::parse(&text) {
        let value = js::string(scope, &value);
        js::set(scope, object, &name, value);
    }
    rv.set(object.into());
}

fn array_buffer_view_has_buffer<'s>(_: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    if let Ok(view) = Local::<ArrayBufferView>::try_from(args.get(0)) {
        rv.set_bool(view.has_buffer());
    }
}

/// Works even where the global `SharedArrayBuffer` has been taken away.
fn construct_shared_array_buffer<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    /// `v8::ArrayBuffer::kMaxByteLength` on 64-bit machines.
    const MAX: i64 = (1 << 53) - 1;
    let Some(length) = args.get(0).integer_value(scope) else { return };
    if !(0..=MAX).contains(&length) {
        throw_range_error(scope, "Invalid array buffer length");
        return;
    }
    match v8::SharedArrayBuffer::new(scope, length as usize) {
        Some(buffer) => rv.set(buffer.into()),
        None => throw_range_error(scope, "Array buffer allocation failed"),
    }
}

fn throw_range_error(scope: &mut PinScope, message: &str) {
    let message = js::string(scope, message);
    let error = v8::Exception::range_error(scope, message);
    scope.throw_exception(error);
}

fn mark_promise_as_handled<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let Ok(promise) = Local::<v8::Promise>::try_from(args.get(0)) else { return };
    promise.mark_as_handled();
    if promise.state() == v8::PromiseState::Rejected {
        // It may have been reported as unhandled already, and V8 does not take that back.
        super::task_queue::handler_added(scope, promise);
    }
}

fn guess_handle_type<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(fd) = args.get(0).int32_value(scope) else { return };
    if fd < 0 {
        errors::throw_code(scope, Kind::RangeError, "ERR_OUT_OF_RANGE", "The file descriptor must not be negative");
        return;
    }
    // The library has the names in an array, in this order.
    let kinds = ["TCP", "TTY", "UDP", "FILE", "PIPE", "UNKNOWN"];
    let kind = crate::uv::stream::guess_handle_type(fd);
    let index = kinds.iter().position(|name| *name == kind).unwrap_or(kinds.len() - 1);
    rv.set_uint32(index as u32);
}
