//! `Histogram`: what `perf_hooks.createHistogram` and `monitorEventLoopDelay` count in.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use v8::{BigInt, Local, Map, Object, PinScope, Value};

use super::hdr::Hdr;
use super::{Args, Return};
use crate::bindings::messaging::{CLONEABLE, Parcel, Traveller};
use crate::errors::{self, Kind};
use crate::realm::Realm;
use crate::text::{self, STORAGE};
use crate::uv::event_loop;
use crate::uv::sampler::{Interval, Rounds};
use crate::{binding, js, wrap};

/// A histogram, which clones share with each other, in any thread.
#[derive(Clone)]
struct Shared(Arc<Mutex<Hdr>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Hdr> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How histograms travel between realms: by reference.
pub const TRAVELLER: Traveller = Traveller {
    mode: |scope, object| wrap::get::<Shared>(scope, object).map(|_| CLONEABLE),
    pack: |scope, object, _| Some(Box::new((*wrap::get::<Shared>(scope, object)?).clone())),
};

impl Parcel for Shared {
    fn unpack<'s>(self: Box<Self>, scope: &mut PinScope<'s, '_>) -> Option<Local<'s, Object>> {
        let object = binding::construct(scope, "Histogram", &[])?;
        wrap::attach(scope, object, *self);
        Some(object)
    }
}

/// Runs `body` with the histogram of `this`.
fn with<'s, R>(scope: &PinScope<'s, '_>, args: &Args<'s>, body: impl FnOnce(&mut Hdr) -> R) -> Option<R> {
    let shared = wrap::get::<Shared>(scope, args.this())?;
    Some(body(&mut shared.lock()))
}

/// Runs `body` with the histograms of `this` and of the first argument.
fn with_other<'s>(scope: &PinScope<'s, '_>, args: &Args<'s>, body: impl FnOnce(&mut Hdr, &Hdr)) {
    let other = Local::<Object>::try_from(args.get(0)).ok().and_then(|other| wrap::get::<Shared>(scope, other));
    let (Some(own), Some(other)) = (wrap::get::<Shared>(scope, args.this()), other) else { return };
    if Arc::ptr_eq(&own.0, &other.0) {
        // A histogram and itself: the one lock is not taken twice.
        let copy = own.lock().clone();
        body(&mut own.lock(), &copy);
    } else {
        body(&mut own.lock(), &other.lock());
    }
}

/// An integer argument; throws when a BigInt is out of range.
fn integer<'s>(scope: &mut PinScope<'s, '_>, value: Local<'s, Value>) -> Option<i64> {
    let Ok(number) = Local::<BigInt>::try_from(value) else { return value.integer_value(scope) };
    match number.i64_value() {
        (number, true) if number >= 1 => Some(number),
        _ => {
            errors::throw_code(scope, Kind::RangeError, "ERR_OUT_OF_RANGE", "value is out of range");
            None
        }
    }
}

/// `new Histogram(lowest, highest, figures)`; without arguments for native code, which attaches the state itself.
pub fn construct<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if args.length() == 0 {
        return;
    }
    let Some(lowest) = integer(scope, args.get(0)) else { return };
    let Some(highest) = integer(scope, args.get(1)) else { return };
    let figures = args.get(2).uint32_value(scope).unwrap_or_default();
    match Hdr::new(lowest, highest, figures) {
        Some(histogram) => {
            wrap::attach(scope, args.this(), Shared(Arc::new(Mutex::new(histogram))));
        }
        None => {
            let message = "Invalid histogram configuration";
            errors::throw_code(scope, Kind::RangeError, "ERR_OUT_OF_RANGE", message);
        }
    }
}

macro_rules! numbers {
    ($($name:ident: $read:expr),* $(,)?) => {
        $(pub fn $name<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
            let read: fn(&Hdr) -> f64 = $read;
            if let Some(number) = with(scope, &args, |histogram| read(histogram)) {
                rv.set_double(number);
            }
        })*
    };
}

numbers! {
    count: |histogram| histogram.count() as f64,
    exceeds: |histogram| histogram.exceeds as f64,
    min: |histogram| histogram.min() as f64,
    max: |histogram| histogram.max() as f64,
    mean: Hdr::mean,
    stddev: Hdr::stddev,
    skewness: Hdr::skewness,
    kurtosis: Hdr::kurtosis,
    // Moving averages are off unless a half-life is given, which is not supported yet.
    ewma: |_| 0.0,
}

