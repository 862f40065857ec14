//! The report itself. What it says of libuv's handles and of native stacks is left empty.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use v8::{Array, Function, Local, Object, PinScope, Value};

use super::Setting;
use crate::realm::Realm;
use crate::uv::{process, system};
use crate::{bootstrap, js, library};

/// The version of the report's layout.
const LAYOUT: i32 = 5;

/// Why there is a report.
pub struct Cause<'a, 's> {
    /// What happened.
    pub event: &'a str,
    /// What asked for it.
    pub trigger: &'a str,
    /// The error whose stack it shows.
    pub error: Option<Local<'s, Object>>,
}

/// The report as JSON. `filename` is a string or null.
pub fn make<'s>(
    scope: &mut PinScope<'s, '_>,
    cause: &Cause<'_, 's>,
    filename: Local<'s, Value>,
    compact: bool,
) -> Option<Local<'s, v8::String>> {
    let report = Object::new(scope);
    let header = header(scope, cause, filename);
    js::set(scope, report, "header", header);
    let stack = stack(scope, cause.error);
    js::set(scope, report, "javascriptStack", stack);
    let heap = heap(scope);
    js::set(scope, report, "javascriptHeap", heap);
    empty_array(scope, report, "nativeStack");
    let usage = usage(scope);
    js::set(scope, report, "resourceUsage", usage);
    empty_array(scope, report, "libuv");
    empty_array(scope, report, "workers");
    if !Setting::ExcludeEnv.is_on(scope) {
        let variables = Object::new(scope);
        for (name, value) in std::env::vars_os() {
            text(scope, variables, &name.to_string_lossy(), &value.to_string_lossy());
        }
        js::set(scope, report, "environmentVariables", variables);
    }
    let limits = limits(scope);
    js::set(scope, report, "userLimits", limits);
    let objects = js::strings(scope, shared_objects());
    js::set(scope, report, "sharedObjects", objects);
    stringify(scope, report, compact)
}

fn stringify<'s>(
    scope: &mut PinScope<'s, '_>,
    report: Local<'s, Object>,
    compact: bool,
) -> Option<Local<'s, v8::String>> {
    if compact {
        return v8::json::stringify(scope, report.into());
    }
    let global = scope.get_current_context().global(scope);
    let json: Local<Object> = js::get(scope, global, "JSON")?.try_into().ok()?;
    let stringify: Local<Function> = js::get(scope, json, "stringify")?.try_into().ok()?;
    let (null, indent) = (js::null(scope), js::integer(scope, 2));
    stringify.call(scope, json.into(), &[report.into(), null, indent])?.try_into().ok()
}

fn text<'s>(scope: &PinScope<'s, '_>, target: Local<'s, Object>, key: &str, value: &str) {
    let value = js::string(scope, value);
    js::set(scope, target, key, value);
}

fn number<'s>(scope: &PinScope<'s, '_>, target: Local<'s, Object>, key: &str, value: f64) {
    let value = js::number(scope, value);
    js::set(scope, target, key, value);
}

fn numbers<'s>(scope: &PinScope<'s, '_>, target: Local<'s, Object>, all: &[(&str, f64)]) {
    for (key, value) in all {
        number(scope, target, key, *value);
    }
}

fn empty_array<'s>(scope: &PinScope<'s, '_>, target: Local<'s, Object>, key: &str) {
    let array = Array::new(scope, 0);
    js::set(scope, target, key, array);
}

/// Milliseconds since 1970.
fn now() -> f64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    since.as_millis() as f64
}

/// The time as `2026-11-23T16:21:43`.
fn timestamp(scope: &mut PinScope, time: f64) -> String {
    let call = |scope: &mut PinScope| {
        let date: Local<Object> = v8::Date::new(scope, time)?.into();
        let method: Local<Function> = js::get(scope, date, "toISOString")?.try_into().ok()?;
        Some(method.call(scope, date.into(), &[])?.to_rust_string_lossy(scope))
    };
    let text = call(scope).unwrap_or_default();
    text.split('.').next().unwrap_or_default().to_owned()
}

/// The name of a file about this moment: `report.20261123.162143.4711.0.001.json`.
pub fn file_name(scope: &mut PinScope, prefix: &str, extension: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let time = timestamp(scope, now()).replace(['-', ':'], "").replace('T', ".");
    let (process, thread) = (std::process::id(), Realm::current().thread.id);
    format!("{prefix}.{time}.{process}.{thread}.{count:03}.{extension}")
}

