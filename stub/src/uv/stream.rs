//! Pipes, TCP sockets and terminals.

use std::cell::Cell;
use std::ffi::{c_char, c_int, c_uint};
use std::net::SocketAddr;
use std::ptr;
use std::rc::Rc;

use libuv_sys2 as sys;

use super::address::RawAddress;
use super::handle::{Handle, Kind, OnNumber, OnRead, READ_SIZE, Storage, storage_of};

thread_local! {
    /// A buffer to read into, unless it is in use.
    static SPARE: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// Bytes to write.
pub enum Chunk {
    /// Bytes that nobody else has.
    Owned(Vec<u8>),
    /// A part of an ArrayBuffer.
    Shared {
        /// The ArrayBuffer's memory.
        store: v8::SharedRef<v8::BackingStore>,
        /// Where the part begins.
        start: usize,
        /// How long it is.
        length: usize,
    },
}

impl Chunk {
    /// How many bytes there are.
    pub fn len(&self) -> usize {
        match self {
            Chunk::Owned(bytes) => bytes.len(),
            Chunk::Shared { store, start, length } => store.len().saturating_sub(*start).min(*length),
        }
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What libuv reads from; `skip` bytes of it have been written already.
    fn buffer(&self, skip: usize) -> sys::uv_buf_t {
        let length = self.len();
        let skip = skip.min(length);
        let base = match self {
            Chunk::Owned(bytes) => bytes[skip..].as_ptr(),
            Chunk::Shared { store, start, .. } if length > 0 => store[start + skip..].as_ptr().cast(),
            Chunk::Shared { .. } => ptr::dangling(),
        };
        sys::uv_buf_t { base: base.cast_mut().cast(), len: length - skip }
    }
}

/// What libuv reads from, without the first `skip` bytes of all.
pub(super) fn buffers(chunks: &[Chunk], mut skip: usize) -> Vec<sys::uv_buf_t> {
    let mut all = Vec::with_capacity(chunks.len());
    for chunk in chunks {
        let length = chunk.len();
        if skip > 0 && skip >= length {
            skip -= length;
            continue;
        }
        all.push(chunk.buffer(skip));
        skip = 0;
    }
    all
}

/// A libuv request with what it must keep alive.
#[repr(C)]
pub(super) struct Request<R> {
    raw: R,
    pub(super) chunks: Vec<Chunk>,
    sent: Option<Rc<Handle>>,
    done: Option<Box<dyn FnOnce(c_int)>>,
}

impl<R> Request<R> {
    pub(super) fn new(done: impl FnOnce(c_int) + 'static) -> Box<Self> {
        // SAFETY: libuv's requests are plain C structures, valid when zero.
        let raw = unsafe { std::mem::zeroed() };
        Box::new(Request { raw, chunks: Vec::new(), sent: None, done: Some(Box::new(done)) })
    }

    /// Hands the request to `start`. If that fails, the request is dropped without a call of `done`.
    pub(super) fn start(self: Box<Self>, start: impl FnOnce(*mut R, &[Chunk]) -> c_int) -> c_int {
        let request = Box::into_raw(self);
        // SAFETY: the request came out of a box; libuv calls back only from the loop.
        let result = unsafe { start(&raw mut (*request).raw, &(*request).chunks) };
        if result < 0 {
            // SAFETY: a call that failed keeps no pointer to the request.
            drop(unsafe { Box::from_raw(request) });
        }
        result
    }
}

pub(super) unsafe extern "C" fn finished<R>(raw: *mut R, status: c_int) {
    // SAFETY: every request that libuv gets is the first field of a boxed `Request`, and comes back once.
    let mut request = unsafe { Box::from_raw(raw.cast::<Request<R>>()) };
    let done = request.done.take();
    drop(request);
    if let Some(done) = done {
        done(status);
    }
}

impl Handle {
    /// A pipe.
    pub fn pipe(ipc: bool) -> Result<Handle, c_int> {
        // SAFETY: the function initializes the memory as a pipe; it cannot fail.
        unsafe {
            Handle::create(Kind::Pipe { ipc }, |event_loop, raw| sys::uv_pipe_init(event_loop, raw.cast(), ipc.into()))
        }
    }

    /// A TCP socket.
    pub fn tcp() -> Result<Handle, c_int> {
        // SAFETY: the function initializes the memory as a TCP handle; without flags it cannot fail.
        unsafe { Handle::create(Kind::Tcp, |event_loop, raw| sys::uv_tcp_init(event_loop, raw.cast())) }
    }

    /// The terminal at `fd`.
    pub fn tty(fd: c_int) -> Result<Handle, c_int> {
        // SAFETY: the function initializes the memory as a terminal; it checks the descriptor before it
        // touches the loop.
        unsafe { Handle::create(Kind::Tty, |event_loop, raw| sys::uv_tty_init(event_loop, raw.cast(), fd, 0)) }
    }

    /// Starts to read. Returns a libuv error or 0.
    pub fn read_start(&self, on_read: OnRead) -> c_int {
        let Some(stream) = self.stream().filter(|_| self.is_open()) else { return sys::uv_errno_t_UV_EINVAL };
        *self.storage().on_read.borrow_mut() = Some(on_read);
        // SAFETY: the handle is an initialized stream.
        unsafe { sys::uv_read_start(stream, Some(allocate), Some(read)) }
    }

    /// Stops to read. Returns a libuv error or 0.
    pub fn read_stop(&self) -> c_int {
        let Some(stream) = self.stream().filter(|_| self.is_open()) else { return sys::uv_errno_t_UV_EINVAL };
        // SAFETY: as in `read_start`.
        unsafe { sys::uv_read_stop(stream) }
    }

    /// Sets the most that is read at once.
    pub fn set_read_limit(&self, limit: usize) {
        self.storage().read_limit.set(limit.max(1));
    }

    /// Writes what can be written at once; returns how many bytes that were, or a libuv error.
    pub fn try_write(&self, chunks: &[Chunk]) -> Result<usize, c_int> {
        let Some(stream) = self.stream().filter(|_| self.is_open()) else { return Err(sys::uv_errno_t_UV_EINVAL) };
        let buffers = buffers(chunks, 0);
        // SAFETY: the handle is an initialized stream, and the buffers live during the call.
        match unsafe { sys::uv_try_write(stream, buffers.as_ptr(), buffers.len() as c_uint) } {
            error if error < 0 => Err(error),
            written => Ok(written as usize),
        }
    }

    /// Writes `chunks` without the first `skip` bytes, and passes the handle `send` along. Returns a libuv error;
    /// or 0: then `done` will be called with the outcome.
    pub fn write(
        &self,
        chunks: Vec<Chunk>,
        skip: usize,
        send: Option<Rc<Handle>>,
        done: impl FnOnce(c_int) + 'static,
    ) -> c_int {
        let Some(stream) = self.stream().filter(|_| self.is_open()) else { return sys::uv_errno_t_UV_EINVAL };
        let send_raw: *mut sys::uv_stream_t = send.as_ref().map_or(ptr::null_mut(), |handle| handle.raw());
        let mut request = Request::<sys::uv_write_t>::new(done);
        request.chunks = chunks;
        request.sent = send;
        request.start(|raw, chunks| {
            let buffers = buffers(chunks, skip);
            let count = buffers.len() as c_uint;
            // SAFETY: the handle is an initialized stream; the request keeps the bytes and the handle to send.
            unsafe {
                match send_raw.is_null() {
                    true => sys::uv_write(raw, stream, buffers.as_ptr(), count, Some(finished)),
                    false => sys::uv_write2(raw, stream, buffers.as_ptr(), count, send_raw, Some(finished)),
                }
            }
        })
    }

    /// Ends the writing side once all is written. Returns a libuv error; or 0: then `done` will be called.
    pub fn shutdown(&self, done: impl FnOnce(c_int) + 'static) -> c_int {
        let Some(stream) = self.stream().filter(|_| self.is_open()) else { return sys::uv_errno_t_UV_EINVAL };
        Request::<sys::uv_shutdown_t>::new(done).start(|raw, _| {
            // SAFETY: the handle is an initialized stream, and the request lives until it is finished.
            unsafe { sys::uv_shutdown(raw, stream, Some(finished)) }
        })
    }

    /// Waits for connections. Returns a libuv error or 0.
    pub fn listen(&self, backlog: c_int, on_connection: OnNumber) -> c_int {
        let Some(stream) = self.stream().filter(|_| self.is_open()) else { return sys::uv_errno_t_UV_EINVAL };
        *self.storage().on_number.borrow_mut() = Some(on_connection);
        // SAFETY: the handle is an initialized stream.
        unsafe { sys::uv_listen(stream, backlog, Some(connection)) }
    }

    /// Takes the next connection, or the next handle that came over an IPC pipe, as `client`. Returns a libuv
    /// error or 0.
    pub fn accept(&self, client: &Handle) -> c_int {
        match self.stream() {
            // SAFETY: both are initialized handles of one loop.
            Some(stream) if self.is_open() && client.is_open() => unsafe { sys::uv_accept(stream, client.raw()) },
            _ => sys::uv_errno_t_UV_EINVAL,
        }
    }

    /// Makes writes block, or not. Returns a libuv error or 0.
    pub fn set_blocking(&self, blocking: bool) -> c_int {
        let Some(stream) = self.stream().filter(|_| self.is_open()) else { return sys::uv_errno_t_UV_EINVAL };
        // SAFETY: the handle is an initialized stream.
        unsafe { sys::uv_stream_set_blocking(stream, blocking.into()) }
    }

    /// How many bytes wait to be written.
    pub fn write_queue_size(&self) -> usize {
        // SAFETY: the handle is an initialized stream.
        self.stream().map_or(0, |stream| unsafe { sys::uv_stream_get_write_queue_size(stream) })
    }

    /// Whether the stream can be read and written.
    pub fn directions(&self) -> (bool, bool) {
        // SAFETY: the handle is an initialized stream.
        self.stream().map_or((false, false), |stream| unsafe {
            (sys::uv_is_readable(stream) != 0, sys::uv_is_writable(stream) != 0)
        })
    }

    /// Uses an existing descriptor. Returns a libuv error or 0.
    pub fn open(&self, fd: c_int) -> c_int {
        // SAFETY: the handle is initialized and of the kind that each function takes.
        match self.kind() {
            Kind::Pipe { .. } if self.is_open() => unsafe { sys::uv_pipe_open(self.raw(), fd) },
            Kind::Tcp if self.is_open() => unsafe { sys::uv_tcp_open(self.raw(), fd) },
            _ => sys::uv_errno_t_UV_EINVAL,
        }
    }

    /// Binds a pipe to a path, or to an abstract name that begins with a zero byte. Returns a libuv error or 0.
    pub fn bind_path(&self, name: &[u8]) -> c_int {
        self.with_path(|raw| {
            // SAFETY: the handle is an initialized pipe; the name lives during the call.
            unsafe { sys::uv_pipe_bind2(raw, name.as_ptr().cast::<c_char>(), name.len(), sys::UV_PIPE_NO_TRUNCATE) }
        })
    }

    /// Connects a pipe. Returns a libuv error; or 0: then `done` will be called with the outcome.
    pub fn connect_path(&self, name: &[u8], done: impl FnOnce(c_int) + 'static) -> c_int {
        self.with_path(|pipe| {
            Request::<sys::uv_connect_t>::new(done).start(|raw, _| {
                let base = name.as_ptr().cast::<c_char>();
                // SAFETY: the handle is an initialized pipe; libuv copies the name; the request lives until it
                // is finished.
                unsafe { sys::uv_pipe_connect2(raw, pipe, base, name.len(), sys::UV_PIPE_NO_TRUNCATE, Some(finished)) }
            })
        })
    }

    /// Sets who may connect to a pipe. Returns a libuv error or 0.
    pub fn chmod(&self, mode: c_int) -> c_int {
        // SAFETY: the handle is an initialized pipe.
        self.with_path(|raw| unsafe { sys::uv_pipe_chmod(raw, mode) })
    }

    fn with_path(&self, body: impl FnOnce(*mut sys::uv_pipe_t) -> c_int) -> c_int {
        match self.kind() {
            Kind::Pipe { .. } if self.is_open() => body(self.raw()),
            _ => sys::uv_errno_t_UV_EINVAL,
        }
    }

    /// The kind of the handle that waits to be accepted on an IPC pipe.
    pub fn pending_kind(&self) -> Option<Kind> {
        if self.kind() != (Kind::Pipe { ipc: true }) || !self.is_open() {
            return None;
        }
        // SAFETY: the handle is an initialized pipe.
        let kind = unsafe {
            match sys::uv_pipe_pending_count(self.raw()) {
                0 => return None,
                _ => sys::uv_pipe_pending_type(self.raw()),
            }
        };
        match kind {
            sys::uv_handle_type_UV_TCP => Some(Kind::Tcp),
            sys::uv_handle_type_UV_NAMED_PIPE => Some(Kind::Pipe { ipc: false }),
            sys::uv_handle_type_UV_UDP => Some(Kind::Udp),
            _ => None,
        }
    }

    fn with_tcp(&self, body: impl FnOnce(*mut sys::uv_tcp_t) -> c_int) -> c_int {
        match self.kind() {
            Kind::Tcp if self.is_open() => body(self.raw()),
            _ => sys::uv_errno_t_UV_EINVAL,
        }
    }

    /// Binds a TCP socket. Returns a libuv error or 0.
    pub fn bind(&self, address: SocketAddr, flags: c_uint) -> c_int {
        let address = RawAddress::from(address);
        // SAFETY: the handle is an initialized TCP handle; the address lives during the call.
        self.with_tcp(|raw| unsafe { sys::uv_tcp_bind(raw, address.as_ptr(), flags) })
    }

    /// Connects a TCP socket. Returns a libuv error; or 0: then `done` will be called with the outcome.
    pub fn connect(&self, address: SocketAddr, done: impl FnOnce(c_int) + 'static) -> c_int {
        let address = RawAddress::from(address);
        self.with_tcp(|tcp| {
            Request::<sys::uv_connect_t>::new(done).start(|raw, _| {
                // SAFETY: the handle is an initialized TCP handle; libuv copies the address; the request lives
                // until it is finished.
                unsafe { sys::uv_tcp_connect(raw, tcp, address.as_ptr(), Some(finished)) }
            })
        })
    }

    /// The socket's own address.
    pub fn local_address(&self) -> Result<SocketAddr, c_int> {
        // SAFETY: the handle is an initialized TCP handle; the pointers are valid during the call.
        self.address(|raw, address, length| unsafe { sys::uv_tcp_getsockname(raw, address, length) })
    }

    /// The address of the socket's other side.
    pub fn peer_address(&self) -> Result<SocketAddr, c_int> {
        // SAFETY: as in `local_address`.
        self.address(|raw, address, length| unsafe { sys::uv_tcp_getpeername(raw, address, length) })
    }

    fn address(
        &self,
        get: impl FnOnce(*const sys::uv_tcp_t, *mut sys::sockaddr, *mut c_int) -> c_int,
    ) -> Result<SocketAddr, c_int> {
        let mut address = RawAddress::empty();
        let mut length = size_of::<RawAddress>() as c_int;
        match self.with_tcp(|raw| get(raw, address.as_mut_ptr(), &mut length)) {
            0 => address.get().ok_or(sys::uv_errno_t_UV_EINVAL),
            error => Err(error),
        }
    }

    /// Sends small packets at once, or waits for more. Returns a libuv error or 0.
    pub fn set_no_delay(&self, enable: bool) -> c_int {
        // SAFETY: the handle is an initialized TCP handle.
        self.with_tcp(|raw| unsafe { sys::uv_tcp_nodelay(raw, enable.into()) })
    }

    /// Sets up keep-alive packets. Returns a libuv error or 0.
    pub fn set_keep_alive(&self, enable: bool, delay: c_uint, probes: Option<(c_uint, c_uint)>) -> c_int {
        // SAFETY: the handle is an initialized TCP handle.
        self.with_tcp(|raw| unsafe {
            match probes {
                Some((interval, count)) => sys::uv_tcp_keepalive_ex(raw, enable.into(), delay, interval, count),
                None => sys::uv_tcp_keepalive(raw, enable.into(), delay),
            }
        })
    }

    /// Sets the type of service of outgoing packets. Returns a libuv error or 0.
    pub fn set_type_of_service(&self, value: c_int) -> c_int {
        // SAFETY: the option is an `int`, and the pointer to one is valid during the call.
        self.with_service_option(|fd, level, option| unsafe {
            libc::setsockopt(fd, level, option, (&raw const value).cast(), size_of::<c_int>() as libc::socklen_t)
        })
    }

    /// The type of service of outgoing packets.
    pub fn type_of_service(&self) -> Result<c_int, c_int> {
        let mut value = 0;
        let mut length = size_of::<c_int>() as libc::socklen_t;
        // SAFETY: the option is an `int`, and the pointers are valid during the call.
        let result = self.with_service_option(|fd, level, option| unsafe {
            libc::getsockopt(fd, level, option, (&raw mut value).cast(), &mut length)
        });
        if result == 0 { Ok(value) } else { Err(result) }
    }

    fn with_service_option(&self, body: impl FnOnce(c_int, c_int, c_int) -> c_int) -> c_int {
        let (fd, local) = (self.fd(), self.local_address());
        let (level, option) = match local {
            _ if fd < 0 => return sys::uv_errno_t_UV_EBADF,
            Ok(SocketAddr::V6(_)) => (libc::IPPROTO_IPV6, libc::IPV6_TCLASS),
            _ => (libc::IPPROTO_IP, libc::IP_TOS),
        };
        match body(fd, level, option) {
            0 => 0,
            _ => -std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL),
        }
    }

    /// Sets a terminal's mode. Returns a libuv error or 0.
    pub fn set_tty_mode(&self, mode: c_uint) -> c_int {
        match self.kind() {
            // SAFETY: the handle is an initialized terminal; libuv answers a mode that it does not know.
            Kind::Tty if self.is_open() && mode <= sys::uv_tty_mode_t_UV_TTY_MODE_RAW_VT => unsafe {
                sys::uv_tty_set_mode(self.raw(), mode)
            },
            _ => sys::uv_errno_t_UV_EINVAL,
        }
    }

    /// A terminal's columns and rows.
    pub fn window_size(&self) -> Result<(c_int, c_int), c_int> {
        if self.kind() != Kind::Tty || !self.is_open() {
            return Err(sys::uv_errno_t_UV_EINVAL);
        }
        let (mut columns, mut rows) = (0, 0);
        // SAFETY: the handle is an initialized terminal.
        match unsafe { sys::uv_tty_get_winsize(self.raw(), &mut columns, &mut rows) } {
            0 => Ok((columns, rows)),
            error => Err(error),
        }
    }
}

pub(super) unsafe extern "C" fn allocate(raw: *mut sys::uv_handle_t, _: usize, buffer: *mut sys::uv_buf_t) {
    // SAFETY: only handles of `Handle` are read with this callback.
    let storage = unsafe { storage_of(raw) };
    let limit = storage.read_limit.get();
    let spare = SPARE.take().filter(|spare| spare.len() >= limit);
    let spare = spare.unwrap_or_else(|| vec![0; limit.max(READ_SIZE)].into_boxed_slice());
    let spare = Box::into_raw(spare);
    storage.reading.set(spare);
    // SAFETY: libuv passes a buffer to fill in.
    unsafe { *buffer = sys::uv_buf_t { base: spare.cast(), len: limit.min(spare.len()) } };
}

unsafe extern "C" fn read(raw: *mut sys::uv_stream_t, count: isize, _: *const sys::uv_buf_t) {
    // SAFETY: only handles of `Handle` are read with this callback; a handle is not freed before its close
    // callback, which never runs inside another one.
    let storage = unsafe { storage_of(raw) };
    // SAFETY: libuv is done with the buffer.
    let buffer = unsafe { take_buffer(storage) };
    let on_read = storage.on_read.borrow().clone();
    if let Some(on_read) = on_read {
        match usize::try_from(count) {
            Ok(count) => on_read(Ok(buffer.as_deref().map_or(&[], |buffer| &buffer[..count]))),
            Err(_) => on_read(Err(count as c_int)),
        }
    }
    keep_buffer(buffer);
}

/// The buffer that `allocate` gave out for a handle.
///
/// # Safety
///
/// libuv must be done with it.
pub(super) unsafe fn take_buffer(storage: &Storage) -> Option<Box<[u8]>> {
    let reading = storage.reading.replace(ptr::slice_from_raw_parts_mut(ptr::null_mut(), 0));
    // SAFETY: `allocate` put it there, out of a box.
    (!reading.is_null()).then(|| unsafe { Box::from_raw(reading) })
}

/// Gives a buffer back for the next read.
pub(super) fn keep_buffer(buffer: Option<Box<[u8]>>) {
    if buffer.is_some() {
        SPARE.set(buffer);
    }
}

unsafe extern "C" fn connection(raw: *mut sys::uv_stream_t, status: c_int) {
    // SAFETY: only handles of `Handle` listen with this callback; see `read`.
    let on_connection = unsafe { storage_of(raw) }.on_number.borrow().clone();
    if let Some(on_connection) = on_connection {
        on_connection(status);
    }
}

/// What is behind a file descriptor, as Node's `guessHandleType` says it.
pub fn guess_handle_type(fd: c_int) -> &'static str {
    if fd < 0 {
        return "INVALID";
    }
    // SAFETY: any number may be asked about.
    match unsafe { sys::uv_guess_handle(fd) } {
        sys::uv_handle_type_UV_TCP => "TCP",
        sys::uv_handle_type_UV_TTY => "TTY",
        sys::uv_handle_type_UV_UDP => "UDP",
        sys::uv_handle_type_UV_FILE => "FILE",
        sys::uv_handle_type_UV_NAMED_PIPE => "PIPE",
        _ => "UNKNOWN",
    }
}
