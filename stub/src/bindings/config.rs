//! `internalBinding('config')`: what this build of the runtime can do.

use v8::{FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use crate::{facts, js};

crate::room! {
    name: "config",
    functions: {
        trap "getDefaultLocale" => get_default_locale,
    },
    setup: setup,
}

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    facts::install(scope, "config", target);
    // There is no debugger's port in a finished program.
    let no = js::boolean(scope, false);
    js::set(scope, target, "hasInspector", no);
}

fn get_default_locale<'s>(
    scope: &mut PinScope<'s, '_>,
    _: FunctionCallbackArguments<'s>,
    mut rv: ReturnValue<'s, Value>,
) {
    rv.set(js::string(scope, &v8::icu::get_language_tag()).into());
}
