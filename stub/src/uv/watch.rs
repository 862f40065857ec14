//! Handles that watch files and folders.

use std::ffi::{CStr, c_char, c_int};
use std::rc::Rc;

use libuv_sys2 as sys;

use super::fs::Stat;
use super::handle::{Handle, Kind, storage_of};

/// What is called with a name (if the system tells), the kind of event, and a libuv error or 0.
pub type OnEvent = Rc<dyn Fn(Option<&[u8]>, Event, c_int)>;
/// What is called with a libuv error or 0, the previous state of the file, and its present one.
pub type OnPoll = Rc<dyn Fn(c_int, &Stat, &Stat)>;

/// What happened to a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// It came, went, or changed its name.
    Rename,
    /// It has other contents or attributes.
    Change,
}

impl Handle {
    /// A watcher of a file or folder.
    pub fn fs_event() -> Result<Handle, c_int> {
        // SAFETY: the function initializes the memory, and has no way to fail.
        unsafe { Handle::create(Kind::FsEvent, |event_loop, raw| sys::uv_fs_event_init(event_loop, raw.cast())) }
    }

    /// Watches `path`. Returns a libuv error or 0.
    pub fn fs_event_start(&self, path: &CStr, recursive: bool, on_event: OnEvent) -> c_int {
        if self.kind() != Kind::FsEvent || self.is_closing() {
            return sys::uv_errno_t_UV_EINVAL;
        }
        *self.storage().on_event.borrow_mut() = Some(on_event);
        let flags = if recursive { sys::uv_fs_event_flags_UV_FS_EVENT_RECURSIVE } else { 0 };
        // SAFETY: the handle is an initialized watcher; libuv copies the path.
        unsafe { sys::uv_fs_event_start(self.raw(), Some(happened), path.as_ptr(), flags) }
    }

    /// A watcher that asks for a file's state from time to time.
    pub fn fs_poll() -> Result<Handle, c_int> {
        // SAFETY: as in `fs_event`.
        unsafe { Handle::create(Kind::FsPoll, |event_loop, raw| sys::uv_fs_poll_init(event_loop, raw.cast())) }
    }

    /// Asks for the state of `path` every `interval` milliseconds. Returns a libuv error or 0.
    pub fn fs_poll_start(&self, path: &CStr, interval: u32, on_poll: OnPoll) -> c_int {
        if self.kind() != Kind::FsPoll || self.is_closing() {
            return sys::uv_errno_t_UV_EINVAL;
        }
        *self.storage().on_poll.borrow_mut() = Some(on_poll);
        // SAFETY: the handle is an initialized watcher; libuv copies the path.
        unsafe { sys::uv_fs_poll_start(self.raw(), Some(polled), path.as_ptr(), interval) }
    }
}

unsafe extern "C" fn happened(raw: *mut sys::uv_fs_event_t, name: *const c_char, events: c_int, status: c_int) {
    // SAFETY: only handles of `Handle::fs_event_start` have this callback, and none is freed inside one; the name, if
    // there is one, is a string that lives during the call.
    let (on_event, name) = unsafe {
        let name = (!name.is_null()).then(|| CStr::from_ptr(name).to_bytes());
        (storage_of(raw).on_event.borrow().clone(), name)
    };
    let renamed = events as u32 & sys::uv_fs_event_UV_RENAME != 0;
    if let Some(on_event) = on_event {
        on_event(name, if renamed { Event::Rename } else { Event::Change }, status);
    }
}

unsafe extern "C" fn polled(raw: *mut sys::uv_fs_poll_t, status: c_int, previous: *const Stat, present: *const Stat) {
    // SAFETY: as in `happened`; libuv passes two states, which live during the call.
    let (on_poll, previous, present) = unsafe { (storage_of(raw).on_poll.borrow().clone(), &*previous, &*present) };
    if let Some(on_poll) = on_poll {
        on_poll(status, previous, present);
    }
}
