//! Traps: what keeps native functions that touch the world from running while modules are evaluated at
//! build time.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use v8::Local;
use v8::fast_api::FastApiCallbackOptions;

/// What happens when a trap is touched.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Nothing: Node's own library is set up, which keeps its state apart by itself, or the program runs.
    Disarmed,
    /// It throws: a built-in module that can't be loaded yet is left for later.
    Throws,
    /// It throws, and is noted: a rehearsal looks which modules would touch the world.
    Notes,
    /// It ends the evaluation of the program's modules, which no `catch` can hide.
    Ends,
}

/// What [`spring_or_nothing`] says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Armed {
    /// Traps are not armed.
    No,
    /// It is a rehearsal: there is nothing.
    Nothing,
    /// The caller must return: an exception is pending, or the execution about to end.
    Sprung,
}

/// A trap that was touched.
#[derive(Clone, Debug)]
pub struct Touch {
    /// What was touched.
    pub name: String,
    /// Where in the program, as `path:line`.
    pub place: Option<String>,
}

/// What an evaluation at build time takes for granted, and a start has to check.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Guard {
    /// An environment variable is not set.
    Unset(String),
    /// The command line does not have this argument.
    NoArgument(String),
    /// A file descriptor is no terminal.
    NoTerminal(i32),
    /// No environment variable has a name that matches, given as `flags/source`.
    NoName(String),
    /// Something of Node's library, given as `module/name` or `process/name`, is still Node's.
    SameMember(String),
    /// There is no such global; `@@` stands before the names of registered symbols.
    NoGlobal(String),
    /// Nobody has changed how the stacks of errors are told.
    UsualStacks,
    /// Each module but the first is loaded by the one that was the first to ask for it.
    Parents,
    /// A global of Node's library, which is loaded when it is first looked at, is still Node's.
    SameGlobal(String),
}

/// Threads of the pool ask too.
static NOTING: AtomicBool = AtomicBool::new(false);

thread_local! {
    static MODE: Cell<Mode> = const { Cell::new(Mode::Disarmed) };
    static NAMES_MATTER: Cell<bool> = const { Cell::new(true) };
    static TOUCHED: RefCell<Vec<Touch>> = const { RefCell::new(Vec::new()) };
    static ASSUMED: RefCell<BTreeSet<Guard>> = const { RefCell::new(BTreeSet::new()) };
}

/// Enough to find the program below the library on a stack.
const FRAMES: usize = 64;

/// Environment variables that are set on nearly every machine: to assume the contrary would be of no use.
const USUALLY_SET: &[&str] =
    &["HOME", "HOSTNAME", "LANG", "LOGNAME", "OLDPWD", "PATH", "PWD", "SHELL", "SHLVL", "TERM", "USER", "_"];

/// Arms the traps of this thread, or disarms them. A trap that is touched throws.
pub fn arm(armed: bool) {
    NOTING.store(false, Ordering::Relaxed);
    MODE.set(if armed { Mode::Throws } else { Mode::Disarmed });
}

/// Arms the traps of this thread for a rehearsal, which goes on when one is touched.
pub fn note() {
    NOTING.store(true, Ordering::Relaxed);
    MODE.set(Mode::Notes);
}

/// Arms the traps of this thread for an evaluation of the program's modules, which the first of them ends.
pub fn end_at_first() {
    MODE.set(Mode::Ends);
}

/// Whether any trap is armed on this thread.
pub fn is_armed() -> bool {
    MODE.get() != Mode::Disarmed
}

/// Whether this is a rehearsal, on whatever thread.
pub fn is_noting() -> bool {
    NOTING.load(Ordering::Relaxed)
}

/// The traps that were touched since this was asked before, and are more than a built-in module's own.
pub fn touched() -> Vec<Touch> {
    TOUCHED.take()
}

/// How many traps were touched.
pub fn count() -> usize {
    TOUCHED.with_borrow(Vec::len)
}

/// What the evaluation has taken for granted since this was asked before.
pub fn assumed() -> BTreeSet<Guard> {
    ASSUMED.take()
}

