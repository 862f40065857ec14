//! Pre-evaluation: what the program loads is evaluated at build time where nobody can tell.
//!
//! A *unit* is a CommonJS module and all that is loaded when it is. It can be evaluated ahead if that touches no trap,
//! changes nothing that others see, and needs no module of anybody else's: then it makes the same objects whenever it
//! is evaluated, unless someone has changed what all share, such as `Array.prototype`. So the snapshot has the unit's
//! modules, evaluated and out of sight; when the program first loads the unit, the loader takes them if nothing shared
//! has changed and the [guards](crate::trap::Guard) hold, and otherwise evaluates the unit as if there were none.
//!
//! Three processes find out. The *rehearsal* loads the program in an isolate that is thrown away; traps are noted and do
//! not end it, so that it comes far. The *check* evaluates what might be units, in an isolate that is thrown away too, full
//! of traps, which end them. The third does the same in the isolate that becomes the snapshot, and meets no trap.

mod adopt;
pub mod code;
pub mod training;
mod watched;

use std::collections::BTreeSet;

use kiln_payload::{Codes, Rehearsal};
use serde_json::{Value as Json, json};
use v8::script_compiler::{self, CompileOptions, NoCacheReason};
use v8::{FunctionCallbackArguments, Local, MapFnTo as _, Object, PinScope, ReturnValue, Value};

use crate::bindings::{builtins, contextify, mksnapshot, task_queue, util};
use crate::realm::{Program, Realm};
use crate::thread::Thread;
use crate::trap::{self, Guard};
use crate::{bootstrap, callback, js, snapshot, trace, train, uv, vfs};

pub use adopt::{begin, take};

const RUN: &str = include_str!("run.js");
const TRAPS: &str = include_str!("traps.js");

/// What is to be evaluated.
#[derive(serde::Deserialize)]
pub struct Unit {
    /// The path of its first module.
    pub path: String,
    /// What has been found to be taken for granted.
    pub guards: Vec<String>,
}

/// For how many requests a rehearsal waits: files are loaded by them.
const TURNS: usize = 2000;

/// What nearly every program that takes arguments knows. The way from its first line to its answer is that of other
/// arguments too.
const USUAL_ARGUMENT: &str = "--version";

/// The slot of the functions of run.js.
const FUNCTIONS: &str = "preeval.functions";

/// The globals that V8 installs only in a context that comes from a snapshot.
const MISSING: &[&str] = &["Temporal", "WebAssembly"];

/// What of the language's own objects it installs in the same way: an object, and the names of its properties.
const LATE: &[(&str, &[&str])] = &[("Date.prototype", &["toTemporalInstant"])];

/// Loads the program, in an isolate of its own. Returns which modules it loads, and which traps they touch.
///
/// If that is `known`, the program is given an argument, [`USUAL_ARGUMENT`], and what it then compiles is added.
pub fn rehearse(program: &'static Program, known: &[u8]) -> Rehearsal {
    let mut codes = Codes::default();
    code::set(program, known);
    let known = Rehearsal::from_bytes(known);
    let argument = if known.is_some() { USUAL_ARGUMENT } else { "" };
    let mut loads = Vec::new();
    train::note_from_now(true);
    let report = apart(program, |scope, entry| {
        // What the traps look at is no business of the program.
        train::note_from_now(false);
        let runner = Runner::new(scope)?;
        runner.prepare(scope, entry, true)?;
        train::note_from_now(true);
        let noted = train::count();
        let url = js::string(scope, &contextify::file_url(entry));
        let entry = js::string(scope, entry);
        let argument = js::string(scope, argument);
        let functions = runner.call(scope, "rehearse", &[entry.into(), url.into(), argument.into()])?;
        let functions = Local::<v8::Array>::try_from(functions).map_err(|error| error.to_string())?;
        trap::note();
        // Its exit ends it too.
        let _ = call_item(scope, functions, 0);
        for _ in 0..TURNS {
            callback::run_ticks(scope);
            if scope.is_execution_terminating() || !uv::event_loop::finish_request() {
                break;
            }
        }
        trap::arm(false);
        scope.cancel_terminate_execution();
        (codes, loads) = code::learnt(scope, noted);
        let report = call_item(scope, functions, 1);
        let report: Json =
            serde_json::from_str(&report?.to_rust_string_lossy(scope)).map_err(|error| error.to_string())?;
        let touch = |touch: trap::Touch| json!({ "name": touch.name, "place": touch.place });
        let traps: Vec<_> = trap::touched().into_iter().map(touch).collect();
        Ok(json!({ "rehearsal": report, "traps": traps }))
    });
    Rehearsal { report: known.map_or_else(|| report.to_string(), |known| known.report), codes, loads }
}

