//! Learns which functions of Node's library every start needs, so that the snapshot has their bytecode and nothing has
//! to be compiled before the program's first line.
//!
//! An isolate of its own runs a start for rehearsal. What V8 compiled for it goes into a code cache for each module of
//! the library, from which the isolate that becomes the snapshot compiles.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::PathBuf;

use v8::script_compiler::{self, CompileOptions, NoCacheReason};

use crate::bindings::{builtins, mksnapshot, timers};
use crate::realm::{Program, Realm};
use crate::thread::Thread;
use crate::{bootstrap, js, snapshot, uv};

/// Code caches by the module's position in the library.
pub type Caches = HashMap<usize, Vec<u8>>;

const REHEARSAL: &str = include_str!("train.js");
const MAIN: &str = "console.log(''); import('./module.mjs');";
const MODULE: &str = "import 'node:path'; import './main.js'; await 0;";

thread_local! {
    static TRAINING: Cell<bool> = const { Cell::new(false) };
}

#[derive(Default)]
struct Compiled(RefCell<Vec<(usize, v8::Global<v8::Function>)>>);

/// Whether what this thread compiles of Node's library is noted from now on, as what a start needs.
pub fn note_from_now(noting: bool) {
    TRAINING.set(noting);
}

/// How many of the library's modules this thread has noted.
pub fn count() -> usize {
    Realm::current().room::<Compiled>().0.borrow().len()
}

/// The positions of the modules that this thread has noted, but for the first `skipped`.
pub fn noted_since(skipped: usize) -> Vec<usize> {
    let compiled = Realm::current().room::<Compiled>();
    compiled.0.borrow().iter().skip(skipped).map(|(position, _)| *position).collect()
}

/// Notes the function that the library's module at `position` was compiled to, during a rehearsal.
pub fn note(scope: &v8::PinScope, position: usize, function: v8::Local<v8::Function>) {
    if TRAINING.get() {
        let compiled = Realm::current().room::<Compiled>();
        compiled.0.borrow_mut().push((position, v8::Global::new(scope, function)));
    }
}

/// Runs the rehearsal. Whatever goes wrong in it only makes later starts slower.
pub fn rehearse(program: &'static Program) -> Caches {
    // A thread of its own: the state of a realm and of an event loop belongs to a thread.
    let thread = std::thread::Builder::new().stack_size(8 << 20).spawn(move || {
        note_from_now(true);
        let folder = Folder::new();
        let mut isolate = v8::Isolate::new(v8::CreateParams::default());
        snapshot::prepare(&mut isolate, true);
        let realm = Realm::install(&isolate, program, Thread::main(), true);
        let caches = {
            v8::scope!(let scope, &mut isolate);
            let context = v8::Context::new(scope, Default::default());
            let scope = &mut v8::ContextScope::new(scope, context);
            realm.set_context(scope, context);
            let _ = run(scope, folder.as_ref());
            caches(scope)
        };
        // Its handles and its heap are in no state to be taken apart, and the process ends soon.
        std::mem::forget((isolate, realm));
        caches
    });
    thread.ok().and_then(|thread| thread.join().ok()).unwrap_or_default()
}

fn run(scope: &mut v8::PinScope, folder: Option<&Folder>) -> Option<()> {
    v8::tc_scope!(let scope, scope);
    bootstrap::run(scope)?;
    bootstrap::preload(scope, true, std::iter::empty(), &BTreeSet::new());
    mksnapshot::restored(scope);
    timers::start();
    let realm = Realm::current();
    let text = js::string(scope, REHEARSAL);
    let mut source = script_compiler::Source::new(text, None);
    let parameters = ["process", "require", "folder"].map(|name| js::name(scope, name));
    let options = CompileOptions::NoCompileOptions;
    let function =
        script_compiler::compile_function(scope, &mut source, &parameters, &[], options, NoCacheReason::NoReason)?;
    let process = realm.slot(scope, bootstrap::PROCESS)?;
    let require = realm.slot(scope, builtins::REQUIRE)?;
    let folder = js::string(scope, &folder?.0.to_string_lossy());
    let undefined = js::undefined(scope);
    function.call(scope, undefined, &[process, require, folder.into()]);
    crate::callback::run_ticks(scope);
    uv::event_loop::run();
    Some(())
}

/// Code caches of the library's modules that this thread has compiled, with the functions in them that ran.
pub fn caches(scope: &mut v8::PinScope) -> Caches {
    let compiled = Realm::current().room::<Compiled>();
    let compiled = compiled.0.borrow();
    let cache = |(position, function): &(usize, v8::Global<v8::Function>)| {
        let cache = v8::Local::new(scope, function).create_code_cache()?;
        Some((*position, cache.to_vec()))
    };
    compiled.iter().filter_map(cache).collect()
}

/// A folder with the two modules that the rehearsal loads.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Option<Self> {
        let folder = Folder(std::env::temp_dir().join(format!("kiln-rehearsal-{}", std::process::id())));
        fs::create_dir(&folder.0).ok()?;
        fs::write(folder.0.join("main.js"), MAIN).ok()?;
        fs::write(folder.0.join("module.mjs"), MODULE).ok()?;
        Some(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
