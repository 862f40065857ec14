//! `internalBinding('fs_dir')`: reading folders piece by piece.

use std::cell::{Cell, RefCell};

use v8::{FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use super::fs::args;
use super::fs::output::{Product, Shape};
use super::fs::request::{Failed, Task, at_once, dispatch};
use super::{async_wrap, timers};
use crate::realm::{self, Realm};
use crate::text::Encoding;
use crate::uv::fs::{Call, Dir, Entry, Output};
use crate::{binding, js, wrap};

crate::room! {
    name: "fs_dir",
    functions: {
        pure "opendir" => opendir,
        pure "opendirSync" => opendir_sync,
    },
    classes: {
        "DirHandle" extends "AsyncWrap" {
            pure new => new,
            pure "read" => read,
            pure "close" => close,
        },
    },
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

/// An open folder.
pub enum Folder {
    /// On the disk.
    Disk(Dir),
    /// Inside of the executable: what has not been read of it yet.
    Inside(Vec<Entry>),
}

struct DirHandle(RefCell<Option<Folder>>);

/// How many folders were collected before they were closed.
#[derive(Default)]
struct Leaks(Cell<usize>);

impl Drop for DirHandle {
    fn drop(&mut self) {
        if let Some(Folder::Disk(dir)) = self.0.take()
            && dir.is_open()
        {
            // Dropping it closes it; only a complaint is left to do.
            Realm::with_current(|realm| {
                let leaks = realm.room::<Leaks>();
                leaks.0.set(leaks.0.get() + 1);
                realm::enter(|scope| timers::set_native_immediate(scope, complain));
            });
        }
    }
}

fn complain(scope: &mut PinScope) {
    let count = Realm::current().room::<Leaks>().0.take();
    let process = Realm::current().object(scope, crate::bootstrap::PROCESS);
    let warn = process.and_then(|process| js::get(scope, process, "emitWarning"));
    let (Some(process), Some(warn)) = (process, warn.and_then(|warn| Local::<v8::Function>::try_from(warn).ok()))
    else {
        return;
    };
    for _ in 0..count {
        let message = js::string(scope, "Closing directory handle on garbage collection");
        warn.call(scope, process.into(), &[message.into()]);
    }
}

/// A handle for `folder`.
pub fn create<'s>(scope: &mut PinScope<'s, '_>, folder: Folder) -> Option<Local<'s, Object>> {
    let object = binding::construct(scope, "DirHandle", &[])?;
    if let Some(handle) = wrap::get::<DirHandle>(scope, object) {
        *handle.0.borrow_mut() = Some(folder);
    }
    Some(object)
}

fn new<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    wrap::attach(scope, args.this(), DirHandle(RefCell::default()));
    async_wrap::init_object(scope, args.this(), "DIRHANDLE");
}

/// `opendir(path, encoding[, req])`
fn opendir<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let call = Call::OpenDir(args::path(scope, args.get(0)));
    dispatch(scope, args.get(2), &mut rv, Task::Call(call), Shape::DirHandle);
}

/// `opendirSync(path)`: its error does not name the path.
fn opendir_sync<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let call = Call::OpenDir(args::path(scope, args.get(0)));
    match at_once(scope, Task::Call(call), Shape::DirHandle) {
        Ok(Some(handle)) => rv.set(handle),
        Ok(None) => {}
        Err(failed) => {
            let exception = Failed { path: None, ..failed }.exception(scope);
            scope.throw_exception(exception);
        }
    }
}

/// `handle.read(encoding, count[, req])`
fn read<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(handle) = wrap::get::<DirHandle>(scope, args.this()) else { return };
    let shape = Shape::Pairs(Encoding::parse(scope, args.get(0), Encoding::Utf8));
    let count = args::number(scope, args.get(1)).max(1.0) as usize;
    let task = match &mut *handle.0.borrow_mut() {
        Some(Folder::Disk(dir)) => Task::Call(Call::ReadDir(dir.clone(), count)),
        Some(Folder::Inside(entries)) => {
            let some = entries.drain(..count.min(entries.len())).collect();
            Task::Work("readdir", Box::new(move || Ok(Product::Output(Output::Entries(some)))))
        }
        None => bad("readdir"),
    };
    dispatch(scope, args.get(2), &mut rv, task, shape);
}

/// `handle.close([req])`
fn close<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(handle) = wrap::get::<DirHandle>(scope, args.this()) else { return };
    let task = match handle.0.take() {
        Some(Folder::Disk(dir)) => Task::Call(Call::CloseDir(dir)),
        Some(Folder::Inside(_)) => Task::Work("closedir", Box::new(|| Ok(Product::Output(Output::Done)))),
        None => bad("closedir"),
    };
    dispatch(scope, args.get(0), &mut rv, task, Shape::Nothing);
}

fn bad(syscall: &'static str) -> Task {
    Task::Work(syscall, Box::new(move || Err(Failed { errno: -libc::EBADF, syscall, path: None, dest: None })))
}
