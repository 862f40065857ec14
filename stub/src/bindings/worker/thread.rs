//! The thread of a worker, from its first line to its last.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;

use kiln_payload::SectionId;
use v8::PinScope;

use super::control::Control;
use super::limits::Limits;
use super::{children, identity};
use crate::bindings::messaging::{self, End};
use crate::bindings::{builtins, fs, locks, options, timers};
use crate::command_line::Value;
use crate::realm::{self, Program, Realm};
use crate::thread::{Thread, Worker};
use crate::uv;
use crate::uv::environment::Store;
use crate::uv::event_loop;
use crate::uv::wakeup::Wakeup;
use crate::{bootstrap, platform, snapshot, start};

/// All that a worker's thread is given.
pub struct Launch {
    pub id: u64,
    pub name: String,
    pub environment: Store,
    pub options: Vec<OsString>,
    pub values: BTreeMap<String, Value>,
    pub limits: Limits,
    pub tracks_descriptors: bool,
    pub is_internal: bool,
    /// Its end of the channel to the thread that made it.
    pub port: Arc<End>,
    pub control: Arc<Control>,
    pub program: &'static Program,
}

/// The slot of the port to the thread that made this one.
pub const PORT: &str = "worker.port";

/// Runs a worker, on its own thread.
pub fn run(launch: Launch) {
    let Launch { id, name, environment, options, values, limits, port, control, program, .. } = launch;
    let (tracks_descriptors, is_internal) = (launch.tracks_descriptors, launch.is_internal);
    if let Err(error) = event_loop::prepare() {
        control.exit(1, Some(("ERR_WORKER_INIT_FAILED", uv::error_name(error))));
    }
    if !control.is_stopped() {
        let worker = Worker { control: control.clone(), options, values, limits, tracks_descriptors, is_internal };
        let thread = Thread { id, name, environment, worker: Some(worker) };
        live(program, thread, port, &control);
    }
    control.finish();
}

fn live(program: &'static Program, thread: Thread, port: Arc<End>, control: &Arc<Control>) {
    // Only the snapshot whose modules have not been evaluated: a worker evaluates its own.
    let Some(section) = program.image.section(SectionId::Snapshot) else { return };
    let (mut isolate, realm) = snapshot::restore(program, section.bytes, thread);
    let handle = isolate.thread_safe_handle();
    let own = control.clone();
    // Something to do, or the end.
    let wakeup = Wakeup::new(move || {
        realm::enter(|scope| own.serve(scope));
        if own.is_stopped() {
            event_loop::stop();
        }
    });
    if let Err(error) = &wakeup {
        control.exit(1, Some(("ERR_WORKER_INIT_FAILED", uv::error_name(*error))));
    }
    if let Ok(wakeup) = wakeup {
        wakeup.set_ref(false);
        if control.attach(handle, wakeup.waker()) {
            timers::start();
            let code = execute(control, port);
            if let Some(code) = code {
                control.ended(code);
            }
        }
        // From here on nothing runs JavaScript, and nobody reaches the isolate.
        control.detach();
        control.serve(&mut isolate);
        children::stop_all();
        locks::leave(realm.thread.id);
        event_loop::wind_up();
        fs::close_all();
        drop(wakeup);
    }
    let closed = platform::close(&isolate);
    realm.forget();
    drop(realm);
    Realm::uninstall();
    drop(isolate);
    drop(closed);
    event_loop::wind_up();
    event_loop::close();
}

/// Runs the program. Returns its exit code, unless somebody ended it.
fn execute(control: &Control, port: Arc<End>) -> Option<i32> {
    platform::attach();
    let ready = realm::enter(|scope| prepare(scope, port));
    if ready.is_some() && !control.is_stopped() {
        realm::enter(|scope| {
            if let Some(worker) = &Realm::current().thread.worker {
                options::apply(scope, &worker.values);
            }
            if let Some(main) = Realm::current().function(scope, bootstrap::WORKER) {
                start::run_main(scope, main);
            }
        });
    }
    if control.is_stopped() {
        return None;
    }
    let start = realm::enter(|scope| crate::bindings::performance::mark_loop_start(scope));
    control.loop_started(start as f64 / 1e6);
    start::spin()
}

/// Makes a worker's context of the one that was set up for the main thread.
fn prepare<'s>(scope: &mut PinScope<'s, '_>, port: Arc<End>) -> Option<()> {
    identity::update(scope);
    bootstrap::become_worker(scope)?;
    let port = messaging::create_port(scope, port)?;
    let realm = Realm::current();
    realm.set_slot(scope, PORT, port);
    let main = builtins::compile(scope, "internal/main/worker_thread")?;
    realm.set_slot(scope, bootstrap::WORKER, main);
    Some(())
}
