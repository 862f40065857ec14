//! `internalBinding('fs_event_wrap')`: watching files and folders.

use std::rc::Rc;

use v8::{FunctionCallbackArguments, PinScope, ReturnValue, Value};

use super::fs::{args, watched};
use super::stream_wrap::HandleState;
use crate::text::{self, Encoding};
use crate::uv::handle::Handle;
use crate::uv::watch::Event;
use crate::{callback, js, realm};

crate::room! {
    name: "fs_event_wrap",
    classes: {
        "FSEvent" extends "HandleWrap" {
            trap new => new,
            trap "start" => start,
        } get {
            "initialized" => initialized;
        },
    },
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

fn new<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    HandleState::attach(scope, args.this(), "FSEVENTWRAP", None);
}

/// Whether it watches: false before `start` and after `close`.
fn initialized<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let handle = HandleState::of(scope, args.this()).and_then(|state| state.handle());
    rv.set_bool(handle.is_some_and(|handle| !handle.is_closing()));
}

/// `start(path, persistent, recursive, encoding)`
fn start<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let path = watched(args::path(scope, args.get(0)));
    let encoding = Encoding::parse(scope, args.get(3), Encoding::Utf8);
    let Some(state) = HandleState::of(scope, args.this()) else { return };
    let handle = match Handle::fs_event() {
        Ok(handle) => handle,
        Err(errno) => return rv.set_int32(errno),
    };
    let weak = Rc::downgrade(&state);
    let on_event = move |name: Option<&[u8]>, event, status| {
        let Some(state) = weak.upgrade() else { return };
        realm::enter(|scope| {
            let Some(object) = state.object(scope) else { return };
            let event = match event {
                _ if status != 0 => "",
                Event::Rename => "rename",
                Event::Change => "change",
            };
            let name = name.and_then(|name| text::encode(scope, name, encoding)).unwrap_or_else(|| js::null(scope));
            let arguments = [js::integer(scope, status), js::string(scope, event).into(), name];
            callback::method(scope, object, "onchange", &arguments);
        });
    };
    let result = handle.fs_event_start(&path, args.get(2).is_true(), Rc::new(on_event));
    state.open(scope, args.this(), handle);
    if result != 0 {
        state.close(scope, None);
    } else if !args.get(1).is_true()
        && let Some(handle) = state.handle()
    {
        handle.set_ref(false);
    }
    rv.set_int32(result);
}
