//! `internalBinding('worker')`: threads that run JavaScript, and what a thread knows of itself.

mod children;
mod control;
mod identity;
mod limits;
mod options;
mod report;
mod thread;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use v8::{FunctionCallbackArguments, Global, Local, Object, PinScope, ReturnValue, Value};

use super::async_wrap;
use super::messaging::{self, End, Group};
use crate::errors::{self, Kind};
use crate::realm::{self, Realm};
use crate::uv::environment::Store;
use crate::uv::wakeup::Wakeup;
use crate::{callback, js, wrap};

pub use children::any_running;
pub use control::Control;
pub use limits::{Limits, install as keep_limits};

use thread::Launch;

crate::room! {
    name: "worker",
    functions: { pure "getEnvMessagePort" => get_env_message_port },
    classes: {
        "Worker" extends "AsyncWrap" {
            trap new => construct,
            trap "startThread" => start_thread,
            trap "stopThread" => stop_thread,
            trap "hasRef" => has_ref,
            trap "ref" => add_ref,
            trap "unref" => unref,
            trap "getResourceLimits" => get_resource_limits,
            trap "takeHeapSnapshot" => report::take_heap_snapshot,
            trap "startCpuProfile" => report::start_cpu_profile,
            trap "stopCpuProfile" => report::stop_cpu_profile,
            trap "startHeapProfile" => report::start_heap_profile,
            trap "stopHeapProfile" => report::stop_heap_profile,
            trap "getHeapStatistics" => report::get_heap_statistics,
            trap "cpuUsage" => report::cpu_usage,
            trap "loopIdleTime" => loop_idle_time,
            trap "loopStartTime" => loop_start_time,
        },
        #[hidden] "WorkerReport" extends "AsyncWrap" { trap new => report::construct },
    },
    setup: identity::setup,
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

/// A worker as the thread that made it sees it.
struct State {
    limits: Limits,
    control: Arc<Control>,
    /// What its thread will be given.
    launch: Cell<Option<Box<Launch>>>,
    thread: Cell<Option<JoinHandle<()>>>,
    /// Wakes this thread; there from the start of the thread until its end was noticed.
    wakeup: RefCell<Option<Wakeup>>,
    /// Objects that wait for a report of the worker.
    reports: RefCell<HashMap<u64, Global<Object>>>,
    /// Whether it keeps this thread's loop alive; nothing once it has ended.
    kept: Cell<Option<bool>>,
    next_report: Cell<u64>,
}

impl State {
    /// Waits for the thread's end.
    fn join(&self) {
        if let Some(thread) = self.thread.take() {
            // A panic has been reported by then.
            let _ = thread.join();
        }
    }
}

fn state<'s>(scope: &PinScope<'s, '_>, object: Local<'s, Object>) -> Option<Rc<State>> {
    wrap::get(scope, object)
}

/// The port to the thread that started this one; the main thread has none.
fn get_env_message_port<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    if let Some(port) = Realm::current().slot(scope, thread::PORT) {
        rv.set(port);
    }
}

/// `new Worker(url, env, execArgv, resourceLimits, trackUnmanagedFds, isInternal, name)`
fn construct<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let realm = Realm::current();
    let Some(environment) = environment(scope, &realm, args.get(1)) else { return };
    let given = options::Given {
        environment: args.get(1).is_object().then_some(&environment),
        list: args.get(2).try_into().ok().map(|list| options::list(scope, list)),
    };
    let (options, values) = match given.read(&realm) {
        Ok(options) => options,
        Err((property, wrong)) => {
            let wrong = js::strings(scope, wrong);
            js::set(scope, args.this(), property, wrong);
            return;
        }
    };
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = args.get(6).to_rust_string_lossy(scope);
    let control = Arc::new(Control::default());
    let group = Group::pair();
    let (own, other) = (End::new(group.clone()), End::new(group));
    let limits = Limits(report::read_numbers(args.get(3))).effective();
    let launch = Launch {
        id,
        name: name.clone(),
        environment,
        options,
        values,
        limits,
        tracks_descriptors: args.get(4).is_true(),
        is_internal: args.get(5).is_true(),
        port: other,
        control: control.clone(),
        program: realm.program,
    };
    let state = State {
        limits,
        control,
        launch: Cell::new(Some(Box::new(launch))),
        thread: Cell::default(),
        wakeup: RefCell::default(),
        reports: RefCell::default(),
        kept: Cell::new(Some(true)),
        next_report: Cell::new(0),
    };
    wrap::attach(scope, args.this(), state);
    async_wrap::init_object(scope, args.this(), "WORKER");
    let Some(port) = messaging::create_port(scope, own) else { return };
    js::set(scope, args.this(), "messagePort", port);
    let id = js::number(scope, id as f64);
    js::set(scope, args.this(), "threadId", id);
    let name = js::string(scope, &name);
    js::set(scope, args.this(), "threadName", name);
}

