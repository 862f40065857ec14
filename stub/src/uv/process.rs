//! This process, its children, and signals.

use std::cell::Cell;
use std::ffi::{CString, OsString, c_char, c_int};
use std::os::unix::ffi::OsStringExt as _;
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use libuv_sys2 as sys;

use super::event_loop;
use super::handle::{Handle, Kind, OnExit, OnNumber, storage_of};

static STARTED: AtomicU64 = AtomicU64::new(0);

/// Prepares the process as Node does at its start: the descriptors 0 to 2 are open, and writing to a pipe that
/// nobody reads is an error, not the end.
pub fn prepare() {
    STARTED.store(event_loop::hrtime(), Ordering::Relaxed);
    for fd in 0..=2 {
        // SAFETY: any number may be asked about; the path ends with zero.
        unsafe {
            if libc::fcntl(fd, libc::F_GETFD) == -1 && *libc::__errno_location() == libc::EBADF {
                // The lowest free descriptor is the one that was just found closed.
                if libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) != fd {
                    libc::abort();
                }
            }
        }
    }
    // SAFETY: no handler is installed, only a disposition.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

/// When [`prepare`] was called, by [`event_loop::hrtime`].
pub fn started() -> u64 {
    STARTED.load(Ordering::Relaxed)
}

/// Ends the process.
pub fn exit(code: i32) -> ! {
    reset_terminal();
    std::process::exit(code)
}

/// Gives the terminal the mode back that it had before anything was changed.
pub fn reset_terminal() {
    // SAFETY: it may be called at any time.
    unsafe { sys::uv_tty_reset_mode() };
}

/// The working directory.
pub fn current_dir() -> Result<OsString, c_int> {
    text(|buffer, size| {
        // SAFETY: the pointers are those of `text`.
        unsafe { sys::uv_cwd(buffer, size) }
    })
}

/// Changes the working directory. Returns a libuv error or 0.
pub fn change_dir(path: &str) -> c_int {
    let Ok(path) = CString::new(path) else { return sys::uv_errno_t_UV_EINVAL };
    // SAFETY: the path ends with zero.
    unsafe { sys::uv_chdir(path.as_ptr()) }
}

/// Calls a function of libuv that fills a buffer, with one that is large enough.
pub(super) fn text(mut fill: impl FnMut(*mut c_char, *mut usize) -> c_int) -> Result<OsString, c_int> {
    let mut buffer = vec![0u8; 256];
    loop {
        let mut size = buffer.len();
        match fill(buffer.as_mut_ptr().cast(), &mut size) {
            0 => {
                buffer.truncate(size);
                return Ok(OsString::from_vec(buffer));
            }
            sys::uv_errno_t_UV_ENOBUFS if buffer.len() < 1 << 20 => {
                let length = size.max(2 * buffer.len());
                buffer.resize(length, 0);
            }
            error => return Err(error),
        }
    }
}

/// Sets the mask of modes of new files; returns the old one.
pub fn umask(mask: u32) -> u32 {
    // SAFETY: it always succeeds.
    unsafe { libc::umask(mask as libc::mode_t) }.into()
}

/// The mask of modes of new files.
pub fn current_umask() -> u32 {
    let mask = umask(0);
    umask(mask);
    mask
}

/// Sends a signal. Returns a libuv error or 0.
pub fn kill(pid: c_int, signal: c_int) -> c_int {
    // SAFETY: any numbers may be passed.
    unsafe { sys::uv_kill(pid, signal) }
}

/// Sets what the system shows as the process's name, as far as it can.
pub fn set_title(title: &str) {
    if let Ok(title) = CString::new(title) {
        // SAFETY: the text ends with zero; the system takes the first 15 bytes.
        unsafe { libc::prctl(libc::PR_SET_NAME, title.as_ptr()) };
    }
}

/// The id of the parent process.
pub fn parent_id() -> c_int {
    // SAFETY: it always succeeds.
    unsafe { sys::uv_os_getppid() }
}

/// Used times and other resources of the process.
pub fn usage() -> Result<sys::uv_rusage_t, c_int> {
    filled(|usage| {
        // SAFETY: libuv fills the structure.
        unsafe { sys::uv_getrusage(usage) }
    })
}

/// Used times and other resources of the thread.
pub fn thread_usage() -> Result<sys::uv_rusage_t, c_int> {
    filled(|usage| {
        // SAFETY: libuv fills the structure.
        unsafe { sys::uv_getrusage_thread(usage) }
    })
}

fn filled(fill: impl FnOnce(*mut sys::uv_rusage_t) -> c_int) -> Result<sys::uv_rusage_t, c_int> {
    // SAFETY: a structure of numbers may be zero.
    let mut usage = unsafe { std::mem::zeroed() };
    match fill(&mut usage) {
        0 => Ok(usage),
        error => Err(error),
    }
}

