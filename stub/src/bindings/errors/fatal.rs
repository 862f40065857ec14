//! What happens to an exception that nobody caught.

use std::cell::Cell;
use std::io::{ErrorKind, Write};

use v8::{Function, Local, Object, PinScope, Value};

use super::{ENHANCE_AFTER, ENHANCE_BEFORE, arrow, frames};
use crate::bindings::{options, report};
use crate::realm::Realm;
use crate::{aliased, bootstrap, js, library};

/// Exit codes, as in Node's `src/node_exit_code.h`.
const GENERIC_USER_ERROR: i32 = 1;
const INVALID_FATAL_EXCEPTION: i32 = 6;
const EXCEPTION_IN_FATAL_EXCEPTION_HANDLER: i32 = 7;

#[derive(Default)]
struct State {
    /// A source line was printed for an error that can't carry it; only the first one is shown.
    printed: Cell<bool>,
}

/// Reports an exception that nobody caught: `process._fatalException` may have a handler for it, or else it
/// is printed and the process ends.
pub fn trigger_uncaught<'s>(
    scope: &mut PinScope<'s, '_>,
    exception: Local<'s, Value>,
    message: Option<Local<'s, v8::Message>>,
    from_promise: bool,
) {
    let realm = Realm::current();
    if realm.building || realm.thread.is_stopping() {
        // It belongs to the program's run, where it will happen again; or nothing can be done about it any more.
        return;
    }
    let message = message.unwrap_or_else(|| v8::Exception::create_message(scope, exception));
    if !from_promise {
        frames::abort_on_uncaught(scope, message);
    }
    let process = realm.object(scope, bootstrap::PROCESS);
    let handler = process.and_then(|process| js::get(scope, process, "_fatalException"));
    let handler = handler.and_then(|handler| Local::<Function>::try_from(handler).ok());
    let (Some(process), Some(handler)) = (process, handler) else {
        print_exception(scope, exception, message, false);
        return exit(INVALID_FATAL_EXCEPTION);
    };
    let from_promise = js::boolean(scope, from_promise);
    let outcome = {
        v8::tc_scope!(let caught, scope);
        let handled = handler.call(caught, process.into(), &[exception, from_promise]);
        match caught.exception() {
            Some(_) if caught.has_terminated() => return,
            Some(exception) => {
                let enhance = caught.can_continue();
                let message = caught.message().unwrap_or_else(|| v8::Exception::create_message(caught, exception));
                Err((exception, message, enhance))
            }
            None => Ok(handled),
        }
    };
    match outcome {
        Err((exception, message, enhance)) => {
            print_exception(scope, exception, message, enhance);
            exit(EXCEPTION_IN_FATAL_EXCEPTION_HANDLER);
        }
        Ok(handled) if handled.is_some_and(|handled| handled.is_false()) => {
            print_exception(scope, exception, message, true);
            if realm.thread.is_main() && options::flag(scope, "--abort-on-uncaught-exception") {
                crate::uv::process::trap();
            }
            exit(exit_code(scope).unwrap_or(GENERIC_USER_ERROR));
        }
        Ok(_) => {}
    }
}

/// `process.exitCode`, if it is set.
fn exit_code(scope: &PinScope) -> Option<i32> {
    let info = aliased::cells::<i32>(scope, bootstrap::EXIT_INFO);
    info.get(2).is_some_and(|has| has.get() != 0).then(|| info[1].get())
}

