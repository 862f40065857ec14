//! How far a build is, for whoever watches it from another thread.

use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

/// What a build is at.
#[derive(Debug, Default)]
pub struct Progress {
    step: AtomicU8,
    modules: AtomicUsize,
}

/// The steps that take time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Step {
    /// Modules are read and compiled.
    Read,
    /// V8 takes the snapshot.
    Snapshot,
    /// The executable is compressed and written.
    Write,
}

impl Progress {
    /// Begins a step.
    pub fn begin(&self, step: Step) {
        self.step.store(step as u8, Ordering::Relaxed);
    }

    /// Counts a module that was read.
    pub fn module(&self) {
        self.modules.fetch_add(1, Ordering::Relaxed);
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.step.load(Ordering::Relaxed) {
            step if step == Step::Snapshot as u8 => f.write_str("taking the snapshot"),
            step if step == Step::Write as u8 => f.write_str("writing the executable"),
            _ => write!(f, "reading modules: {}", self.modules.load(Ordering::Relaxed)),
        }
    }
}
