//! Stacks as native code prints them: for the options that want to see who did something.

use v8::{Local, PinScope, StackTrace};

use super::fatal::print;
use crate::bindings::{options, util};
use crate::realm::Realm;

/// One line for each frame of `stack`.
fn lines(scope: &PinScope, stack: Local<StackTrace>) -> String {
    let mut all = String::new();
    for index in 0..stack.get_frame_count() {
        let Some(frame) = stack.get_frame(scope, index) else { break };
        let text = |name: Option<Local<v8::String>>| name.map(|name| name.to_rust_string_lossy(scope));
        let script = text(frame.get_script_name(scope)).unwrap_or_default();
        let function = match frame.is_eval() {
            true => "[eval]".to_owned(),
            false => text(frame.get_function_name(scope)).unwrap_or_default(),
        };
        let place = format!("{}:{}", frame.get_line_number(), frame.get_column());
        all += &match (function.is_empty(), script.is_empty()) {
            (false, true) if frame.is_eval() => format!("    at {function}:{place}\n"),
            (true, _) => format!("    at {script}:{place}\n"),
            (false, _) => format!("    at {function} ({script}:{place})\n"),
        };
        if frame.is_eval() {
            break;
        }
    }
    all
}

/// `--trace-exit`: tells who ends the program, or the worker.
pub fn trace_exit(scope: &mut PinScope, code: i32) {
    const MOST: usize = 10;
    if !options::flag(scope, "--trace-exit") {
        return;
    }
    let thread = match &Realm::current().thread {
        thread if thread.is_main() => String::new(),
        thread => format!(", thread:{}", thread.id),
    };
    let stack = StackTrace::current_stack_trace(scope, MOST).map(|stack| lines(scope, stack)).unwrap_or_default();
    let process = std::process::id();
    print(&format!("(node:{process}{thread}) WARNING: Exited the environment with code {code}\n{stack}"));
}

/// `--trace-uncaught`: tells where an exception was thrown that nobody caught.
pub fn trace_uncaught(scope: &mut PinScope, message: Local<v8::Message>) {
    let wanted = options::flag(scope, "--trace-uncaught");
    if let Some(stack) = message.get_stack_trace(scope).filter(|_| wanted) {
        print(&format!("Thrown at:\n{}", lines(scope, stack)));
    }
}

/// `--abort-on-uncaught-exception`: ends the process at once, whatever handlers there are, unless the library says that
/// one of them is a domain's.
pub fn abort_on_uncaught(scope: &mut PinScope, message: Local<v8::Message>) {
    // A worker that fails does not take the process with it.
    let aborts = Realm::current().thread.is_main() && util::should_abort_on_uncaught(scope);
    if !aborts || !options::flag(scope, "--abort-on-uncaught-exception") {
        return;
    }
    let stack = message.get_stack_trace(scope).map(|stack| lines(scope, stack)).unwrap_or_default();
    let text = message.get(scope).to_rust_string_lossy(scope);
    print(&format!("{text}\n\nFROM\n{}", stack.replace("    at ", "")));
    crate::uv::process::trap();
}

/// Has V8 note where exceptions are thrown, if an option wants to see it.
pub fn prepare(scope: &mut PinScope) {
    // V8's own number for stacks of errors.
    const MOST: i32 = 10;
    if options::flag(scope, "--trace-uncaught") || options::flag(scope, "--abort-on-uncaught-exception") {
        scope.set_capture_stack_trace_for_uncaught_exceptions(true, MOST);
    }
}
