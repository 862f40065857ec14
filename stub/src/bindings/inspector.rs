//! `internalBinding('inspector')`: nobody is connected. Opening a port or a session says that it is not available.

use v8::{FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use crate::{binding, js};

crate::room! {
    name: "inspector",
    functions: {
        pure "isEnabled" => no,
        pure "url" => nothing,
        pure "waitForDebugger" => no,
        pure "setConsoleExtensionInstaller" => nothing,
        pure "registerAsyncHook" => nothing,
        pure "setupNetworkTracking" => nothing,
        pure "asyncTaskScheduled" => nothing,
        pure "asyncTaskCanceled" => nothing,
        pure "asyncTaskStarted" => nothing,
        pure "asyncTaskFinished" => nothing,
        pure "emitProtocolEvent" => nothing,
    },
    setup: setup,
}

const METHODS: &[&str] = &[
    "debug",
    "error",
    "info",
    "log",
    "warn",
    "dir",
    "dirxml",
    "table",
    "trace",
    "group",
    "groupCollapsed",
    "groupEnd",
    "clear",
    "count",
    "countReset",
    "assert",
    "profile",
    "profileEnd",
    "time",
    "timeLog",
    "timeEnd",
    "timeStamp",
    "context",
];

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    // What is written to the debugger's own console, nobody reads.
    let console = Object::new(scope);
    for name in METHODS {
        binding::define(scope, console, binding::Function { name, ..crate::function!(pure, "", nothing) });
    }
    js::set(scope, target, "console", console);
}

fn no<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_bool(false);
}

fn nothing<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, _: Return<'s>) {}
