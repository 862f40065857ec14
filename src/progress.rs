//! A line that says what takes so long, on a terminal, while a build takes longer than a second.

use std::io::{IsTerminal, Write, stderr};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use kiln_compiler::Progress;

const PATIENCE: Duration = Duration::from_secs(1);
const PACE: Duration = Duration::from_millis(100);

/// Whether the line is there, to be wiped before anything else is printed.
static SHOWN: Mutex<bool> = Mutex::new(false);

/// The line, as long as this lives.
pub struct Line {
    watch: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Line {
    /// Shows `progress` from when it has taken a second.
    pub fn show(progress: Arc<Progress>) -> Self {
        if !stderr().is_terminal() || std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
            return Self { watch: None };
        }
        let start = Instant::now();
        let (done, is_done) = channel();
        let thread = thread::spawn(move || {
            let mut wait = PATIENCE;
            while is_done.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                wait = PACE;
                let mut shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
                let _ = write!(stderr(), "\r\x1b[K{progress}  {:.1} s", start.elapsed().as_secs_f64());
                *shown = true;
            }
        });
        Self { watch: Some((done, thread)) }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some((done, thread)) = self.watch.take() {
            drop(done);
            let _ = thread.join();
            wipe();
        }
    }
}

/// Takes the line away, so that something else can be printed. It comes back by itself.
pub fn wipe() {
    let mut shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if std::mem::take(&mut *shown) {
        let _ = write!(stderr(), "\r\x1b[K");
    }
}
