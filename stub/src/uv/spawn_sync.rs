//! Starting a child and waiting for its end, in a loop of its own.

use std::ffi::{c_int, c_uint};

use libuv_sys2 as sys;

use super::child::Command;

/// One of the child's descriptors.
pub enum Stdio {
    /// `/dev/null`, or nothing from the third on.
    Ignore,
    /// A pipe between the two processes.
    Pipe {
        /// Whether the child reads from it.
        readable: bool,
        /// Whether the child writes to it.
        writable: bool,
        /// What the child gets to read.
        input: Vec<u8>,
    },
    /// A descriptor of this process.
    Fd(c_int),
}

/// When to give up.
#[derive(Default)]
pub struct Limits {
    /// After so many milliseconds, unless 0.
    pub timeout: u64,
    /// After so many bytes of output, unless 0.
    pub max_buffer: f64,
    /// The signal that the child then gets; `SIGTERM` if 0.
    pub kill_signal: c_int,
}

/// How the child ended.
pub struct Outcome {
    /// Its process id; 0 if it was not started.
    pub pid: c_int,
    /// A libuv error, or 0.
    pub error: c_int,
    /// Its exit status; `None` if it was not started.
    pub status: Option<i64>,
    /// The signal that ended it, or 0.
    pub signal: c_int,
    /// For each descriptor: what the child wrote to it, if it is such a pipe.
    pub output: Vec<Option<Vec<u8>>>,
}

/// Everything that libuv gets pointers to.
struct Runner {
    event_loop: sys::uv_loop_t,
    process: sys::uv_process_t,
    timer: sys::uv_timer_t,
    pipes: Vec<Option<Box<Pipe>>>,
    limits: Limits,
    has_timer: bool,
    killed: bool,
    buffered: f64,
    status: Option<i64>,
    signal: c_int,
    error: c_int,
    pipe_error: c_int,
}

struct Pipe {
    raw: sys::uv_pipe_t,
    write: sys::uv_write_t,
    shutdown: sys::uv_shutdown_t,
    runner: *mut Runner,
    readable: bool,
    writable: bool,
    closed: bool,
    input: Vec<u8>,
    buffer: Box<[u8]>,
    output: Vec<u8>,
}

const READ_SIZE: usize = 64 * 1024;

/// Runs the command until it has ended and all its output is read.
pub fn run(command: &Command, stdio: Vec<Stdio>, limits: Limits) -> Outcome {
    // SAFETY: libuv's structures may be zero before they are initialized. The runner is only reached through
    // the one raw pointer until the loop has closed, which leaves libuv without pointers to it.
    unsafe {
        let runner = Box::into_raw(Box::new(Runner {
            event_loop: std::mem::zeroed(),
            process: std::mem::zeroed(),
            timer: std::mem::zeroed(),
            pipes: Vec::new(),
            limits,
            has_timer: false,
            killed: false,
            buffered: 0.0,
            status: None,
            signal: 0,
            error: 0,
            pipe_error: 0,
        }));
        let failure = start_and_wait(runner, command, stdio);
        let runner = Box::from_raw(runner);
        let error = [failure, runner.error, runner.pipe_error].into_iter().find(|&error| error != 0);
        let output = runner.pipes.into_iter().map(|pipe| pipe.filter(|pipe| pipe.writable).map(|pipe| pipe.output));
        Outcome {
            pid: if runner.status.is_some() { runner.process.pid } else { 0 },
            error: error.unwrap_or_default(),
            status: runner.status,
            signal: runner.signal,
            output: output.collect(),
        }
    }
}

/// # Safety
///
/// `runner` must be a boxed runner that nothing else refers to.
unsafe fn start_and_wait(runner: *mut Runner, command: &Command, stdio: Vec<Stdio>) -> c_int {
    // SAFETY: the fields are initialized in order before they are used; the box gives them fixed addresses.
    unsafe {
        let event_loop = &raw mut (*runner).event_loop;
        match sys::uv_loop_init(event_loop) {
            0 => {}
            error => return error,
        }
        let mut started = false;
        let mut containers = Vec::new();
        for each in stdio {
            let (container, pipe) = prepare(runner, each);
            containers.push(container);
            (*runner).pipes.push(pipe);
        }
        let mut error = 0;
        if (*runner).limits.timeout > 0 {
            let timer = &raw mut (*runner).timer;
            sys::uv_timer_init(event_loop, timer);
            // The loop ends when the child and its pipes do.
            sys::uv_unref(timer.cast());
            (*timer).data = runner.cast();
            (*runner).has_timer = true;
            error = sys::uv_timer_start(timer, Some(timed_out), (*runner).limits.timeout, 0);
        }
        if error == 0 {
            started = true;
            let process = &raw mut (*runner).process;
            error = command
                .with_options(&mut containers, Some(exited), |options| sys::uv_spawn(event_loop, process, options));
            (*process).data = runner.cast();
        }
        if error == 0 {
            error = (0..(*runner).pipes.len()).map(|index| start(runner, index)).find(|&error| error < 0).unwrap_or(0);
            if error < 0 {
                fail(runner, error);
                kill(runner);
                error = 0;
            }
            sys::uv_run(event_loop, sys::uv_run_mode_UV_RUN_DEFAULT);
        }
        close_pipes(runner);
        close_timer(runner);
        if started {
            let process: *mut sys::uv_handle_t = (&raw mut (*runner).process).cast();
            if sys::uv_is_closing(process) == 0 {
                sys::uv_close(process, None);
            }
        }
        // The close callbacks.
        sys::uv_run(event_loop, sys::uv_run_mode_UV_RUN_DEFAULT);
        let closed = sys::uv_loop_close(event_loop);
        assert_eq!(closed, 0, "all handles of a synchronous child are closed");
        error
    }
}