/// A time of a [`usage`], in microseconds.
pub fn microseconds(time: sys::uv_timeval_t) -> f64 {
    1e6 * time.tv_sec as f64 + time.tv_usec as f64
}

/// Replaces the process with another program. Returns the error number if that fails.
pub fn execute(file: &CString, arguments: &[CString], environment: &[CString]) -> c_int {
    let arguments = pointers(arguments);
    let environment = pointers(environment);
    // SAFETY: all texts end with zero, both lists with null; the flags of descriptors 0 to 2 may be changed
    // by anybody.
    unsafe {
        for fd in 0..=2 {
            let flags = libc::fcntl(fd, libc::F_GETFD, 0);
            if flags >= 0 {
                libc::fcntl(fd, libc::F_SETFD, flags & !libc::FD_CLOEXEC);
            }
        }
        libc::execve(file.as_ptr(), arguments.as_ptr().cast(), environment.as_ptr().cast());
        *libc::__errno_location()
    }
}

pub(super) fn pointers(texts: &[CString]) -> Vec<*mut c_char> {
    texts.iter().map(|text| text.as_ptr().cast_mut()).chain([ptr::null_mut()]).collect()
}

/// One of a child's descriptors.
pub enum Stdio {
    /// `/dev/null`, or nothing from the third on.
    Ignore,
    /// One side of the pipe; the child gets the other.
    Pipe(Rc<Handle>),
    /// The same descriptor as the stream's.
    Stream(Rc<Handle>),
    /// A descriptor of this process.
    Fd(c_int),
}

/// What to start, and how.
#[derive(Default)]
pub struct Command {
    /// The program's file; it is looked up in `PATH`.
    pub file: CString,
    /// Its arguments, the program's name first.
    pub arguments: Vec<CString>,
    /// Its environment; this process's own by default.
    pub environment: Option<Vec<CString>>,
    /// Its working directory.
    pub cwd: Option<CString>,
    /// Its user.
    pub uid: Option<u32>,
    /// Its group.
    pub gid: Option<u32>,
    /// Whether it gets a session of its own.
    pub detached: bool,
}

impl Command {
    /// Calls `body` with the options of `uv_spawn`.
    pub(super) fn with_options<R>(
        &self,
        stdio: &mut [sys::uv_stdio_container_t],
        exit: sys::uv_exit_cb,
        body: impl FnOnce(*const sys::uv_process_options_t) -> R,
    ) -> R {
        let mut arguments = pointers(&self.arguments);
        let mut environment = self.environment.as_deref().map(pointers);
        let flag = |set: bool, flag| if set { flag } else { 0 };
        let options = sys::uv_process_options_t {
            exit_cb: exit,
            file: self.file.as_ptr(),
            args: arguments.as_mut_ptr(),
            env: environment.as_mut().map_or(ptr::null_mut(), |list| list.as_mut_ptr()),
            cwd: self.cwd.as_ref().map_or(ptr::null(), |cwd| cwd.as_ptr()),
            flags: flag(self.detached, sys::uv_process_flags_UV_PROCESS_DETACHED)
                | flag(self.uid.is_some(), sys::uv_process_flags_UV_PROCESS_SETUID)
                | flag(self.gid.is_some(), sys::uv_process_flags_UV_PROCESS_SETGID),
            stdio_count: stdio.len() as c_int,
            stdio: stdio.as_mut_ptr(),
            uid: self.uid.unwrap_or_default(),
            gid: self.gid.unwrap_or_default(),
        };
        body(&options)
    }
}

impl Handle {
    /// Starts a child. The handle is there even if that fails; the second value is its process id or a libuv
    /// error.
    pub fn spawn(command: &Command, stdio: &[Stdio], on_exit: OnExit) -> (Handle, Result<c_int, c_int>) {
        let mut stdio: Vec<_> = stdio.iter().map(container).collect();
        let result = Cell::new(0);
        let handle = command.with_options(&mut stdio, Some(exited), |options| {
            // SAFETY: `uv_spawn` initializes the memory in any case, so a failure does not make libuv forget it;
            // it is closed like any other handle then. The options live during the call.
            unsafe {
                Handle::create(Kind::Process, |event_loop, raw| {
                    result.set(sys::uv_spawn(event_loop, raw.cast(), options));
                    0
                })
            }
        });
        let Ok(handle) = handle else { unreachable!("the closure gives 0") };
        *handle.storage().on_exit.borrow_mut() = Some(on_exit);
        let result = match result.get() {
            // SAFETY: the handle is an initialized process.
            0 => Ok(unsafe { sys::uv_process_get_pid(handle.raw()) }),
            error => Err(error),
        };
        (handle, result)
    }

