//! A libuv handle with an owner.
//!
//! libuv keeps pointers to a handle from the moment it is initialized until its close callback has run.
//! [`Handle`] owns the memory and outlives that: dropping one that is still open closes it, and the
//! memory goes when libuv lets go of it.

use std::cell::{Cell, RefCell};
use std::ffi::c_int;
use std::net::SocketAddr;
use std::ptr::{self, NonNull};
use std::rc::Rc;

use libuv_sys2 as sys;

use super::event_loop;
use super::wakeup::Waker;
use super::watch::{OnEvent, OnPoll};

/// What a handle is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A Unix domain socket or pipe.
    Pipe {
        /// Whether other handles can be passed over it.
        ipc: bool,
    },
    /// A TCP socket.
    Tcp,
    /// A terminal.
    Tty,
    /// A child process.
    Process,
    /// A signal watcher.
    Signal,
    /// A UDP socket.
    Udp,
    /// A watcher of a file or folder.
    FsEvent,
    /// A watcher of a file that asks for its state from time to time.
    FsPoll,
    /// Something that any thread can wake the loop with.
    Wakeup,
    /// Something that watches the loop itself.
    Sampler,
}

impl Kind {
    /// Whether bytes can be read from and written to it.
    pub fn is_stream(self) -> bool {
        matches!(self, Kind::Pipe { .. } | Kind::Tcp | Kind::Tty)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    Closing,
    Closed,
}

/// What is called with each piece of a stream's data, or with a libuv error.
pub type OnRead = Rc<dyn Fn(Result<&[u8], c_int>)>;
/// What is called with each message that comes in and who sent it, or with a libuv error.
pub type OnMessage = Rc<dyn Fn(Result<(&[u8], SocketAddr), c_int>)>;
/// What is called with a number: a server's connection status, or a signal.
pub type OnNumber = Rc<dyn Fn(c_int)>;
/// What is called with a child's exit status and the signal that ended it.
pub type OnExit = Rc<dyn Fn(i64, c_int)>;

/// The memory that libuv sees, and what its callbacks need. libuv's part comes first, so a pointer to
/// one is a pointer to the other.
#[repr(C)]
pub(super) struct Storage {
    raw: sys::uv_any_handle,
    kind: Kind,
    phase: Cell<Phase>,
    /// The owner is gone: the close callback frees the memory.
    orphaned: Cell<bool>,
    on_close: RefCell<Option<Box<dyn FnOnce()>>>,
    pub on_read: RefCell<Option<OnRead>>,
    pub on_message: RefCell<Option<OnMessage>>,
    pub on_number: RefCell<Option<OnNumber>>,
    pub on_exit: RefCell<Option<OnExit>>,
    pub on_event: RefCell<Option<OnEvent>>,
    pub on_poll: RefCell<Option<OnPoll>>,
    /// What other threads reach the handle by.
    pub waker: RefCell<Option<Waker>>,
    /// The buffer that libuv is reading into.
    pub reading: Cell<*mut [u8]>,
    /// The most that is read at once.
    pub read_limit: Cell<usize>,
}

/// The largest piece that a stream is read in, unless a limit is set; what libuv suggests.
pub const READ_SIZE: usize = 64 * 1024;

/// A libuv handle.
pub struct Handle {
    storage: NonNull<Storage>,
}

impl Handle {
    /// Makes a handle with `init`.
    ///
    /// # Safety
    ///
    /// `init` must call libuv's function that initializes a handle of this kind, on the loop and memory given,
    /// and return its result. A failure must leave libuv without a pointer to the memory.
    pub(super) unsafe fn create(
        kind: Kind,
        init: impl FnOnce(*mut sys::uv_loop_t, *mut sys::uv_any_handle) -> c_int,
    ) -> Result<Handle, c_int> {
        let storage = Box::new(Storage {
            // SAFETY: libuv's handles are plain C structures, valid when zero.
            raw: unsafe { std::mem::zeroed() },
            kind,
            phase: Cell::new(Phase::Open),
            orphaned: Cell::new(false),
            on_close: RefCell::default(),
            on_read: RefCell::default(),
            on_message: RefCell::default(),
            on_number: RefCell::default(),
            on_exit: RefCell::default(),
            on_event: RefCell::default(),
            on_poll: RefCell::default(),
            waker: RefCell::default(),
            reading: Cell::new(ptr::slice_from_raw_parts_mut(ptr::null_mut(), 0)),
            read_limit: Cell::new(READ_SIZE),
        });
        let storage = NonNull::from(Box::leak(storage));
        let result = init(event_loop::raw(), storage.as_ptr().cast());
        if result < 0 {
            // SAFETY: the caller promises that libuv has forgotten the memory.
            drop(unsafe { Box::from_raw(storage.as_ptr()) });
            return Err(result);
        }
        Ok(Handle { storage })
    }

    pub(super) fn storage(&self) -> &Storage {
        // SAFETY: the memory lives at least as long as its owner. libuv's own part is only reached through
        // raw pointers.
        unsafe { self.storage.as_ref() }
    }

    pub(super) fn raw<T>(&self) -> *mut T {
        self.storage.as_ptr().cast()
    }

