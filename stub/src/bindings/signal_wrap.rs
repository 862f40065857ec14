//! `internalBinding('signal_wrap')`: watching for signals.

use std::rc::Rc;

use v8::{FunctionCallbackArguments, PinScope, ReturnValue, Value};

use super::stream_wrap::{HandleState, handle_of};
use crate::uv::handle::Handle;
use crate::{callback, js, realm};

crate::room! {
    name: "signal_wrap",
    classes: {
        "Signal" extends "HandleWrap" {
            trap new => new_signal,
            trap "start" => start,
            trap "stop" => stop,
        },
    },
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

const EBADF: i32 = -libc::EBADF;

fn new_signal<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    HandleState::attach(scope, args.this(), "SIGNALWRAP", Handle::signal().ok());
}

fn start<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let signal = args.get(0).int32_value(scope).unwrap_or_default();
    let Some(state) = HandleState::of(scope, args.this()) else { return rv.set_int32(EBADF) };
    let Some(handle) = state.handle() else { return rv.set_int32(EBADF) };
    let state = Rc::downgrade(&state);
    let on_signal = move |signal| {
        let Some(state) = state.upgrade() else { return };
        realm::enter(|scope| {
            if let Some(object) = state.object(scope) {
                let signal = js::integer(scope, signal);
                callback::method(scope, object, "onsignal", &[signal]);
            }
        });
    };
    rv.set_int32(handle.signal_start(signal, Rc::new(on_signal)));
}

fn stop<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    rv.set_int32(handle_of(scope, &args).map_or(EBADF, |handle| handle.signal_stop()));
}
