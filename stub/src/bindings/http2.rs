//! `internalBinding('http2')`: so far only what loading `node:http2` takes.

use v8::{FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use crate::{aliased, facts, js};

crate::room! {
    name: "http2",
    functions: { pure "setCallbackFunctions" => nothing },
    setup: setup,
}

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    facts::install(scope, "http2", target);
    for (name, length) in [("optionsBuffer", 14), ("settingsBuffer", 29)] {
        let array = aliased::create::<u32>(scope, &format!("http2.{name}"), length);
        js::set(scope, target, name, array);
    }
    for (name, length) in [("sessionState", 9), ("streamState", 6), ("sessionStats", 9), ("streamStats", 6)] {
        let array = aliased::create::<f64>(scope, &format!("http2.{name}"), length);
        js::set(scope, target, name, array);
    }
}

fn nothing<'s>(_: &mut PinScope<'s, '_>, _: FunctionCallbackArguments<'s>, _: ReturnValue<'s, Value>) {}
