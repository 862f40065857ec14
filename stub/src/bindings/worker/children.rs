//! The workers that this thread has made: they end with it.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::State;
use crate::realm::Realm;

/// How many threads of workers there are in the process.
static RUNNING: AtomicUsize = AtomicUsize::new(0);

#[derive(Default)]
struct Children(RefCell<Vec<Weak<State>>>);

/// Remembers a worker whose thread is running.
pub fn add(worker: &Rc<State>) {
    let children = Realm::current().room::<Children>();
    let mut children = children.0.borrow_mut();
    children.retain(|child| child.strong_count() > 0);
    children.push(Rc::downgrade(worker));
}

/// Ends all workers of this thread and waits for them.
pub fn stop_all() {
    let children = Realm::current().room::<Children>().0.take();
    let children: Vec<_> = children.iter().filter_map(Weak::upgrade).collect();
    for child in &children {
        if child.control.ending().is_none() {
            child.control.exit(1, None);
        }
    }
    for child in children {
        child.join();
    }
}

/// Counts a thread for as long as the result lives.
pub fn count() -> impl Drop + Send {
    struct Counted;
    impl Drop for Counted {
        fn drop(&mut self) {
            RUNNING.fetch_sub(1, Ordering::AcqRel);
        }
    }
    RUNNING.fetch_add(1, Ordering::AcqRel);
    Counted
}

/// Whether there are threads of workers.
pub fn any_running() -> bool {
    RUNNING.load(Ordering::Acquire) > 0
}
