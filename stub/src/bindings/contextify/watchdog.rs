//! Stopping JavaScript that runs too long, or that the user wants stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use v8::{Local, PinScope, Value};

use crate::errors::{self, Kind};

/// What may stop a piece of JavaScript.
#[derive(Clone, Copy, Debug, Default)]
pub struct Interrupt {
    /// After so many milliseconds.
    pub timeout: Option<u64>,
    /// On SIGINT.
    pub sigint: bool,
}

/// Runs `body`. The error that it should throw if it was stopped by `interrupt`, which has then to be thrown
/// once the scope is clean of the termination.
pub fn run_guarded<'s, R>(
    scope: &mut PinScope<'s, '_>,
    interrupt: Interrupt,
    body: impl FnOnce(&mut PinScope<'s, '_>) -> R,
) -> Result<R, Local<'s, Value>> {
    let timer = interrupt.timeout.map(|timeout| Timer::start(scope, timeout));
    let signal = interrupt.sigint.then(|| sigint::Guard::new(scope.thread_safe_handle()));
    let result = body(scope);
    let interrupted = signal.is_some_and(sigint::Guard::finish);
    let timed_out = timer.is_some_and(Timer::finish);
    if !timed_out && !interrupted {
        return Ok(result);
    }
    scope.cancel_terminate_execution();
    Err(match interrupt.timeout.filter(|_| timed_out) {
        Some(timeout) => {
            let message = format!("Script execution timed out after {timeout}ms");
            errors::with_code(scope, Kind::Error, "ERR_SCRIPT_EXECUTION_TIMEOUT", &message)
        }
        None => {
            let message = "Script execution was interrupted by `SIGINT`";
            errors::with_code(scope, Kind::Error, "ERR_SCRIPT_EXECUTION_INTERRUPTED", message)
        }
    })
}

/// A thread that waits for the time to be up.
struct Timer {
    done: mpsc::Sender<()>,
    thread: JoinHandle<()>,
    fired: Arc<AtomicBool>,
}

impl Timer {
    fn start(scope: &mut PinScope, timeout: u64) -> Self {
        let (done, receiver) = mpsc::channel();
        let fired = Arc::new(AtomicBool::new(false));
        let isolate = scope.thread_safe_handle();
        let flag = fired.clone();
        let thread = std::thread::spawn(move || {
            if receiver.recv_timeout(Duration::from_millis(timeout)) == Err(RecvTimeoutError::Timeout) {
                flag.store(true, Ordering::SeqCst);
                isolate.terminate_execution();
            }
        });
        Timer { done, thread, fired }
    }

    /// Ends the wait. Whether the time was up before.
    fn finish(self) -> bool {
        let _ = self.done.send(());
        let _ = self.thread.join();
        self.fired.load(Ordering::SeqCst)
    }
}

/// SIGINT while JavaScript runs: a thread of its own receives it and stops what runs.
pub mod sigint {
    use std::ptr;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex};

    use v8::IsolateHandle;

    /// Everything about the watchdog; there is one for each process.
    struct Watch {
        /// How many want it.
        users: usize,
        /// What SIGINT did before.
        previous: Option<libc::sigaction>,
        /// The thread that waits; created once and kept.
        thread: bool,
        /// What to stop, the last first.
        guards: Vec<(IsolateHandle, Arc<AtomicBool>)>,
    }

    static WATCH: Mutex<Watch> = Mutex::new(Watch { users: 0, previous: None, thread: false, guards: Vec::new() });
    static PENDING: AtomicBool = AtomicBool::new(false);
    static PIPE: std::sync::OnceLock<[libc::c_int; 2]> = std::sync::OnceLock::new();

    fn watch() -> std::sync::MutexGuard<'static, Watch> {
        WATCH.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    extern "C" fn on_signal(_: libc::c_int) {
        if let Some([_, write]) = PIPE.get() {
            // SAFETY: `write` may be called in a signal handler; the descriptor stays open for ever.
            unsafe { libc::write(*write, c"!".as_ptr().cast(), 1) };
        }
    }

    fn wait(read: libc::c_int) {
        let mut byte = 0u8;
        loop {
            // SAFETY: the buffer has room for the one byte asked for.
            match unsafe { libc::read(read, ptr::from_mut(&mut byte).cast(), 1) } {
                1 => {}
                -1 if std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted => continue,
                _ => return,
            }
            let watch = watch();
            match watch.guards.last() {
                Some((isolate, fired)) => {
                    fired.store(true, Ordering::SeqCst);
                    isolate.terminate_execution();
                }
                None => PENDING.store(true, Ordering::SeqCst),
            }
        }
    }

    /// Takes SIGINT over. False when that fails.
    pub fn start() -> bool {
        let mut watch = watch();
        watch.users += 1;
        if watch.users > 1 {
            return true;
        }
        PENDING.store(false, Ordering::SeqCst);
        let pipe = PIPE.get_or_init(|| {
            let mut pipe = [-1; 2];
            // SAFETY: the call writes two descriptors.
            unsafe { libc::pipe2(pipe.as_mut_ptr(), libc::O_CLOEXEC) };
            pipe
        });
        if pipe[0] < 0 {
            return false;
        }
        if !watch.thread {
            let read = pipe[0];
            std::thread::spawn(move || wait(read));
            watch.thread = true;
        }
        // SAFETY: both structures are plain data, valid when zero; the handler is signal-safe.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_signal as extern "C" fn(libc::c_int) as usize;
            let mut previous: libc::sigaction = std::mem::zeroed();
            if libc::sigaction(libc::SIGINT, &action, &mut previous) != 0 {
                return false;
            }
            watch.previous = Some(previous);
        }
        true
    }

    /// Gives SIGINT back. Whether one came that nothing was stopped by.
    pub fn stop() -> bool {
        let mut watch = watch();
        let pending = PENDING.load(Ordering::SeqCst);
        watch.users = watch.users.saturating_sub(1);
        if watch.users > 0 {
            return pending;
        }
        if let Some(previous) = watch.previous.take() {
            // SAFETY: it is what the system gave for this very signal.
            unsafe { libc::sigaction(libc::SIGINT, &previous, ptr::null_mut()) };
        }
        PENDING.store(false, Ordering::SeqCst);
        pending
    }

    /// Whether a SIGINT came that nothing was stopped by.
    pub fn is_pending() -> bool {
        PENDING.load(Ordering::SeqCst)
    }

    /// Stops an isolate's JavaScript on SIGINT while it exists.
    pub struct Guard {
        fired: Arc<AtomicBool>,
    }

    impl Guard {
        /// Starts to watch.
        pub fn new(isolate: IsolateHandle) -> Self {
            start();
            let fired = Arc::new(AtomicBool::new(false));
            watch().guards.push((isolate, fired.clone()));
            Guard { fired }
        }

        /// Ends it. Whether there was a SIGINT.
        pub fn finish(self) -> bool {
            watch().guards.retain(|(_, fired)| !Arc::ptr_eq(fired, &self.fired));
            stop();
            self.fired.load(Ordering::SeqCst)
        }
    }
}
