//! `internalBinding('process_wrap')`: child processes.

use std::ffi::CString;
use std::rc::Rc;

use v8::{Array, FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use super::stream_wrap::HandleState;
use crate::uv::child::{Command, Stdio};
use crate::uv::handle::Handle;
use crate::uv::signal;
use crate::{callback, facts, js, realm, vfs};

crate::room! {
    name: "process_wrap",
    classes: {
        "Process" extends "HandleWrap" {
            trap new => new_process,
            trap "spawn" => spawn,
            trap "kill" => kill,
        },
    },
    setup: setup,
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

const EINVAL: i32 = -libc::EINVAL;
const ESRCH: i32 = -libc::ESRCH;
/// `kProcessFlagDetached`; the other flags are Windows's.
const DETACHED: i32 = 1;

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    facts::install(scope, "process_wrap", target);
}

fn new_process<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    HandleState::attach(scope, args.this(), "PROCESSWRAP", None);
}

/// `value` as a C string, up to its first zero.
pub fn c_text<'s>(scope: &PinScope<'s, '_>, value: Local<'s, Value>) -> CString {
    let mut bytes = value.to_rust_string_lossy(scope).into_bytes();
    bytes.truncate(bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len()));
    CString::new(bytes).unwrap_or_default()
}

/// An array as C strings; `None` for anything else.
pub fn c_texts<'s>(scope: &PinScope<'s, '_>, value: Local<'s, Value>) -> Option<Vec<CString>> {
    let array = Local::<Array>::try_from(value).ok()?;
    Some(
        (0..array.length()).filter_map(|index| array.get_index(scope, index)).map(|item| c_text(scope, item)).collect(),
    )
}

/// `value` unless it is null or undefined.
pub fn present<'s>(value: Local<'s, Value>) -> Option<Local<'s, Value>> {
    (!value.is_null_or_undefined()).then_some(value)
}

/// The descriptors that `child_process` asks for.
fn stdio<'s>(scope: &PinScope<'s, '_>, value: Local<'s, Value>) -> Option<Vec<Stdio>> {
    let array = Local::<Array>::try_from(value).ok()?;
    let items = (0..array.length()).map(|index| {
        let item = Local::<Object>::try_from(array.get_index(scope, index)?).ok()?;
        let kind = js::get(scope, item, "type")?.to_rust_string_lossy(scope);
        let handle = || {
            let handle = Local::<Object>::try_from(js::get(scope, item, "handle")?).ok()?;
            HandleState::of(scope, handle)?.handle()
        };
        Some(match kind.as_str() {
            "ignore" => Stdio::Ignore,
            "pipe" | "overlapped" => Stdio::Pipe(handle()?),
            "wrap" => Stdio::Stream(handle()?),
            _ => Stdio::Fd(js::get(scope, item, "fd")?.int32_value(scope)?),
        })
    });
    items.collect()
}

/// `spawn(file, args, cwd, envPairs, stdio, flags, uid, gid)`
fn spawn<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(state) = HandleState::of(scope, args.this()) else { return rv.set_int32(EINVAL) };
    let file = c_text(scope, args.get(0));
    let Some(stdio) = stdio(scope, args.get(4)) else { return rv.set_int32(EINVAL) };
    let id = |value| present(value).and_then(|value| value.int32_value(scope)).map(|id| id as u32);
    let mut command = Command {
        // Without arguments the program still gets its own name.
        arguments: c_texts(scope, args.get(1)).filter(|list| !list.is_empty()).unwrap_or_else(|| vec![file.clone()]),
        file,
        environment: c_texts(scope, args.get(3)),
        cwd: present(args.get(2)).map(|cwd| c_text(scope, cwd)).filter(|cwd| !cwd.is_empty()),
        uid: id(args.get(6)),
        gid: id(args.get(7)),
        detached: args.get(5).int32_value(scope).unwrap_or_default() & DETACHED != 0,
        embedded_cwd: None,
        first_in_path: None,
    };
    vfs::hand_over(&mut command);
    let weak = Rc::downgrade(&state);
    let on_exit = move |status, number| {
        let Some(state) = weak.upgrade() else { return };
        realm::enter(|scope| {
            let Some(object) = state.object(scope) else { return };
            let signal = js::string(scope, signal::name(number));
            let arguments = [js::number(scope, status as f64), signal.into()];
            callback::method(scope, object, "onexit", &arguments);
        });
    };
    let (handle, result) = Handle::spawn(&command, &stdio, Rc::new(on_exit));
    state.open(scope, args.this(), handle);
    let result = match result {
        Ok(pid) => {
            let pid = js::integer(scope, pid);
            js::set(scope, args.this(), "pid", pid);
            0
        }
        Err(error) => error,
    };
    rv.set_int32(result);
}

fn kill<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let signal = args.get(0).int32_value(scope).unwrap_or_default();
    let handle = HandleState::of(scope, args.this()).and_then(|state| state.handle());
    rv.set_int32(handle.map_or(ESRCH, |handle| handle.kill(signal)));
}
