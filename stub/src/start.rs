//! From the process's first line to its last.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::rc::Rc;
use std::sync::OnceLock;

use kiln_payload::{Damage, Image, Seal, SectionId, Unverified};

use crate::command_line::{self, Task};
use crate::library::Library;
use crate::realm::{self, Program, Realm};
use crate::source::Source;
use crate::thread::Thread;
use crate::wrap::AsyncIds;
use crate::{
    aliased, bindings, bootstrap, callback, js, library, locales, pages, platform, preeval, snapshot, trace, uv,
};

/// The exit code of an executable that was cut short or altered: `EX_SOFTWARE` of `sysexits.h`.
const DAMAGED: i32 = 70;

/// Node's exit code for options that it does not take.
const INVALID_ARGUMENT: i32 = 9;

/// Patched by the compiler, see [`Seal`].
#[used]
static SEAL: Seal = Seal::UNSEALED;

/// Runs the executable: takes a snapshot if it is a build image, else the program.
pub fn main() -> ! {
    trace::begin();
    pages::prepare_allocator();
    let (image, rest) = match open() {
        Ok(opened) => opened,
        // `kiln licenses` asks the bare stub.
        Err(Damage::Bare) if std::env::args_os().nth(1).is_some_and(|argument| argument == "--kiln-licenses") => {
            print!("{}", library::licenses());
            std::process::exit(0);
        }
        Err(message) => {
            eprintln!("{message}");
            std::process::exit(DAMAGED);
        }
    };
    trace::mark("the executable is verified, but for sources and files");
    let code = match image.section(SectionId::Snapshot) {
        None => build(image),
        // V8 reads the blob right there, now and for each context that is made later.
        Some(section) if image.section(SectionId::Code).is_some_and(|code| code.bytes.is_empty()) => {
            match std::env::args_os().nth(1).is_some_and(|argument| argument == "--kiln-code") {
                true => make_code(image, section.bytes),
                // The program is run for training, or is a child of one that is.
                false => run(image, section.bytes, Verification::begin(rest)),
            }
        }
        Some(section) => run(image, section.bytes, Verification::begin(rest)),
    };
    bindings::errors::exit_process(code)
}

/// The executable's verified contents: where the front page has had the kernel map them, or mapped here for a stub that
/// was linked without one, as while developing.
fn open() -> Result<(Image, Unverified), Damage> {
    // SAFETY: the seal is this process's own, and an executable that runs can't be written to (ETXTBSY).
    let bytes = match unsafe { SEAL.mapped_file() } {
        Some(bytes) => bytes,
        None => map_self().map_err(|_| Damage::Unreadable)?,
    };
    Image::begin(bytes, &SEAL)
}

/// The comparison of the checksums of what nobody reads before the program runs.
enum Verification {
    Done(Result<(), Damage>),
    Running(std::thread::JoinHandle<Result<(), Damage>>),
}

impl Verification {
    /// Begins it, on a thread of its own if it takes longer than that.
    fn begin(rest: Unverified) -> Self {
        const WORTH_A_THREAD: usize = 1 << 20;
        if rest.length() < WORTH_A_THREAD {
            return Verification::Done(rest.verify());
        }
        // Should there be no thread, it is done here.
        let again = rest.clone();
        match std::thread::Builder::new().stack_size(64 << 10).spawn(|| rest.verify()) {
            Ok(thread) => Verification::Running(thread),
            Err(_) => Verification::Done(again.verify()),
        }
    }

    /// Waits for its end.
    fn end(self) -> Result<(), Damage> {
        match self {
            Verification::Done(result) => result,
            Verification::Running(thread) => thread.join().unwrap_or(Err(Damage::Checksum)),
        }
    }
}

fn map_self() -> std::io::Result<&'static [u8]> {
    let file = File::open("/proc/self/exe")?;
    // SAFETY: as in `open`; the mapping lives as long as the process.
    let map = unsafe { memmap2::Mmap::map(file.as_raw_fd()) }?;
    Ok(Box::leak(Box::new(map)))
}

fn program(image: Image) -> Result<&'static Program, String> {
    let index = image.index().map_err(|damage| damage.to_string())?;
    let sources: Result<Vec<Source>, _> = index
        .modules
        .iter()
        .map(|module| {
            Ok(match image.source(&module.text)? {
                kiln_payload::Source::Latin1(bytes) => Source::new(bytes, false),
                kiln_payload::Source::Wide(units) => Source::wide(units),
            })
        })
        .collect();
    let sources = sources.map_err(|damage: kiln_payload::Damage| damage.to_string())?;
    let library = Library::new();
    Ok(Box::leak(Box::new(Program { image, sources, library, codes: OnceLock::new(), loads: OnceLock::new() })))
}

