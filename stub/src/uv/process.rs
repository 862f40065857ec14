//! This process.

use std::ffi::{CStr, CString, OsString, c_char, c_int};
use std::os::unix::ffi::OsStringExt as _;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use libuv_sys2 as sys;

use super::child::pointers;
use super::{event_loop, title};

static STARTED: AtomicU64 = AtomicU64::new(0);

/// The standard streams as the process got them.
static STREAMS: [OnceLock<Stream>; 3] = [const { OnceLock::new() }; 3];

static ARGUMENTS: OnceLock<Vec<OsString>> = OnceLock::new();

struct Stream {
    flags: c_int,
    identity: (u64, u64),
    terminal: Option<libc::termios>,
}

/// Prepares the process as Node does at its start: the descriptors 0 to 2 are open, signals do what they do by
/// default, writing to a pipe that nobody reads is an error, and as many files can be open as the system allows.
pub fn prepare() {
    STARTED.store(event_loop::hrtime(), Ordering::Relaxed);
    for fd in 0..=2 {
        open_stream(fd);
    }
    // SAFETY: dispositions are set that call no code, or only such as a signal handler may; masks are local.
    unsafe {
        let mut mask = std::mem::zeroed();
        libc::sigemptyset(&mut mask);
        libc::pthread_sigmask(libc::SIG_SETMASK, &mask, ptr::null_mut());
        let mut action: libc::sigaction = std::mem::zeroed();
        for signal in 1..32 {
            action.sa_sigaction = match signal {
                libc::SIGKILL | libc::SIGSTOP => continue,
                libc::SIGPIPE | libc::SIGXFSZ => libc::SIG_IGN,
                _ => libc::SIG_DFL,
            };
            libc::sigaction(signal, &action, ptr::null_mut());
        }
        // Node would start its debugger.
        action.sa_sigaction = ignored as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(libc::SIGUSR1, &action, ptr::null_mut());
        action.sa_flags = libc::SA_RESETHAND;
        action.sa_sigaction = ended_by_signal as *const () as libc::sighandler_t;
        libc::sigfillset(&mut action.sa_mask);
        for signal in [libc::SIGINT, libc::SIGTERM] {
            libc::sigaction(signal, &action, ptr::null_mut());
        }
    }
    raise_file_limit();
    let _ = ARGUMENTS.set(std::env::args_os().collect());
    title::prepare();
}

/// Whether `fd` is a terminal.
pub fn is_terminal(fd: c_int) -> bool {
    // SAFETY: any number may be asked about.
    unsafe { libc::isatty(fd) == 1 }
}

/// The arguments, the program's name first. Setting the title overwrites the system's copy of them.
pub fn arguments() -> &'static [OsString] {
    ARGUMENTS.get_or_init(|| std::env::args_os().collect())
}

fn open_stream(fd: c_int) {
    // SAFETY: any number may be asked about; the path ends with zero; the structures are filled by the calls.
    unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        if libc::fstat(fd, &mut stat) != 0 {
            // The lowest free descriptor is the one that was just found closed.
            if libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) != fd || libc::fstat(fd, &mut stat) != 0 {
                libc::abort();
            }
        }
        let mut terminal = std::mem::zeroed();
        let is_terminal = libc::isatty(fd) == 1 && libc::tcgetattr(fd, &mut terminal) == 0;
        let stream = Stream {
            flags: libc::fcntl(fd, libc::F_GETFL),
            identity: (stat.st_dev, stat.st_ino),
            terminal: is_terminal.then_some(terminal),
        };
        let _ = STREAMS[fd as usize].set(stream);
    }
}

/// Gives the standard streams back as they were: other processes have them too.
pub fn reset_stdio() {
    // SAFETY: it may be called at any time, in a signal handler too; so may everything below.
    unsafe {
        sys::uv_tty_reset_mode();
        for (fd, stream) in (0..).zip(&STREAMS) {
            let Some(stream) = stream.get() else { continue };
            let mut stat: libc::stat = std::mem::zeroed();
            if libc::fstat(fd, &mut stat) != 0 || (stat.st_dev, stat.st_ino) != stream.identity {
                // The program has closed it; it may be anything now.
                continue;
            }
            let flags = libc::fcntl(fd, libc::F_GETFL);
            if flags != -1 && (flags ^ stream.flags) & libc::O_NONBLOCK != 0 {
                libc::fcntl(fd, libc::F_SETFL, flags ^ libc::O_NONBLOCK);
            }
            if let Some(terminal) = &stream.terminal {
                // A process in the background would be stopped for this.
                let mut ours = std::mem::zeroed();
                let mut theirs = std::mem::zeroed();
                libc::sigemptyset(&mut ours);
                libc::sigaddset(&mut ours, libc::SIGTTOU);
                libc::pthread_sigmask(libc::SIG_BLOCK, &ours, &mut theirs);
                libc::tcsetattr(fd, libc::TCSANOW, terminal);
                libc::pthread_sigmask(libc::SIG_SETMASK, &theirs, ptr::null_mut());
            }
        }
    }
}

/// A handler and not `SIG_IGN`, which children would inherit.
extern "C" fn ignored(_: c_int) {}

extern "C" fn ended_by_signal(signal: c_int) {
    reset_stdio();
    // SAFETY: the disposition is the default one again; the signal is delivered when the handler returns.
    unsafe { libc::raise(signal) };
}

fn raise_file_limit() {
    // SAFETY: the structure is filled by the call.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 && limit.rlim_cur != limit.rlim_max {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        }
    }
}

/// When [`prepare`] was called, by [`event_loop::hrtime`].
pub fn started() -> u64 {
    STARTED.load(Ordering::Relaxed)
}

/// An address on the stack of this thread, about where it is used now.
pub fn stack_position() -> usize {
    let here = 0u8;
    (&raw const here).addr()
}

/// Ends the process, at once if other threads are in the middle of something.
pub fn exit(code: i32, at_once: bool) -> ! {
    reset_stdio();
    if at_once {
        // SAFETY: it does not come back.
        unsafe { libc::_exit(code) }
    }
    std::process::exit(code)
}

/// Ends the process the way that V8 does when it is told to: by a trap, for a debugger or a core dump.
pub fn trap() -> ! {
    reset_stdio();
    // SAFETY: raising a signal takes nothing.
    unsafe { libc::raise(libc::SIGTRAP) };
    std::process::abort()
}

/// The working directory.
pub fn current_dir() -> Result<OsString, c_int> {
    text(|buffer, size| {
        // SAFETY: the pointers are those of `text`.
        unsafe { sys::uv_cwd(buffer, size) }
    })
}

/// Changes the working directory. Returns a libuv error or 0.
pub fn change_dir(path: &CStr) -> c_int {
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
    unsafe { libc::umask(mask) }
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
