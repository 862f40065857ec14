//! `internalBinding('performance')`: what `perf_hooks` measures.

mod collections;
mod hdr;
mod histogram;

pub use histogram::TRAVELLER;

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use v8::fast_api::FastApiCallbackOptions;
use v8::{FunctionCallbackArguments, Local, Object, PinScope, PropertyAttribute, ReturnValue, Value};

use crate::realm::Realm;
use crate::uv::{event_loop, process};
use crate::{aliased, facts, js, trap};

crate::room! {
    name: "performance",
    functions: {
        pure "setupObservers" => setup_observers,
        trap "notify" => notify,
        trap "loopIdleTime" => loop_idle_time,
        trap "markBootstrapComplete" => mark_bootstrap_complete,
        trap "uvMetricsInfo" => uv_metrics_info,
        trap "now" => now as NOW,
        trap "installGarbageCollectionTracking" => collections::install,
        trap "removeGarbageCollectionTracking" => collections::remove,
        trap "createELDHistogram" => histogram::create_eld,
    },
    classes: {
        "Histogram" {
            pure new => histogram::construct,
            pure "record" => histogram::record,
            pure "recordCorrected" => histogram::record_corrected,
            trap "recordDelta" => histogram::record_delta,
            pure "count" => histogram::count,
            pure "countBigInt" => histogram::count_big_int,
            pure "exceeds" => histogram::exceeds,
            pure "exceedsBigInt" => histogram::exceeds_big_int,
            pure "min" => histogram::min,
            pure "minBigInt" => histogram::min_big_int,
            pure "max" => histogram::max,
            pure "maxBigInt" => histogram::max_big_int,
            pure "mean" => histogram::mean,
            pure "stddev" => histogram::stddev,
            pure "skewness" => histogram::skewness,
            pure "kurtosis" => histogram::kurtosis,
            pure "ewmaMean" => histogram::ewma,
            pure "ewmaStddev" => histogram::ewma,
            pure "ewmaErrorRate" => histogram::ewma,
            pure "percentile" => histogram::percentile,
            pure "percentileBigInt" => histogram::percentile_big_int,
            pure "percentiles" => histogram::percentiles,
            pure "percentilesBigInt" => histogram::percentiles_big_int,
            pure "percentilesAt" => histogram::percentiles_at,
            pure "cdf" => histogram::cdf,
            pure "countAt" => histogram::count_at,
            pure "linearBuckets" => histogram::linear_buckets,
            pure "logBuckets" => histogram::log_buckets,
            pure "add" => histogram::add,
            pure "subtract" => histogram::subtract,
            pure "reset" => histogram::reset,
        },
        #[hidden] "IntervalHistogram" extends "Histogram" {
            pure new => histogram::construct,
            trap "start" => histogram::start,
            trap "stop" => histogram::stop,
        },
    },
    setup: setup,
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

/// The slot of the function that takes a new entry.
const OBSERVERS: &str = "performance.observers";
/// How many observers there are for each kind of entry.
const COUNTS: &str = "performance.observerCounts";
crate::shared!(MILESTONES: f64 = "performance.milestones");
const METRICS: &str = "performance.uvMetricsBuffer";

/// Indices of `milestones`: the clock's microseconds at the start, then nanoseconds of the monotonic clock.
mod milestone {
    pub const TIME_ORIGIN_TIMESTAMP: usize = 0;
    pub const TIME_ORIGIN: usize = 1;
    pub const ENVIRONMENT: usize = 2;
    pub const NODE_START: usize = 3;
    pub const V8_START: usize = 4;
    pub const LOOP_START: usize = 5;
    pub const LOOP_EXIT: usize = 6;
    pub const BOOTSTRAP_COMPLETE: usize = 7;
    pub const COUNT: usize = 8;
}

/// Kinds of entries that native code makes, in the order of `NODE_PERFORMANCE_ENTRY_TYPE_*`.
const ENTRY_TYPES: [&str; 6] = ["gc", "http", "http2", "net", "dns", "quic"];

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    let counts = aliased::create::<u32>(scope, COUNTS, ENTRY_TYPES.len());
    js::set(scope, target, "observerCounts", counts);
    let milestones = MILESTONES.create(scope, milestone::COUNT);
    js::set(scope, target, "milestones", milestones);
    let metrics = aliased::create::<i32>(scope, METRICS, 3);
    js::set(scope, target, "uvMetricsBuffer", metrics);
    let constants = constants(scope);
    js::set(scope, target, "constants", constants);
    if !Realm::current().building {
        start_clock(scope);
    }
}

