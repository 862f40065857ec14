//! The properties of `process` that belong to this run of the program.

use std::cell::Cell;
use std::ffi::{OsString, c_void};
use std::os::unix::ffi::OsStrExt as _;

use v8::{
    AccessorConfiguration, FunctionCallbackArguments, Local, MapFnTo as _, Name, Object, PinScope, PropertyAttribute,
    PropertyCallbackArguments, ReturnValue, Value,
};

use crate::command_line::{self, Task};
use crate::errors::{self, Kind};
use crate::realm::Realm;
use crate::uv::{process, title};
use crate::{js, text};

/// The slot of `process.argv`.
const ARGUMENTS: &str = "process_methods.argv";

/// The inspector's port, which has no effect.
struct State {
    debug_port: Cell<i32>,
}

impl Default for State {
    fn default() -> Self {
        // The inspector's usual port.
        State { debug_port: Cell::new(9229) }
    }
}

/// The real path of the executable.
pub fn executable() -> String {
    match std::env::current_exe() {
        Ok(path) => path.to_string_lossy().into_owned(),
        Err(_) => process::arguments().first().map(|first| first.to_string_lossy().into_owned()).unwrap_or_default(),
    }
}

/// `patchProcessObject(process)`
pub fn patch<'s>(scope: &mut PinScope<'s, '_>, args: FunctionCallbackArguments<'s>, _: ReturnValue<'s, Value>) {
    let Ok(target) = Local::<Object>::try_from(args.get(0)) else { return };
    accessor(scope, target, "title", AccessorConfiguration::new(get_title).setter(set_title));

    let Ok(index) = Realm::current().program.image.index() else { return };
    let line = command_line::get(index);
    let first = process::arguments().first();
    let realm = Realm::current();
    let entry = match &line.task {
        Task::Module(entry) => Some(entry),
        _ => None,
    };
    let (all, options) = match &realm.thread.worker {
        None => (array(scope, first.into_iter().chain(entry).chain(&line.arguments)), &line.options),
        // The library adds the rest.
        Some(worker) => (array(scope, first), &worker.options),
    };
    // What is evaluated at build time may hold the array that is to become `process.argv`.
    match realm.slot(scope, ARGUMENTS).and_then(|known| Local::<v8::Array>::try_from(known).ok()) {
        Some(known) => {
            for index in 0..all.length() {
                if let Some(argument) = all.get_index(scope, index) {
                    known.set_index(scope, index, argument);
                }
            }
            js::set(scope, target, "argv", known);
        }
        None => {
            js::set(scope, target, "argv", all);
            if realm.building {
                realm.set_slot(scope, ARGUMENTS, all);
            }
        }
    }
    let options = array(scope, options);
    js::set(scope, target, "execArgv", options);

    // While a snapshot is taken, it is nobody's yet.
    let pid = if realm.building { 0 } else { std::process::id() };
    let pid = js::number(scope, f64::from(pid));
    let key = js::name(scope, "pid");
    target.define_own_property(scope, key.into(), pid, PropertyAttribute::READ_ONLY);
    accessor(scope, target, "ppid", AccessorConfiguration::new(get_ppid));
    let path = js::string(scope, &executable());
    js::set(scope, target, "execPath", path);
    accessor(scope, target, "debugPort", AccessorConfiguration::new(get_debug_port).setter(set_debug_port));
}

fn array<'a, 's>(scope: &PinScope<'s, '_>, texts: impl IntoIterator<Item = &'a OsString>) -> Local<'s, v8::Array> {
    let texts = texts.into_iter().filter_map(|argument| text::utf8(scope, argument.as_bytes()));
    let texts: Vec<Local<Value>> = texts.map(Into::into).collect();
    v8::Array::new_with_elements(scope, &texts)
}

/// The callbacks of accessors, for the table of external references.
pub fn references() -> Vec<v8::ExternalReference> {
    let getters: [v8::AccessorNameGetterCallback; 3] =
        [get_title.map_fn_to(), get_ppid.map_fn_to(), get_debug_port.map_fn_to()];
    let setters: [v8::AccessorNameSetterCallback; 2] = [set_title.map_fn_to(), set_debug_port.map_fn_to()];
    let getters = getters.map(|getter| v8::ExternalReference { pointer: getter as *mut c_void });
    let setters = setters.map(|setter| v8::ExternalReference { pointer: setter as *mut c_void });
    [&getters[..], &setters[..]].concat()
}

fn accessor<'s>(
    scope: &PinScope<'s, '_>,
    target: Local<'s, Object>,
    name: &str,
    configuration: AccessorConfiguration<'s>,
) {
    target.set_accessor_with_configuration(scope, js::name(scope, name).into(), configuration);
}

fn get_title<'s>(
    scope: &mut PinScope<'s, '_>,
    _: Local<'s, Name>,
    _: PropertyCallbackArguments<'s>,
    mut rv: ReturnValue<Value>,
) {
    if let Some(title) = text::utf8(scope, title::get().as_bytes()) {
        rv.set(title.into());
    }
}

/// A worker can't change what belongs to the process: it gets a property of its own.
fn is_shadowed<'s>(
    scope: &mut PinScope<'s, '_>,
    key: Local<'s, Name>,
    value: Local<'s, Value>,
    args: &PropertyCallbackArguments<'s>,
) -> bool {
    let is_worker = !Realm::current().thread.is_main();
    if is_worker {
        // To define it over the accessor would call the accessor's setter.
        args.holder().delete(scope, key.into());
        args.holder().create_data_property(scope, key, value);
    }
    is_worker
}

fn set_title<'s>(
    scope: &mut PinScope<'s, '_>,
    key: Local<'s, Name>,
    value: Local<'s, Value>,
    args: PropertyCallbackArguments<'s>,
    _: ReturnValue<()>,
) {
    if is_shadowed(scope, key, value, &args) {
        return;
    }
    let Some(title) = value.to_string(scope) else { return };
    title::set(&title.to_rust_string_lossy(scope));
}

fn get_ppid<'s>(
    _: &mut PinScope<'s, '_>,
    _: Local<'s, Name>,
    _: PropertyCallbackArguments<'s>,
    mut rv: ReturnValue<Value>,
) {
    rv.set_int32(process::parent_id());
}

fn get_debug_port<'s>(
    _: &mut PinScope<'s, '_>,
    _: Local<'s, Name>,
    _: PropertyCallbackArguments<'s>,
    mut rv: ReturnValue<Value>,
) {
    rv.set_int32(Realm::current().room::<State>().debug_port.get());
}

fn set_debug_port<'s>(
    scope: &mut PinScope<'s, '_>,
    key: Local<'s, Name>,
    value: Local<'s, Value>,
    args: PropertyCallbackArguments<'s>,
    _: ReturnValue<()>,
) {
    if is_shadowed(scope, key, value, &args) {
        return;
    }
    let port = value.int32_value(scope).unwrap_or_default();
    if port != 0 && !(1024..=65535).contains(&port) {
        let message = "process.debugPort must be 0 or in range 1024 to 65535";
        return errors::throw_code(scope, Kind::RangeError, "ERR_OUT_OF_RANGE", message);
    }
    Realm::current().room::<State>().debug_port.set(port);
}
