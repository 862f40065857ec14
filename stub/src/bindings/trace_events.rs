//! `internalBinding('trace_events')`: tracing, which is always off.

use v8::{FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use crate::js;
use crate::realm::Realm;

crate::room! {
    name: "trace_events",
    functions: {
        pure "hasAgent" => yes,
        pure "getEnabledCategories" => nothing,
        pure "setTraceCategoryStateUpdateHandler" => set_handler,
        pure "getCategoryEnabledBuffer" => category_enabled_buffer,
        pure "isTraceCategoryEnabled" => no,
        pure "trace" => nothing,
    },
    classes: {
        "CategorySet" { pure new => category_set, pure "enable" => nothing, pure "disable" => nothing },
    },
    setup: setup,
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

const DISABLED: &str = "trace_events.disabled";

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    let no = js::boolean(scope, false);
    js::set(scope, target, "usePerfetto", no);
    crate::aliased::create::<u8>(scope, DISABLED, 1);
}

fn no<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_bool(false);
}

fn yes<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_bool(true);
}

fn nothing<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, _: Return<'s>) {}

fn set_handler<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    Realm::current().set_slot(scope, "trace_events.handler", args.get(0));
}

/// One array for all categories: none is ever enabled.
fn category_enabled_buffer<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    if let Some(buffer) = Realm::current().slot(scope, DISABLED) {
        rv.set(buffer);
    }
}

fn category_set<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, _: Return<'s>) {}
