//! `FileHandle`: a file descriptor that belongs to an object, as `fs/promises` has them.

use std::cell::{Cell, RefCell};

use v8::{Local, Object, PinScope};

use super::args::integer;
use super::output::Product;
use super::request::{Args, Failed, Return, Task, end, enter, settle_promise, start};
use crate::bindings::messaging::{Parcel, TRANSFERABLE, Traveller};
use crate::bindings::{async_wrap, timers};
use crate::errors::{Kind, with_code};
use crate::realm::{self, Realm};
use crate::uv::fs::Call;
use crate::{binding, errors, js, vfs, wrap};

/// The native side of a `FileHandle`.
pub struct FileHandle {
    /// Negative once it is closed or released.
    fd: Cell<i32>,
    closing: Cell<bool>,
    /// What it was opened by, for a complaint.
    path: RefCell<String>,
    promise: RefCell<Option<v8::Global<v8::Promise>>>,
}

/// A handle that nobody closed before it was collected, and what closing it gave.
struct Leak {
    fd: i32,
    path: String,
    closed: Result<(), i32>,
}

#[derive(Default)]
struct Leaks(RefCell<Vec<Leak>>);

/// How handles travel between realms: the descriptor moves over.
pub const TRAVELLER: Traveller = Traveller {
    mode: |scope, object| {
        let handle = wrap::get::<FileHandle>(scope, object)?;
        let open = handle.fd.get() >= 0 && !handle.closing.get();
        Some(if open { TRANSFERABLE } else { 0 })
    },
    pack: |scope, object, _| {
        let handle = wrap::get::<FileHandle>(scope, object)?;
        Some(Box::new(Packed { fd: handle.fd.replace(-1), path: handle.path.borrow().clone() }))
    },
};

/// A descriptor on its way. If it gets nowhere, it is closed.
struct Packed {
    fd: i32,
    path: String,
}

impl Parcel for Packed {
    fn unpack<'s>(mut self: Box<Self>, scope: &mut PinScope<'s, '_>) -> Option<Local<'s, Object>> {
        let fd = std::mem::replace(&mut self.fd, -1);
        create(scope, fd, std::mem::take(&mut self.path))
    }
}

impl Drop for Packed {
    fn drop(&mut self) {
        if self.fd >= 0 {
            // Nobody is there to hear of a failure.
            let _ = vfs::run(Call::Close(self.fd));
        }
    }
}

impl Drop for FileHandle {
    fn drop(&mut self) {
        let fd = self.fd.get();
        if fd < 0 || self.closing.get() {
            return;
        }
        let closed = vfs::run(Call::Close(fd)).map(drop);
        let leak = Leak { fd, path: self.path.take(), closed };
        // Once the realm is gone there is nobody to complain to.
        Realm::with_current(|realm| {
            realm.room::<Leaks>().0.borrow_mut().push(leak);
            realm::enter(|scope| timers::set_native_immediate(scope, complain));
        });
    }
}

fn complain(scope: &mut PinScope) {
    for Leak { fd, path, closed } in Realm::current().room::<Leaks>().0.take() {
        let path = if path.is_empty() { "<unknown path>".to_owned() } else { path };
        let exception = match closed {
            Ok(()) => {
                let message = format!(
                    "A FileHandle object was closed during garbage collection. This used to be allowed with a \
                     deprecation warning but is now considered an error. Please close FileHandle objects explicitly. \
                     File descriptor: {fd} ({path})"
                );
                with_code(scope, Kind::Error, "ERR_INVALID_STATE", &message)
            }
            Err(errno) => Failed { errno, syscall: "close", path: None, dest: None }.exception(scope),
        };
        errors::trigger_uncaught(scope, exception, None, false);
    }
}

/// A handle for `fd`.
pub fn create<'s>(scope: &mut PinScope<'s, '_>, fd: i32, path: String) -> Option<Local<'s, Object>> {
    let number = js::integer(scope, fd);
    let object = binding::construct(scope, "FileHandle", &[number])?;
    if let Some(handle) = wrap::get::<FileHandle>(scope, object) {
        *handle.path.borrow_mut() = path;
    }
    Some(object)
}

/// `new FileHandle(fd)`
pub fn new<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let handle = FileHandle {
        fd: Cell::new(integer(scope, args.get(0))),
        closing: Cell::default(),
        path: RefCell::default(),
        promise: RefCell::default(),
    };
    wrap::attach(scope, args.this(), handle);
    async_wrap::init_object(scope, args.this(), "FILEHANDLE");
}

/// The constructor of what waits for a handle to be closed.
pub fn new_close_request<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    wrap::attach(scope, args.this(), ());
    async_wrap::init_object(scope, args.this(), "FILEHANDLECLOSEREQ");
}

/// `handle.fd`
pub fn fd<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let handle = wrap::get::<FileHandle>(scope, args.this());
    rv.set_int32(handle.map_or(-1, |handle| handle.fd.get()));
}

/// `handle.close()`: a promise, always the same one.
pub fn close<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let object = args.this();
    let Some(handle) = wrap::get::<FileHandle>(scope, object) else { return };
    if let Some(promise) = &*handle.promise.borrow() {
        return rv.set(Local::new(scope, promise).into());
    }
    let Some(resolver) = v8::PromiseResolver::new(scope) else { return };
    let promise = resolver.get_promise(scope);
    *handle.promise.borrow_mut() = Some(v8::Global::new(scope, promise));
    rv.set(promise.into());
    let Some(request) = binding::construct(scope, "FileHandleCloseReq", &[]) else { return };
    handle.closing.set(true);
    wrap::keep_alive(scope, request, true);
    let (request, resolver) = (v8::Global::new(scope, request), v8::Global::new(scope, resolver));
    // The object stays alive too: it must not be collected while it is closed.
    let object = v8::Global::new(scope, object);
    let done = move |result: Result<Product, Failed>| {
        handle.fd.set(-1);
        handle.closing.set(false);
        enter(|scope| {
            drop(object);
            let request = Local::new(scope, &request);
            let resolver = Local::new(scope, &resolver);
            let outcome = match result {
                Ok(_) => Ok(js::undefined(scope)),
                Err(failed) => Err(failed.exception(scope)),
            };
            settle_promise(scope, request, resolver, outcome);
            end(scope, request);
        });
    };
    let fd = wrap::get::<FileHandle>(scope, args.this()).map_or(-1, |handle| handle.fd.get());
    start(Task::Call(Call::Close(fd)), Box::new(done));
}

/// `handle.closeSync()`
pub fn close_sync<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let Some(handle) = wrap::get::<FileHandle>(scope, args.this()) else { return };
    if handle.closing.get() || handle.fd.get() < 0 {
        return;
    }
    if let Err(errno) = vfs::run(Call::Close(handle.fd.replace(-1))) {
        let exception = Failed { errno, syscall: "close", path: None, dest: None }.exception(scope);
        scope.throw_exception(exception);
    }
}

/// `handle.releaseFD()`: the descriptor now belongs to somebody else.
pub fn release<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if let Some(handle) = wrap::get::<FileHandle>(scope, args.this()) {
        handle.fd.set(-1);
    }
}

/// `openFileHandle(path, flags, mode, req)`
pub fn open<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let path = super::args::path(scope, args.get(0));
    let name = path.to_string_lossy().into_owned();
    let call = Call::Open(path, integer(scope, args.get(1)), integer(scope, args.get(2)));
    let shape = super::output::Shape::FileHandle(name);
    super::request::dispatch(scope, args.get(3), &mut rv, Task::Call(call), shape);
}
