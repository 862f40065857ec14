//! `internalBinding('v8')`: what V8 tells of itself.

use std::cell::Cell;

use v8::{FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use crate::errors::{Kind, throw_code};
use crate::{aliased, facts, js, profiler, wrap};

crate::room! {
    name: "v8",
    functions: {
        pure "cachedDataVersionTag" => cached_data_version_tag,
        trap "updateHeapStatisticsBuffer" => update_heap_statistics,
        trap "updateHeapCodeStatisticsBuffer" => update_heap_code_statistics,
        trap "updateHeapSpaceStatisticsBuffer" => update_heap_space_statistics,
        trap "setFlagsFromString" => set_flags_from_string,
        pure "isStringOneByteRepresentation" => is_string_one_byte,
        trap "startCpuProfile" => start_cpu_profile,
        trap "stopCpuProfile" => stop_cpu_profile,
        trap "startHeapProfile" => start_heap_profile,
        trap "stopHeapProfile" => stop_heap_profile,
    },
    classes: {
        "GCProfiler" { pure new => new_gc_profiler, trap "start" => start_gc_profiler, trap "stop" => stop_gc_profiler },
    },
    setup: setup,
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

const HEAP: &str = "v8.heapStatisticsBuffer";
const CODE: &str = "v8.heapCodeStatisticsBuffer";
const SPACE: &str = "v8.heapSpaceStatisticsBuffer";

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    facts::install(scope, "v8", target);
    for (name, slot, length) in [
        ("heapStatisticsBuffer", HEAP, 15),
        ("heapCodeStatisticsBuffer", CODE, 4),
        ("heapSpaceStatisticsBuffer", SPACE, 4),
    ] {
        let buffer = aliased::create::<f64>(scope, slot, length);
        js::set(scope, target, name, buffer);
    }
    let spaces = (0..scope.number_of_heap_spaces()).map(|index| {
        let statistics = scope.get_heap_space_statistics(index);
        statistics.map(|space| space.space_name().to_string_lossy().into_owned()).unwrap_or_default()
    });
    let spaces: Vec<String> = spaces.collect();
    let spaces = js::strings(scope, spaces);
    js::set(scope, target, "kHeapSpaces", spaces);
}

fn fill(scope: &PinScope, slot: &'static str, numbers: &[f64]) {
    for (cell, number) in aliased::cells::<f64>(scope, slot).iter().zip(numbers) {
        cell.set(*number);
    }
}

fn cached_data_version_tag<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_uint32(v8::script_compiler::cached_data_version_tag());
}

/// What [`heap_statistics`] says, under the names by which programs know it.
const STATISTICS: [&str; 15] = [
    "total_heap_size",
    "total_heap_size_executable",
    "total_physical_size",
    "total_available_size",
    "used_heap_size",
    "heap_size_limit",
    "malloced_memory",
    "peak_malloced_memory",
    "does_zap_garbage",
    "number_of_native_contexts",
    "number_of_detached_contexts",
    "total_global_handles_size",
    "used_global_handles_size",
    "external_memory",
    "total_allocated_bytes",
];

/// Sizes of the heap, in the order of the binding's indices.
pub fn heap_statistics(isolate: &mut v8::Isolate) -> Vec<f64> {
    let heap = isolate.get_heap_statistics();
    vec![
        heap.total_heap_size() as f64,
        heap.total_heap_size_executable() as f64,
        heap.total_physical_size() as f64,
        heap.total_available_size() as f64,
        heap.used_heap_size() as f64,
        heap.heap_size_limit() as f64,
        heap.malloced_memory() as f64,
        heap.peak_malloced_memory() as f64,
        f64::from(u8::from(heap.does_zap_garbage())),
        heap.number_of_native_contexts() as f64,
        heap.number_of_detached_contexts() as f64,
        heap.total_global_handles_size() as f64,
        heap.used_global_handles_size() as f64,
        heap.external_memory() as f64,
        heap.total_allocated_bytes() as f64,
    ]
}

/// [`heap_statistics`] as an object.
pub fn statistics_object<'s>(scope: &mut PinScope<'s, '_>, numbers: &[f64]) -> Local<'s, Object> {
    let names = STATISTICS.map(|name| js::name(scope, name).into());
    let values: Vec<Local<Value>> = STATISTICS
        .iter()
        .zip(numbers)
        .map(|(name, number)| match *name {
            "does_zap_garbage" => js::boolean(scope, *number != 0.0),
            _ => js::number(scope, *number),
        })
        .collect();
    let null = js::null(scope);
    Object::with_prototype_and_properties(scope, null, &names, &values)
}

fn update_heap_statistics<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, _: Return<'s>) {
    let numbers = heap_statistics(scope);
    fill(scope, HEAP, &numbers);
}

fn update_heap_code_statistics<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, _: Return<'s>) {
    let Some(code) = scope.get_heap_code_and_metadata_statistics() else { return };
    let numbers = [
        code.code_and_metadata_size() as f64,
        code.bytecode_and_metadata_size() as f64,
        code.external_script_source_size() as f64,
        code.cpu_profiler_metadata_size() as f64,
    ];
    fill(scope, CODE, &numbers);
}

