//! Ports in the contexts of `vm`, where `moveMessagePortToContext` puts them: what they are made of is the context's own.

use v8::{Function, Local, Object, PinScope};

use crate::binding;
use crate::bindings::util;
use crate::bootstrap::{self, PER_CONTEXT_EXPORTS};
use crate::errors::{self, Kind};
use crate::realm::Realm;

/// Of a context's extras: what its per-context scripts export.
const EXPORTS: &str = "messaging_per_context_exports";
/// Of a context's extras: its class of ports.
const CLASS: &str = "messaging_port_class";

/// Whether the scope's context is not the main one.
pub fn is_foreign(scope: &PinScope) -> bool {
    let main = Realm::current().object(scope, PER_CONTEXT_EXPORTS);
    let main = main.and_then(|exports| exports.get_creation_context(scope));
    main.is_some_and(|main| main.global(scope) != scope.get_current_context().global(scope))
}

/// What is kept for the scope's context under `name`, made when first asked for.
fn kept<'s>(
    scope: &mut PinScope<'s, '_>,
    name: &'static str,
    make: impl FnOnce(&mut PinScope<'s, '_>) -> Option<Local<'s, Object>>,
) -> Option<Local<'s, Object>> {
    let extras = scope.get_current_context().get_extras_binding_object(scope);
    let private = util::private(scope, name);
    let known = extras.get_private(scope, private).and_then(|known| Local::<Object>::try_from(known).ok());
    if known.is_some() {
        return known;
    }
    let made = make(scope)?;
    extras.set_private(scope, private, made.into());
    Some(made)
}

/// What the per-context scripts export in the scope's context.
pub fn exports<'s>(scope: &mut PinScope<'s, '_>) -> Option<Local<'s, Object>> {
    kept(scope, EXPORTS, bootstrap::foreign_exports)
}

/// The class of ports in the scope's context.
pub fn port_class<'s>(scope: &mut PinScope<'s, '_>) -> Option<Local<'s, Function>> {
    let make = |scope: &mut PinScope<'s, '_>| {
        binding::foreign_class(scope, &["MessagePort", "MessagePortHandle"]).map(Into::into)
    };
    kept(scope, CLASS, make)?.try_into().ok()
}

/// Throws that an object of the library's can only be made in the main context.
pub fn throw_unavailable(scope: &mut PinScope) {
    let message = "A message object could not be deserialized successfully in the target vm.Context";
    errors::throw_code(scope, Kind::Error, "ERR_MESSAGE_TARGET_CONTEXT_UNAVAILABLE", message);
}