/// What a build image can be asked for, with files for the result, with units, and of the rehearsal, or an empty one:
///
/// - `--kiln-rehearse RESULT UNITS REHEARSAL`: which modules the program loads, what they touch, and their code; or, after
///   a rehearsal, what it compiles with an argument;
/// - `--kiln-check RESULT UNITS REHEARSAL`: whether these units can be evaluated at build time;
/// - `--kiln-snapshot RESULT UNITS REHEARSAL`: the snapshot, with these units evaluated, and the code of what is loaded.
fn build(image: Image) -> i32 {
    let arguments: Vec<_> = std::env::args_os().collect();
    let [_, order, result, units, rehearsal] = &arguments[..] else {
        eprintln!("this is an unfinished executable: build it again");
        return DAMAGED;
    };
    snapshot::initialize_v8(Some(image.fingerprint()));
    let done = program(image).and_then(|program| {
        let units = std::fs::read_to_string(units).map_err(|error| error.to_string())?;
        let units: Vec<preeval::Unit> = serde_json::from_str(&units).map_err(|error| error.to_string())?;
        match order.to_str() {
            Some("--kiln-rehearse") => {
                let known = std::fs::read(rehearsal).map_err(|error| error.to_string())?;
                Ok(preeval::rehearse(program, &known).to_bytes())
            }
            order => {
                let rehearsal = std::fs::read(rehearsal).map_err(|error| error.to_string())?;
                preeval::code::set(program, &rehearsal);
                match order {
                    Some("--kiln-check") => Ok(preeval::check(program, &units).to_string().into_bytes()),
                    _ => snapshot::take(program, &units),
                }
            }
        }
    });
    let written = done.and_then(|bytes| {
        let path: &Path = result.as_ref();
        std::fs::write(path, bytes).map_err(|error| format!("cannot write {}: {error}", path.display()))
    });
    match written {
        Ok(()) => 0,
        Err(message) => {
            eprintln!("{message}");
            1
        }
    }
}

/// `--kiln-code RESULT MODULES`: code caches of modules, given by their numbers, as this executable takes them when it runs.
fn make_code(image: Image, blob: &'static [u8]) -> i32 {
    let arguments: Vec<_> = std::env::args_os().collect();
    let [_, _, result, modules] = &arguments[..] else {
        eprintln!("this is an unfinished executable: build it again");
        return DAMAGED;
    };
    snapshot::initialize_v8(None);
    let made = program(image).and_then(|program| {
        let modules = std::fs::read_to_string(modules).map_err(|error| error.to_string())?;
        let modules: Vec<u32> = serde_json::from_str(&modules).map_err(|error| error.to_string())?;
        let (isolate, _realm) = snapshot::restore(program, blob, Thread::main());
        let codes = realm::enter(|scope| preeval::code::waiting(scope, program, &modules));
        std::mem::forget(isolate);
        std::fs::write(result, codes.to_bytes()).map_err(|error| error.to_string())
    });
    match made {
        Ok(()) => 0,
        Err(message) => {
            eprintln!("{message}");
            1
        }
    }
}

fn run(image: Image, blob: &'static [u8], verification: Verification) -> i32 {
    let program = match program(image) {
        Ok(program) => program,
        Err(message) => {
            eprintln!("{message}");
            return DAMAGED;
        }
    };
    trace::mark("the program is known");
    uv::process::prepare();
    let line = match program.image.index() {
        Ok(index) => command_line::get(index),
        Err(damage) => {
            eprintln!("{damage}");
            return DAMAGED;
        }
    };
    match &line.task {
        Task::Fail(error) => {
            let name = uv::process::arguments().first().map(|name| name.to_string_lossy()).unwrap_or_default();
            eprintln!("{name}: {error}");
            return INVALID_ARGUMENT;
        }
        Task::Version => {
            println!("{}", library::VERSION);
            return 0;
        }
        Task::Flags => {
            // This ends the process.
            v8::V8::set_flags_from_string("--help");
            return 0;
        }
        Task::Module(_) | Task::Script(_) => {}
    }
    // Node collects coverage through its inspector. Its library would warn that there is none, and empty the variable.
    uv::environment::remove(b"NODE_V8_COVERAGE");
    let (isolate, _realm) = match program.image.section(SectionId::Code).is_some_and(|code| code.bytes.is_empty()) {
        true => match train(program, blob) {
            Ok(ready) => ready,
            Err(message) => {
                eprintln!("{message}");
                return 1;
            }
        },
        false => restore(program, blob),
    };
    platform::attach();
    trace::mark("the context is restored");
    if let Err(damage) = verification.end() {
        eprintln!("{damage}");
        return DAMAGED;
    }
    trace::mark("all of the executable is verified");
    realm::enter(|scope| {
        bindings::options::apply(scope, &line.values);
        if let Task::Module(entry) = &line.task
            && program.image.index().is_ok_and(|index| entry == index.entry.as_str())
        {
            preeval::begin(scope);
        }
        let main = match line.task {
            Task::Script(script) => bindings::builtins::compile(scope, script),
            _ => Realm::current().function(scope, bootstrap::MAIN),
        };
        if let Some(main) = main {
            run_main(scope, main);
        }
    });
    trace::mark("the entry has run");
    realm::enter(|scope| bindings::performance::mark_loop_start(scope));
    let code = spin().unwrap_or_default();
    trace::mark("the event loop is done");
    // The process ends here: tearing the heap down would only take time.
    std::mem::forget(isolate);
    code
}