/// Evaluates units, given by their paths, in an isolate of their own. Returns what became of each.
pub fn check(program: &'static Program, units: &[Unit]) -> Json {
    apart(program, |scope, entry| {
        let runner = Runner::new(scope)?;
        runner.prepare(scope, entry, true)?;
        scope.set_promise_hook(on_promise);
        let mut results = Vec::new();
        for unit in units {
            let result = runner.evaluate(scope, unit, &[]).and_then(|result| {
                let kept = runner.call(scope, "kept", &[])?;
                let message = "it keeps a standard stream, or an error";
                are_gone(scope, kept).then_some(result).ok_or_else(|| message.into())
            });
            results.push(match result {
                Ok((members, guards)) => json!({ "members": members, "guards": guards }),
                Err(failure) => {
                    let touched = trap::touched().into_iter().next();
                    let _ = runner.call(scope, "clear", &[]);
                    match touched {
                        Some(touch) => json!({ "trap": touch.name, "place": touch.place }),
                        None => json!({ "message": failure }),
                    }
                }
            });
        }
        scope.set_promise_hook(nothing);
        Ok(Json::Array(results))
    })
}

/// Evaluates units in the isolate that becomes the snapshot. Returns the modules that are evaluated.
pub fn evaluate(scope: &mut PinScope, program: &'static Program, units: &[Unit]) -> Result<BTreeSet<String>, String> {
    if units.is_empty() {
        return Ok(BTreeSet::new());
    }
    let runner = Runner::new(scope)?;
    runner.prepare(scope, entry_of(program)?, false)?;
    let mut evaluated = BTreeSet::new();
    for unit in units {
        adopt::keep(scope, program, &unit.path)?;
        let result = runner.evaluate(scope, unit, &unit.guards).map_err(|message| {
            let touched = trap::touched().into_iter().next();
            format!("{}: {}", unit.path, touched.map_or(message, |touch| touch.name))
        });
        evaluated.extend(result?.0);
    }
    runner.call(scope, "finish", &[])?;
    mksnapshot::set_building(scope, true);
    // What the library has begun, such as listening for warnings, a start begins again.
    if let Some(serialize) = Realm::current().function(scope, mksnapshot::SERIALIZE) {
        let undefined = js::undefined(scope);
        catching(scope, |scope| serialize.call(scope, undefined, &[]))
            .map_err(|message| format!("serialize: {message}"))?;
    }
    if task_queue::has_tick_scheduled(scope) {
        return Err("a callback of process.nextTick is waiting".into());
    }
    Realm::current().set_slot(scope, FUNCTIONS, runner.0);
    Ok(evaluated)
}

/// Runs `body` with the program's entry, in an isolate that is thrown away.
fn apart(
    program: &'static Program,
    body: impl for<'s, 'i> FnOnce(&mut PinScope<'s, 'i>, &str) -> Result<Json, String>,
) -> Json {
    let mut isolate = v8::Isolate::new(v8::CreateParams::default());
    snapshot::prepare(&mut isolate, true);
    let realm = Realm::install(&isolate, program, Thread::main(), true);
    let report = {
        v8::scope!(let scope, &mut isolate);
        let context = v8::Context::new(scope, Default::default());
        let scope = &mut v8::ContextScope::new(scope, context);
        realm.set_context(scope, context);
        let report = snapshot::set_up(scope, program).and_then(|()| body(scope, entry_of(program)?));
        report.unwrap_or_else(|message| json!({ "failure": message }))
    };
    // The process ends soon, and it is in no state to be taken apart.
    std::mem::forget((isolate, realm));
    report
}

/// Calls one of several functions.
fn call_item<'s>(
    scope: &mut PinScope<'s, '_>,
    functions: Local<'s, v8::Array>,
    index: u32,
) -> Result<Local<'s, Value>, String> {
    catching(scope, |scope| {
        let undefined = js::undefined(scope);
        Local::<v8::Function>::try_from(functions.get_index(scope, index)?).ok()?.call(scope, undefined, &[])
    })
}