macro_rules! big_integers {
    ($($name:ident: $read:expr),* $(,)?) => {
        $(pub fn $name<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
            let read: fn(&Hdr) -> i64 = $read;
            if let Some(number) = with(scope, &args, |histogram| read(histogram)) {
                rv.set(BigInt::new_from_i64(scope, number).into());
            }
        })*
    };
}

big_integers! {
    count_big_int: Hdr::count,
    exceeds_big_int: |histogram| histogram.exceeds,
    min_big_int: Hdr::min,
    max_big_int: Hdr::max,
}

pub fn record<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let Some(value) = integer(scope, args.get(0)) else { return };
    with(scope, &args, |histogram| histogram.record(value));
}

pub fn record_corrected<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let Some(value) = integer(scope, args.get(0)) else { return };
    let Some(interval) = integer(scope, args.get(1)) else { return };
    with(scope, &args, |histogram| histogram.record_corrected(value, interval));
}

pub fn record_delta<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    with(scope, &args, |histogram| histogram.record_delta(event_loop::hrtime()));
}

pub fn reset<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    with(scope, &args, Hdr::reset);
}

pub fn add<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    with_other(scope, &args, Hdr::add);
}

pub fn subtract<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    with_other(scope, &args, Hdr::subtract);
}

fn number_argument<'s>(scope: &mut PinScope<'s, '_>, args: &Args<'s>) -> f64 {
    args.get(0).number_value(scope).unwrap_or_default()
}

pub fn percentile<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let percentile = number_argument(scope, &args);
    if let Some(value) = with(scope, &args, |histogram| histogram.percentile(percentile)) {
        rv.set_double(value as f64);
    }
}

pub fn percentile_big_int<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let percentile = number_argument(scope, &args);
    if let Some(value) = with(scope, &args, |histogram| histogram.percentile(percentile)) {
        rv.set(BigInt::new_from_i64(scope, value).into());
    }
}

pub fn cdf<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let value = number_argument(scope, &args);
    if let Some(part) = with(scope, &args, |histogram| histogram.cdf(value)) {
        rv.set_double(part);
    }
}

pub fn count_at<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let value = number_argument(scope, &args);
    if let Some(count) = with(scope, &args, |histogram| histogram.count_at(value)) {
        rv.set_double(count as f64);
    }
}

fn fill<'s>(
    scope: &PinScope<'s, '_>,
    map: Local<'s, Value>,
    entries: impl IntoIterator<Item = (Local<'s, Value>, Local<'s, Value>)>,
) {
    if let Ok(map) = Local::<Map>::try_from(map) {
        for (key, value) in entries {
            map.set(scope, key, value);
        }
    }
}

/// `percentiles(map)`
pub fn percentiles<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let steps = with(scope, &args, |histogram| histogram.percentiles()).unwrap_or_default();
    let entries: Vec<_> =
        steps.into_iter().map(|(step, value)| (js::number(scope, step), js::number(scope, value as f64))).collect();
    fill(scope, args.get(0), entries);
}

/// `percentilesBigInt(map)`
pub fn percentiles_big_int<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let steps = with(scope, &args, |histogram| histogram.percentiles()).unwrap_or_default();
    let entries: Vec<_> = steps
        .into_iter()
        .map(|(step, value)| (js::number(scope, step), BigInt::new_from_i64(scope, value).into()))
        .collect();
    fill(scope, args.get(0), entries);
}

/// `percentilesAt(map, percentiles)`: a `Float64Array` of them.
pub fn percentiles_at<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let mut storage = STORAGE;
    let Some(bytes) = text::contents(args.get(1), &mut storage) else { return };
    let wanted: Vec<f64> = bytes.as_chunks().0.iter().map(|bytes| f64::from_ne_bytes(*bytes)).collect();
    let values = with(scope, &args, |histogram| wanted.iter().map(|step| histogram.percentile(*step)).collect());
    let values: Vec<i64> = values.unwrap_or_default();
    let entries: Vec<_> = wanted
        .into_iter()
        .zip(values)
        .map(|(step, value)| (js::number(scope, step), js::number(scope, value as f64)))
        .collect();
    fill(scope, args.get(0), entries);
}

fn fill_buckets<'s>(scope: &PinScope<'s, '_>, map: Local<'s, Value>, buckets: Option<Vec<(i64, i64)>>) {
    let entries: Vec<_> = buckets
        .unwrap_or_default()
        .into_iter()
        .map(|(value, count)| (js::number(scope, value as f64), js::number(scope, count as f64)))
        .collect();
    fill(scope, map, entries);
}

