//! What the native half keeps for one isolate and its main context.
//!
//! A realm belongs to its thread. JavaScript values that native code holds on to live in named
//! *slots*: they go into the snapshot and come back from it, so a room need not care which side of a
//! snapshot it is on.

use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::OnceLock;

use kiln_payload::Image;
use rustc_hash::FxHashMap;

use crate::library::Library;
use crate::slots::{Name, Slots};
use crate::source::Source;
use crate::thread::Thread;
use crate::wrap::Wraps;

/// State of one isolate; [`Realm::current`] is that of the running thread.
pub struct Realm {
    isolate: v8::UnsafeRawIsolatePtr,
    context: RefCell<Option<v8::Global<v8::Context>>>,
    slots: Slots,
    rooms: RefCell<FxHashMap<TypeId, Rc<dyn Any>>>,
    /// Objects of native classes.
    pub wraps: Wraps,
    /// How many native-to-JavaScript callbacks are on the stack.
    pub callback_depth: Cell<usize>,
    /// True while a snapshot is taken.
    pub building: bool,
    /// The thread that it runs on.
    pub thread: Thread,
    /// Everything that the process shares between its realms.
    pub program: &'static Program,
}

/// What the executable brings along, shared by all realms of the process.
pub struct Program {
    /// Embedded modules and files.
    pub image: Image,
    /// One source for each module of the image's index.
    pub sources: Vec<Source>,
    /// Node's library.
    pub library: Library,
    /// While a snapshot is taken after a rehearsal: code caches of the modules that a start loads, by module.
    pub codes: OnceLock<FxHashMap<u32, Vec<u8>>>,
    /// Which modules of Node's library the program's modules load, as a rehearsal has found, by their positions.
    pub loads: OnceLock<Vec<u32>>,
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<Realm>>> = const { RefCell::new(None) };
}

impl Realm {
    /// Makes the realm of this thread.
    pub fn install(isolate: &v8::Isolate, program: &'static Program, thread: Thread, building: bool) -> Rc<Realm> {
        let realm = Rc::new(Realm {
            // SAFETY: the pointer is only used while the isolate lives; `uninstall` comes first.
            isolate: unsafe { isolate.as_raw_isolate_ptr() },
            context: RefCell::default(),
            slots: Slots::default(),
            rooms: RefCell::default(),
            wraps: Wraps::new(building),
            callback_depth: Cell::new(0),
            building,
            thread,
            program,
        });
        CURRENT.set(Some(realm.clone()));
        realm
    }

    /// Drops the realm of this thread and every handle that it holds, before its isolate goes.
    pub fn uninstall() {
        let realm = CURRENT.take();
        drop(realm);
    }

    /// The realm of this thread.
    pub fn current() -> Rc<Realm> {
        CURRENT.with_borrow(|current| current.clone().expect("native code runs inside a realm"))
    }

    /// Runs `body`, which neither installs nor uninstalls one, with the realm of this thread.
    pub fn with<R>(body: impl FnOnce(&Realm) -> R) -> R {
        CURRENT.with_borrow(|current| body(current.as_ref().expect("native code runs inside a realm")))
    }

    /// Runs `body` with the realm of this thread, if there still is one.
    pub fn with_current(body: impl FnOnce(&Realm)) {
        let realm = CURRENT.try_with(|current| current.borrow().clone()).ok().flatten();
        if let Some(realm) = realm {
            body(&realm);
        }
    }

    /// Sets the main context.
    pub fn set_context(&self, scope: &v8::PinScope, context: v8::Local<v8::Context>) {
        *self.context.borrow_mut() = Some(v8::Global::new(scope, context));
    }