/// What the worker sees as its environment: a copy of this thread's for null, the properties of an object, or else
/// this thread's own. `None` when reading a property threw.
fn environment<'s>(scope: &mut PinScope<'s, '_>, realm: &Realm, value: Local<'s, Value>) -> Option<Store> {
    let own = &realm.thread.environment;
    if value.is_null() {
        return Some(own.copy());
    }
    let Ok(object) = Local::<Object>::try_from(value) else { return Some(own.clone()) };
    let names = object.get_own_property_names(scope, Default::default())?;
    let mut variables = Vec::new();
    for index in 0..names.length() {
        let name = names.get_index(scope, index)?;
        let value = object.get(scope, name)?;
        let [name, value] = [name, value].map(|text| text.to_rust_string_lossy(scope).into_bytes());
        variables.push((name, value));
    }
    Some(Store::of(variables))
}

/// `startThread()`
fn start_thread<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let Some(state) = state(scope, args.this()) else { return };
    let Some(launch) = state.launch.take() else { return };
    let object = Global::new(scope, args.this());
    let woken = Rc::downgrade(&state);
    let wakeup = Wakeup::new(move || {
        if let Some(state) = woken.upgrade() {
            realm::enter(|scope| {
                let object = Local::new(scope, &object);
                state.woken(scope, object);
            });
        }
    });
    let thread = wakeup.map_err(std::io::Error::from_raw_os_error).and_then(|wakeup| {
        state.control.set_parent(wakeup.waker());
        let counted = children::count();
        let stack = launch.limits.thread_stack();
        let thread = std::thread::Builder::new().name(launch.name.clone()).stack_size(stack).spawn(move || {
            thread::run(*launch);
            drop(counted);
        });
        thread.map(|thread| (thread, wakeup))
    });
    match thread {
        Ok((thread, wakeup)) => {
            wakeup.set_ref(state.kept.get().unwrap_or_default());
            state.thread.set(Some(thread));
            *state.wakeup.borrow_mut() = Some(wakeup);
            children::add(&state);
            wrap::keep_alive(scope, args.this(), true);
        }
        Err(error) => {
            let message = format!("Worker initialization failure: {}", error.raw_os_error().unwrap_or_default());
            errors::throw_code(scope, Kind::Error, "ERR_WORKER_INIT_FAILED", &message);
        }
    }
}

impl State {
    /// The worker has something to tell.
    fn woken<'s>(&self, scope: &mut PinScope<'s, '_>, object: Local<'s, Object>) {
        while let Some(answer) = self.control.take_answer() {
            report::deliver(scope, self, answer);
        }
        let Some(ending) = self.control.ending() else { return };
        self.join();
        if let Some(wakeup) = self.wakeup.take() {
            wakeup.close(|| ());
        }
        let undefined = js::undefined(scope);
        js::set(scope, object, "messagePort", undefined);
        let null = js::null(scope);
        let (code, reason) = match &ending.failure {
            Some((code, reason)) => (js::string(scope, code).into(), js::string(scope, reason).into()),
            None => (null, null),
        };
        let arguments = [js::integer(scope, ending.code), code, reason];
        callback::method(scope, object, "onexit", &arguments);
        self.kept.set(None);
        let ids = wrap::async_ids(scope, object);
        async_wrap::emit_destroy(scope, ids.id);
        wrap::keep_alive(scope, object, false);
    }
}

/// `stopThread()`
fn stop_thread<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if let Some(state) = state(scope, args.this()) {
        state.control.exit(1, None);
    }
}

fn set_ref<'s>(scope: &PinScope<'s, '_>, args: &Args<'s>, keep: bool) {
    let Some(state) = state(scope, args.this()) else { return };
    if state.kept.get().is_some() {
        state.kept.set(Some(keep));
    }
    if let Some(wakeup) = &*state.wakeup.borrow() {
        wakeup.set_ref(keep);
    }
}

fn add_ref<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    set_ref(scope, &args, true);
}

fn unref<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    set_ref(scope, &args, false);
}

fn has_ref<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    if let Some(kept) = state(scope, args.this()).and_then(|state| state.kept.get()) {
        rv.set_bool(kept);
    }
}

fn get_resource_limits<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    if let Some(state) = state(scope, args.this()) {
        rv.set(identity::numbers(scope, &state.limits.0));
    }
}

fn loop_idle_time<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let time = state(scope, args.this()).and_then(|state| state.control.idle_time());
    rv.set_double(time.unwrap_or(-1.0));
}

fn loop_start_time<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let time = state(scope, args.this()).and_then(|state| state.control.loop_start());
    rv.set_double(time.unwrap_or(-1.0));
}