fn entry_of(program: &'static Program) -> Result<&'static str, String> {
    program.image.index().map(|index| index.entry.as_str()).map_err(|damage| damage.to_string())
}

/// The functions of run.js.
struct Runner<'s>(Local<'s, Object>);

impl<'s> Runner<'s> {
    fn new(scope: &mut PinScope<'s, '_>) -> Result<Self, String> {
        let missing = js::strings(scope, MISSING);
        let root = js::string(scope, kiln_payload::VIRTUAL_ROOT);
        let natives: [(&str, Local<Value>); 5] = [
            ("count", v8::Function::new(scope, count).ok_or("no function")?.into()),
            ("holds", v8::Function::new(scope, holds).ok_or("no function")?.into()),
            ("record", v8::Function::new(scope, watched::record).ok_or("no function")?.into()),
            ("isSame", v8::Function::new(scope, watched::is_same).ok_or("no function")?.into()),
            ("trace", v8::Function::new(scope, print_trace).ok_or("no function")?.into()),
        ];
        let reached = reached(scope)?;
        let lazy = Realm::current().map(scope, util::LAZY);
        let late = late(scope);
        let more = [
            ("missing", missing.into()),
            ("late", late),
            ("root", root.into()),
            ("reached", reached),
            ("lazy", lazy.into()),
        ];
        let functions = call(scope, RUN, &[&natives[..], &more[..]].concat(), CompileOptions::EagerCompile)?;
        let functions = Local::<Object>::try_from(functions).map_err(|error| error.to_string())?;
        Ok(Runner(functions))
    }

    /// Brings everything to where a start is before the program's first line; `with_traps` of all kinds.
    fn prepare(&self, scope: &mut PinScope<'s, '_>, entry: &str, with_traps: bool) -> Result<(), String> {
        let index = Realm::current().program.image.index().map_err(|damage| damage.to_string())?;
        // It may be started by a link.
        let entry = vfs::inside(entry.as_bytes()).map_or_else(|| entry.to_owned(), |inside| inside.path);
        let is_common_js =
            index.modules.iter().any(|it| it.path == entry && it.format == kiln_payload::ArchivedFormat::CommonJs);
        let entry = match is_common_js {
            true => js::string(scope, &entry).into(),
            false => js::undefined(scope),
        };
        self.call(scope, "prepare", &[entry])?;
        // The program is not to know that this is no usual start.
        mksnapshot::set_building(scope, false);
        if with_traps {
            let missing = js::strings(scope, MISSING);
            let trap = v8::Function::new(scope, spring).ok_or("no function")?;
            let assume = v8::Function::new(scope, assume).ok_or("no function")?;
            let lazy = Realm::current().map(scope, util::LAZY);
            let is_program = v8::Function::new(scope, is_program).ok_or("no function")?;
            let reached = reached(scope)?;
            let keep = js::get(scope, self.0, "keep").ok_or("no function")?;
            let late = late(scope);
            let more = [
                ("late", late),
                ("trap", trap.into()),
                ("keep", keep),
                ("assume", assume.into()),
                ("isProgram", is_program.into()),
                ("missing", missing.into()),
                ("lazy", lazy.into()),
                ("reached", reached),
            ];
            call(scope, TRAPS, &more, CompileOptions::NoCompileOptions)?;
        }
        self.call(scope, "watch", &[])?;
        Ok(())
    }

    /// Evaluates `unit`, which depends on its guards and what is found now. Returns the paths of its modules, and all
    /// guards.
    fn evaluate(
        &self,
        scope: &mut PinScope<'s, '_>,
        unit: &Unit,
        guards: &[String],
    ) -> Result<(Vec<String>, BTreeSet<String>), String> {
        trap::assumed();
        trap::touched();
        let path = js::string(scope, &unit.path);
        trap::set_names_matter(!guards.iter().any(|guard| guard.starts_with('n')));
        trap::end_at_first();
        let members = self.call(scope, "evaluate", &[path.into()]);
        trap::arm(false);
        scope.cancel_terminate_execution();
        let members = members?;
        if trap::count() > 0 {
            return Err("a trap was touched".into());
        }
        let guards: BTreeSet<String> = trap::assumed().iter().map(text_of).chain(guards.iter().cloned()).collect();
        let texts = js::strings(scope, &guards);
        self.call(scope, "guard", &[path.into(), texts.into()])?;
        let members = Local::<v8::Array>::try_from(members).map_err(|error| error.to_string())?;
        let path = |index| Some(members.get_index(scope, index)?.to_rust_string_lossy(scope));
        Ok(((0..members.length()).filter_map(path).collect(), guards))
    }

