//! Starting other programs.

use std::cell::Cell;
use std::ffi::{CString, OsStr, OsString, c_char, c_int};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::ptr;
use std::rc::Rc;

use libuv_sys2 as sys;

use super::handle::{Handle, Kind, OnExit, storage_of};

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

const PATH: &[u8] = b"PATH=";

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
    /// The embedded folder that is its working directory, if it is this very executable.
    pub embedded_cwd: Option<CString>,
    /// A folder in which it is to look for programs first. It gets to this executable by that.
    pub first_in_path: Option<CString>,
    /// Its user.
    pub uid: Option<u32>,
    /// Its group.
    pub gid: Option<u32>,
    /// Whether it gets a session of its own.
    pub detached: bool,
}

impl Command {
    /// Whether the child is this very executable, or is asked to start it.
    pub fn is_own(&self) -> bool {
        let Ok(own) = std::env::current_exe() else { return false };
        let names_own = |text: &CString| memchr::memmem::find(text.as_bytes(), own.as_os_str().as_bytes()).is_some();
        // Another name for the same file will do.
        let identity = |path: &OsStr| std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
        let is_same = || identity(own.as_os_str()).is_some_and(|own| identity(self.path()) == Some(own));
        self.path() == own.as_os_str() || self.arguments.iter().skip(1).any(names_own) || is_same()
    }

    fn path(&self) -> &OsStr {
        OsStr::from_bytes(self.file.as_bytes())
    }

    /// Tells a child that is this very executable that it is meant to be Node, see [`crate::command_line`].
    fn marked(&self) -> Option<Vec<CString>> {
        if !self.is_own() && self.first_in_path.is_none() {
            return None;
        }
        let inherited = || {
            let pair = |(name, value): (OsString, OsString)| [name.as_bytes(), b"=", value.as_bytes()].concat();
            super::environment::all().filter_map(|each| CString::new(pair(each)).ok()).collect()
        };
        let mut environment = self.environment.clone().unwrap_or_else(inherited);
        if let Some(folder) = &self.first_in_path {
            let is_path = |pair: &&mut CString| pair.as_bytes().starts_with(PATH);
            let rest = environment.iter().find(|pair| pair.as_bytes().starts_with(PATH));
            let rest = rest.map(|pair| &pair.as_bytes()[PATH.len()..]).filter(|rest| !rest.is_empty());
            let all = [Some(folder.as_bytes()), rest].into_iter().flatten().collect::<Vec<_>>().join(&b':');
            let path = CString::new([PATH, &all].concat()).unwrap_or_default();
            match environment.iter_mut().find(is_path) {
                Some(pair) => *pair = path,
                None => environment.push(path),
            }
        }
        let cwd = self.embedded_cwd.as_ref().map_or(&b"1"[..], |cwd| cwd.as_bytes());
        environment.extend(CString::new([kiln_payload::SPAWNED.as_bytes(), b"=", cwd].concat()));
        Some(environment)
    }

    /// Calls `body` with the options of `uv_spawn`, which looks for the program in the environment's path.
    pub(super) fn with_options<R>(
        &self,
        stdio: &mut [sys::uv_stdio_container_t],
        exit: sys::uv_exit_cb,
        body: impl FnOnce(*const sys::uv_process_options_t) -> R,
    ) -> R {
        let mut arguments = pointers(&self.arguments);
        let marked = self.marked();
        let mut environment = marked.as_deref().or(self.environment.as_deref()).map(pointers);
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
        super::environment::unchanged(|| body(&options))
    }
}

pub(super) fn pointers(texts: &[CString]) -> Vec<*mut c_char> {
    texts.iter().map(|text| text.as_ptr().cast_mut()).chain([ptr::null_mut()]).collect()
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