/// `updateHeapSpaceStatisticsBuffer(index)`
fn update_heap_space_statistics<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let index = args.get(0).uint32_value(scope).unwrap_or_default() as usize;
    let Some(space) = scope.get_heap_space_statistics(index) else { return };
    let numbers = [
        space.space_size() as f64,
        space.space_used_size() as f64,
        space.space_available_size() as f64,
        space.physical_space_size() as f64,
    ];
    fill(scope, SPACE, &numbers);
}

fn set_flags_from_string<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let flags = args.get(0).to_rust_string_lossy(scope);
    v8::V8::set_flags_from_string(&flags);
}

fn is_string_one_byte<'s>(_: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    if let Ok(string) = Local::<v8::String>::try_from(args.get(0)) {
        rv.set_bool(string.is_onebyte());
    }
}

/// Why a profile can't be started or stopped: the code and the message.
pub type Refusal = (&'static str, &'static str);

/// A hundred are being taken.
pub const TOO_MANY: Refusal = ("ERR_CPU_PROFILE_TOO_MANY", "There are too many CPU profiles");
/// It was stopped already.
pub const CPU_NOT_STARTED: Refusal = ("ERR_CPU_PROFILE_NOT_STARTED", "CPU profile not started");
/// There is one at a time.
pub const HEAP_STARTED: Refusal = ("ERR_HEAP_PROFILE_HAVE_BEEN_STARTED", "Heap profile has been started");
/// It was stopped already.
pub const HEAP_NOT_STARTED: Refusal = ("ERR_HEAP_PROFILE_NOT_STARTED", "heap profile not started");

/// `startCpuProfile(samplingIntervalMicros, maxSamples)`: its number.
fn start_cpu_profile<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let (interval, samples) = cpu_arguments(scope, &args);
    match profiler::start_cpu(scope, interval, samples) {
        Some(id) => rv.set_uint32(id),
        None => throw_code(scope, Kind::Error, TOO_MANY.0, TOO_MANY.1),
    }
}

/// What `startCpuProfile` is given.
pub fn cpu_arguments<'s>(scope: &mut PinScope<'s, '_>, args: &Args<'s>) -> (i32, u32) {
    let samples = args.get(1).number_value(scope).unwrap_or(f64::from(u32::MAX)) as u32;
    (args.get(0).int32_value(scope).unwrap_or_default(), samples)
}

/// What `startHeapProfile` is given: an interval in bytes, the depth of stacks, flags.
pub fn heap_arguments<'s>(scope: &mut PinScope<'s, '_>, args: &Args<'s>) -> (u64, i32, i32) {
    let interval = args.get(0).number_value(scope).unwrap_or_default() as u64;
    let number = |scope: &mut PinScope<'s, '_>, index| args.get(index).int32_value(scope).unwrap_or_default();
    (interval, number(scope, 1), number(scope, 2))
}

/// `stopCpuProfile(id)`: the profile as JSON.
fn stop_cpu_profile<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let id = args.get(0).uint32_value(scope).unwrap_or_default();
    match profiler::stop_cpu(scope, id) {
        Some(profile) => rv.set(js::string(scope, &String::from_utf8_lossy(&profile)).into()),
        None => throw_code(scope, Kind::Error, CPU_NOT_STARTED.0, CPU_NOT_STARTED.1),
    }
}

/// `startHeapProfile(sampleInterval, stackDepth, flags)`
fn start_heap_profile<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let (interval, depth, flags) = heap_arguments(scope, &args);
    if !profiler::start_heap(scope, interval, depth, flags) {
        throw_code(scope, Kind::Error, HEAP_STARTED.0, HEAP_STARTED.1);
    }
}

/// `stopHeapProfile()`: the profile as JSON.
fn stop_heap_profile<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    match profiler::stop_heap(scope) {
        Some(profile) => rv.set(js::string(scope, &profile).into()),
        None => throw_code(scope, Kind::Error, HEAP_NOT_STARTED.0, HEAP_NOT_STARTED.1),
    }
}

/// The state of a `GCProfiler`: when it was started, by the clock, in milliseconds.
#[derive(Default)]
struct Profiler(Cell<Option<u128>>);

fn clock() -> u128 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.as_millis())
}

fn new_gc_profiler<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    wrap::attach(scope, args.this(), Profiler::default());
}

fn start_gc_profiler<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if let Some(profiler) = wrap::get::<Profiler>(scope, args.this()) {
        profiler.0.set(Some(clock()));
    }
}

/// Returns JSON. Single collections are not recorded.
fn stop_gc_profiler<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Some(profiler) = wrap::get::<Profiler>(scope, args.this()) else { return };
    let Some(start) = profiler.0.take() else { return };
    let profile = format!("{{\"version\":1,\"startTime\":{start},\"statistics\":[],\"endTime\":{}}}", clock());
    rv.set(js::string(scope, &profile).into());
}
