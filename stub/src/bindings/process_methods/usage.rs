//! What the process uses: time, memory, and things that keep it running.

use std::cell::Cell;

use v8::fast_api::FastApiCallbackOptions;
use v8::{Array, FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use crate::bindings::stream_wrap::HandleState;
use crate::bindings::timers;
use crate::errors::{self, Failure};
use crate::uv::process::{self, microseconds};
use crate::uv::{event_loop, system};
use crate::{js, trap, wrap};

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

crate::shared! {
    /// The slot of the array that `hrtime` and `hrtimeBigInt` answer in.
    pub HRTIME: u32 = "process_methods.hrtimeBuffer"
}

crate::fast!(pub HRTIME_FAST = hrtime_fast as () -> nothing);
crate::fast!(pub HRTIME_BIG_INT_FAST = hrtime_big_int_fast as () -> nothing);

pub fn hrtime<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, _: Return<'s>) {
    write(HRTIME.cells(scope), seconds_and_rest());
}

extern "C" fn hrtime_fast<'s>(_: Local<'s, Value>, options: &FastApiCallbackOptions<'s>) {
    if !trap::spring_fast(options, "hrtime") {
        write(HRTIME.cells_fast(options), seconds_and_rest());
    }
}

pub fn hrtime_big_int<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, _: Return<'s>) {
    write(HRTIME.cells(scope), halves());
}

extern "C" fn hrtime_big_int_fast<'s>(_: Local<'s, Value>, options: &FastApiCallbackOptions<'s>) {
    if !trap::spring_fast(options, "hrtimeBigInt") {
        write(HRTIME.cells_fast(options), halves());
    }
}

/// The time in seconds, as two words, and what is left in nanoseconds.
fn seconds_and_rest() -> [u32; 3] {
    let now = event_loop::hrtime();
    let seconds = now / 1_000_000_000;
    [(seconds >> 32) as u32, seconds as u32, (now % 1_000_000_000) as u32]
}

/// The time in nanoseconds, in the two words that make one number of 64 bits in memory.
fn halves() -> [u32; 2] {
    let now = event_loop::hrtime();
    let (low, high) = (now as u32, (now >> 32) as u32);
    if cfg!(target_endian = "little") { [low, high] } else { [high, low] }
}

fn write<const LENGTH: usize>(cells: &[Cell<u32>], words: [u32; LENGTH]) {
    for (cell, word) in cells.iter().zip(words) {
        cell.set(word);
    }
}

/// Writes numbers into a `Float64Array`.
pub fn fill<'s>(value: Local<'s, Value>, numbers: &[f64]) {
    let bytes = js::bytes(value).unwrap_or_default();
    for (target, number) in bytes.chunks_exact(8).zip(numbers) {
        target.iter().zip(number.to_ne_bytes()).for_each(|(cell, byte): (&Cell<u8>, u8)| cell.set(byte));
    }
}

fn throw(scope: &mut PinScope, errno: i32, syscall: &str) {
    errors::throw_uv(scope, Failure { errno, syscall, ..Failure::default() });
}

pub fn memory_usage<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let resident = match system::memory::resident() {
        Ok(resident) => resident,
        Err(error) => return throw(scope, error, "uv_resident_set_memory"),
    };
    let heap = scope.get_heap_statistics();
    let sizes = [heap.total_heap_size(), heap.used_heap_size(), heap.external_memory(), crate::memory::used()];
    let [total, used, external, buffers] = sizes.map(|size| size as f64);
    fill(args.get(0), &[resident, total, used, external, buffers]);
}

pub fn rss<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    match system::memory::resident() {
        Ok(resident) => rv.set_double(resident),
        Err(error) => throw(scope, error, "uv_resident_set_memory"),
    }
}

pub fn constrained_memory<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_double(system::memory::constrained());
}

pub fn available_memory<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_double(system::memory::available());
}

pub fn cpu_usage<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    match process::usage() {
        Ok(usage) => fill(args.get(0), &[microseconds(usage.ru_utime), microseconds(usage.ru_stime)]),
        Err(error) => throw(scope, error, "uv_getrusage"),
    }
}

pub fn thread_cpu_usage<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    match process::thread_usage() {
        Ok(usage) => fill(args.get(0), &[microseconds(usage.ru_utime), microseconds(usage.ru_stime)]),
        Err(error) => throw(scope, error, "uv_getrusage_thread"),
    }
}

