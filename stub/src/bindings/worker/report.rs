//! What a worker tells of itself when the thread that made it asks.

use v8::{FunctionCallbackArguments, Global, Isolate, Local, Object, PinScope, ReturnValue, Value};

use super::State;
use super::control::{Answer, Told};
use crate::bindings::v8::Refusal;
use crate::bindings::{async_wrap, heap_utils, v8 as v8_room};
use crate::errors::{self, Failure};
use crate::uv::process;
use crate::{binding, callback, js, profiler, wrap};

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

/// As the main thread's, in other words.
const HEAP_STARTED: Refusal = (v8_room::HEAP_STARTED.0, "heap profiler have been started");

/// The numbers of a `Float64Array`; what is missing is -1.
pub fn read_numbers<const N: usize>(value: Local<Value>) -> [f64; N] {
    let mut numbers = [-1.0; N];
    let bytes = js::bytes(value).unwrap_or_default();
    for (number, cells) in numbers.iter_mut().zip(bytes.chunks_exact(8)) {
        let mut word = [0; 8];
        word.iter_mut().zip(cells).for_each(|(byte, cell)| *byte = cell.get());
        *number = f64::from_ne_bytes(word);
    }
    numbers
}

/// The object whose `ondone` gets the report.
pub fn construct<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    wrap::attach(scope, args.this(), ());
}

/// Asks the worker for what `tell` finds out, and returns the object that gets it; undefined if the worker is not
/// running.
fn ask<'s>(
    scope: &mut PinScope<'s, '_>,
    args: &Args<'s>,
    mut rv: Return<'s>,
    provider: &'static str,
    tell: impl FnOnce(&mut Isolate) -> Told + Send + 'static,
) {
    let Some(state) = super::state(scope, args.this()) else { return };
    let number = state.next_report.get();
    state.next_report.set(number + 1);
    let control = state.control.clone();
    let asked = state.control.request(Box::new(move |isolate| {
        let told = tell(isolate);
        control.answer(Answer { number, told });
    }));
    if !asked {
        return;
    }
    let trigger = wrap::async_ids(scope, args.this()).id;
    let object = async_wrap::with_default_trigger(scope, trigger, |scope| {
        let object = binding::construct(scope, "WorkerReport", &[])?;
        async_wrap::init_object(scope, object, provider);
        Some(object)
    });
    let Some(object) = object else { return };
    wrap::keep_alive(scope, object, true);
    state.reports.borrow_mut().insert(number, Global::new(scope, object));
    rv.set(object.into());
}

/// Hands a report to the object that waits for it.
pub fn deliver<'s>(scope: &mut PinScope<'s, '_>, state: &State, answer: Answer) {
    let object = state.reports.borrow_mut().remove(&answer.number);
    let Some(object) = object.map(|object| Local::new(scope, object)) else { return };
    let null = js::null(scope);
    let arguments = match answer.told {
        Told::Snapshot(bytes) => match heap_utils::stream(scope, bytes) {
            Some(stream) => vec![stream.into()],
            None => return,
        },
        Told::Statistics(numbers) => vec![v8_room::statistics_object(scope, &numbers).into()],
        Told::Cpu(Ok([user, system])) => {
            let names = ["user", "system"].map(|name| js::name(scope, name).into());
            let values = [js::number(scope, user), js::number(scope, system)];
            let usage = Object::with_prototype_and_properties(scope, null, &names, &values);
            vec![null, usage.into()]
        }
        Told::Cpu(Err(errno)) => {
            let failure = Failure { errno, syscall: "uv_getrusage_thread", ..Failure::default() };
            vec![errors::uv_exception(scope, failure)]
        }
        Told::Started(Ok(id)) => {
            let id = id.map_or_else(|| js::undefined(scope), |id| js::number(scope, f64::from(id)));
            vec![null, id]
        }
        Told::Profile(Ok(profile)) => vec![null, js::string(scope, &String::from_utf8_lossy(&profile)).into()],
        Told::Started(Err((code, message))) | Told::Profile(Err((code, message))) => {
            vec![errors::with_code(scope, errors::Kind::Error, code, message)]
        }
    };
    callback::method(scope, object, "ondone", &arguments);
    wrap::keep_alive(scope, object, false);
}

/// `takeHeapSnapshot(options)`
pub fn take_heap_snapshot<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    ask(scope, &args, rv, "WORKERHEAPSNAPSHOT", |isolate| Told::Snapshot(heap_utils::take(isolate)));
}

/// `getHeapStatistics()`
pub fn get_heap_statistics<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    ask(scope, &args, rv, "WORKERHEAPSTATISTICS", |isolate| Told::Statistics(v8_room::heap_statistics(isolate)));
}

/// `cpuUsage()`
pub fn cpu_usage<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    ask(scope, &args, rv, "WORKERCPUUSAGE", |_| {
        let usage = process::thread_usage();
        Told::Cpu(usage.map(|usage| [usage.ru_utime, usage.ru_stime].map(process::microseconds)))
    });
}

/// `startCpuProfile(samplingIntervalMicros, maxSamples)`
pub fn start_cpu_profile<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    let (interval, samples) = v8_room::cpu_arguments(scope, &args);
    ask(scope, &args, rv, "WORKERCPUPROFILE", move |isolate| {
        v8::scope!(let scope, isolate);
        Told::Started(profiler::start_cpu(scope, interval, samples).map(Some).ok_or(v8_room::TOO_MANY))
    });
}

/// `stopCpuProfile(id)`
pub fn stop_cpu_profile<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    let id = args.get(0).uint32_value(scope).unwrap_or_default();
    ask(scope, &args, rv, "WORKERCPUPROFILE", move |isolate| {
        v8::scope!(let scope, isolate);
        Told::Profile(profiler::stop_cpu(scope, id).ok_or(v8_room::CPU_NOT_STARTED))
    });
}

/// `startHeapProfile(sampleInterval, stackDepth, flags)`
pub fn start_heap_profile<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    let (interval, depth, flags) = v8_room::heap_arguments(scope, &args);
    ask(scope, &args, rv, "WORKERHEAPPROFILE", move |isolate| {
        v8::scope!(let scope, isolate);
        let started = profiler::start_heap(scope, interval, depth, flags);
        Told::Started(if started { Ok(None) } else { Err(HEAP_STARTED) })
    });
}

/// `stopHeapProfile()`
pub fn stop_heap_profile<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    ask(scope, &args, rv, "WORKERHEAPPROFILE", |isolate| {
        v8::scope!(let scope, isolate);
        Told::Profile(profiler::stop_heap(scope).map(String::into_bytes).ok_or(v8_room::HEAP_NOT_STARTED))
    });
}
