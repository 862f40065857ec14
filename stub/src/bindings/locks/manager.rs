//! Who holds which lock and who waits for it, over all threads.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use crate::uv::wakeup::Waker;

/// How a lock is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Along with others.
    Shared,
    /// Alone.
    Exclusive,
}

/// A request, and then the lock.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its number, see [`new_id`].
    pub id: u64,
    /// The thread that it belongs to.
    pub thread: u64,
    /// The lock's name.
    pub name: String,
    /// Who asks, in the words of the library.
    pub client: String,
    /// How the lock is to be held.
    pub mode: Mode,
    /// Whoever holds the lock loses it.
    pub steal: bool,
    /// It does not wait.
    pub if_available: bool,
}

/// What became of a request or a lock, by its number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notice {
    /// The lock is its own.
    Granted(u64),
    /// It did not want to wait.
    Unavailable(u64),
    /// Somebody else has the lock now.
    Stolen(u64),
}

#[derive(Default)]
struct Manager {
    held: Vec<Entry>,
    pending: Vec<Entry>,
    threads: HashMap<u64, Listener>,
}

struct Listener {
    waker: Waker,
    notices: VecDeque<Notice>,
}

static MANAGER: LazyLock<Mutex<Manager>> = LazyLock::new(Mutex::default);

fn manager() -> MutexGuard<'static, Manager> {
    MANAGER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number that no other request has.
pub fn new_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A thread will make requests.
pub fn join(thread: u64, waker: Waker) {
    manager().threads.insert(thread, Listener { waker, notices: VecDeque::new() });
}

/// A thread has ended: so do its requests and its locks.
pub fn leave(thread: u64) {
    let mut manager = manager();
    if manager.threads.remove(&thread).is_some() {
        manager.pending.retain(|entry| entry.thread != thread);
        manager.held.retain(|entry| entry.thread != thread);
        manager.settle();
    }
}

/// Makes a request.
pub fn request(entry: Entry) {
    let mut manager = manager();
    manager.pending.push(entry);
    manager.settle();
}

/// Gives back a lock. Does nothing for a request that did not get it.
pub fn release(entry: &Entry) {
    let mut manager = manager();
    manager.held.retain(|held| held.id != entry.id);
    manager.settle();
}

/// What a thread has to be told next.
pub fn next_notice(thread: u64) -> Option<Notice> {
    manager().threads.get_mut(&thread)?.notices.pop_front()
}

/// All locks and all requests of a thread.
pub fn of_thread(thread: u64) -> (Vec<Entry>, Vec<Entry>) {
    let manager = manager();
    let own = |entries: &[Entry]| entries.iter().filter(|entry| entry.thread == thread).cloned().collect();
    (own(&manager.held), own(&manager.pending))
}

impl Manager {
    fn tell(&mut self, thread: u64, notice: Notice) {
        if let Some(listener) = self.threads.get_mut(&thread) {
            listener.notices.push_back(notice);
            listener.waker.wake();
        }
    }

    /// Grants what can be granted, oldest first. Who waits for a name lets nobody pass but those that could hold the
    /// lock together with him.
    fn settle(&mut self) {
        let mut first: BTreeMap<String, Mode> = BTreeMap::new();
        for entry in std::mem::take(&mut self.pending) {
            let waiting = first.get(&entry.name).copied();
            let is_behind =
                !entry.steal && waiting.is_some_and(|mode| mode == Mode::Exclusive || entry.mode == Mode::Exclusive);
            let holders = self.held.iter().filter(|held| held.name == entry.name);
            let is_free =
                entry.steal || holders.clone().all(|held| held.mode == Mode::Shared && entry.mode == Mode::Shared);
            if is_behind || !is_free {
                match entry.if_available {
                    true => self.tell(entry.thread, Notice::Unavailable(entry.id)),
                    false => {
                        first.entry(entry.name.clone()).or_insert(entry.mode);
                        self.pending.push(entry);
                    }
                }
                continue;
            }
            if entry.steal {
                let stolen: Vec<Entry> = holders.cloned().collect();
                self.held.retain(|held| held.name != entry.name);
                for held in stolen {
                    self.tell(held.thread, Notice::Stolen(held.id));
                }
            }
            self.tell(entry.thread, Notice::Granted(entry.id));
            self.held.push(entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: u64, name: &str, mode: Mode) -> Entry {
        Entry { id, thread: 0, name: name.into(), client: String::new(), mode, steal: false, if_available: false }
    }

    fn ids(entries: &[Entry]) -> Vec<u64> {
        entries.iter().map(|entry| entry.id).collect()
    }

    fn settled(pending: Vec<Entry>) -> Manager {
        let mut manager = Manager { pending, ..Manager::default() };
        manager.settle();
        manager
    }

    #[test]
    fn an_exclusive_request_waits_and_lets_nobody_pass() {
        use Mode::{Exclusive, Shared};
        let manager = settled(vec![
            entry(1, "a", Shared),
            entry(2, "a", Shared),
            entry(3, "a", Exclusive),
            entry(4, "a", Shared),
            entry(5, "b", Exclusive),
        ]);
        assert_eq!(ids(&manager.held), [1, 2, 5]);
        assert_eq!(ids(&manager.pending), [3, 4]);
    }

    #[test]
    fn a_lock_can_be_stolen() {
        let mut manager = settled(vec![entry(1, "a", Mode::Exclusive), entry(2, "b", Mode::Exclusive)]);
        manager.pending.push(Entry { steal: true, ..entry(3, "a", Mode::Exclusive) });
        manager.settle();
        assert_eq!(ids(&manager.held), [2, 3]);
    }

    #[test]
    fn who_does_not_want_to_wait_is_gone() {
        let mut manager = settled(vec![entry(1, "a", Mode::Shared)]);
        manager.pending.push(Entry { if_available: true, ..entry(2, "a", Mode::Exclusive) });
        manager.settle();
        assert_eq!((ids(&manager.held), ids(&manager.pending)), (vec![1], vec![]));
    }
}
