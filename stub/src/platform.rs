//! Tasks that V8 wants done on an isolate's own thread: the end of a WebAssembly compilation, callbacks of a
//! `FinalizationRegistry`, time-outs of `Atomics.waitAsync`, steps of garbage collection.
//!
//! V8 posts them from any thread. They wait in a queue of their isolate until its event loop, which is woken, runs them.

use std::collections::HashMap;
use std::ffi::c_void;
use std::rc::Rc;
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use v8::{Isolate, Platform, PlatformImpl, SharedRef, Task};

use crate::realm::{self, Realm};
use crate::uv::sampler::Interval;
use crate::uv::wakeup::{Waker, Wakeup};
use crate::wrap::AsyncIds;
use crate::{callback, js};

/// The queues of all isolates, by V8's address of the isolate.
static QUEUES: LazyLock<Mutex<HashMap<usize, Arc<Queue>>>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Queue {
    tasks: Mutex<Tasks>,
    arrived: Condvar,
}

#[derive(Default)]
struct Tasks {
    ready: Vec<Task>,
    later: Vec<(Instant, Task)>,
    /// Wakes the isolate's loop, once that runs.
    waker: Option<Waker>,
    /// The isolate is about to go: tasks are dropped.
    closed: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn queue(isolate: usize) -> Arc<Queue> {
    lock(&QUEUES).entry(isolate).or_default().clone()
}

impl Queue {
    fn add(&self, task: Task, delay: Option<f64>) {
        let mut tasks = lock(&self.tasks);
        if tasks.closed {
            // Its destructor may post another one.
            drop(tasks);
            drop(task);
            return;
        }
        match delay {
            None => tasks.ready.push(task),
            Some(seconds) => {
                let delay = Duration::try_from_secs_f64(seconds).unwrap_or_default();
                tasks.later.push((Instant::now() + delay, task));
            }
        }
        self.arrived.notify_all();
        if let Some(waker) = &tasks.waker {
            waker.wake();
        }
    }

    /// What is due, in the order in which it was posted.
    fn due(&self) -> Vec<Task> {
        let mut tasks = lock(&self.tasks);
        let now = Instant::now();
        let mut due = std::mem::take(&mut tasks.ready);
        let later = std::mem::take(&mut tasks.later);
        let (mut over, later): (Vec<_>, Vec<_>) = later.into_iter().partition(|(time, _)| *time <= now);
        over.sort_by_key(|(time, _)| *time);
        due.extend(over.into_iter().map(|(_, task)| task));
        tasks.later = later;
        due
    }

    /// How long it is until the next delayed task is due.
    fn delay(&self) -> Option<Duration> {
        let next = lock(&self.tasks).later.iter().map(|(time, _)| *time).min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    fn close(&self) {
        let (ready, later) = {
            let mut tasks = lock(&self.tasks);
            tasks.closed = true;
            tasks.waker = None;
            (std::mem::take(&mut tasks.ready), std::mem::take(&mut tasks.later))
        };
        drop((ready, later));
    }
}

struct Poster;

impl PlatformImpl for Poster {
    fn post_task(&self, isolate: *mut c_void, task: Task) {
        queue(isolate as usize).add(task, None);
    }

    fn post_non_nestable_task(&self, isolate: *mut c_void, task: Task) {
        queue(isolate as usize).add(task, None);
    }

    fn post_delayed_task(&self, isolate: *mut c_void, task: Task, delay: f64) {
        queue(isolate as usize).add(task, Some(delay));
    }

    fn post_non_nestable_delayed_task(&self, isolate: *mut c_void, task: Task, delay: f64) {
        queue(isolate as usize).add(task, Some(delay));
    }
}

/// V8's platform, for all isolates of the process.
pub fn new() -> SharedRef<Platform> {
    v8::new_custom_platform(0, false, false, Poster).make_shared()
}

fn address(isolate: &Isolate) -> usize {
    // SAFETY: the pointer is only used as a number.
    unsafe { std::mem::transmute::<v8::UnsafeRawIsolatePtr, usize>(isolate.as_raw_isolate_ptr()) }
}

/// This thread's loop and its queue.
struct Attached {
    queue: Arc<Queue>,
    /// Open for as long as the loop is.
    _wakeup: Wakeup,
    timer: Interval,
}

#[derive(Default)]
struct State(std::cell::RefCell<Option<Rc<Attached>>>);

fn attached() -> Option<Rc<Attached>> {
    Realm::current().room::<State>().0.borrow().clone()
}

/// Has the loop of this thread run the tasks of its isolate. They don't keep it alive.
pub fn attach() {
    let queue = realm::enter(|scope| queue(address(scope)));
    let (Ok(wakeup), Ok(timer)) = (Wakeup::new(run), Interval::new(run)) else { return };
    wakeup.set_ref(false);
    lock(&queue.tasks).waker = Some(wakeup.waker());
    let waker = wakeup.waker();
    let waiting = {
        let tasks = lock(&queue.tasks);
        !tasks.ready.is_empty() || !tasks.later.is_empty()
    };
    if waiting {
        waker.wake();
    }
    let attached = Attached { queue, _wakeup: wakeup, timer };
    *Realm::current().room::<State>().0.borrow_mut() = Some(Rc::new(attached));
}

/// Runs what is due.
fn run() {
    let Some(attached) = attached() else { return };
    realm::enter(|scope| {
        for task in attached.queue.due() {
            v8::scope!(let scope, scope);
            let resource = v8::Object::new(scope);
            callback::in_context(scope, resource, AsyncIds::default(), None, |scope| {
                task.run();
                Some(js::undefined(scope))
            });
        }
    });
    attached.timer.stop();
    if let Some(delay) = attached.queue.delay() {
        attached.timer.start(delay.as_millis() as u64 + 1);
    }
}

/// Waits for work that V8 does in the background, such as a WebAssembly compilation, and runs what comes of it. True if
/// there was any: the loop may have something to do again.
pub fn drain() -> bool {
    let Some(attached) = attached() else { return false };
    if !realm::enter(|scope| scope.has_pending_background_tasks()) && lock(&attached.queue.tasks).ready.is_empty() {
        return false;
    }
    {
        /// The news that nothing is pending any more comes without a task.
        const PATIENCE: Duration = Duration::from_millis(1);
        let tasks = lock(&attached.queue.tasks);
        if tasks.ready.is_empty() {
            drop(attached.queue.arrived.wait_timeout(tasks, PATIENCE));
        }
    }
    run();
    true
}

/// Drops the tasks of an isolate that is about to go. The result is to be dropped when it is gone: another one may get
/// its address.
pub fn close(isolate: &Isolate) -> impl Drop + use<> {
    struct Closed(usize);
    impl Drop for Closed {
        fn drop(&mut self) {
            lock(&QUEUES).remove(&self.0);
        }
    }
    let address = address(isolate);
    queue(address).close();
    Closed(address)
}
