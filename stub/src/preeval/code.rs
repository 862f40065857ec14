//! The code that V8 compiles for the program's modules: what a rehearsed start compiles is in the snapshot, and that of
//! the other modules waits in the executable until they are loaded.

use std::borrow::Cow;
use std::cell::RefCell;

use kiln_payload::{ArchivedFormat, Code, Codes, Rehearsal};
use v8::{Function, Global, Local, Module, PinScope, UnboundModuleScript};

use super::training;
use crate::bindings::{contextify, module_wrap};
use crate::realm::{Program, Realm};
use crate::{train, trap, vfs};

/// What was compiled while the program was rehearsed, or run for training.
#[derive(Default)]
struct Compiled(RefCell<Vec<(u32, Script)>>);

enum Script {
    Function(Global<Function>),
    Module(Global<UnboundModuleScript>),
}

/// Notes the function of a CommonJS module, during a rehearsal.
pub fn note_function(scope: &PinScope, module: u32, function: Local<Function>) {
    note(module, || Script::Function(Global::new(scope, function)));
}

/// Notes an ES module, during a rehearsal.
pub fn note_module(scope: &PinScope, module: u32, compiled: Local<Module>) {
    note(module, || Script::Module(Global::new(scope, compiled.get_unbound_module_script(scope))));
}

/// A code cache as V8 has made it.
pub fn plain(module: u32, bytes: Vec<u8>) -> Code {
    Code { module, plain_len: 0, bytes }
}

fn note(module: u32, script: impl FnOnce() -> Script) {
    if trap::is_noting() || training::is_on() {
        Realm::current().room::<Compiled>().0.borrow_mut().push((module, script()));
    }
}

/// Code caches of the modules that were compiled during the rehearsal, with the functions in them that ran.
fn rehearsed(scope: &mut PinScope) -> Codes {
    let compiled = Realm::current().room::<Compiled>();
    let mut compiled = compiled.0.take();
    // Those that were compiled first are those that the program has.
    compiled.sort_by_key(|(module, _)| *module);
    compiled.dedup_by_key(|(module, _)| *module);
    let cache = |(module, script): &(u32, Script)| {
        let bytes = match script {
            Script::Function(function) => Local::new(scope, function).create_code_cache(),
            Script::Module(script) => Local::new(scope, script).create_code_cache(),
        };
        Some(plain(*module, bytes?.to_vec()))
    };
    let modules = compiled.iter().filter_map(cache).collect();
    // Those of what it has not loaded are as every start needs them.
    let mut library = Realm::current().program.library.caches();
    library.extend(train::caches(scope));
    let mut library: Vec<_> = library.into_iter().map(|(position, bytes)| plain(position as u32, bytes)).collect();
    library.sort_by_key(|code| code.module);
    Codes { modules, library }
}

/// What this run has compiled of the program, and which of the library's modules it has loaded, but for the first `usual`;
/// with what is known of earlier runs.
pub fn learnt(scope: &mut PinScope, usual: usize) -> (Codes, Vec<u32>) {
    let program = Realm::current().program;
    let mut codes = rehearsed(scope);
    // What this run had no use for, another had.
    let known = program.codes.get().into_iter().flatten();
    let missing = known.filter(|(id, _)| codes.modules.binary_search_by_key(*id, |code| code.module).is_err());
    let missing: Vec<_> = missing.map(|(id, bytes)| plain(*id, bytes.clone())).collect();
    codes.modules.extend(missing);
    codes.modules.sort_by_key(|code| code.module);
    let mut loads = program.loads.get().cloned().unwrap_or_default();
    loads.extend(train::noted_since(usual).into_iter().map(|position| position as u32));
    (codes, loads)
}

/// Has the program's modules and those of Node's library compiled from what a rehearsal has made, given by its bytes; or
/// the library from what it needs for every start, if there was none.
pub fn set(program: &'static Program, rehearsal: &[u8]) {
    let Some(Rehearsal { codes: Codes { modules, library }, loads, .. }) = Rehearsal::from_bytes(rehearsal) else {
        program.library.set_caches(train::rehearse(program));
        return;
    };
    // They are only set here.
    let _ = program.codes.set(modules.into_iter().map(|code| (code.module, code.bytes)).collect());
    let _ = program.loads.set(loads);
    program.library.set_caches(library.into_iter().map(|code| (code.module as usize, code.bytes)).collect());
}

/// Code caches of `modules` for the isolate that it runs in, which is one of a start: V8 takes them in no other.
pub fn waiting(scope: &mut PinScope, program: &'static Program, modules: &[u32]) -> Codes {
    let Ok(index) = program.image.index() else { return Codes::default() };
    let cache = |id: &u32| {
        let (module, source) = (index.modules.get(*id as usize)?, program.sources.get(*id as usize)?);
        let bytes = match module.format {
            ArchivedFormat::CommonJs => {
                contextify::compile_embedded(scope, &module.path, source)?.create_code_cache()?
            }
            ArchivedFormat::Module => {
                let module = module_wrap::compile_embedded(scope, &module.path, source)?;
                module.get_unbound_module_script(scope).create_code_cache()?
            }
            ArchivedFormat::Json => return None,
        };
        Some(plain(*id, bytes.to_vec()))
    };
    Codes { modules: modules.iter().filter_map(cache).collect(), library: Vec::new() }
}

/// The id of the embedded module at `path`, if its text is `code`.
pub fn embedded<'s>(scope: &mut PinScope<'s, '_>, path: &str, code: Local<'s, v8::String>) -> Option<u32> {
    let module = vfs::module(path)?;
    let source = Realm::current().program.sources.get(module as usize)?.string(scope);
    contextify::same_text(source, code).then_some(module)
}

/// The code cache of a module: while the snapshot is taken what the rehearsal has made, then what waits in the executable.
pub fn cache(module: u32) -> Option<Cow<'static, [u8]>> {
    let program = Realm::current().program;
    match program.codes.get() {
        Some(codes) => Some(Cow::Borrowed(codes.get(&module)?.as_slice())),
        None => program.image.code(module).ok()?.map(Cow::Owned),
    }
}