    fn call(
        &self,
        scope: &mut PinScope<'s, '_>,
        name: &str,
        arguments: &[Local<'s, Value>],
    ) -> Result<Local<'s, Value>, String> {
        let result = catching(scope, |scope| {
            let function: Local<v8::Function> = js::get(scope, self.0, name)?.try_into().ok()?;
            function.call(scope, self.0.into(), arguments)
        });
        result.map_err(|message| format!("{name}: {message}"))
    }
}

/// The modules of Node's library that the program asks for.
fn reached<'s>(scope: &mut PinScope<'s, '_>) -> Result<Local<'s, Value>, String> {
    let index = Realm::current().program.image.index().map_err(|damage| damage.to_string())?;
    let reached: BTreeSet<&str> = index
        .modules
        .iter()
        .flat_map(|module| module.requires.values().chain(module.imports.values()))
        .filter_map(|target| target.as_str().strip_prefix("node:"))
        .collect();
    Ok(js::strings(scope, reached).into())
}

/// [`LATE`] for JavaScript: arrays of an object's name and of its properties'.
fn late<'s>(scope: &mut PinScope<'s, '_>) -> Local<'s, Value> {
    let one = |(object, keys): &(&str, &[&str])| js::strings(scope, [object].into_iter().chain(*keys)).into();
    let all: Vec<Local<Value>> = LATE.iter().map(one).collect();
    v8::Array::new_with_elements(scope, &all).into()
}

/// Whether nothing holds the objects of an array but the array.
fn are_gone<'s>(scope: &mut PinScope<'s, '_>, objects: Local<'s, Value>) -> bool {
    let Ok(objects) = Local::<v8::Array>::try_from(objects) else { return true };
    let weak: Vec<v8::Weak<Value>> = {
        // Handles of its own, for they hold objects too.
        v8::scope!(let scope, scope);
        let weak = |index| objects.get_index(scope, index).map(|object| v8::Weak::new(scope, object));
        let weak = (0..objects.length()).filter_map(weak).collect();
        for index in 0..objects.length() {
            let undefined = js::undefined(scope);
            objects.set_index(scope, index, undefined);
        }
        weak
    };
    if weak.is_empty() {
        return true;
    }
    scope.low_memory_notification();
    weak.iter().all(v8::Weak::is_empty)
}

/// The result of `body`, or what it threw.
fn catching<'s, 'i, T>(
    scope: &mut PinScope<'s, 'i>,
    body: impl FnOnce(&mut PinScope<'s, 'i>) -> Option<T>,
) -> Result<T, String> {
    v8::tc_scope!(let caught, scope);
    body(caught).ok_or_else(|| match caught.stack_trace().filter(|stack| stack.is_string()).or(caught.exception()) {
        Some(what) if !caught.has_terminated() => what.to_rust_string_lossy(caught),
        _ => "it was ended".into(),
    })
}

/// Compiles `text` as the body of a function and calls it with what such scripts may use.
pub(crate) fn call<'s>(
    scope: &mut PinScope<'s, '_>,
    text: &str,
    more: &[(&str, Local<'s, Value>)],
    options: CompileOptions,
) -> Result<Local<'s, Value>, String> {
    catching(scope, |scope| {
        let realm = Realm::current();
        let text = js::string(scope, text);
        let mut source = script_compiler::Source::new(text, None);
        let names = ["process", "require"].into_iter().chain(more.iter().map(|(name, _)| *name));
        let names: Vec<_> = names.map(|name| js::name(scope, name)).collect();
        let reason = NoCacheReason::NoReason;
        let function = script_compiler::compile_function(scope, &mut source, &names, &[], options, reason)?;
        let mut arguments = vec![realm.slot(scope, bootstrap::PROCESS)?, realm.slot(scope, builtins::REQUIRE)?];
        arguments.extend(more.iter().map(|(_, value)| *value));
        let undefined = js::undefined(scope);
        function.call(scope, undefined, &arguments)
    })
}

