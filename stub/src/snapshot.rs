//! Taking V8's start-up snapshot of the program, and starting from it.

use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use v8::PinScope;

use crate::bindings::{self, contextify, errors, module_wrap, task_queue, wasm_web_api};
use crate::realm::{Program, Realm};
use crate::thread::Thread;
use crate::{binding, bootstrap, features, imports, library, platform, preeval, trace, uv};

/// V8 flags of every isolate. They are the same when a snapshot is taken and when it is restored.
///
/// The baseline compiler is fast enough to run where it is needed: to wake another thread for it costs a short program a
/// quarter of its start.
///
/// Bytecode is kept: a collection would take away that of functions which have not run for a while, and with it what the
/// snapshot is to have of them.
///
/// The first collection of young objects comes later than V8 has it, which is twice or thrice while a program starts.
///
/// Node's V8 does not have `Math.sumPrecise` and `Intl.Locale.prototype.variants`.
///
/// An extensible snapshot would have scope descriptions moved to V8's read-only space, which turns the weak references
/// that `eval` needs into strong ones, and V8 ends the process when it meets them.
const FLAGS: &str = "--no-verify-snapshot-checksum --no-freeze-flags-after-init --no-rehash-snapshot \
                     --no-extensible-ro-snapshot --no-concurrent-sparkplug --no-flush-bytecode \
                     --min-semi-space-size=8 \
                     --js-source-phase-imports --no-js-sum-precise --no-js-intl-locale-variants \
                     --external-memory-max-reasonable-size=0";

/// More flags while a snapshot is taken, so that one program always gives the same bytes: no other thread takes part, and
/// random numbers are always the same.
const REPRODUCIBLE: &str = "--random-seed=1 --predictable --single-threaded";

/// The main context's index in the snapshot, beside the default context.
const MAIN_CONTEXT: usize = 0;

/// Whether strings may be evaluated. V8 asks its flag when a context is made, and that was long ago.
static CODE_FROM_STRINGS: AtomicBool = AtomicBool::new(true);

/// A failure to take a snapshot, as text for the person who builds.
pub type Failure = String;

/// Starts V8. Once for each process.
///
/// While a snapshot is taken there is a `hash_seed` for strings and objects, which stays in the snapshot: it depends on
/// the program, so that keys that collide in one do not in another.
pub fn initialize_v8(hash_seed: Option<u64>) {
    v8::V8::set_flags_from_string(FLAGS);
    if let Some(seed) = hash_seed {
        v8::V8::set_flags_from_string(REPRODUCIBLE);
        // 0 would have V8 take a random one.
        v8::V8::set_flags_from_string(&format!("--hash-seed={}", (seed >> 1).max(1)));
    }
    if v8::icu::set_common_data_78(deno_core_icudata::ICU_DATA).is_err() {
        eprintln!("kiln: ICU does not take its data");
    }
    // V8 would read pages of /dev/urandom for a few numbers.
    v8::V8::set_entropy_source(|bytes| uv::system::random(bytes).is_ok());
    v8::V8::initialize_platform(platform::new());
    v8::V8::initialize();
}

/// Passes flags of the command line on to V8, before it starts. Returns those that it does not know.
pub fn set_flags(flags: &[String]) -> Vec<String> {
    if flags.is_empty() {
        return Vec::new();
    }
    for flag in flags {
        match flag.replace('_', "-").as_str() {
            "--disallow-code-generation-from-strings" => CODE_FROM_STRINGS.store(false, Ordering::Relaxed),
            "--no-disallow-code-generation-from-strings" => CODE_FROM_STRINGS.store(true, Ordering::Relaxed),
            _ => {}
        }
    }
    let name = std::iter::once("node".to_owned());
    let unknown = v8::V8::set_flags_from_command_line(name.chain(flags.iter().cloned()).collect());
    unknown.into_iter().skip(1).collect()
}

/// The table of external references: all callbacks, then all sources. Its order is the same on both sides
/// of a snapshot because it is the same executable, and the index is the same.
fn references(program: &'static Program) -> Vec<v8::ExternalReference> {
    binding::references()
        .chain(bootstrap::references())
        .chain(preeval::references())
        .chain(imports::references())
        .chain(program.sources.iter().map(|source| source.reference()))
        .chain(program.library.references())
        .collect()
}

/// Sets up Node's library and the program's modules, and takes a snapshot of it. The modules are compiled, and those that
/// `units` load are evaluated.
pub fn take(program: &'static Program, units: &[preeval::Unit]) -> Result<Vec<u8>, Failure> {
    let references = references(program);
    let mut isolate = v8::Isolate::snapshot_creator(Some(references.into()), None);
    prepare(&mut isolate, true);
    let realm = Realm::install(&isolate, program, Thread::main(), true);
    let filled = {
        v8::scope!(let scope, &mut isolate);
        let context = v8::Context::new(scope, Default::default());
        let scope = &mut v8::ContextScope::new(scope, context);
        features::install(scope, context);
        realm.set_context(scope, context);
        let filled = set_up(scope, program).and_then(|()| fill(scope, program, units));
        // Targets of weak references that this job has seen are roots until it ends.
        scope.perform_microtask_checkpoint();
        scope.clear_kept_objects();
        let slots = realm.take_slots(scope);
        scope.add_context_data(context, slots);
        scope.add_context(context);
        // V8 makes every later context from the default one: those of `vm` must not start with what is Node's.
        let blank = v8::Context::new(scope, Default::default());
        scope.set_default_context(blank);
        realm.forget();
        filled
    };
    drop(realm);
    if let Err(failure) = filled {
        // V8 does not let go of an isolate whose snapshot was not taken; the process ends now.
        std::mem::forget(isolate);
        return Err(failure);
    }
    Realm::uninstall();
    let blob = isolate.create_blob(v8::FunctionCodeHandling::Keep).ok_or("V8 gave no snapshot")?;
    Ok(blob.to_vec())
}