    /// Keeps `value` under `name`, across a snapshot too.
    pub fn set_slot<'s, T>(&self, scope: &v8::PinScope<'s, '_>, name: impl Into<Name>, value: v8::Local<'s, T>)
    where
        v8::Local<'s, T>: Into<v8::Local<'s, v8::Value>>,
    {
        let value: v8::Local<v8::Value> = value.into();
        self.slots.set(name.into(), v8::Global::new(scope, value));
    }

    /// What [`Realm::set_slot`] keeps under `name`.
    pub fn slot<'s>(&self, scope: &v8::PinScope<'s, '_>, name: impl Into<Name>) -> Option<v8::Local<'s, v8::Value>> {
        self.slots.get(scope, name.into())
    }

    /// Where the elements of the typed array of slot `name` are, and how many bytes they take.
    pub fn memory(&self, scope: &v8::PinScope, name: Name) -> Option<(*mut u8, usize)> {
        self.slots.memory(scope, name)
    }

    /// The function kept under `name`.
    pub fn function<'s>(
        &self,
        scope: &v8::PinScope<'s, '_>,
        name: impl Into<Name>,
    ) -> Option<v8::Local<'s, v8::Function>> {
        self.slot(scope, name).and_then(|value| value.try_into().ok())
    }

    /// The object kept under `name`.
    pub fn object<'s>(&self, scope: &v8::PinScope<'s, '_>, name: impl Into<Name>) -> Option<v8::Local<'s, v8::Object>> {
        self.slot(scope, name).and_then(|value| value.try_into().ok())
    }

    /// The map kept under `name`, made when first asked for.
    pub fn map<'s>(&self, scope: &v8::PinScope<'s, '_>, name: impl Into<Name>) -> v8::Local<'s, v8::Map> {
        let name = name.into();
        self.slot(scope, name).and_then(|map| map.try_into().ok()).unwrap_or_else(|| {
            let map = v8::Map::new(scope);
            self.set_slot(scope, name, map);
            map
        })
    }

    /// All slots as an array of names and values, for the snapshot. The realm forgets them.
    pub fn take_slots<'s>(&self, scope: &mut v8::PinScope<'s, '_>) -> v8::Local<'s, v8::Array> {
        let elements: Vec<v8::Local<v8::Value>> = self
            .slots
            .take()
            .into_iter()
            .flat_map(|(name, value)| [crate::js::string(scope, &name).into(), v8::Local::new(scope, value)])
            .collect();
        v8::Array::new_with_elements(scope, &elements)
    }

    /// Takes back what [`Realm::take_slots`] gave.
    pub fn restore_slots(&self, scope: &mut v8::PinScope, slots: v8::Local<v8::Array>) {
        for index in (0..slots.length()).step_by(2) {
            let (Some(name), Some(value)) = (slots.get_index(scope, index), slots.get_index(scope, index + 1)) else {
                continue;
            };
            let name = name.to_rust_string_lossy(scope);
            self.slots.restore(name, v8::Global::new(scope, value));
        }
    }

    /// The native state of a room: one value of each type, made when first asked for. It does not
    /// go into the snapshot.
    pub fn room<T: Default + 'static>(&self) -> Rc<T> {
        let existing = self.rooms.borrow().get(&TypeId::of::<T>()).cloned();
        let state = existing.unwrap_or_else(|| {
            let state: Rc<dyn Any> = Rc::new(T::default());
            self.rooms.borrow_mut().insert(TypeId::of::<T>(), state.clone());
            state
        });
        state.downcast().expect("states are kept by their type")
    }

    /// Drops the native state of all rooms and objects, and the context's handle, before a snapshot.
    pub fn forget(&self) {
        self.context.take();
        self.rooms.borrow_mut().clear();
        self.wraps.clear();
    }
}

/// Runs `body` in the main context of this thread's realm: how native events get into JavaScript.
pub fn enter<R>(body: impl FnOnce(&mut v8::PinScope) -> R) -> R {
    let realm = Realm::current();
    // SAFETY: the realm is uninstalled before its isolate is disposed of, and only its own thread
    // reaches it.
    let mut isolate = unsafe { v8::Isolate::from_raw_isolate_ptr(realm.isolate) };
    let context = realm.context.borrow().clone().expect("the context is set before anything runs");
    v8::scope_with_context!(let scope, &mut isolate, &context);
    body(scope)
}
