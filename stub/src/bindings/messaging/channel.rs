//! What connects ports: queues of messages that belong to no thread.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use super::message::Message;
use crate::uv::wakeup::Waker;

/// One end of a channel. It outlives the JavaScript object that it belongs to when that is transferred.
pub struct End {
    inbox: Mutex<Inbox>,
    group: Arc<Group>,
}

#[derive(Default)]
struct Inbox {
    queue: VecDeque<Item>,
    owner: Option<Waker>,
}

/// What waits in an inbox.
pub enum Item {
    /// A message.
    Message(Arc<Message>),
    /// The other end is gone.
    Close,
}

/// The ends that hear each other: the two of a channel, or all of a broadcast channel's name.
pub struct Group {
    name: Option<String>,
    ends: Mutex<Vec<Weak<End>>>,
}

/// Groups of broadcast channels, for all threads of the process.
static GROUPS: LazyLock<Mutex<HashMap<String, Weak<Group>>>> = LazyLock::new(Mutex::default);

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub enum Sent {
    /// It is in somebody's inbox.
    Yes,
    /// Nobody is there.
    NoReceiver,
    /// It took the port along that it was meant for: the channel is lost.
    ToItself,
    /// It has transferred objects, and there is more than one receiver.
    ManyReceivers,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Group {
    /// The group of a pair.
    pub fn pair() -> Arc<Group> {
        Arc::new(Group { name: None, ends: Mutex::default() })
    }

    /// The group of all broadcast channels called `name`.
    pub fn named(name: &str) -> Arc<Group> {
        let mut groups = lock(&GROUPS);
        if let Some(group) = groups.get(name).and_then(Weak::upgrade) {
            return group;
        }
        let group = Arc::new(Group { name: Some(name.to_owned()), ends: Mutex::default() });
        groups.insert(name.to_owned(), Arc::downgrade(&group));
        group
    }

    fn others(&self, end: &End) -> Vec<Arc<End>> {
        let ends = lock(&self.ends);
        ends.iter().filter_map(Weak::upgrade).filter(|other| !std::ptr::eq(&**other, end)).collect()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            let mut groups = lock(&GROUPS);
            // Another group may have got the name meanwhile.
            if groups.get(name).is_some_and(|group| group.strong_count() == 0) {
                groups.remove(name);
            }
        }
    }
}

impl End {
    /// A new member of `group`.
    pub fn new(group: Arc<Group>) -> Arc<End> {
        let end = Arc::new(End { inbox: Mutex::default(), group });
        lock(&end.group.ends).push(Arc::downgrade(&end));
        end
    }

    /// Sets who is woken when something arrives; whatever waits already counts as arrived.
    pub fn set_owner(&self, owner: Option<Waker>) {
        let mut inbox = lock(&self.inbox);
        if let Some(owner) = &owner {
            owner.wake();
        }
        inbox.owner = owner;
    }

    fn add(&self, item: Item) {
        let mut inbox = lock(&self.inbox);
        inbox.queue.push_back(item);
        if let Some(owner) = &inbox.owner {
            owner.wake();
        }
    }

    /// Sends `message` to all others of the group.
    pub fn send(&self, message: Message) -> Sent {
        let others = self.group.others(self);
        if others.is_empty() {
            return Sent::NoReceiver;
        }
        if others.len() > 1 && message.moves_anything() {
            return Sent::ManyReceivers;
        }
        if others.iter().any(|other| message.carries(other)) {
            return Sent::ToItself;
        }
        let message = Arc::new(message);
        others.iter().for_each(|other| other.add(Item::Message(message.clone())));
        Sent::Yes
    }

    /// How many messages wait.
    pub fn waiting(&self) -> usize {
        lock(&self.inbox).queue.len()
    }

    /// Takes what waits longest. Unless `messages` are wanted, only the news that the other end is gone.
    pub fn take(&self, messages: bool) -> Option<Item> {
        let mut inbox = lock(&self.inbox);
        match inbox.queue.front()? {
            Item::Message(_) if !messages => None,
            _ => inbox.queue.pop_front(),
        }
    }

    /// Leaves the group. The other end of a pair is told.
    pub fn leave(&self) {
        let others = self.group.others(self);
        lock(&self.group.ends).retain(|end| !std::ptr::eq(end.as_ptr(), self));
        if self.group.name.is_none() {
            others.iter().for_each(|other| other.add(Item::Close));
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // An end that was lost on its way, with the message that carried it.
        self.leave();
    }
}