/// The callbacks of this module, for the table of external references.
pub fn references() -> Vec<v8::ExternalReference> {
    [
        count.map_fn_to(),
        holds.map_fn_to(),
        print_trace.map_fn_to(),
        adopt::load.map_fn_to(),
        watched::record.map_fn_to(),
        watched::is_same.map_fn_to(),
    ]
    .map(|function| v8::ExternalReference { function })
    .to_vec()
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

/// `trap(name[, key])` of traps.js. Returns whether to go on, as where only the type of a property `key` is asked for.
fn spring<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let name = args.get(0).to_rust_string_lossy(scope);
    let goes_on = args.get(1).is_string() && {
        let key = args.get(1).to_rust_string_lossy(scope);
        trap::is_typeof(scope, &key)
    };
    rv.set_bool(goes_on || trap::spring_softly(scope, &name));
}

/// `assume(kind, what)` of traps.js.
fn assume<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let what = args.get(1).to_rust_string_lossy(scope);
    let guard = match args.get(0).to_rust_string_lossy(scope).as_str() {
        "global" => Guard::SameGlobal(what),
        "stacks" => Guard::UsualStacks,
        "member" => Guard::SameMember(what),
        "parents" => Guard::Parents,
        "absent" => Guard::NoGlobal(what),
        "name" => Guard::NoName(what),
        "terminal" => Guard::NoTerminal(what.parse().unwrap_or(-1)),
        _ => Guard::NoArgument(what),
    };
    rv.set_bool(trap::assume(guard));
}

/// `count()` of run.js.
fn count<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_double(trap::count() as f64);
}

/// `isProgram()` of traps.js.
fn is_program<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_bool(trap::is_called_by_program(scope));
}

/// `trace(text)` of run.js.
fn print_trace<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if trace::is_on() {
        trace::mark(&args.get(0).to_rust_string_lossy(scope));
    }
}

fn text_of(guard: &Guard) -> String {
    match guard {
        Guard::Unset(name) => format!("e{name}"),
        Guard::NoArgument(argument) => format!("a{argument}"),
        Guard::NoTerminal(fd) => format!("t{fd}"),
        Guard::SameGlobal(name) => format!("g{name}"),
        Guard::NoName(pattern) => format!("n{pattern}"),
        Guard::UsualStacks => "s".into(),
        Guard::Parents => "p".into(),
        Guard::SameMember(member) => format!("m{member}"),
        Guard::NoGlobal(name) => format!("b{name}"),
    }
}

/// `holds(guards)` of run.js.
fn holds<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Ok(guards) = Local::<v8::Array>::try_from(args.get(0)) else { return };
    let all = (0..guards.length()).all(|index| {
        let Some(guard) = guards.get_index(scope, index) else { return false };
        let guard = guard.to_rust_string_lossy(scope);
        let Some((kind, what)) = guard.split_at_checked(1) else { return false };
        let holds = match kind {
            "e" => Realm::current().thread.environment.get(what.as_bytes()).is_none(),
            "a" => is_no_argument(scope, what).unwrap_or(false),
            _ => what.parse().is_ok_and(|fd| uv::stream::guess_handle_type(fd) != "TTY"),
        };
        if !holds && trace::is_on() {
            trace::mark(&format!("{what} was taken for absent"));
        }
        holds
    });
    rv.set_bool(all);
}

/// Whether `process.argv`, as it is now, lacks `argument`.
fn is_no_argument<'s>(scope: &mut PinScope<'s, '_>, argument: &str) -> Option<bool> {
    let process = Realm::current().object(scope, bootstrap::PROCESS)?;
    let arguments: Local<v8::Array> = js::get(scope, process, "argv")?.try_into().ok()?;
    let is_other = |index| Some(arguments.get_index(scope, index)?.to_rust_string_lossy(scope) != argument);
    Some((0..arguments.length()).all(|index| is_other(index).unwrap_or(false)))
}

/// Whoever waits for a promise will run as a microtask, and there is no place for those in a snapshot.
unsafe extern "C" fn on_promise(kind: v8::PromiseHookType, promise: Local<v8::Promise>, parent: Local<Value>) {
    if kind == v8::PromiseHookType::Init && parent.is_promise() {
        // SAFETY: V8 calls this inside a handle scope of its own, which the promise belongs to.
        v8::callback_scope!(unsafe scope, promise);
        trap::spring(scope, "a reaction to a promise");
    }
}

unsafe extern "C" fn nothing(_: v8::PromiseHookType, _: Local<v8::Promise>, _: Local<Value>) {}