/// Whether the program's modules are being evaluated at build time and may go on as if `guard` held.
pub fn assume(guard: Guard) -> bool {
    if !matches!(MODE.get(), Mode::Notes | Mode::Ends) {
        return false;
    }
    if let Guard::Unset(name) = &guard
        && (USUALLY_SET.contains(&name.as_str()) || name.contains(['\0', '=']))
    {
        return false;
    }
    ASSUMED.with_borrow_mut(|guards| guards.insert(guard));
    true
}

/// Returns true when traps are armed and `function` must not run: with an exception pending, or with the execution
/// about to end.
pub fn spring(scope: &mut v8::PinScope, function: &str) -> bool {
    match MODE.get() {
        Mode::Disarmed => return false,
        Mode::Throws => crate::errors::throw_error(scope, &format!("{function} can't run at build time")),
        Mode::Notes => {
            touch(scope, function);
            if TELLERS.contains(&function) || FILES.contains(&function) {
                return false;
            }
            if function == EXIT {
                // Whatever a `catch` or `finally` of the program's would do, the program would not.
                end(scope);
            } else if !SETTERS.contains(&function) {
                throw_absence(scope, function);
            }
        }
        Mode::Ends => {
            touch(scope, function);
            end(scope);
        }
    }
    true
}

/// Functions that tell something and change nothing, so that a rehearsal may call them.
const TELLERS: &[&str] = &[
    "cpuUsage",
    "cwd",
    "getCPUs",
    "getFreeMem",
    "getHomeDirectory",
    "getHostname",
    "getLibuvNow",
    "getLoadAvg",
    "getOSInformation",
    "getTotalMem",
    "getUptime",
    "getUserInfo",
    "getegid",
    "geteuid",
    "getgid",
    "getuid",
    "hrtime",
    "hrtimeBigInt",
    "memoryUsage",
    "now",
    "resourceUsage",
    "rss",
    "uptime",
];

/// Functions that look for files. A rehearsal may call them, for `uv::fs` sees to it that they find none; and those that
/// write to what is open, which is nothing but /dev/null.
const FILES: &[&str] = &[
    "ReadFileJob",
    "access",
    "chmod",
    "chown",
    "close",
    "copyfile",
    "fchmod",
    "fchown",
    "fdatasync",
    "fstat",
    "fsync",
    "ftruncate",
    "futime",
    "getFormatOfExtensionlessFile",
    "internalModuleStat",
    "lchown",
    "link",
    "lstat",
    "lutime",
    "mkdir",
    "mkdtemp",
    "open",
    "openFileHandle",
    "opendir",
    "read",
    "readBuffers",
    "readdir",
    "readlink",
    "readPackageJSON",
    "realpath",
    "rename",
    "rmdir",
    "scandir",
    "stat",
    "statfs",
    "symlink",
    "unlink",
    "utime",
    "write",
    "writeBuffer",
    "writeBuffers",
    "writeFileUtf8",
    "writeString",
];

/// The function that ends the process.
const EXIT: &str = "reallyExit";

/// Functions of which nobody expects a result, so that a rehearsal may go on without.
const SETTERS: &[&str] = &["scheduleTimer", "toggleImmediateRef", "toggleTimerRef"];

/// Throws what most programs are ready for.
fn throw_absence(scope: &mut v8::PinScope, function: &str) {
    let message = crate::js::string(scope, &format!("ENOENT: no such file or directory, {function}"));
    let error = v8::Exception::error(scope, message);
    if let Ok(object) = Local::<v8::Object>::try_from(error) {
        let code = crate::js::string(scope, "ENOENT");
        crate::js::set(scope, object, "code", code);
    }
    scope.throw_exception(error);
}

/// Whether the program is the innermost caller that is a file: neither Node's library nor the scripts that set traps.
pub fn is_called_by_program(scope: &mut v8::PinScope) -> bool {
    let Some(trace) = v8::StackTrace::current_stack_trace(scope, FRAMES) else { return false };
    let mut scripts =
        (0..trace.get_frame_count()).filter_map(|index| trace.get_frame(scope, index)?.get_script_name(scope));
    let script = scripts.next().map(|name| name.to_rust_string_lossy(scope));
    script.is_some_and(|script| script.contains(kiln_payload::VIRTUAL_ROOT))
}