pub fn resource_usage<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let usage = match process::usage() {
        Ok(usage) => usage,
        Err(error) => return throw(scope, error, "uv_getrusage"),
    };
    let counts = [
        usage.ru_maxrss,
        usage.ru_ixrss,
        usage.ru_idrss,
        usage.ru_isrss,
        usage.ru_minflt,
        usage.ru_majflt,
        usage.ru_nswap,
        usage.ru_inblock,
        usage.ru_oublock,
        usage.ru_msgsnd,
        usage.ru_msgrcv,
        usage.ru_nsignals,
        usage.ru_nvcsw,
        usage.ru_nivcsw,
    ];
    let times = [microseconds(usage.ru_utime), microseconds(usage.ru_stime)];
    let all: Vec<f64> = times.into_iter().chain(counts.map(|count| count as f64)).collect();
    fill(args.get(0), &all);
}

/// Seconds since the process began.
pub fn uptime<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    event_loop::update_time();
    rv.set_double((event_loop::hrtime() - process::started()) as f64 / 1e9);
}

/// Objects with work under way: handles that keep the loop alive, and requests.
fn active<'s>(scope: &PinScope<'s, '_>, handles: bool) -> Vec<(Local<'s, Object>, &'static str)> {
    let all = wrap::alive(scope).into_iter();
    all.filter(|(object, _)| match HandleState::of(scope, *object) {
        Some(state) => handles && state.handle().is_some_and(|handle| handle.has_ref()),
        None => !handles,
    })
    .collect()
}

/// What JavaScript made of the objects: each one's owner.
fn owners<'s>(scope: &mut PinScope<'s, '_>, objects: Vec<(Local<'s, Object>, &'static str)>) -> Local<'s, Array> {
    let owner = crate::bindings::symbols::symbol(scope, "owner_symbol");
    let owners: Vec<Local<Value>> = objects
        .into_iter()
        .map(|(object, _)| {
            let owner = object.get(scope, owner.into());
            owner.filter(|owner| owner.is_object()).unwrap_or_else(|| object.into())
        })
        .collect();
    Array::new_with_elements(scope, &owners)
}

pub fn active_handles<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    let objects = active(scope, true);
    rv.set(owners(scope, objects).into());
}

pub fn active_requests<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    let objects = active(scope, false);
    rv.set(owners(scope, objects).into());
}

pub fn active_resources<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    let objects = active(scope, false).into_iter().chain(active(scope, true));
    let (timeouts, immediates) = timers::pending(scope);
    let names: Vec<&str> = objects
        .map(|(_, provider)| resource_name(provider))
        .chain(std::iter::repeat_n("Timeout", timeouts))
        .chain(std::iter::repeat_n("Immediate", immediates))
        .collect();
    rv.set(js::strings(scope, names).into());
}

/// The name of the native class that is behind a provider.
fn resource_name(provider: &'static str) -> &'static str {
    match provider {
        "DIRHANDLE" => "DirHandle",
        "FILEHANDLE" => "FileHandle",
        "FILEHANDLECLOSEREQ" => "CloseReq",
        "FSEVENTWRAP" => "FSEvent",
        "FSREQCALLBACK" => "FSReqCallback",
        "FSREQPROMISE" => "FSReqPromise",
        "GETADDRINFOREQWRAP" => "GetAddrInfoReqWrap",
        "GETNAMEINFOREQWRAP" => "GetNameInfoReqWrap",
        "MESSAGEPORT" => "MessagePort",
        "PIPECONNECTWRAP" | "TCPCONNECTWRAP" => "ConnectWrap",
        "PIPESERVERWRAP" | "PIPEWRAP" => "PipeWrap",
        "PROCESSWRAP" => "ProcessWrap",
        "SHUTDOWNWRAP" => "ShutdownWrap",
        "SIGNALWRAP" => "SignalWrap",
        "STATWATCHER" => "StatWatcher",
        "TCPSERVERWRAP" => "TCPServerWrap",
        "TCPWRAP" => "TCPSocketWrap",
        "TTYWRAP" => "TTYWrap",
        "UDPSENDWRAP" => "SendWrap",
        "UDPWRAP" => "UDPWrap",
        "WRITEWRAP" => "LibuvWriteWrap",
        other => other,
    }
}
