//! What a worker tells of itself when the thread that made it asks.

use v8::{FunctionCallbackArguments, Global, Isolate, Local, Object, PinScope, ReturnValue, Value};

use super::State;
use super::control::{Answer, Told};
use crate::bindings::{async_wrap, heap_utils, v8 as v8_room};
use crate::errors::{self, Failure};
use crate::uv::process;
use crate::{binding, callback, js, wrap};

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

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
