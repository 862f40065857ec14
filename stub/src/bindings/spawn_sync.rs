//! `internalBinding('spawn_sync')`: child processes that JavaScript waits for.

use v8::{Array, FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use super::buffer::new_buffer;
use super::process_wrap::{c_text, c_texts, present};
use crate::uv::child::Command;
use crate::uv::signal;
use crate::uv::spawn_sync::{self, Limits, Outcome, Stdio};
use crate::{js, vfs};

crate::room! {
    name: "spawn_sync",
    functions: { trap "spawn" => spawn },
}

const EINVAL: i32 = -libc::EINVAL;

/// An object's properties, which are all optional.
struct Options<'s>(Local<'s, Object>);

impl<'s> Options<'s> {
    fn get(&self, scope: &PinScope<'s, '_>, name: &str) -> Option<Local<'s, Value>> {
        js::get(scope, self.0, name).and_then(present)
    }

    fn flag(&self, scope: &PinScope<'s, '_>, name: &str) -> bool {
        self.get(scope, name).is_some_and(|value| value.boolean_value(scope))
    }

    fn number(&self, scope: &PinScope<'s, '_>, name: &str) -> Option<f64> {
        self.get(scope, name).and_then(|value| value.number_value(scope))
    }
}

fn stdio<'s>(scope: &PinScope<'s, '_>, options: &Options<'s>) -> Option<Vec<Stdio>> {
    let array = Local::<Array>::try_from(options.get(scope, "stdio")?).ok()?;
    let items = (0..array.length()).map(|index| {
        let item = Options(array.get_index(scope, index)?.try_into().ok()?);
        Some(match item.get(scope, "type")?.to_rust_string_lossy(scope).as_str() {
            "ignore" => Stdio::Ignore,
            "pipe" => {
                let input = item.get(scope, "input").and_then(|input| js::bytes(input));
                Stdio::Pipe {
                    readable: item.flag(scope, "readable"),
                    writable: item.flag(scope, "writable"),
                    input: input.unwrap_or_default().iter().map(|byte| byte.get()).collect(),
                }
            }
            "inherit" | "fd" => Stdio::Fd(item.number(scope, "fd")? as i32),
            _ => return None,
        })
    });
    items.collect()
}

fn run<'s>(scope: &PinScope<'s, '_>, options: &Options<'s>) -> Option<Outcome> {
    let id = |name| options.number(scope, name).map(|id| id as i32 as u32);
    let mut command = Command {
        file: c_text(scope, options.get(scope, "file")?),
        arguments: c_texts(scope, options.get(scope, "args")?)?,
        environment: options.get(scope, "envPairs").and_then(|pairs| c_texts(scope, pairs)),
        cwd: options.get(scope, "cwd").map(|cwd| c_text(scope, cwd)),
        uid: id("uid"),
        gid: id("gid"),
        detached: options.flag(scope, "detached"),
        embedded_cwd: None,
        first_in_path: None,
    };
    vfs::hand_over(&mut command);
    let limits = Limits {
        timeout: options.number(scope, "timeout").map_or(0, |timeout| timeout.max(0.0) as u64),
        max_buffer: options.number(scope, "maxBuffer").unwrap_or_default(),
        kill_signal: options.number(scope, "killSignal").map_or(0, |signal| signal as i32),
    };
    Some(spawn_sync::run(&command, stdio(scope, options)?, limits))
}

/// `spawn(options)` gives `{ pid, status, signal, output }`, and a libuv error as `error`.
fn spawn<'s>(scope: &mut PinScope<'s, '_>, args: FunctionCallbackArguments<'s>, mut rv: ReturnValue<'s, Value>) {
    let options = args.get(0).try_into().ok().map(Options);
    let outcome = options.and_then(|options| run(scope, &options));
    let outcome = outcome.unwrap_or(Outcome { pid: 0, error: EINVAL, status: None, signal: 0, output: Vec::new() });
    let result = Object::new(scope);
    let null = js::null(scope);
    if outcome.error != 0 {
        let error = js::integer(scope, outcome.error);
        js::set(scope, result, "error", error);
    }
    let status = match outcome.status {
        Some(status) if outcome.signal == 0 => js::number(scope, status as f64),
        _ => null,
    };
    js::set(scope, result, "status", status);
    let signal = match outcome.signal {
        0 => null,
        number => js::string(scope, signal::name(number)).into(),
    };
    js::set(scope, result, "signal", signal);
    let output = match outcome.status {
        Some(_) => {
            let items =
                outcome.output.into_iter().map(|bytes| bytes.map_or(null, |bytes| new_buffer(scope, bytes).into()));
            let items: Vec<Local<Value>> = items.collect();
            Array::new_with_elements(scope, &items).into()
        }
        None => null,
    };
    js::set(scope, result, "output", output);
    let pid = js::integer(scope, outcome.pid);
    js::set(scope, result, "pid", pid);
    rv.set(result.into());
}