/// Starts V8 from the snapshot.
fn restore(program: &'static Program, blob: &'static [u8]) -> (v8::OwnedIsolate, Rc<Realm>) {
    snapshot::initialize_v8(None);
    if let Ok(index) = program.image.index() {
        locales::prepare(index);
    }
    trace::mark("V8 is initialized");
    let restored = snapshot::restore(program, blob, Thread::main());
    bindings::timers::start();
    restored
}

/// The same for an executable that lacks the code of modules: it only runs to learn, or as a child of such a run.
fn train(program: &'static Program, blob: &'static [u8]) -> Result<(v8::OwnedIsolate, Rc<Realm>), String> {
    if !preeval::training::begin().map_err(|error| error.to_string())? {
        return Ok(restore(program, blob));
    }
    snapshot::initialize_v8(Some(program.image.fingerprint()));
    preeval::training::set_up(program)
}

/// Runs a main script of Node's library.
pub(crate) fn run_main<'s>(scope: &mut v8::PinScope<'s, '_>, main: v8::Local<'s, v8::Function>) {
    let realm = Realm::current();
    let slots =
        [bootstrap::PROCESS, bindings::builtins::REQUIRE, bindings::builtins::INTERNAL_BINDING, bootstrap::PRIMORDIALS];
    let values: Option<Vec<_>> = slots.iter().map(|slot| realm.slot(scope, *slot)).collect();
    let Some(values) = values else { return };
    let resource = v8::Object::new(scope);
    // Node's main script runs in the asynchronous context 1.
    let ids = AsyncIds { id: 1.0, trigger: 0.0 };
    callback::in_context(scope, resource, ids, None, |scope| {
        let undefined = js::undefined(scope);
        // Ticks run even if it throws, unlike after other callbacks.
        callback::reporting(scope, |scope| main.call(scope, undefined, &values));
        Some(undefined)
    });
}

/// Runs the event loop until nothing is left to do. Returns the exit code, unless the thread has to stop before that.
pub(crate) fn spin() -> Option<i32> {
    let realm = Realm::current();
    let is_stopping = || realm.thread.is_stopping();
    loop {
        let alive = uv::event_loop::run();
        if is_stopping() {
            return None;
        }
        if alive || platform::drain() {
            continue;
        }
        realm::enter(|scope| {
            bindings::async_wrap::run_destroy_hooks(scope);
            emit(scope, "beforeExit", 0);
        });
        if is_stopping() {
            return None;
        }
        if !uv::event_loop::alive() {
            break;
        }
    }
    let code = realm::enter(|scope| {
        bindings::performance::mark_loop_exit(scope);
        let unsettled = bindings::module_wrap::has_unsettled_entry(scope);
        let code = if unsettled { 13 } else { 0 };
        // Unless the program has said what its exit means, it learns why it ends before it hears that it does.
        if unsettled && exit_code(scope).is_none() {
            bindings::module_wrap::report_unsettled_entry(scope);
        }
        aliased::cells::<i32>(scope, bootstrap::EXIT_INFO)[0].set(1);
        emit(scope, "exit", code);
        bindings::profiling::end(scope);
        exit_code(scope).unwrap_or(code)
    });
    (!is_stopping()).then_some(code)
}

/// `process.exitCode`, if the program set it.
pub fn exit_code(scope: &v8::PinScope) -> Option<i32> {
    let info = aliased::cells::<i32>(scope, bootstrap::EXIT_INFO);
    (info[2].get() != 0).then(|| info[1].get())
}

/// `process.emit(event, exit code)`.
fn emit(scope: &mut v8::PinScope, event: &str, default_code: i32) {
    let Some(process) = Realm::current().object(scope, bootstrap::PROCESS) else { return };
    let event = js::string(scope, event);
    let code = js::integer(scope, exit_code(scope).unwrap_or(default_code));
    callback::method(scope, process, "emit", &[event.into(), code]);
}
