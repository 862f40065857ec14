//! JavaScript objects with native state: handles, requests, parsers and the like.
//!
//! The object's internal field holds the key of its state in the realm's table, so no pointer
//! crosses into the heap and an object that has lost its state is merely empty. Each entry also
//! has the asynchronous identity that Node's `AsyncWrap` gives to an object.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::realm::Realm;
use crate::weak::{self, Watch, Watcher};

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
    serial: u64,
    /// Where it is in the table, and as which one there.
    place: usize,
    used: u32,
    state: Rc<dyn Any>,
    ids: Cell<AsyncIds>,
    provider: Cell<&'static str>,
    /// The `AsyncContextFrame` that the object was made in, unless there was none.
    frame: RefCell<Option<v8::Global<v8::Value>>>,
    /// Keeps the object alive while native code needs it.
    strong: RefCell<Option<v8::Global<v8::Object>>>,
    /// Otherwise: takes the entry out once the object is collected.
    watch: Watch,
}

impl Watcher for Entry {
    fn watch(&self) -> &Watch {
        &self.watch
    }

    fn collected(&self) {
        // At the end of the process the realm may be gone before its objects.
        Realm::with_current(|realm| drop(realm.wraps.release(self.place, self.used)));
    }
}

/// An entry in the table.
struct Held(Rc<Entry>);

impl Drop for Held {
    fn drop(&mut self) {
        weak::forget(&self.0);
    }
}

/// The realm's table of native states.
pub struct Wraps {
    places: RefCell<Vec<Place>>,
    free: RefCell<Vec<usize>>,
    /// How many objects there have been.
    next: Cell<u64>,
    building: bool,
}

/// A place in the table, for one object after the other.
#[derive(Default)]
struct Place {
    entry: Option<Held>,
    /// How many objects have had it before.
    used: u32,
}

/// Gives `object` the state `state`; it lives as long as the object does, or until [`detach`].
pub fn attach<T: 'static>(scope: &mut v8::PinScope, object: v8::Local<v8::Object>, state: T) -> Rc<T> {
    let realm = Realm::current();
    let (place, used) = realm.wraps.reserve();
    let state = Rc::new(state);
    object.set_internal_field(0, v8::Integer::new(scope, realm.wraps.key(place)).into());
    let serial = realm.wraps.next.get();
    realm.wraps.next.set(serial + 1);
    let entry = Entry {
        serial,
        place,
        used,
        state: state.clone(),
        ids: Cell::default(),
        provider: Cell::new("NONE"),
        frame: RefCell::new(running_frame(scope)),
        strong: RefCell::default(),
        watch: Watch::default(),
    };
    let entry = Rc::new(entry);
    weak::watch(scope, object, &entry);
    realm.wraps.places.borrow_mut()[place].entry = Some(Held(entry));
    state
}

fn running_frame(scope: &v8::PinScope) -> Option<v8::Global<v8::Value>> {
    let frame = scope.get_continuation_preserved_embedder_data();
    (!frame.is_undefined()).then(|| v8::Global::new(scope, frame))
}

/// Takes the native state away from `object`.
pub fn detach(scope: &mut v8::PinScope, object: v8::Local<v8::Object>) {
    let realm = Realm::current();
    if let Some(place) = place(scope, object) {
        let used = realm.wraps.places.borrow().get(place).map_or(0, |place| place.used);
        let entry = realm.wraps.release(place, used);
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
    entry(scope, object).and_then(|entry| entry.frame.borrow().as_ref().map(|frame| v8::Local::new(scope, frame)))
}

/// Gives `object` the running context's `AsyncContextFrame`.
pub fn renew_context_frame(scope: &v8::PinScope, object: v8::Local<v8::Object>) {
    if let Some(entry) = entry(scope, object) {
        *entry.frame.borrow_mut() = running_frame(scope);
    }
}

/// Takes the `AsyncContextFrame` from `object`.
pub fn leave_context_frame(scope: &v8::PinScope, object: v8::Local<v8::Object>) {
    if let Some(entry) = entry(scope, object) {
        entry.frame.take();
    }
}

/// The kind of `object`, a name of `async_wrap.Providers`.
pub fn provider(scope: &v8::PinScope, object: v8::Local<v8::Object>) -> &'static str {
    entry(scope, object).map_or("NONE", |entry| entry.provider.get())
}

/// All objects that native code keeps alive, with their kinds.
pub fn alive<'s>(scope: &v8::PinScope<'s, '_>) -> Vec<(v8::Local<'s, v8::Object>, &'static str)> {
    let realm = Realm::current();
    let places = realm.wraps.places.borrow();
    let mut alive: Vec<_> = places
        .iter()
        .filter_map(|place| {
            let entry = &place.entry.as_ref()?.0;
            let strong = entry.strong.borrow();
            strong.as_ref().map(|object| (entry.serial, v8::Local::new(scope, object), entry.provider.get()))
        })
        .collect();
    // In the order in which they were made.
    alive.sort_unstable_by_key(|(serial, ..)| *serial);
    alive.into_iter().map(|(_, object, provider)| (object, provider)).collect()
}

impl Wraps {
    /// An empty table. Keys of objects that a snapshot brings along, whose states it does not, mean nothing in it.
    pub fn new(building: bool) -> Self {
        Wraps { places: RefCell::default(), free: RefCell::default(), next: Cell::default(), building }
    }

    /// A place that is free, and how many have had it.
    fn reserve(&self) -> (usize, u32) {
        let mut places = self.places.borrow_mut();
        let place = self.free.borrow_mut().pop().unwrap_or_else(|| {
            places.push(Place::default());
            places.len() - 1
        });
        (place, places[place].used)
    }

    /// Takes out what is at `place`, if that is still the one that got it as number `used`.
    fn release(&self, place: usize, used: u32) -> Option<Held> {
        let mut places = self.places.borrow_mut();
        let found = places.get_mut(place).filter(|found| found.used == used)?;
        let entry = found.entry.take()?;
        found.used = used.wrapping_add(1);
        self.free.borrow_mut().push(place);
        Some(entry)
    }

    /// What an object whose state is at `place` has in its field. Those of the build are positive, others negative.
    fn key(&self, place: usize) -> i32 {
        if self.building { place as i32 } else { !(place as i32) }
    }

    fn place(&self, key: i32) -> Option<usize> {
        usize::try_from(if self.building { key } else { !key }).ok()
    }

    /// Drops all states, before a snapshot or the end.
    pub fn clear(&self) {
        self.free.take();
        let places = self.places.take();
        drop(places);
    }
}

/// Where the state of `object` is.
fn place(scope: &v8::PinScope, object: v8::Local<v8::Object>) -> Option<usize> {
    if object.internal_field_count() < FIELDS {
        return None;
    }
    let field = object.get_internal_field(scope, 0)?;
    let value = v8::Local::<v8::Value>::try_from(field).ok()?;
    let key = v8::Local::<v8::Int32>::try_from(value).ok()?.value();
    Realm::with(|realm| realm.wraps.place(key))
}

fn entry(scope: &v8::PinScope, object: v8::Local<v8::Object>) -> Option<Rc<Entry>> {
    let place = place(scope, object)?;
    Realm::with(|realm| Some(realm.wraps.places.borrow().get(place)?.entry.as_ref()?.0.clone()))
}