/// A stack, which is being told, has the build on it.
pub fn note_told_stack(scope: &mut v8::PinScope) {
    if matches!(MODE.get(), Mode::Notes | Mode::Ends) {
        touch(scope, "the stack of an error");
    }
}

/// Sets whether it matters which names the environment has: not where it is known that they are only filtered.
pub fn set_names_matter(matter: bool) {
    NAMES_MATTER.set(matter);
}

/// Whether it matters which names the environment has.
pub fn names_matter() -> bool {
    NAMES_MATTER.get()
}

/// Whether nothing but the type of a property called `key` is looked at, at the innermost place of the program.
pub fn is_typeof(scope: &mut v8::PinScope, key: &str) -> bool {
    let Some(trace) = v8::StackTrace::current_stack_trace(scope, FRAMES) else { return false };
    let program = |frame: &Local<v8::StackFrame>| {
        let script = frame.get_script_name(scope)?.to_rust_string_lossy(scope);
        script.starts_with(kiln_payload::VIRTUAL_ROOT).then_some(())
    };
    let frame = (0..trace.get_frame_count())
        .filter_map(|index| trace.get_frame(scope, index))
        .find(|frame| program(frame).is_some());
    let source = frame.and_then(|frame| Some((frame.get_script_source(scope)?.to_rust_string_lossy(scope), frame)));
    let Some((source, frame)) = source else { return false };
    let Some(line) = source.lines().nth(frame.get_line_number().saturating_sub(1)) else { return false };
    let at: usize = line.chars().take(frame.get_column().saturating_sub(1)).map(char::len_utf8).sum();
    let (before, after) = line.split_at(at);
    let is_name = |character: char| character.is_alphanumeric() || matches!(character, '_' | '$' | '.');
    let operand = before.trim_end_matches(is_name);
    let rest = after.strip_prefix(key).unwrap_or("(");
    operand.trim_end().ends_with("typeof")
        && !matches!(rest.trim_start().chars().next(), Some('.' | '(' | '[' | '?' | '`'))
}

/// As [`spring`], for a fast call.
pub fn spring_fast(options: &FastApiCallbackOptions, function: &str) -> bool {
    MODE.get() != Mode::Disarmed && {
        // SAFETY: V8 gave the options to the function that it is calling.
        v8::callback_scope!(unsafe scope, options);
        spring(scope, function)
    }
}

/// Whether traps are armed, as [`spring`] says, where a rehearsal goes on as if there was nothing.
pub fn spring_or_nothing(scope: &mut v8::PinScope, what: &str) -> Armed {
    match MODE.get() {
        Mode::Disarmed => Armed::No,
        Mode::Notes => {
            touch(scope, what);
            Armed::Nothing
        }
        _ => {
            spring(scope, what);
            Armed::Sprung
        }
    }
}

/// As [`spring`], but a rehearsal is only told. Returns whether it goes on.
pub fn spring_softly(scope: &mut v8::PinScope, what: &str) -> bool {
    match MODE.get() {
        Mode::Notes => {
            touch(scope, what);
            true
        }
        _ => !spring(scope, what),
    }
}

fn touch(scope: &mut v8::PinScope, name: &str) {
    let place = place(scope);
    TOUCHED.with_borrow_mut(|touched| touched.push(Touch { name: name.to_owned(), place }));
}

/// Ends the execution before anything else happens: V8 only looks whether it should when a function is called.
fn end(scope: &mut v8::PinScope) {
    let text = crate::js::string(scope, "0");
    let script = v8::Script::compile(scope, text, None);
    scope.terminate_execution();
    if let Some(script) = script {
        // It does not run, and the exception that ends everything is pending from now on.
        let _ = script.run(scope);
    }
}

/// The innermost place of the program on the stack.
fn place(scope: &mut v8::PinScope) -> Option<String> {
    let trace = v8::StackTrace::current_stack_trace(scope, FRAMES)?;
    (0..trace.get_frame_count()).find_map(|index| {
        let frame = trace.get_frame(scope, index)?;
        let script = frame.get_script_name(scope)?.to_rust_string_lossy(scope);
        let path = script.strip_prefix("file://").unwrap_or(&script);
        path.starts_with(kiln_payload::VIRTUAL_ROOT).then(|| format!("{path}:{}", frame.get_line_number()))
    })
}
