//! `internalBinding('symbols')`: the symbols that Node's library and its native half share.

use v8::{Array, Local, Object, PinScope, Symbol};

use crate::realm::Realm;
use crate::slots::Name;
use crate::{facts, js};

crate::room! {
    name: "symbols",
    setup: setup,
}

const ALL: &str = "symbols";

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    let all = all(scope);
    let Some(names) = all.get_own_property_names(scope, Default::default()) else { return };
    for index in 0..names.length() {
        let name = names.get_index(scope, index);
        if let Some((name, symbol)) = name.and_then(|name| Some((name, all.get(scope, name)?))) {
            target.set(scope, name, symbol);
        }
    }
}

/// All of them, by name: what the per-context scripts call `perIsolateSymbols`.
pub fn all<'s>(scope: &mut PinScope<'s, '_>) -> Local<'s, Object> {
    let realm = Realm::current();
    if let Some(all) = realm.object(scope, ALL) {
        return all;
    }
    let all = Object::new(scope);
    realm.set_slot(scope, ALL, all);
    let names: Option<Local<Array>> = facts::get(scope, &["symbols"]).and_then(|names| names.try_into().ok());
    for index in 0..names.map_or(0, |names| names.length()) {
        let pair = names.and_then(|names| Local::<Array>::try_from(names.get_index(scope, index)?).ok());
        let texts = pair.and_then(|pair| Some((pair.get_index(scope, 0)?, pair.get_index(scope, 1)?)));
        let Some((name, description)) = texts else { continue };
        let symbol = Symbol::new(scope, description.try_into().ok());
        let name = name.to_rust_string_lossy(scope);
        js::set(scope, all, &name, symbol);
    }
    all
}

/// The symbol `name`, such as `owner_symbol`.
pub fn symbol<'s>(scope: &mut PinScope<'s, '_>, name: &'static str) -> Local<'s, Symbol> {
    let realm = Realm::current();
    let symbol = realm.slot(scope, Name::symbol(name)).or_else(|| {
        let all = all(scope);
        let symbol = js::get(scope, all, name)?;
        realm.set_slot(scope, Name::symbol(name), symbol);
        Some(symbol)
    });
    symbol.and_then(|symbol| symbol.try_into().ok()).unwrap_or_else(|| panic!("Node has no symbol {name}"))
}