fn header<'s>(scope: &mut PinScope<'s, '_>, cause: &Cause, filename: Local<'s, Value>) -> Local<'s, Object> {
    let header = Object::new(scope);
    number(scope, header, "reportVersion", LAYOUT.into());
    text(scope, header, "event", cause.event);
    text(scope, header, "trigger", cause.trigger);
    js::set(scope, header, "filename", filename);
    let time = now();
    let moment = timestamp(scope, time) + "Z";
    text(scope, header, "dumpEventTime", &moment);
    text(scope, header, "dumpEventTimeStamp", &format!("{time}"));
    number(scope, header, "processId", std::process::id().into());
    number(scope, header, "threadId", Realm::current().thread.id as f64);
    if let Ok(folder) = std::env::current_dir() {
        text(scope, header, "cwd", &folder.to_string_lossy());
    }
    let arguments = js::strings(scope, std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()));
    js::set(scope, header, "commandLine", arguments);
    text(scope, header, "nodejsVersion", library::VERSION);
    if let Some(version) = system::c_library_version() {
        text(scope, header, "glibcVersionRuntime", &version);
    }
    number(scope, header, "wordSize", f64::from(usize::BITS));
    let process = Realm::current().object(scope, bootstrap::PROCESS);
    for (key, property) in
        [("arch", "arch"), ("platform", "platform"), ("componentVersions", "versions"), ("release", "release")]
    {
        if let Some(value) = process.and_then(|process| js::get(scope, process, property)) {
            js::set(scope, header, key, value);
        }
    }
    if let Ok([name, version, release, machine]) = system::name() {
        text(scope, header, "osName", &name);
        text(scope, header, "osRelease", &release);
        text(scope, header, "osVersion", &version);
        text(scope, header, "osMachine", &machine);
    }
    let processors = processors(scope);
    js::set(scope, header, "cpus", processors);
    if !Setting::ExcludeNetwork.is_on(scope) {
        let interfaces = interfaces(scope);
        js::set(scope, header, "networkInterfaces", interfaces);
    }
    if let Ok(host) = system::hostname() {
        text(scope, header, "host", &host.to_string_lossy());
    }
    header
}

fn processors<'s>(scope: &mut PinScope<'s, '_>) -> Local<'s, Array> {
    let all = system::processors().unwrap_or_default();
    let all: Vec<Local<Value>> = all
        .iter()
        .map(|processor| {
            let entry = Object::new(scope);
            text(scope, entry, "model", &processor.model);
            number(scope, entry, "speed", processor.speed.into());
            for (key, time) in ["user", "nice", "sys", "idle", "irq"].iter().zip(processor.times) {
                number(scope, entry, key, time);
            }
            entry.into()
        })
        .collect();
    Array::new_with_elements(scope, &all)
}

fn interfaces<'s>(scope: &mut PinScope<'s, '_>) -> Local<'s, Array> {
    let all = system::interfaces().unwrap_or_default();
    let all: Vec<Local<Value>> = all
        .iter()
        .map(|interface| {
            let entry = Object::new(scope);
            text(scope, entry, "name", &interface.name);
            let internal = js::boolean(scope, interface.internal);
            js::set(scope, entry, "internal", internal);
            let mac = interface.mac.map(|byte| format!("{byte:02x}")).join(":");
            text(scope, entry, "mac", &mac);
            text(scope, entry, "address", &interface.address);
            text(scope, entry, "netmask", &interface.netmask);
            text(scope, entry, "family", if interface.v6 { "IPv6" } else { "IPv4" });
            if let Some(id) = interface.scope {
                number(scope, entry, "scopeid", id.into());
            }
            entry.into()
        })
        .collect();
    Array::new_with_elements(scope, &all)
}

fn stack<'s>(scope: &mut PinScope<'s, '_>, error: Option<Local<'s, Object>>) -> Local<'s, Object> {
    let result = Object::new(scope);
    let stack = error.and_then(|error| js::get(scope, error, "stack")).filter(|stack| stack.is_string());
    let stack = stack.map(|stack| stack.to_rust_string_lossy(scope));
    let Some((message, frames)) = stack.as_deref().and_then(|stack| stack.split_once('\n')) else {
        text(scope, result, "message", "No stack.");
        let none = js::strings(scope, ["Unavailable."]);
        js::set(scope, result, "stack", none);
        return result;
    };
    text(scope, result, "message", message);
    let frames = js::strings(scope, frames.lines().map(str::trim));
    js::set(scope, result, "stack", frames);
    let properties = Object::new(scope);
    let names = error.and_then(|error| error.get_own_property_names(scope, Default::default()));
    if let (Some(error), Some(names)) = (error, names) {
        for index in 0..names.length() {
            let Some(name) = names.get_index(scope, index) else { continue };
            let value = error.get(scope, name).map(|value| value.to_rust_string_lossy(scope)).unwrap_or_default();
            let name = name.to_rust_string_lossy(scope);
            text(scope, properties, &name, &value);
        }
    }
    js::set(scope, result, "errorProperties", properties);
    result
}

