//! What a worker's thread and the thread that made it share.

use std::collections::VecDeque;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use v8::{Isolate, IsolateHandle, UnsafeRawIsolatePtr};

use crate::bindings::v8::Refusal;
use crate::realm::Realm;
use crate::uv::event_loop::Watched;
use crate::uv::wakeup::Waker;

/// Something to do on the worker's thread between two instructions of its program. It can't run JavaScript.
pub type Request = Box<dyn FnOnce(&mut Isolate) + Send>;

/// A report for the thread that made the worker.
pub struct Answer {
    /// Which object waits for it.
    pub number: u64,
    /// The report.
    pub told: Told,
}

/// What a worker can tell of itself.
pub enum Told {
    /// A heap snapshot.
    Snapshot(Vec<u8>),
    /// See [`heap_statistics`](crate::bindings::v8::heap_statistics).
    Statistics(Vec<f64>),
    /// Microseconds that the thread has used, by the program and by the system; or a libuv error.
    Cpu(Result<[f64; 2], i32>),
    /// That a profile was started, with its number if it has one; or why not.
    Started(Result<Option<u32>, Refusal>),
    /// A profile, or why there is none.
    Profile(Result<Vec<u8>, Refusal>),
}

/// How a worker ended.
#[derive(Clone, Debug, Default)]
pub struct Ending {
    /// The exit code.
    pub code: i32,
    /// The code and the text of the error that ended it, unless it ended by itself.
    pub failure: Option<(&'static str, String)>,
}

/// How the two threads of a worker reach each other.
#[derive(Default)]
pub struct Control {
    stopped: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    ending: Ending,
    /// The worker's side; none before its program can run and after it has ended.
    running: Option<Running>,
    loop_start: Option<f64>,
    requests: VecDeque<Request>,
    answers: VecDeque<Answer>,
    /// Wakes the thread that made the worker.
    parent: Option<Waker>,
    finished: bool,
}

struct Running {
    isolate: IsolateHandle,
    waker: Waker,
    event_loop: Watched,
}

impl Control {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets who is woken for answers and at the end.
    pub fn set_parent(&self, parent: Waker) {
        self.inner().parent = Some(parent);
    }

    /// The worker can run JavaScript from now on. False if it must not any more.
    pub fn attach(&self, isolate: IsolateHandle, waker: Waker) -> bool {
        let mut inner = self.inner();
        inner.running = Some(Running { isolate, waker, event_loop: Watched::new() });
        !self.is_stopped()
    }

    /// The worker's isolate and loop are about to go.
    pub fn detach(&self) {
        let running = {
            let mut inner = self.inner();
            self.stopped.store(true, Ordering::Relaxed);
            inner.running.take()
        };
        if let Some(running) = running {
            running.event_loop.forget();
        }
    }

    /// Whether the worker must not run JavaScript any more.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Has the worker end as soon as it can, with `code`. Any thread may call it.
    pub fn exit(&self, code: i32, failure: Option<(&'static str, String)>) {
        let mut inner = self.inner();
        inner.ending.code = code;
        if failure.is_some() {
            inner.ending.failure = failure;
        }
        self.stopped.store(true, Ordering::Relaxed);
        if let Some(running) = &inner.running {
            running.isolate.terminate_execution();
            running.waker.wake();
        }
    }

    /// The worker has come to its end by itself, with `code`.
    pub fn ended(&self, code: i32) {
        let mut inner = self.inner();
        if inner.ending.code == 0 {
            inner.ending.code = code;
        }
    }

    /// The thread is through with everything.
    pub fn finish(&self) {
        let mut inner = self.inner();
        inner.finished = true;
        if let Some(parent) = &inner.parent {
            parent.wake();
        }
    }

    /// How it ended, once the thread is through with everything.
    pub fn ending(&self) -> Option<Ending> {
        let inner = self.inner();
        inner.finished.then(|| inner.ending.clone())
    }

    /// Has the worker's thread do something, even if its program is busy. False if it is not running.
    pub fn request(&self, request: Request) -> bool {
        let mut inner = self.inner();
        if self.is_stopped() {
            return false;
        }
        let Inner { running, requests, .. } = &mut *inner;
        let Some(running) = running else { return false };
        requests.push_back(request);
        // Whichever comes first: an instruction of the program, or the loop's next round.
        running.isolate.request_interrupt(interrupted, std::ptr::null_mut());
        running.waker.wake();
        true
    }

    /// Does what was requested. Called on the worker's thread.
    pub fn serve(&self, isolate: &mut Isolate) {
        loop {
            let Some(request) = self.inner().requests.pop_front() else { return };
            request(isolate);
        }
    }

    /// Sends a report to the thread that made the worker.
    pub fn answer(&self, answer: Answer) {
        let mut inner = self.inner();
        inner.answers.push_back(answer);
        if let Some(parent) = &inner.parent {
            parent.wake();
        }
    }

    /// The next report for the thread that made the worker.
    pub fn take_answer(&self) -> Option<Answer> {
        self.inner().answers.pop_front()
    }

    /// The worker's loop begins to run, at a time of the monotonic clock in milliseconds.
    pub fn loop_started(&self, time: f64) {
        self.inner().loop_start = Some(time);
    }

    /// When the worker's loop began to run, as long as it does.
    pub fn loop_start(&self) -> Option<f64> {
        let inner = self.inner();
        inner.loop_start.filter(|_| inner.running.is_some() && !self.is_stopped())
    }

    /// How long the worker's loop has waited for events, in milliseconds.
    pub fn idle_time(&self) -> Option<f64> {
        let inner = self.inner();
        let running = inner.running.as_ref().filter(|_| !self.is_stopped())?;
        running.event_loop.idle_time().map(|time| time as f64 / 1e6)
    }
}

unsafe extern "C" fn interrupted(isolate: UnsafeRawIsolatePtr, _: *mut c_void) {
    // SAFETY: V8 calls this on the isolate's own thread, with a pointer that is good during the call.
    let mut isolate = unsafe { Isolate::from_raw_isolate_ptr(isolate) };
    Realm::with_current(|realm| {
        if let Some(worker) = &realm.thread.worker {
            worker.control.serve(&mut isolate);
        }
    });
}