/// Programs see these as `perf_hooks.constants`: what is meant for the library alone is hidden.
fn constants<'s>(scope: &mut PinScope<'s, '_>) -> Local<'s, Object> {
    let constants = Object::new(scope);
    let Some(facts) = facts::object(scope, &["bindings", "performance", "constants"]) else { return constants };
    let Some(names) = facts.get_own_property_names(scope, Default::default()) else { return constants };
    for index in 0..names.length() {
        let name = names.get_index(scope, index).and_then(|name| Local::<v8::Name>::try_from(name).ok());
        let Some(name) = name else { continue };
        let Some(value) = facts.get(scope, name.into()) else { continue };
        let text = name.to_rust_string_lossy(scope);
        let hidden = ["NODE_PERFORMANCE_ENTRY_TYPE_", "NODE_PERFORMANCE_MILESTONE_"];
        let attributes = match hidden.iter().any(|prefix| text.starts_with(prefix)) {
            true => PropertyAttribute::DONT_ENUM | PropertyAttribute::READ_ONLY | PropertyAttribute::DONT_DELETE,
            false => PropertyAttribute::READ_ONLY | PropertyAttribute::DONT_DELETE,
        };
        constants.define_own_property(scope, name, value, attributes);
    }
    constants
}

/// What all threads have in common: the clock's microseconds when the process began, and when V8 was set up, by the
/// monotonic clock.
static PROCESS: OnceLock<(f64, f64)> = OnceLock::new();

/// Sets the time that `performance.now()` counts from: when the process began. Called after a restore.
pub fn start_clock(scope: &PinScope) {
    let milestones = MILESTONES.cells(scope);
    if milestones.is_empty() {
        return;
    }
    let origin = process::started() as f64;
    let (timestamp, v8_start) = PROCESS.get_or_init(|| {
        let now = event_loop::hrtime() as f64;
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        (((clock.as_nanos() as f64 - (now - origin)) / 1e3).floor(), now)
    });
    milestones[milestone::TIME_ORIGIN_TIMESTAMP].set(*timestamp);
    milestones[milestone::TIME_ORIGIN].set(origin);
    milestones[milestone::NODE_START].set(origin);
    milestones[milestone::V8_START].set(*v8_start);
    mark(scope, milestone::ENVIRONMENT);
    for index in [milestone::LOOP_START, milestone::LOOP_EXIT, milestone::BOOTSTRAP_COMPLETE] {
        milestones[index].set(-1.0);
    }
}

fn mark(scope: &PinScope, index: usize) {
    if let Some(milestone) = MILESTONES.cells(scope).get(index) {
        milestone.set(event_loop::hrtime() as f64);
    }
}

/// Notes that the event loop begins to run. Returns the time, in nanoseconds of the monotonic clock.
pub fn mark_loop_start(scope: &PinScope) -> u64 {
    mark(scope, milestone::LOOP_START);
    MILESTONES.cells(scope).get(milestone::LOOP_START).map_or(0, |cell| cell.get() as u64)
}

/// Notes that the event loop has come to its end.
pub fn mark_loop_exit(scope: &PinScope) {
    mark(scope, milestone::LOOP_EXIT);
}

/// Milliseconds since the process began.
pub fn time(scope: &PinScope) -> f64 {
    since_origin(scope, event_loop::hrtime())
}

/// A time of the monotonic clock in milliseconds since the process began.
fn since_origin(scope: &PinScope, nanoseconds: u64) -> f64 {
    let origin = MILESTONES.cells(scope).get(milestone::TIME_ORIGIN).map_or(0.0, |cell| cell.get());
    (nanoseconds as f64 - origin) / 1e6
}

crate::fast!(NOW = now_fast as () -> f64);

extern "C" fn now_fast<'s>(_: Local<'s, Value>, options: &FastApiCallbackOptions<'s>) -> f64 {
    if trap::spring_fast(options, "now") {
        return 0.0;
    }
    let origin = MILESTONES.cells_fast(options)[milestone::TIME_ORIGIN].get();
    (event_loop::hrtime() as f64 - origin) / 1e6
}

fn now<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_double(time(scope));
}

fn mark_bootstrap_complete<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, _: Return<'s>) {
    mark(scope, milestone::BOOTSTRAP_COMPLETE);
}

fn setup_observers<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    Realm::current().set_slot(scope, OBSERVERS, args.get(0));
}

/// Whether anybody observes entries of this kind.
pub fn is_observed(scope: &PinScope, kind: &str) -> bool {
    let index = ENTRY_TYPES.iter().position(|name| *name == kind);
    let counts = aliased::cells::<u32>(scope, COUNTS);
    index.and_then(|index| counts.get(index)).is_some_and(|count| count.get() > 0)
}

/// Hands an entry of native code to the observers of its kind: `(name, type, start, duration, details)`.
pub fn report<'s>(scope: &mut PinScope<'s, '_>, kind: &str, arguments: &[Local<'s, Value>]) {
    if is_observed(scope, kind)
        && let Some(observers) = Realm::current().function(scope, OBSERVERS)
    {
        let undefined = js::undefined(scope);
        observers.call(scope, undefined, arguments);
    }
}

/// `notify(type, entry)`
fn notify<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let kind = args.get(0).to_rust_string_lossy(scope);
    report(scope, &kind, &[args.get(1)]);
}

fn loop_idle_time<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_double(event_loop::idle_time() as f64 / 1e6);
}

fn uv_metrics_info<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, _: Return<'s>) {
    let metrics = event_loop::metrics();
    for (cell, number) in aliased::cells::<i32>(scope, METRICS).iter().zip(metrics) {
        cell.set(number as i32);
    }
}
