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
    for (slot, name, length) in
        [("http2.optionsBuffer", "optionsBuffer", 14), ("http2.settingsBuffer", "settingsBuffer", 29)]
    {
        let array = aliased::create::<u32>(scope, slot, length);
        js::set(scope, target, name, array);
    }
    for (slot, name, length) in [
        ("http2.sessionState", "sessionState", 9),
        ("http2.streamState", "streamState", 6),
        ("http2.sessionStats", "sessionStats", 9),
        ("http2.streamStats", "streamStats", 6),
    ] {
        let array = aliased::create::<f64>(scope, slot, length);
        js::set(scope, target, name, array);
    }
}

fn nothing<'s>(_: &mut PinScope<'s, '_>, _: FunctionCallbackArguments<'s>, _: ReturnValue<'s, Value>) {}