/// `linearBuckets(step, map)`
pub fn linear_buckets<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let step = args.get(0).integer_value(scope).unwrap_or(1).max(1);
    let buckets = with(scope, &args, |histogram| histogram.buckets(step, |boundary| boundary.saturating_add(step)));
    fill_buckets(scope, args.get(1), buckets);
}

/// `logBuckets(first, base, map)`
pub fn log_buckets<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let first = args.get(0).integer_value(scope).unwrap_or(1).max(1);
    let base = args.get(1).integer_value(scope).unwrap_or(2).max(2);
    let buckets = with(scope, &args, |histogram| histogram.buckets(first, |boundary| boundary.saturating_mul(base)));
    fill_buckets(scope, args.get(2), buckets);
}

/// What feeds the histogram of `monitorEventLoopDelay`; made when first started.
enum Sampler {
    Interval(Interval, u64),
    Rounds(Rounds),
}

/// A sampler and the histogram that it feeds.
type Fed = (Arc<Mutex<Hdr>>, Rc<Sampler>);

/// All samplers that run. They are not in a snapshot.
#[derive(Default)]
struct Samplers(RefCell<Vec<Fed>>);

const RESOLUTION: &str = "resolution";

/// `createELDHistogram(resolution, samplePerIteration)`
pub fn create_eld<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    /// An hour in nanoseconds: what Node counts at most.
    const HIGHEST: i64 = 3_600_000_000_000;
    let Some(histogram) = Hdr::new(1, HIGHEST, 3) else { return };
    let Some(object) = binding::construct(scope, "IntervalHistogram", &[]) else { return };
    let resolution = match args.get(1).is_true() {
        true => js::integer(scope, 0),
        false => args.get(0),
    };
    let key = v8::Private::for_api(scope, Some(js::name(scope, RESOLUTION)));
    object.set_private(scope, key, resolution);
    wrap::attach(scope, object, Shared(Arc::new(Mutex::new(histogram))));
    rv.set(object.into());
}

fn new_sampler(histogram: Arc<Mutex<Hdr>>, resolution: u64) -> Option<Sampler> {
    let shared = Shared(histogram);
    if resolution > 0 {
        let interval = Interval::new(move || shared.lock().record_delta(event_loop::hrtime())).ok()?;
        return Some(Sampler::Interval(interval, resolution));
    }
    // From waking up to going to sleep again is how long a round keeps other events waiting.
    let awake = Rc::new(std::cell::Cell::new(0));
    let woken = awake.clone();
    let on_sleep = move || {
        let since = awake.replace(0);
        if since > 0 {
            shared.lock().record((event_loop::hrtime() - since).max(1) as i64);
        }
    };
    Rounds::new(on_sleep, move || woken.set(event_loop::hrtime())).ok().map(Sampler::Rounds)
}

fn sampler<'s>(scope: &mut PinScope<'s, '_>, args: &Args<'s>) -> Option<Rc<Sampler>> {
    let shared = wrap::get::<Shared>(scope, args.this())?;
    let samplers = Realm::current().room::<Samplers>();
    let known = samplers.0.borrow().iter().find(|(histogram, _)| Arc::ptr_eq(histogram, &shared.0)).cloned();
    if let Some((_, sampler)) = known {
        return Some(sampler);
    }
    let key = v8::Private::for_api(scope, Some(js::name(scope, RESOLUTION)));
    let resolution = args.this().get_private(scope, key)?.integer_value(scope)?.max(0) as u64;
    let sampler = Rc::new(new_sampler(shared.0.clone(), resolution)?);
    samplers.0.borrow_mut().push((shared.0.clone(), sampler.clone()));
    Some(sampler)
}

/// `histogram.start(reset)`
pub fn start<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if args.get(0).is_true() {
        with(scope, &args, Hdr::reset);
    }
    match sampler(scope, &args).as_deref() {
        Some(Sampler::Interval(interval, milliseconds)) => interval.start(*milliseconds),
        Some(Sampler::Rounds(rounds)) => rounds.start(),
        None => (),
    }
}

/// `histogram.stop()`
pub fn stop<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let Some(shared) = wrap::get::<Shared>(scope, args.this()) else { return };
    // Its handles close when it goes.
    Realm::current().room::<Samplers>().0.borrow_mut().retain(|(histogram, _)| !Arc::ptr_eq(histogram, &shared.0));
}
