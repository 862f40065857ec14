//! Runs of the program while it is built, which `--train` asks for: what they compile will be in the snapshot.
//!
//! Such a run is a usual one, but for its isolate: V8 takes code caches only where nothing was restored, as in the isolate
//! that becomes the snapshot.

use std::cell::RefCell;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::rc::Rc;

use kiln_payload::Rehearsal;

use super::code;
use crate::bindings::{mksnapshot, timers};
use crate::realm::{self, Program, Realm};
use crate::thread::Thread;
use crate::uv::environment;
use crate::{snapshot, train};

/// Has an executable that is whole but for the code of modules run the program so: the paths of a file for the result and
/// of one with what is known so far, parted by a colon.
const VARIABLE: &[u8] = b"KILN_TRAINING";

thread_local! {
    static TRAINING: RefCell<Option<Training>> = const { RefCell::new(None) };
}

struct Training {
    result: File,
    /// What is known of before.
    known: Vec<u8>,
    /// How many of the library's modules every start loads.
    usual: usize,
}

/// Begins a training, on the main thread of a process that is told to. Returns whether it is.
pub fn begin() -> std::io::Result<bool> {
    let Some(paths) = environment::get(VARIABLE) else { return Ok(false) };
    // Children are not told.
    environment::remove(VARIABLE);
    let paths = paths.to_string_lossy().into_owned();
    let Some((result, known)) = paths.split_once(':') else { return Ok(false) };
    let result = File::options().write(true).open(Path::new(result))?;
    let known = std::fs::read(known)?;
    TRAINING.set(Some(Training { result, known, usual: 0 }));
    Ok(true)
}

/// Whether this is the main thread of a training.
pub fn is_on() -> bool {
    TRAINING.with_borrow(Option::is_some)
}

/// The isolate of a training, with the program in it.
pub fn set_up(program: &'static Program) -> Result<(v8::OwnedIsolate, Rc<Realm>), String> {
    let known = TRAINING.with_borrow_mut(|training| training.as_mut().map(|it| std::mem::take(&mut it.known)));
    code::set(program, &known.unwrap_or_default());
    train::note_from_now(true);
    let params = v8::CreateParams::default().array_buffer_allocator(crate::memory::allocator());
    let mut isolate = v8::Isolate::new(params);
    snapshot::prepare(&mut isolate, true);
    let realm = Realm::install(&isolate, program, Thread::main(), true);
    {
        v8::scope!(let scope, &mut isolate);
        let context = v8::Context::new(scope, Default::default());
        let scope = &mut v8::ContextScope::new(scope, context);
        realm.set_context(scope, context);
        snapshot::set_up(scope, program)?;
        mksnapshot::restored(scope);
    }
    timers::start();
    let usual = train::count();
    TRAINING.with_borrow_mut(|training| training.iter_mut().for_each(|it| it.usual = usual));
    Ok((isolate, realm))
}

/// Before the process ends: says what a training has learnt.
pub fn end() {
    let Some(mut training) = TRAINING.take() else { return };
    let learnt = realm::enter(|scope| {
        let (codes, loads) = code::learnt(scope, training.usual);
        Rehearsal { report: String::new(), codes, loads }
    });
    // Without a result, the build says that the run gave none.
    let _ = training.result.write_all(&learnt.to_bytes());
}
