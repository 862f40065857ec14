//! What a realm knows of the thread that it runs on: the program's main thread, or that of a worker.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;

use crate::bindings::worker::{Control, Limits};
use crate::command_line::Value;
use crate::uv::environment::Store;

/// A thread that runs JavaScript.
pub struct Thread {
    /// Its number, 0 for the main thread.
    pub id: u64,
    /// The name that its maker gave it.
    pub name: String,
    /// What it sees as the environment.
    pub environment: Store,
    /// What a worker has besides.
    pub worker: Option<Worker>,
}

/// A thread that is not the main one.
pub struct Worker {
    /// What it shares with the thread that made it.
    pub control: Arc<Control>,
    /// `process.execArgv`
    pub options: Vec<OsString>,
    /// What these options say.
    pub values: BTreeMap<String, Value>,
    /// How much memory it may use.
    pub limits: Limits,
    /// Whether files that it leaves open are closed when it ends.
    pub tracks_descriptors: bool,
    /// Whether it belongs to the library, and not to the program.
    pub is_internal: bool,
}

impl Thread {
    /// The main thread.
    pub fn main() -> Thread {
        Thread { id: 0, name: String::new(), environment: Store::Process, worker: None }
    }

    /// Whether it is the main one.
    pub fn is_main(&self) -> bool {
        self.worker.is_none()
    }

    /// Whether it must not run JavaScript any more, but come to its end.
    pub fn is_stopping(&self) -> bool {
        self.worker.as_ref().is_some_and(|worker| worker.control.is_stopped())
    }
}
