//! `StatWatcher`: what `fs.watchFile` stands on.

use std::rc::Rc;

use v8::PinScope;

use super::request::{Args, Return};
use super::{args, stats};
use crate::bindings::stream_wrap::HandleState;
use crate::uv::fs::Stat;
use crate::uv::handle::Handle;
use crate::{callback, js, realm};

/// `new StatWatcher(bigint)`
pub fn new<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let object = args.this();
    HandleState::attach(scope, object, "STATWATCHER", Handle::fs_poll().ok());
    // The state belongs to the handle, so the object itself keeps what else it has to know.
    js::set(scope, object, BIGINT, args.get(0));
}

const BIGINT: &str = "useBigint";

/// `watcher.start(path, interval)`
pub fn start<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let path = super::watched(args::path(scope, args.get(0)));
    let interval = args.get(1).uint32_value(scope).unwrap_or_default();
    let bigint = js::get(scope, args.this(), BIGINT).is_some_and(|value| value.is_true());
    let Some(state) = HandleState::of(scope, args.this()) else { return };
    let Some(handle) = state.handle().filter(|handle| !handle.is_active()) else { return };
    let state = Rc::downgrade(&state);
    let on_poll = move |status, previous: &Stat, present: &Stat| {
        let Some(state) = state.upgrade() else { return };
        realm::enter(|scope| {
            let array = stats::two(scope, present, previous, bigint);
            if let (Some(object), Some(array)) = (state.object(scope), array) {
                let status = js::integer(scope, status);
                callback::method(scope, object, "onchange", &[status, array]);
            }
        });
    };
    let result = handle.fs_poll_start(&path, interval, Rc::new(on_poll));
    if result != 0 {
        rv.set_int32(result);
    }
}
