//! From V8's modules back to their `ModuleWrap`s.
//!
//! The way is by the module's identity hash, which a snapshot keeps. What is made while a snapshot is taken is in
//! a JavaScript map and stays for good; what is made at run time is held weakly.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use v8::{Array, Local, Map, Module, Object, PinScope, Weak};

use super::module_of;
use crate::js;
use crate::realm::Realm;

/// A map from identity hashes to arrays of `ModuleWrap`s.
const FROM_SNAPSHOT: &str = "module_wrap.registry";

#[derive(Default)]
struct State {
    wraps: RefCell<HashMap<i32, Vec<Weak<Object>>>>,
    /// How many entries there may be before dead ones are looked for.
    limit: Cell<usize>,
}

fn map_from_snapshot<'s>(scope: &PinScope<'s, '_>) -> Option<Local<'s, Map>> {
    Realm::current().slot(scope, FROM_SNAPSHOT).and_then(|map| map.try_into().ok())
}

/// Makes `wrap` the one that belongs to `module`.
pub fn remember<'s>(scope: &mut PinScope<'s, '_>, module: Local<'s, Module>, wrap: Local<'s, Object>) {
    let hash = module.get_identity_hash().get();
    let realm = Realm::current();
    if realm.building {
        let map = map_from_snapshot(scope).unwrap_or_else(|| {
            let map = Map::new(scope);
            realm.set_slot(scope, FROM_SNAPSHOT, map);
            map
        });
        let key = js::integer(scope, hash);
        let bucket = map.get(scope, key).and_then(|bucket| Local::<Array>::try_from(bucket).ok());
        let bucket = bucket.unwrap_or_else(|| Array::new(scope, 0));
        bucket.set_index(scope, bucket.length(), wrap.into());
        map.set(scope, key, bucket.into());
        return;
    }
    let state = realm.room::<State>();
    let mut wraps = state.wraps.borrow_mut();
    if wraps.len() > state.limit.get() {
        wraps.retain(|_, bucket| {
            bucket.retain(|wrap| !wrap.is_empty());
            !bucket.is_empty()
        });
        state.limit.set(2 * wraps.len() + 64);
    }
    wraps.entry(hash).or_default().push(Weak::new(scope, wrap));
}

/// The `ModuleWrap` of `module`.
pub fn wrap_of<'s>(scope: &PinScope<'s, '_>, module: Local<'s, Module>) -> Option<Local<'s, Object>> {
    let hash = module.get_identity_hash().get();
    let is_its = |wrap: &Local<'s, Object>| module_of(scope, *wrap).is_some_and(|own| own == module);
    let state = Realm::current().room::<State>();
    if let Some(bucket) = state.wraps.borrow().get(&hash)
        && let Some(wrap) = bucket.iter().filter_map(|wrap| wrap.to_local(scope)).find(is_its)
    {
        return Some(wrap);
    }
    let bucket = map_from_snapshot(scope)?.get(scope, js::integer(scope, hash))?;
    let bucket: Local<Array> = bucket.try_into().ok()?;
    (0..bucket.length()).filter_map(|index| bucket.get_index(scope, index)?.try_into().ok()).find(is_its)
}