/// Prints an exception as Node does before it exits. `enhance` lets the library format it.
fn print_exception<'s>(
    scope: &mut PinScope<'s, '_>,
    exception: Local<'s, Value>,
    message: Local<'s, v8::Message>,
    enhance: bool,
) {
    let error = Local::<Object>::try_from(exception).ok();
    if exception.is_native_error() {
        arrow::append_exception_line(scope, exception, Some(message));
    } else if arrow::arrow(scope, exception).is_none()
        && let Some(source) = arrow::error_source(scope, message)
        && !Realm::current().room::<State>().printed.replace(true)
    {
        print(&format!("\n{source}"));
    }
    let decorated = arrow::is_decorated(scope, exception);
    let trace = error.and_then(|error| match enhance {
        true => enhanced(scope, error),
        false => {
            v8::tc_scope!(let scope, scope);
            js::get(scope, error, "stack")
        }
    });
    let source = arrow::arrow(scope, exception).filter(|_| !decorated).map(|source| source.to_rust_string_lossy(scope));
    let source = source.map(|source| source + "\n").unwrap_or_default();
    let trace = trace.filter(|trace| !trace.is_undefined()).map(|trace| trace.to_rust_string_lossy(scope));
    match trace.filter(|trace| !trace.is_empty()) {
        Some(trace) => print(&format!("{source}{trace}\n")),
        None => {
            // Not an error, or one without a stack.
            let summary = error.and_then(|error| summary(scope, error));
            let text = match summary {
                Some(summary) => format!("{source}{summary}\n"),
                None => {
                    v8::tc_scope!(let scope, scope);
                    let text = exception.to_string(scope).map(|text| text.to_rust_string_lossy(scope));
                    let unknown = if exception.is_symbol() { "" } else { "<toString() threw exception>" };
                    format!("{}\n", text.unwrap_or_else(|| unknown.to_owned()))
                }
            };
            print(&text);
            if !options::flag(scope, "--trace-uncaught") {
                // The program has no such option; its source under Node has.
                print("(Use `node --trace-uncaught ...` to show where the exception was thrown)\n");
            }
        }
    }
    let what = error.and_then(|error| {
        v8::tc_scope!(let scope, scope);
        js::get(scope, error, "message").filter(|message| message.is_string())
    });
    let what = what.map_or_else(|| "Exception".to_owned(), |what| what.to_rust_string_lossy(scope));
    report::on_uncaught(scope, &what, error);
    frames::trace_uncaught(scope, message);
    print(&format!("\nNode.js {}\n", library::VERSION));
}

/// `name: message` of an object that has both.
fn summary<'s>(scope: &mut PinScope<'s, '_>, error: Local<'s, Object>) -> Option<String> {
    v8::tc_scope!(let scope, scope);
    let text = |key| {
        let value = js::get(scope, error, key).filter(|value| !value.is_undefined())?;
        Some(value.to_rust_string_lossy(scope))
    };
    let message = text("message")?;
    Some(format!("{}: {message}", text("name")?))
}

fn enhanced<'s>(scope: &mut PinScope<'s, '_>, error: Local<'s, Object>) -> Option<Local<'s, Value>> {
    let realm = Realm::current();
    let mut trace = None;
    for slot in [ENHANCE_BEFORE, ENHANCE_AFTER] {
        let Some(enhance) = realm.function(scope, slot) else { continue };
        v8::tc_scope!(let scope, scope);
        let undefined = js::undefined(scope);
        trace = enhance.call(scope, undefined, &[error.into()]).or(trace);
    }
    trace
}

/// Writes to the standard error stream, to the end, even if it is in non-blocking mode.
pub fn print(text: &str) {
    let mut rest = text.as_bytes();
    let mut stream = std::io::stderr();
    while !rest.is_empty() {
        match stream.write(rest) {
            Ok(0) => return,
            Ok(count) => rest = &rest[count..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            Err(_) => return,
        }
    }
}

/// Ends the program; or only this thread, if it is a worker's: as soon as it gets out of what it is doing.
pub fn exit(code: i32) {
    crate::realm::enter(crate::bindings::profiling::end);
    match &Realm::current().thread.worker {
        Some(worker) => {
            worker.control.exit(code, None);
            crate::uv::event_loop::stop();
        }
        None => exit_process(code),
    }
}

/// Ends the process, without unwinding or destructors: other threads may be in the middle of anything.
pub fn exit_process(code: i32) -> ! {
    crate::preeval::training::end();
    let _ = std::io::stdout().flush();
    let _ = std::io::stderr().flush();
    // Code of the C library that runs at an exit takes away what workers are using.
    crate::uv::process::exit(code, crate::bindings::worker::any_running() || crate::locales::is_preparing())
}
