//! `internalBinding('options')`: Node's command-line options, at the values they have by default.
//!
//! A finished program has no options of its own; the values are those that `node` without arguments has. A child that
//! a program starts as Node may be given some.

use std::collections::BTreeMap;

use v8::{Array, FunctionCallbackArguments, Local, Map, Object, PinScope, ReturnValue, Value};

use crate::bindings::{errors, profiling};
use crate::realm::Realm;
use crate::uv::title;
use crate::{command_line, facts, js};

crate::room! {
    name: "options",
    functions: {
        pure "getCLIOptionsValues" => values,
        pure "getCLIOptionsInfo" => info,
        pure "getOptionsAsFlags" => flags,
        pure "getEmbedderOptions" => embedder,
        pure "getEnvOptionsInputType" => empty,
        pure "getNamespaceOptionsInputType" => empty,
    },
    setup: setup,
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

/// The slots of what the library asks for at every start.
const VALUES: &str = "options.values";
const EMBEDDER: &str = "options.embedder";

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    facts::install(scope, "options", target);
    let realm = Realm::current();
    let values = make_values(scope);
    realm.set_slot(scope, VALUES, values);
    let embedder = make_embedder(scope);
    realm.set_slot(scope, EMBEDDER, embedder);
}

/// The pairs at `path` of the facts.
fn pairs<'s>(scope: &mut PinScope<'s, '_>, path: &[&str]) -> Vec<(Local<'s, Value>, Local<'s, Value>)> {
    let all: Option<Local<Array>> = facts::get(scope, path).and_then(|all| all.try_into().ok());
    let Some(all) = all else { return Vec::new() };
    (0..all.length())
        .filter_map(|index| {
            let pair: Local<Array> = all.get_index(scope, index)?.try_into().ok()?;
            Some((pair.get_index(scope, 0)?, pair.get_index(scope, 1)?))
        })
        .collect()
}

fn without_prototype<'s>(scope: &mut PinScope<'s, '_>) -> Local<'s, Object> {
    let null = js::null(scope);
    Object::with_prototype_and_properties(scope, null, &[], &[])
}

fn values<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    if let Some(values) = Realm::current().slot(scope, VALUES) {
        rv.set(values);
    }
}

/// Sets what the command line says, before anything asks.
pub fn apply(scope: &mut PinScope, values: &BTreeMap<String, command_line::Value>) {
    use command_line::Value as Given;
    let Some(target) = Realm::current().object(scope, VALUES).filter(|_| !values.is_empty()) else { return };
    for (name, value) in values {
        let value: Local<Value> = match value {
            Given::Flag(flag) => {
                // The negation of some has a name too.
                let negation = name.replacen("--", "--no-", 1);
                if js::get(scope, target, &negation).is_some_and(|value| value.is_boolean()) {
                    let value = js::boolean(scope, !flag);
                    js::set(scope, target, &negation, value);
                }
                js::boolean(scope, *flag)
            }
            Given::Number(number) => js::number(scope, *number),
            Given::Text(text) => js::string(scope, text).into(),
            Given::List(list) => js::strings(scope, list).into(),
            Given::HostPort(host, port) => {
                let value = without_prototype(scope);
                let host = js::string(scope, host.as_deref().unwrap_or("127.0.0.1"));
                js::set(scope, value, "host", host);
                let port = js::integer(scope, i32::from(port.unwrap_or(9229)));
                js::set(scope, value, "port", port);
                value.into()
            }
        };
        js::set(scope, target, name, value);
    }
    if let Some(Given::Text(title)) = values.get("--title") {
        title::set(title);
    }
    errors::prepare(scope);
    profiling::begin(scope);
}

/// Whether an option is set.
pub fn flag(scope: &mut PinScope, name: &str) -> bool {
    let values = Realm::current().object(scope, VALUES);
    values.and_then(|values| js::get(scope, values, name)).is_some_and(|value| value.is_true())
}

/// The value of an option that takes a number.
pub fn number(scope: &mut PinScope, name: &str) -> Option<f64> {
    let values = Realm::current().object(scope, VALUES)?;
    js::get(scope, values, name)?.number_value(scope).filter(|number| !number.is_nan())
}

/// The value of an option that takes a text, unless that is empty.
pub fn text(scope: &mut PinScope, name: &str) -> Option<String> {
    let values = Realm::current().object(scope, VALUES)?;
    let value = js::get(scope, values, name).filter(|value| value.is_string())?.to_rust_string_lossy(scope);
    (!value.is_empty()).then_some(value)
}

fn make_values<'s>(scope: &mut PinScope<'s, '_>) -> Local<'s, Object> {
    let values = without_prototype(scope);
    let undefined = js::undefined(scope);
    for (name, value) in pairs(scope, &["options", "values"]) {
        // JSON has no `undefined`, which is what options without a value are.
        values.set(scope, name, if value.is_null() { undefined } else { value });
    }
    values
}

fn info<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    let info = Object::new(scope);
    for (key, path) in [("options", ["options", "info"]), ("aliases", ["options", "aliases"])] {
        let map = Map::new(scope);
        if let Some(prototype) = safe_map_prototype(scope) {
            map.set_prototype(scope, prototype);
        }
        for (name, value) in pairs(scope, &path) {
            map.set(scope, name, value);
        }
        js::set(scope, info, key, map);
    }
    rv.set(info.into());
}

/// What maps have that programs can't tamper with.
fn safe_map_prototype<'s>(scope: &mut PinScope<'s, '_>) -> Option<Local<'s, Value>> {
    let primordials = Realm::current().object(scope, crate::bootstrap::PRIMORDIALS)?;
    let class: Local<Object> = js::get(scope, primordials, "SafeMap")?.try_into().ok()?;
    js::get(scope, class, "prototype")
}

fn flags<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set(Array::new(scope, 0).into());
}

fn embedder<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    if let Some(options) = Realm::current().slot(scope, EMBEDDER) {
        rv.set(options);
    }
}

fn make_embedder<'s>(scope: &mut PinScope<'s, '_>) -> Local<'s, Object> {
    let options = Object::new(scope);
    if let Some(facts) = facts::object(scope, &["options", "embedder"])
        && let Some(names) = facts.get_own_property_names(scope, Default::default())
    {
        for index in 0..names.length() {
            let Some(name) = names.get_index(scope, index) else { continue };
            if let Some(value) = facts.get(scope, name) {
                options.set(scope, name, value);
            }
        }
    }
    options
}

/// Only `--experimental-config-file` needs these.
fn empty<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set(Map::new(scope).into());
}