/// Sets up Node's library, with what the program reaches of it.
pub(crate) fn set_up(scope: &mut PinScope, program: &'static Program) -> Result<(), Failure> {
    v8::tc_scope!(let caught, scope);
    if bootstrap::run(caught).is_none() {
        let stack = caught.stack_trace().filter(|stack| stack.is_string());
        let what = stack.or(caught.exception());
        let what = what.map_or_else(|| "no exception".to_owned(), |what| what.to_rust_string_lossy(caught));
        let place = caught.message().map(|message| {
            let script = message.get_script_resource_name(caught);
            let script = script.map(|script| script.to_rust_string_lossy(caught)).unwrap_or_default();
            format!("{script}:{}", message.get_line_number(caught).unwrap_or_default())
        });
        let what = format!("{what} ({})", place.unwrap_or_default());
        return Err(format!("Node's library could not be set up: {what}"));
    }
    let index = program.image.index().map_err(|damage| damage.to_string())?;
    let targets = index.modules.iter().flat_map(|module| module.requires.values().chain(module.imports.values()));
    // One `import()` is enough to want what loads them.
    let has_es_modules = index
        .modules
        .iter()
        .any(|module| !module.imports.is_empty() || matches!(module.format, kiln_payload::ArchivedFormat::Module));
    let es_modules = index.modules.iter().filter(|module| module.format == kiln_payload::ArchivedFormat::Module);
    let imported = es_modules.flat_map(|module| module.imports.values());
    let imported = imported.filter_map(|target| target.as_str().strip_prefix("node:")).collect();
    bootstrap::preload(caught, has_es_modules, targets.map(|target| target.as_str()), &imported);
    let loads = program.loads.get().into_iter().flatten();
    bootstrap::preload_rehearsed(caught, loads.filter_map(|position| library::id(*position as usize)));
    bootstrap::precompile_others(caught);
    Ok(())
}

fn fill(scope: &mut PinScope, program: &'static Program, units: &[preeval::Unit]) -> Result<(), Failure> {
    v8::tc_scope!(let caught, scope);
    let index = program.image.index().map_err(|damage| damage.to_string())?;
    let evaluated = preeval::evaluate(caught, program, units)?;
    if let Some(codes) = program.codes.get() {
        imports::prepare(caught, program, |id| codes.contains_key(&id))?;
    }
    for (id, (module, source)) in (0..).zip(index.modules.iter().zip(&program.sources)) {
        // What a start does not load waits in the executable.
        let waits = program.codes.get().is_some_and(|codes| !codes.contains_key(&id));
        if waits || evaluated.contains(module.path.as_str()) {
            continue;
        }
        match module.format {
            kiln_payload::ArchivedFormat::CommonJs => contextify::precompile(caught, &module.path, source),
            kiln_payload::ArchivedFormat::Module => module_wrap::precompile(caught, &module.path, source),
            kiln_payload::ArchivedFormat::Json => {}
        }
        // A module that can't be compiled throws when the program loads it, as under Node.
        caught.reset();
    }
    Ok(())
}

/// An isolate with the program in it, ready to run on this thread.
pub fn restore(program: &'static Program, blob: &'static [u8], thread: Thread) -> (v8::OwnedIsolate, Rc<Realm>) {
    let mut params = v8::CreateParams::default()
        .array_buffer_allocator(crate::memory::allocator())
        .snapshot_blob(v8::StartupData::from(blob))
        .external_references(references(program).into());
    let memory = uv::system::memory::usable();
    if memory > 0 {
        // Without it V8 takes a limit for small machines.
        params = params.heap_limits_from_system_memory(memory, 0);
    }
    if let Some(worker) = &thread.worker {
        params = worker.limits.apply(params);
    }
    trace::mark("the machine's memory is known");
    let mut isolate = v8::Isolate::new(params);
    if let Some(worker) = &thread.worker {
        bindings::worker::keep_limits(&mut isolate, worker);
    }
    trace::mark("the isolate is restored");
    prepare(&mut isolate, false);
    let realm = Realm::install(&isolate, program, thread, false);
    {
        v8::scope!(let scope, &mut isolate);
        let context =
            features::restore(scope, |scope| v8::Context::from_snapshot(scope, MAIN_CONTEXT, Default::default()));
        let context = context.expect("the snapshot has the main context");
        let scope = &mut v8::ContextScope::new(scope, context);
        features::install_rest(scope, context);
        realm.set_context(scope, context);
        if let Ok(slots) = scope.get_context_data_from_snapshot_once::<v8::Array>(0) {
            realm.restore_slots(scope, slots);
        }
        if !CODE_FROM_STRINGS.load(Ordering::Relaxed) {
            errors::forbid_code_from_strings(scope);
        }
        bindings::mksnapshot::restored(scope);
    }
    (isolate, realm)
}

/// What every isolate needs and no snapshot keeps.
pub(crate) fn prepare(isolate: &mut v8::Isolate, building: bool) {
    isolate.set_microtasks_policy(v8::MicrotasksPolicy::Explicit);
    isolate.set_promise_reject_callback(task_queue::on_promise_reject);
    errors::install(isolate, building);
    module_wrap::install(isolate);
    wasm_web_api::install(isolate);
}