/// # Safety
///
/// As for [`start_and_wait`]; the loop must be initialized.
unsafe fn prepare(runner: *mut Runner, stdio: Stdio) -> (sys::uv_stdio_container_t, Option<Box<Pipe>>) {
    type Data = sys::uv_stdio_container_s__bindgen_ty_1;
    let (readable, writable, input) = match stdio {
        Stdio::Pipe { readable, writable, input } => (readable, writable, input),
        Stdio::Ignore => {
            let data = Data { fd: -1 };
            return (sys::uv_stdio_container_t { flags: sys::uv_stdio_flags_UV_IGNORE, data }, None);
        }
        Stdio::Fd(fd) => {
            return (sys::uv_stdio_container_t { flags: sys::uv_stdio_flags_UV_INHERIT_FD, data: Data { fd } }, None);
        }
    };
    // SAFETY: libuv's structures may be zero before they are initialized; the box stays where it is.
    unsafe {
        let mut pipe = Box::new(Pipe {
            raw: std::mem::zeroed(),
            write: std::mem::zeroed(),
            shutdown: std::mem::zeroed(),
            runner,
            readable,
            writable,
            closed: false,
            input,
            buffer: vec![0; if writable { READ_SIZE } else { 0 }].into_boxed_slice(),
            output: Vec::new(),
        });
        let this: *mut Pipe = &mut *pipe;
        sys::uv_pipe_init(&raw mut (*runner).event_loop, &raw mut (*this).raw, 0);
        (*this).raw.data = this.cast();
        let mut flags = sys::uv_stdio_flags_UV_CREATE_PIPE;
        if readable {
            flags |= sys::uv_stdio_flags_UV_READABLE_PIPE;
        }
        if writable {
            flags |= sys::uv_stdio_flags_UV_WRITABLE_PIPE;
        }
        (sys::uv_stdio_container_t { flags, data: Data { stream: (&raw mut (*this).raw).cast() } }, Some(pipe))
    }
}

/// # Safety
///
/// The runner must be valid; so in all functions below.
unsafe fn pipe(runner: *mut Runner, index: usize) -> Option<*mut Pipe> {
    // SAFETY: the caller's promise; the reference does not outlive the expression.
    unsafe { (&mut (*runner).pipes)[index].as_mut().map(|pipe| &raw mut **pipe) }
}

unsafe fn start(runner: *mut Runner, index: usize) -> c_int {
    // SAFETY: the pipe is initialized and connected; libuv's pointers into it are valid until the loop closes.
    unsafe {
        let Some(pipe) = pipe(runner, index) else { return 0 };
        let stream: *mut sys::uv_stream_t = (&raw mut (*pipe).raw).cast();
        if (*pipe).readable {
            let input = &mut (*pipe).input;
            if !input.is_empty() {
                let buffer = sys::uv_buf_t { base: input.as_mut_ptr().cast(), len: input.len() };
                let result = sys::uv_write(&raw mut (*pipe).write, stream, &buffer, 1 as c_uint, Some(written));
                if result < 0 {
                    return result;
                }
            }
            let result = sys::uv_shutdown(&raw mut (*pipe).shutdown, stream, Some(shut));
            if result < 0 {
                return result;
            }
        }
        match (*pipe).writable {
            true => sys::uv_read_start(stream, Some(allocate), Some(read)),
            false => 0,
        }
    }
}

unsafe fn fail(runner: *mut Runner, error: c_int) {
    // SAFETY: the caller's promise.
    unsafe {
        if (*runner).error == 0 {
            (*runner).error = error;
        }
    }
}