    /// Sends the child a signal. Returns a libuv error or 0.
    pub fn kill(&self, signal: c_int) -> c_int {
        if self.kind() != Kind::Process || !self.is_open() {
            return sys::uv_errno_t_UV_ESRCH;
        }
        // SAFETY: the handle is an initialized process.
        unsafe { sys::uv_process_kill(self.raw(), signal) }
    }

    /// A watcher of a signal.
    pub fn signal() -> Result<Handle, c_int> {
        // SAFETY: the function initializes the memory; when it fails it has not touched it.
        unsafe { Handle::create(Kind::Signal, |event_loop, raw| sys::uv_signal_init(event_loop, raw.cast())) }
    }

    /// Watches for `signal`. Returns a libuv error or 0.
    pub fn signal_start(&self, signal: c_int, on_signal: OnNumber) -> c_int {
        if self.kind() != Kind::Signal || self.is_closing() {
            return sys::uv_errno_t_UV_EINVAL;
        }
        *self.storage().on_number.borrow_mut() = Some(on_signal);
        // SAFETY: the handle is an initialized signal watcher.
        unsafe { sys::uv_signal_start(self.raw(), Some(signalled), signal) }
    }

    /// Stops to watch. Returns a libuv error or 0.
    pub fn signal_stop(&self) -> c_int {
        if self.kind() != Kind::Signal || self.is_closing() {
            return sys::uv_errno_t_UV_EINVAL;
        }
        // SAFETY: the handle is an initialized signal watcher.
        unsafe { sys::uv_signal_stop(self.raw()) }
    }
}

fn container(stdio: &Stdio) -> sys::uv_stdio_container_t {
    let pipe = sys::uv_stdio_flags_UV_CREATE_PIPE
        | sys::uv_stdio_flags_UV_READABLE_PIPE
        | sys::uv_stdio_flags_UV_WRITABLE_PIPE;
    let stream = |handle: &Rc<Handle>| sys::uv_stdio_container_s__bindgen_ty_1 { stream: handle.raw() };
    let (flags, data) = match stdio {
        Stdio::Pipe(handle) if handle.stream().is_some() => (pipe, stream(handle)),
        Stdio::Stream(handle) if handle.stream().is_some() => (sys::uv_stdio_flags_UV_INHERIT_STREAM, stream(handle)),
        Stdio::Fd(fd) => (sys::uv_stdio_flags_UV_INHERIT_FD, sys::uv_stdio_container_s__bindgen_ty_1 { fd: *fd }),
        _ => (sys::uv_stdio_flags_UV_IGNORE, sys::uv_stdio_container_s__bindgen_ty_1 { fd: -1 }),
    };
    sys::uv_stdio_container_t { flags, data }
}

unsafe extern "C" fn exited(raw: *mut sys::uv_process_t, status: i64, signal: c_int) {
    // SAFETY: only handles of `Handle::spawn` have this callback, and none is freed inside one.
    let on_exit = unsafe { storage_of(raw) }.on_exit.borrow().clone();
    if let Some(on_exit) = on_exit {
        on_exit(status, signal);
    }
}

unsafe extern "C" fn signalled(raw: *mut sys::uv_signal_t, signal: c_int) {
    // SAFETY: as in `exited`, for `Handle::signal_start`.
    let on_signal = unsafe { storage_of(raw) }.on_number.borrow().clone();
    if let Some(on_signal) = on_signal {
        on_signal(signal);
    }
}

/// A signal's name, such as `SIGTERM`; empty for numbers that have none.
pub fn signal_name(signal: c_int) -> &'static str {
    match signal {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGUSR1 => "SIGUSR1",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGUSR2 => "SIGUSR2",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGALRM => "SIGALRM",
        libc::SIGTERM => "SIGTERM",
        libc::SIGCHLD => "SIGCHLD",
        libc::SIGSTKFLT => "SIGSTKFLT",
        libc::SIGCONT => "SIGCONT",
        libc::SIGSTOP => "SIGSTOP",
        libc::SIGTSTP => "SIGTSTP",
        libc::SIGTTIN => "SIGTTIN",
        libc::SIGTTOU => "SIGTTOU",
        libc::SIGURG => "SIGURG",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGXFSZ => "SIGXFSZ",
        libc::SIGVTALRM => "SIGVTALRM",
        libc::SIGPROF => "SIGPROF",
        libc::SIGWINCH => "SIGWINCH",
        libc::SIGIO => "SIGIO",
        libc::SIGPWR => "SIGPWR",
        libc::SIGSYS => "SIGSYS",
        _ => "",
    }
}
