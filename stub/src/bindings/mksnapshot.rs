//! `internalBinding('mksnapshot')`: what programs do around a startup snapshot, `v8.startupSnapshot`.

use v8::{FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use crate::realm::Realm;
use crate::{aliased, js};

crate::room! {
    name: "mksnapshot",
    functions: {
        pure "setSerializeCallback" => set_serialize_callback,
        pure "setDeserializeCallback" => set_deserialize_callback,
        pure "setDeserializeMainFunction" => set_deserialize_main_function,
        pure "runEmbedderPreload" => nothing,
    },
    setup: setup,
}

/// The slot of the function to call before the snapshot is taken.
pub const SERIALIZE: &str = "mksnapshot.serialize";
/// The slot of the function to call after the snapshot was restored.
pub const DESERIALIZE: &str = "mksnapshot.deserialize";
/// The slot of the function to run instead of the program's entry.
pub const MAIN: &str = "mksnapshot.main";
const BUILDING: &str = "mksnapshot.isBuildingSnapshotBuffer";

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    let path = js::string(scope, "__node_anonymous_main");
    js::set(scope, target, "anonymousMainPath", path);
    let building = aliased::create::<u8>(scope, BUILDING, 1);
    js::set(scope, target, "isBuildingSnapshotBuffer", building);
    aliased::cells::<u8>(scope, BUILDING)[0].set(Realm::current().building.into());
}

/// Tells the library that no snapshot is being taken any more, and what time it is.
pub fn restored(scope: &PinScope) {
    super::performance::start_clock(scope);
    set_building(scope, false);
}

/// Says whether a snapshot is being taken.
pub fn set_building(scope: &PinScope, is_building: bool) {
    if let Some(building) = aliased::cells::<u8>(scope, BUILDING).first() {
        building.set(is_building.into());
    }
}

fn set_serialize_callback<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    Realm::current().set_slot(scope, SERIALIZE, args.get(0));
}

fn set_deserialize_callback<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    Realm::current().set_slot(scope, DESERIALIZE, args.get(0));
}

fn set_deserialize_main_function<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    Realm::current().set_slot(scope, MAIN, args.get(0));
}

/// There is no embedder but Kiln.
fn nothing<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, _: Return<'s>) {}