fn heap<'s>(scope: &mut PinScope<'s, '_>) -> Local<'s, Object> {
    let heap = Object::new(scope);
    let all = scope.get_heap_statistics();
    let sizes = [
        ("totalMemory", all.total_heap_size()),
        ("executableMemory", all.total_heap_size_executable()),
        ("totalCommittedMemory", all.total_physical_size()),
        ("availableMemory", all.total_available_size()),
        ("totalGlobalHandlesMemory", all.total_global_handles_size()),
        ("usedGlobalHandlesMemory", all.used_global_handles_size()),
        ("usedMemory", all.used_heap_size()),
        ("memoryLimit", all.heap_size_limit()),
        ("mallocedMemory", all.malloced_memory()),
        ("externalMemory", all.external_memory()),
        ("peakMallocedMemory", all.peak_malloced_memory()),
        ("nativeContextCount", all.number_of_native_contexts()),
        ("detachedContextCount", all.number_of_detached_contexts()),
        ("doesZapGarbage", 0),
    ];
    numbers(scope, heap, &sizes.map(|(key, size)| (key, size as f64)));
    let spaces = Object::new(scope);
    for index in 0..scope.number_of_heap_spaces() {
        let Some(space) = scope.get_heap_space_statistics(index) else { continue };
        let entry = Object::new(scope);
        let sizes = [
            ("memorySize", space.space_size()),
            ("committedMemory", space.physical_space_size()),
            ("capacity", space.space_used_size() + space.space_available_size()),
            ("used", space.space_used_size()),
            ("available", space.space_available_size()),
        ];
        numbers(scope, entry, &sizes.map(|(key, size)| (key, size as f64)));
        js::set(scope, spaces, &space.space_name().to_string_lossy(), entry);
    }
    js::set(scope, heap, "heapSpaces", spaces);
    heap
}

fn usage<'s>(scope: &mut PinScope<'s, '_>) -> Local<'s, Object> {
    let result = Object::new(scope);
    let memory = [
        ("free_memory", system::memory::free()),
        ("total_memory", system::memory::total()),
        ("rss", system::memory::resident().unwrap_or_default()),
        ("constrained_memory", system::memory::constrained()),
        ("available_memory", system::memory::available()),
    ];
    numbers(scope, result, &memory);
    let Ok(usage) = process::usage() else { return result };
    let user = usage.ru_utime.tv_sec as f64 + 1e-6 * usage.ru_utime.tv_usec as f64;
    let kernel = usage.ru_stime.tv_sec as f64 + 1e-6 * usage.ru_stime.tv_usec as f64;
    numbers(
        scope,
        result,
        &[("userCpuSeconds", user), ("kernelCpuSeconds", kernel), ("maxRss", 1024.0 * usage.ru_maxrss as f64)],
    );
    let faults = Object::new(scope);
    numbers(scope, faults, &[("IORequired", usage.ru_majflt as f64), ("IONotRequired", usage.ru_minflt as f64)]);
    js::set(scope, result, "pageFaults", faults);
    let activity = Object::new(scope);
    numbers(scope, activity, &[("reads", usage.ru_inblock as f64), ("writes", usage.ru_oublock as f64)]);
    js::set(scope, result, "fsActivity", activity);
    result
}

/// Names of the limits here and in `/proc/self/limits`.
const LIMITS: &[(&str, &str)] = &[
    ("core_file_size_blocks", "Max core file size"),
    ("data_seg_size_bytes", "Max data size"),
    ("file_size_blocks", "Max file size"),
    ("max_locked_memory_bytes", "Max locked memory"),
    ("max_memory_size_bytes", "Max resident set"),
    ("open_files", "Max open files"),
    ("stack_size_bytes", "Max stack size"),
    ("cpu_time_seconds", "Max cpu time"),
    ("max_user_processes", "Max processes"),
    ("virtual_memory_bytes", "Max address space"),
];

fn limits<'s>(scope: &mut PinScope<'s, '_>) -> Local<'s, Object> {
    let limits = Object::new(scope);
    let table = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    for (key, name) in LIMITS {
        let Some(line) = table.lines().find_map(|line| line.strip_prefix(name)) else { continue };
        let entry = Object::new(scope);
        for (key, value) in ["soft", "hard"].iter().zip(line.split_whitespace()) {
            match value.parse() {
                Ok(value) => number(scope, entry, key, value),
                Err(_) => text(scope, entry, key, value),
            }
        }
        js::set(scope, limits, key, entry);
    }
    limits
}

/// The files of code that are mapped into the process, in order.
fn shared_objects() -> Vec<String> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let mut all: Vec<String> = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" r-xp ")) {
        let Some(start) = line.find('/') else { continue };
        if !all.iter().any(|known| *known == line[start..]) {
            all.push(line[start..].to_owned());
        }
    }
    all
}