    /// The handle as libuv's stream, if it is one.
    pub(super) fn stream(&self) -> Option<*mut sys::uv_stream_t> {
        self.kind().is_stream().then(|| self.raw())
    }

    /// What the handle is.
    pub fn kind(&self) -> Kind {
        self.storage().kind
    }

    /// Whether the close callback has not run yet.
    pub fn is_open(&self) -> bool {
        self.storage().phase.get() != Phase::Closed
    }

    /// Whether [`close`](Self::close) was called.
    pub fn is_closing(&self) -> bool {
        self.storage().phase.get() != Phase::Open
    }

    /// Closes the handle; `done` runs from the loop once that is through. Does nothing for a handle
    /// that is closing already.
    pub fn close(&self, done: impl FnOnce() + 'static) {
        if !self.is_closing() {
            *self.storage().on_close.borrow_mut() = Some(Box::new(done));
            self.storage().phase.set(Phase::Closing);
            // SAFETY: the handle is initialized and not closing.
            unsafe { sys::uv_close(self.raw(), Some(closed)) }
        }
    }

    /// As [`close`](Self::close), but resets a TCP connection. Returns a libuv error or 0.
    pub fn close_reset(&self, done: impl FnOnce() + 'static) -> c_int {
        if self.kind() != Kind::Tcp || self.is_closing() {
            return sys::uv_errno_t_UV_EINVAL;
        }
        // SAFETY: the handle is an initialized TCP handle and not closing.
        let result = unsafe { sys::uv_tcp_close_reset(self.raw(), Some(closed)) };
        if result == 0 {
            *self.storage().on_close.borrow_mut() = Some(Box::new(done));
            self.storage().phase.set(Phase::Closing);
        }
        result
    }

    /// Lets the handle keep the loop alive while it is active, or not.
    pub fn set_ref(&self, keep: bool) {
        if self.is_open() {
            // SAFETY: the handle is initialized.
            unsafe {
                match keep {
                    true => sys::uv_ref(self.raw()),
                    false => sys::uv_unref(self.raw()),
                }
            }
        }
    }

    /// Whether the handle keeps the loop alive while it is active.
    pub fn has_ref(&self) -> bool {
        // SAFETY: the handle is initialized.
        self.is_open() && unsafe { sys::uv_has_ref(self.raw()) != 0 }
    }

    /// Whether the handle is doing something.
    pub fn is_active(&self) -> bool {
        // SAFETY: the handle is initialized.
        self.is_open() && unsafe { sys::uv_is_active(self.raw()) != 0 }
    }

    /// Its file descriptor, or a libuv error.
    pub fn fd(&self) -> c_int {
        if !self.is_open() {
            return sys::uv_errno_t_UV_EINVAL;
        }
        let mut fd = -1;
        // SAFETY: the handle is initialized; libuv writes the descriptor or leaves it.
        unsafe { sys::uv_fileno(self.raw(), &mut fd) };
        fd
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.is_open() {
            self.storage().orphaned.set(true);
            self.close(|| ());
        } else {
            // SAFETY: libuv has let go of the memory, and nothing else owns it.
            drop(unsafe { Box::from_raw(self.storage.as_ptr()) });
        }
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        let reading = self.reading.get();
        if !reading.is_null() {
            // SAFETY: a buffer here came out of a box and is libuv's no more.
            drop(unsafe { Box::from_raw(reading) });
        }
    }
}

/// Closes a handle whose owner is not asked, because its loop goes. Does nothing for one that is closing already.
///
/// # Safety
///
/// The handle must be that of a [`Handle`], on this thread's loop.
pub(super) unsafe fn close_raw(raw: *mut sys::uv_handle_t) {
    // SAFETY: libuv only walks over handles that it has not let go of.
    unsafe {
        if sys::uv_is_closing(raw) == 0 {
            let storage = storage_of(raw);
            if let Some(waker) = &*storage.waker.borrow() {
                waker.forget();
            }
            storage.phase.set(Phase::Closing);
            sys::uv_close(raw, Some(closed));
        }
    }
}

/// The memory behind a handle that libuv gave to a callback.
///
/// # Safety
///
/// The handle must be that of a [`Handle`], whose memory must live as long as the result is used.
pub(super) unsafe fn storage_of<'a, T>(raw: *mut T) -> &'a Storage {
    // SAFETY: libuv's part is the first field of the storage.
    unsafe { &*raw.cast::<Storage>() }
}

unsafe extern "C" fn closed(raw: *mut sys::uv_handle_t) {
    // SAFETY: only handles of this module are closed with this callback.
    let storage = unsafe { storage_of(raw) };
    storage.phase.set(Phase::Closed);
    let done = storage.on_close.take();
    // What the callbacks hold may be the owner itself: they go last.
    let callbacks = (storage.on_read.take(), storage.on_number.take(), storage.on_exit.take());
    let watchers = (storage.on_event.take(), storage.on_poll.take(), storage.on_message.take());
    if storage.orphaned.get() {
        // SAFETY: nobody owns the memory, and libuv has let go of it.
        drop(unsafe { Box::from_raw(raw.cast::<Storage>()) });
    }
    if let Some(done) = done {
        done();
    }
    drop(callbacks);
    drop(watchers);
}
