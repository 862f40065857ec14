//! `internalBinding('tty_wrap')`: terminals.

use v8::{Array, FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use super::stream_wrap::{HandleState, handle_of};
use crate::trap::{self, Guard};
use crate::uv::handle::Handle;
use crate::uv::stream::guess_handle_type;
use crate::{errors, facts, js};

crate::room! {
    name: "tty_wrap",
    functions: { pure "isTTY" => is_tty },
    classes: {
        "TTY" extends "LibuvStreamWrap" {
            trap new => new_tty,
            trap "getWindowSize" => get_window_size,
            trap "setRawMode" => set_raw_mode,
        },
    },
    setup: setup,
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

const EBADF: i32 = -libc::EBADF;

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    facts::install(scope, "tty_wrap", target);
}

fn is_tty<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let fd = args.get(0).int32_value(scope).unwrap_or(-1);
    // Most starts are those of scripts, and of other programs.
    if trap::assume(Guard::NoTerminal(fd)) {
        rv.set_bool(false);
    } else if !trap::spring(scope, "isTTY") {
        rv.set_bool(guess_handle_type(fd) == "TTY");
    }
}

/// `new TTY(fd, context)`: a failure is told in `context`.
fn new_tty<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let fd = args.get(0).int32_value(scope).unwrap_or(-1);
    let handle = Handle::tty(fd);
    if let (Err(error), Ok(context)) = (&handle, args.get(1).try_into()) {
        errors::collect_uv(scope, context, *error, "uv_tty_init");
    }
    HandleState::attach(scope, args.this(), "TTYWRAP", handle.ok());
}

fn get_window_size<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let size = handle_of(scope, &args).map_or(Err(EBADF), |handle| handle.window_size());
    let result = match (size, Local::<Array>::try_from(args.get(0))) {
        (Ok((columns, rows)), Ok(target)) => {
            for (index, value) in [columns, rows].into_iter().enumerate() {
                let value = js::integer(scope, value);
                target.set_index(scope, index as u32, value);
            }
            0
        }
        (Ok(_), Err(_)) => 0,
        (Err(error), _) => error,
    };
    rv.set_int32(result);
}

fn set_raw_mode<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let mode = args.get(0).uint32_value(scope).unwrap_or_default();
    rv.set_int32(handle_of(scope, &args).map_or(EBADF, |handle| handle.set_tty_mode(mode)));
}
