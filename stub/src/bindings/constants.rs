//! `internalBinding('constants')`: the numbers behind `os.constants`, `fs.constants` and their like.

use v8::{Local, Object, PinScope};

use crate::{facts, js};

crate::room! {
    name: "constants",
    setup: setup,
}

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    facts::install(scope, "constants", target);
    finish(scope, target);
}

/// Node makes these objects, to any depth, without a prototype, and their constants for good.
fn finish<'s>(scope: &mut PinScope<'s, '_>, object: Local<'s, Object>) {
    let null = js::null(scope);
    object.set_prototype(scope, null);
    let Some(names) = object.get_own_property_names(scope, Default::default()) else { return };
    for index in 0..names.length() {
        let name = names.get_index(scope, index).and_then(|name| Local::<v8::Name>::try_from(name).ok());
        let Some(name) = name else { continue };
        let Some(value) = object.get(scope, name.into()) else { continue };
        match Local::<Object>::try_from(value) {
            Ok(inner) => finish(scope, inner),
            Err(_) => {
                let attributes = v8::PropertyAttribute::READ_ONLY | v8::PropertyAttribute::DONT_DELETE;
                object.define_own_property(scope, name, value, attributes);
            }
        }
    }
}
