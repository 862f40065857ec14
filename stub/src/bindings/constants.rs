//! `internalBinding('constants')`: the numbers behind `os.constants`, `fs.constants` and their like.

use v8::{Local, Object, PinScope};

use crate::{facts, js};

crate::room! {
    name: "constants",
    setup: setup,
}

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    facts::install(scope, "constants", target);
    drop_prototypes(scope, target);
}

/// Node makes these objects, to any depth, without a prototype.
fn drop_prototypes<'s>(scope: &mut PinScope<'s, '_>, object: Local<'s, Object>) {
    let null = js::null(scope);
    object.set_prototype(scope, null);
    let Some(names) = object.get_own_property_names(scope, Default::default()) else { return };
    for index in 0..names.length() {
        let value = names.get_index(scope, index).and_then(|name| object.get(scope, name));
        if let Some(inner) = value.and_then(|value| Local::<Object>::try_from(value).ok()) {
            drop_prototypes(scope, inner);
        }
    }
}
