//! JavaScript objects with native state: handles, requests, parsers and the like.
//!
//! The object's internal field holds the key of its state in the realm's table, so no pointer
//! crosses into the heap and an object that has lost its state is merely empty. Each entry also
//! has the asynchronous identity that Node's `AsyncWrap` gives to an object.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use rustc_hash::FxHashMap;

use crate::realm::Realm;

/// Internal fields of a native class's object: the key.
pub const FIELDS: usize = 1;

/// What `async_hooks` knows of an object.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AsyncIds {
    /// `asyncId`.
    pub id: f64,
    /// `triggerAsyncId`.
    pub trigger: f64,
}

struct Entry {
    state: Rc<dyn Any>,
    ids: Cell<AsyncIds>,
    provider: Cell<&'static str>,
    /// The `AsyncContextFrame` that the object was made in.
    frame: RefCell<v8::Global<v8::Value>>,
    /// Keeps the object alive while native code needs it.
    strong: RefCell<Option<v8::Global<v8::Object>>>,
    /// Otherwise: takes the entry out once the object is collected.
    _weak: v8::Weak<v8::Object>,
}

/// The realm's table of native states.
pub struct Wraps {
    entries: RefCell<FxHashMap<i32, Rc<Entry>>>,
    next: Cell<i32>,
}

/// Gives `object` the state `state`; it lives as long as the object does, or until [`detach`].
pub fn attach<T: 'static>(scope: &mut v8::PinScope, object: v8::Local<v8::Object>, state: T) -> Rc<T> {
    let realm = Realm::current();
    let key = realm.wraps.next.get();
    // Keys are not used again before two thousand million objects have come and gone.
    realm.wraps.next.set(key.wrapping_add(1) & i32::MAX);
    let state = Rc::new(state);
    object.set_internal_field(0, v8::Integer::new(scope, key).into());
    let weak = v8::Weak::with_guaranteed_finalizer(
        scope,
        object,
        Box::new(move || {
            // At the end of the process the realm may be gone before its objects.
            Realm::with_current(|realm| drop(realm.wraps.entries.borrow_mut().remove(&key)));
        }),
    );
    let frame = scope.get_continuation_preserved_embedder_data();
    let frame = v8::Global::new(scope, frame);
    let entry = Entry {
        state: state.clone(),
        ids: Cell::default(),
        provider: Cell::new("NONE"),
        frame: RefCell::new(frame),
        strong: RefCell::default(),
        _weak: weak,
    };
    realm.wraps.entries.borrow_mut().insert(key, Rc::new(entry));
    state
}

/// Takes the native state away from `object`.
pub fn detach(scope: &mut v8::PinScope, object: v8::Local<v8::Object>) {
    if let Some(key) = key(scope, object) {
        let entry = Realm::current().wraps.entries.borrow_mut().remove(&key);
        object.set_internal_field(0, v8::undefined(scope).into());
        drop(entry);
    }
}

/// The native state of `object`, if it is a `T`.
pub fn get<T: 'static>(scope: &v8::PinScope, object: v8::Local<v8::Object>) -> Option<Rc<T>> {
    entry(scope, object).and_then(|entry| entry.state.clone().downcast().ok())
}

/// Whether `object` has a native state of any kind.
pub fn has_state(scope: &v8::PinScope, object: v8::Local<v8::Object>) -> bool {
    entry(scope, object).is_some()
}

/// Keeps `object` alive (true), or leaves it to the garbage collector (false).
pub fn keep_alive(scope: &mut v8::PinScope, object: v8::Local<v8::Object>, alive: bool) {
    if let Some(entry) = entry(scope, object) {
        *entry.strong.borrow_mut() = alive.then(|| v8::Global::new(scope, object));
    }
}

/// The asynchronous identity of `object`.
pub fn async_ids(scope: &v8::PinScope, object: v8::Local<v8::Object>) -> AsyncIds {
    entry(scope, object).map(|entry| entry.ids.get()).unwrap_or_default()
}

/// Sets the asynchronous identity of `object` and its kind (a name of `async_wrap.Providers`).
pub fn set_async_ids(scope: &v8::PinScope, object: v8::Local<v8::Object>, ids: AsyncIds, provider: &'static str) {
    if let Some(entry) = entry(scope, object) {
        entry.ids.set(ids);
        entry.provider.set(provider);
    }
}

/// The `AsyncContextFrame` that `object` was made in.
pub fn context_frame<'s>(
    scope: &v8::PinScope<'s, '_>,
    object: v8::Local<v8::Object>,
) -> Option<v8::Local<'s, v8::Value>> {
    entry(scope, object).map(|entry| v8::Local::new(scope, &*entry.frame.borrow()))
}

/// Gives `object` the running context's `AsyncContextFrame`.
pub fn renew_context_frame(scope: &v8::PinScope, object: v8::Local<v8::Object>) {
    if let Some(entry) = entry(scope, object) {
        let frame = scope.get_continuation_preserved_embedder_data();
        *entry.frame.borrow_mut() = v8::Global::new(scope, frame);
    }
}

/// The kind of `object`, a name of `async_wrap.Providers`.
pub fn provider(scope: &v8::PinScope, object: v8::Local<v8::Object>) -> &'static str {
    entry(scope, object).map_or("NONE", |entry| entry.provider.get())
}

/// All objects that native code keeps alive, with their kinds.
pub fn alive<'s>(scope: &v8::PinScope<'s, '_>) -> Vec<(v8::Local<'s, v8::Object>, &'static str)> {
    let realm = Realm::current();
    let entries = realm.wraps.entries.borrow();
    let mut keys: Vec<_> = entries.keys().copied().collect();
    keys.sort_unstable();
    keys.iter()
        .filter_map(|key| {
            let entry = &entries[key];
            let strong = entry.strong.borrow();
            strong.as_ref().map(|object| (v8::Local::new(scope, object), entry.provider.get()))
        })
        .collect()
}

impl Wraps {
    /// An empty table. Keys of objects that a snapshot brings along, whose states it does not, mean nothing in it.
    pub fn new(building: bool) -> Self {
        /// Where keys begin at run time: no build makes that many objects.
        const RESTORED: i32 = 1 << 30;
        Wraps { entries: RefCell::default(), next: Cell::new(if building { 0 } else { RESTORED }) }
    }

    /// Drops all states, before a snapshot or the end.
    pub fn clear(&self) {
        let entries = self.entries.take();
        drop(entries);
    }
}

fn key(scope: &v8::PinScope, object: v8::Local<v8::Object>) -> Option<i32> {
    if object.internal_field_count() < FIELDS {
        return None;
    }
    let field = object.get_internal_field(scope, 0)?;
    let value = v8::Local::<v8::Value>::try_from(field).ok()?;
    v8::Local::<v8::Int32>::try_from(value).ok().map(|key| key.value())
}

fn entry(scope: &v8::PinScope, object: v8::Local<v8::Object>) -> Option<Rc<Entry>> {
    let key = key(scope, object)?;
    Realm::current().wraps.entries.borrow().get(&key).cloned()
}
