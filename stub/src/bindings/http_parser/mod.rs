//! `internalBinding('http_parser')`: HTTP/1 messages, by llhttp.

mod connections;
mod messages;
mod parser;

use v8::{Local, Object, PinScope};

use crate::{binding, facts, js};

crate::room! {
    name: "http_parser",
    classes: {
        "HTTPParser" extends "AsyncWrap" {
            pure new => parser::new_parser,
            pure "close" => parser::close,
            pure "free" => parser::free,
            pure "remove" => parser::remove,
            trap "execute" => parser::execute,
            trap "finish" => parser::finish,
            trap "initialize" => parser::initialize,
            pure "pause" => parser::pause,
            pure "resume" => parser::resume,
            trap "consume" => parser::consume,
            trap "unconsume" => parser::unconsume,
            pure "getCurrentBuffer" => parser::get_current_buffer,
        },
        "ConnectionsList" {
            pure new => connections::new_list,
            pure "all" => connections::all,
            pure "idle" => connections::idle,
            pure "active" => connections::active,
            trap "expired" => connections::expired,
        },
    },
    setup: setup,
}

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    facts::install(scope, "http_parser", target);
    let class: Local<Object> = binding::class(scope, "HTTPParser").into();
    let Some(constants) = facts::object(scope, &["classes", "http_parser", "HTTPParser", "data"]) else { return };
    let Some(names) = constants.get_own_property_names(scope, Default::default()) else { return };
    for index in 0..names.length() {
        let Some(name) = names.get_index(scope, index) else { continue };
        if let Some(value) = constants.get(scope, name) {
            class.set(scope, name, value);
        }
    }
    debug_assert!(js::get(scope, class, "kOnExecute").is_some());
}
