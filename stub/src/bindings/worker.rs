//! `internalBinding('worker')`: what a thread knows of itself.

use v8::{FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use crate::facts;

crate::room! {
    name: "worker",
    functions: { pure "getEnvMessagePort" => get_env_message_port },
    setup: setup,
}

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    // Node was asked in its main thread, so these are a main thread's answers.
    facts::install(scope, "worker", target);
}

/// The port to the thread that started this one; the main thread has none.
fn get_env_message_port<'s>(_: &mut PinScope<'s, '_>, _: FunctionCallbackArguments<'s>, _: ReturnValue<'s, Value>) {}