unsafe fn pipe_failed(runner: *mut Runner, error: c_int) {
    // SAFETY: the caller's promise.
    unsafe {
        if (*runner).pipe_error == 0 {
            (*runner).pipe_error = error;
        }
    }
}

unsafe fn kill(runner: *mut Runner) {
    // SAFETY: the process was started; handles are closed once.
    unsafe {
        if (*runner).killed {
            return;
        }
        (*runner).killed = true;
        if (*runner).status.is_none() {
            let process = &raw mut (*runner).process;
            let signal = match (*runner).limits.kill_signal {
                signal if signal > 0 => signal,
                _ => libc::SIGTERM,
            };
            let result = sys::uv_process_kill(process, signal);
            // The signal may be one that this system has not: the child must end all the same.
            if result < 0 && result != sys::uv_errno_t_UV_ESRCH {
                fail(runner, result);
                sys::uv_process_kill(process, libc::SIGKILL);
            }
        }
        close_pipes(runner);
        close_timer(runner);
    }
}

unsafe fn close_pipes(runner: *mut Runner) {
    // SAFETY: every pipe is initialized, and closed once.
    unsafe {
        let count = { &(*runner).pipes }.len();
        for index in 0..count {
            if let Some(pipe) = pipe(runner, index)
                && !(*pipe).closed
            {
                (*pipe).closed = true;
                sys::uv_close((&raw mut (*pipe).raw).cast(), None);
            }
        }
    }
}

unsafe fn close_timer(runner: *mut Runner) {
    // SAFETY: the timer is initialized, and closed once.
    unsafe {
        if (*runner).has_timer {
            (*runner).has_timer = false;
            let timer: *mut sys::uv_handle_t = (&raw mut (*runner).timer).cast();
            // Its close callback must still run.
            sys::uv_ref(timer);
            sys::uv_close(timer, None);
        }
    }
}

// SAFETY, for all callbacks: libuv passes the handles and requests of the runner and its pipes, whose `data` or
// `handle` lead back to them, and only while `start_and_wait` runs the loop.

unsafe extern "C" fn timed_out(timer: *mut sys::uv_timer_t) {
    // SAFETY: see above.
    unsafe {
        let runner: *mut Runner = (*timer).data.cast();
        fail(runner, sys::uv_errno_t_UV_ETIMEDOUT);
        kill(runner);
    }
}

unsafe extern "C" fn exited(process: *mut sys::uv_process_t, status: i64, signal: c_int) {
    // SAFETY: see above.
    unsafe {
        let runner: *mut Runner = (*process).data.cast();
        if status < 0 {
            fail(runner, status as c_int);
            return;
        }
        (*runner).status = Some(status);
        (*runner).signal = signal;
        close_timer(runner);
    }
}

unsafe extern "C" fn allocate(handle: *mut sys::uv_handle_t, _: usize, buffer: *mut sys::uv_buf_t) {
    // SAFETY: see above.
    unsafe {
        let pipe: *mut Pipe = (*handle).data.cast();
        let space = &mut (*pipe).buffer;
        *buffer = sys::uv_buf_t { base: space.as_mut_ptr().cast(), len: space.len() };
    }
}

unsafe extern "C" fn read(stream: *mut sys::uv_stream_t, count: isize, _: *const sys::uv_buf_t) {
    // SAFETY: see above.
    unsafe {
        let pipe: *mut Pipe = (*stream).data.cast();
        let runner = (*pipe).runner;
        match usize::try_from(count) {
            Ok(count) => {
                let new = &(&(*pipe).buffer)[..count];
                let output = &mut (*pipe).output;
                output.extend_from_slice(new);
                (*runner).buffered += count as f64;
                let limit = (*runner).limits.max_buffer;
                if limit > 0.0 && (*runner).buffered > limit {
                    fail(runner, sys::uv_errno_t_UV_ENOBUFS);
                    kill(runner);
                }
            }
            Err(_) => {
                if count as c_int != sys::uv_errno_t_UV_EOF {
                    pipe_failed(runner, count as c_int);
                }
                sys::uv_read_stop(stream);
            }
        }
    }
}

unsafe extern "C" fn written(request: *mut sys::uv_write_t, status: c_int) {
    // SAFETY: see above.
    unsafe {
        let pipe: *mut Pipe = (*(*request).handle).data.cast();
        if status < 0 {
            pipe_failed((*pipe).runner, status);
        }
    }
}

unsafe extern "C" fn shut(request: *mut sys::uv_shutdown_t, status: c_int) {
    // SAFETY: see above.
    unsafe {
        let pipe: *mut Pipe = (*(*request).handle).data.cast();
        // The child may have closed its side before it read everything.
        if status < 0 && status != sys::uv_errno_t_UV_ENOTCONN {
            pipe_failed((*pipe).runner, status);
        }
    }
}
