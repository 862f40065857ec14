//! `internalBinding('timers')`: the one timer and the one check handle under Node's timers.

use std::cell::{Cell, RefCell};

use v8::fast_api::FastApiCallbackOptions;
use v8::{FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use crate::realm::Realm;
use crate::uv::timers as uv_timers;
use crate::wrap::AsyncIds;
use crate::{bootstrap, callback, js, trap};

crate::room! {
    name: "timers",
    functions: {
        pure "setupTimers" => setup_timers,
        trap "getLibuvNow" => get_libuv_now as GET_LIBUV_NOW,
        trap "scheduleTimer" => schedule_timer as SCHEDULE_TIMER,
        trap "toggleTimerRef" => toggle_timer_ref as TOGGLE_TIMER_REF,
        trap "toggleImmediateRef" => toggle_immediate_ref as TOGGLE_IMMEDIATE_REF,
    },
    setup: setup,
}

const PROCESS_IMMEDIATE: &str = "timers.processImmediate";
const PROCESS_TIMERS: &str = "timers.processTimers";
crate::shared! {
    /// `[kCount, kRefCount, kHasOutstanding]`
    IMMEDIATE_INFO: u32 = "timers.immediateInfo"
}
crate::shared!(TIMEOUT_INFO: i32 = "timers.timeoutInfo");

type NativeImmediate = fn(&mut PinScope);

thread_local! {
    /// The time that timers count from, in the loop's milliseconds.
    static BASE: Cell<u64> = const { Cell::new(0) };
    /// Whether native code has put anything off.
    static HAS_NATIVE: Cell<bool> = const { Cell::new(false) };
}

/// What native code put off.
#[derive(Default)]
struct State {
    native: RefCell<Vec<NativeImmediate>>,
}

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    let immediate_info = IMMEDIATE_INFO.create(scope, 3);
    js::set(scope, target, "immediateInfo", immediate_info);
    let timeout_info = TIMEOUT_INFO.create(scope, 1);
    js::set(scope, target, "timerInfo", timeout_info);
    js::set(scope, target, "timeoutInfo", timeout_info);
}

/// Makes the loop's timer and check handles. Called once the loop may be used.
pub fn start() {
    uv_timers::start(on_timer, on_check);
    BASE.set(crate::uv::event_loop::now());
}

fn now() -> f64 {
    crate::uv::event_loop::update_time();
    (crate::uv::event_loop::now() - BASE.get()) as f64
}

/// Runs `body` in the check phase of the loop, once, without keeping the loop alive for it.
pub fn set_native_immediate(_: &PinScope, body: NativeImmediate) {
    Realm::current().room::<State>().native.borrow_mut().push(body);
    HAS_NATIVE.set(true);
}

/// How many timers and immediates keep the loop alive.
pub fn pending(scope: &PinScope) -> (usize, usize) {
    let timeouts = TIMEOUT_INFO.cells(scope).first().map_or(0, |count| count.get());
    let immediates = IMMEDIATE_INFO.cells(scope).get(1).map_or(0, |count| count.get());
    (timeouts.max(0) as usize, immediates as usize)
}

fn on_check() {
    crate::realm::enter(|scope| {
        if HAS_NATIVE.replace(false) {
            let native = Realm::current().room::<State>().native.take();
            for body in native {
                body(scope);
            }
        }
        let info = IMMEDIATE_INFO.cells(scope);
        if info[0].get() == 0 {
            return;
        }
        let realm = Realm::current();
        let function = realm.function(scope, PROCESS_IMMEDIATE);
        let process = realm.object(scope, bootstrap::PROCESS);
        let (Some(function), Some(process)) = (function, process) else { return };
        loop {
            callback::in_context(scope, process, AsyncIds::default(), None, |scope| {
                function.call(scope, process.into(), &[])
            });
            // An immediate threw, and somebody handled it: the rest of the queue still has to run.
            if info[2].get() == 0 || callback::is_ending(scope) {
                break;
            }
        }
        if info[1].get() == 0 {
            uv_timers::keep_for_immediates(false);
        }
    });
}

fn on_timer() {
    crate::realm::enter(|scope| {
        let realm = Realm::current();
        let function = realm.function(scope, PROCESS_TIMERS);
        let process = realm.object(scope, bootstrap::PROCESS);
        let (Some(function), Some(process)) = (function, process) else { return };
        let now_value = js::number(scope, now());
        // One callback for all of them: ticks run after the last.
        callback::in_context(scope, process, AsyncIds::default(), None, |scope| {
            loop {
                let next = callback::reporting(scope, |scope| function.call(scope, process.into(), &[now_value]));
                // A timer threw, and somebody handled it: run what is left of the lists.
                if next.is_some() || callback::is_ending(scope) {
                    // Before the ticks, which may start timers that are due earlier than what is left.
                    wait_for_next(next.and_then(|next| next.number_value(scope)).unwrap_or_default());
                    return next;
                }
            }
        });
    });
}

/// `next` is when the next timer is due, in its absolute value; negative if no timer keeps the loop alive, zero if there is none.
fn wait_for_next(next: f64) {
    if next != 0.0 {
        uv_timers::schedule((next.abs() - now()).max(1.0) as u64);
        uv_timers::keep_for_timers(next > 0.0);
    }
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

fn setup_timers<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let realm = Realm::current();
    realm.set_slot(scope, PROCESS_IMMEDIATE, args.get(0));
    realm.set_slot(scope, PROCESS_TIMERS, args.get(1));
}

fn get_libuv_now<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_double(now());
}

fn schedule_timer<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    uv_timers::schedule(args.get(0).integer_value(scope).unwrap_or(1).max(1) as u64);
}

fn toggle_timer_ref<'s>(_: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    uv_timers::keep_for_timers(args.get(0).is_true());
}

fn toggle_immediate_ref<'s>(_: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    uv_timers::keep_for_immediates(args.get(0).is_true());
}

crate::fast!(GET_LIBUV_NOW = get_libuv_now_fast as () -> f64);
crate::fast!(SCHEDULE_TIMER = schedule_timer_fast as (f64) -> nothing);
crate::fast!(TOGGLE_TIMER_REF = toggle_timer_ref_fast as (bool) -> nothing);
crate::fast!(TOGGLE_IMMEDIATE_REF = toggle_immediate_ref_fast as (bool) -> nothing);

extern "C" fn get_libuv_now_fast<'s>(_: Local<'s, Value>, options: &FastApiCallbackOptions<'s>) -> f64 {
    if trap::spring_fast(options, "getLibuvNow") { 0.0 } else { now() }
}

extern "C" fn schedule_timer_fast<'s>(_: Local<'s, Value>, after: f64, options: &FastApiCallbackOptions<'s>) {
    if !trap::spring_fast(options, "scheduleTimer") {
        uv_timers::schedule(after.max(1.0) as u64);
    }
}

extern "C" fn toggle_timer_ref_fast<'s>(_: Local<'s, Value>, keep: bool, options: &FastApiCallbackOptions<'s>) {
    if !trap::spring_fast(options, "toggleTimerRef") {
        uv_timers::keep_for_timers(keep);
    }
}

extern "C" fn toggle_immediate_ref_fast<'s>(_: Local<'s, Value>, keep: bool, options: &FastApiCallbackOptions<'s>) {
    if !trap::spring_fast(options, "toggleImmediateRef") {
        uv_timers::keep_for_immediates(keep);
    }
}
