//! `internalBinding('uv')`: libuv's errors.

use std::cell::Cell;

use v8::{Array, FunctionCallbackArguments, Local, Map, Object, PinScope, ReturnValue, Value};

use crate::bindings::options;
use crate::errors::{self, Kind};
use crate::realm::Realm;
use crate::uv::{ERRORS, error_message, error_name};
use crate::{facts, js};

crate::room! {
    name: "uv",
    functions: {
        pure "errname" => errname,
        pure "getErrorMap" => get_error_map,
        pure "getErrorMessage" => get_error_message,
    },
    setup: setup,
}

const DEPRECATION: &str = "Directly calling process.binding('uv').errname(<val>) is being deprecated. Please make sure to \
                           use util.getSystemErrorName() instead.";

#[derive(Default)]
struct State {
    /// Whether the program was told that `errname` is for the library.
    has_warned: Cell<bool>,
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    facts::install(scope, "uv", target);
}

fn errname<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    if options::flag(scope, "--pending-deprecation") && !Realm::current().room::<State>().has_warned.replace(true) {
        errors::emit_deprecation(scope, DEPRECATION, "DEP0119");
    }
    let error = args.get(0).int32_value(scope).unwrap_or_default();
    rv.set(js::string(scope, &error_name(error)).into());
}

fn get_error_message<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let error = args.get(0).int32_value(scope).unwrap_or_default();
    if error >= 0 {
        return errors::throw_code(scope, Kind::Error, "ERR_INTERNAL_ASSERTION", "a libuv error is negative");
    }
    rv.set(js::string(scope, &error_message(error)).into());
}

/// A map from each error's number to its name and message.
fn get_error_map<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    let map = Map::new(scope);
    for &error in ERRORS {
        let entry: [Local<Value>; 2] =
            [js::string(scope, &error_name(error)).into(), js::string(scope, &error_message(error)).into()];
        let entry = Array::new_with_elements(scope, &entry);
        let key = js::integer(scope, error);
        map.set(scope, key, entry.into());
    }
    rv.set(map.into());
}
