//! V8's profilers, which the `v8` crate does not pass on: where time goes, what allocates, and which objects there are.
//!
//! They are reached by their C++ names. `v8-profiler.h` says what they take and how the structures are laid out; compare
//! with it when the version of the crate changes.

use std::cell::{Cell, RefCell};
use std::ffi::{c_char, c_int, c_uint, c_void};
use std::fmt::Write as _;
use std::rc::Rc;

use v8::{Local, Object, PinScope};

use crate::realm::Realm;

#[repr(C)]
struct CpuProfiler([u8; 0]);
#[repr(C)]
struct CpuProfile([u8; 0]);
#[repr(C)]
struct HeapProfiler([u8; 0]);

unsafe extern "C" {
    fn v8__Isolate__GetCurrent() -> *mut c_void;
    fn v8__Local__New(isolate: *mut c_void, handle: *const Object) -> *const Object;
    fn v8__Global__Reset(handle: *const c_void);
    #[link_name = "_ZdlPv"]
    fn operator_delete(memory: *mut c_void);

    #[link_name = "_ZN2v811CpuProfiler3NewEPNS_7IsolateENS_22CpuProfilingNamingModeENS_23CpuProfilingLoggingModeE"]
    fn cpu_new(isolate: *mut c_void, naming: c_int, logging: c_int) -> *mut CpuProfiler;
    #[link_name = "_ZN2v811CpuProfiler7DisposeEv"]
    fn cpu_dispose(profiler: *mut CpuProfiler);
    #[link_name = "_ZN2v811CpuProfiler19SetSamplingIntervalEi"]
    fn cpu_set_interval(profiler: *mut CpuProfiler, microseconds: c_int);
    #[link_name = "_ZN2v811CpuProfiler5StartENS_5LocalINS_6StringEEENS_16CpuProfilingModeEbj"]
    fn cpu_start(
        profiler: *mut CpuProfiler,
        title: *const v8::String,
        mode: c_int,
        samples: bool,
        most: c_uint,
    ) -> Started;
    #[link_name = "_ZN2v811CpuProfiler4StopEj"]
    fn cpu_stop(profiler: *mut CpuProfiler, id: u32) -> *mut CpuProfile;
    #[link_name = "_ZNK2v810CpuProfile9SerializeEPNS_12OutputStreamENS0_19SerializationFormatE"]
    fn cpu_serialize(profile: *const CpuProfile, output: *mut c_void, format: c_int);
    #[link_name = "_ZN2v810CpuProfile6DeleteEv"]
    fn cpu_delete(profile: *mut CpuProfile);

    #[link_name = "_ZN2v87Isolate15GetHeapProfilerEv"]
    fn heap_profiler(isolate: *mut c_void) -> *mut HeapProfiler;
    #[link_name = "_ZN2v812HeapProfiler25StartSamplingHeapProfilerEmiNS0_13SamplingFlagsE"]
    fn heap_start(profiler: *mut HeapProfiler, interval: u64, depth: c_int, flags: c_int) -> bool;
    #[link_name = "_ZN2v812HeapProfiler24StopSamplingHeapProfilerEv"]
    fn heap_stop(profiler: *mut HeapProfiler);
    #[link_name = "_ZN2v812HeapProfiler20GetAllocationProfileEv"]
    fn heap_profile(profiler: *mut HeapProfiler) -> *mut Allocations;
    #[link_name = "_ZN2v812HeapProfiler12QueryObjectsENS_5LocalINS_7ContextEEEPNS_20QueryObjectPredicateEPNSt4__Cr6vectorINS_6GlobalINS_6ObjectEEENS6_9allocatorISA_EEEE"]
    fn heap_query(
        profiler: *mut HeapProfiler,
        context: *const v8::Context,
        predicate: *mut c_void,
        found: *mut Vector<*const Object>,
    );
}

/// `CpuProfilingResult`
#[repr(C)]
struct Started {
    id: u32,
    status: c_int,
}

/// `std::vector` of V8's C++ library.
#[repr(C)]
struct Vector<T> {
    begin: *mut T,
    end: *mut T,
    capacity: *mut T,
}

impl<T> Vector<T> {
    /// # Safety
    ///
    /// It is one that C++ made, and lives as long as the result.
    unsafe fn as_slice(&self) -> &[T] {
        if self.begin.is_null() {
            return &[];
        }
        // SAFETY: the elements lie between these two.
        unsafe { std::slice::from_raw_parts(self.begin, self.end.offset_from_unsigned(self.begin)) }
    }
}

/// An `OutputStream`: V8 calls the functions of its table.
#[repr(C)]
struct Output {
    table: *const OutputTable,
    bytes: Vec<u8>,
}

#[repr(C)]
struct OutputTable {
    destructors: [unsafe extern "C" fn(*mut Output); 2],
    end: unsafe extern "C" fn(*mut Output),
    chunk_size: unsafe extern "C" fn(*mut Output) -> c_int,
    write: unsafe extern "C" fn(*mut Output, *const c_char, c_int) -> c_int,
    write_statistics: unsafe extern "C" fn(*mut Output, *const c_void, c_int) -> c_int,
}

static OUTPUT: OutputTable = OutputTable {
    destructors: [output_nothing; 2],
    end: output_nothing,
    chunk_size: output_chunk_size,
    write: output_write,
    write_statistics: output_statistics,
};

unsafe extern "C" fn output_nothing(_: *mut Output) {}

unsafe extern "C" fn output_chunk_size(_: *mut Output) -> c_int {
    1 << 16
}

unsafe extern "C" fn output_write(output: *mut Output, data: *const c_char, length: c_int) -> c_int {
    // SAFETY: V8 passes on the stream that it was given, and that many bytes.
    unsafe { (*output).bytes.extend_from_slice(std::slice::from_raw_parts(data.cast(), length as usize)) };
    0
}

unsafe extern "C" fn output_statistics(_: *mut Output, _: *const c_void, _: c_int) -> c_int {
    0
}

/// The profiles of the processor's time that are being taken on this thread.
#[derive(Default)]
struct Running {
    profiles: RefCell<Vec<Profile>>,
    last: Cell<u32>,
}

struct Profile {
    /// By which the program knows it.
    id: u32,
    /// By which V8 does.
    own: u32,
    profiler: Rc<Profiler>,
}

/// What samples at one interval, for as many profiles as there are.
struct Profiler {
    interval: i32,
    raw: *mut CpuProfiler,
}

impl Drop for Profiler {
    fn drop(&mut self) {
        // SAFETY: its isolate is still there, and no profile is being taken any more.
        unsafe { cpu_dispose(self.raw) };
    }
}

impl Profile {
    /// Ends it. The result is `Some`, as JSON, the first time.
    fn stop(&self) -> Option<Vec<u8>> {
        let mut output = Output { table: &OUTPUT, bytes: Vec::new() };
        // SAFETY: the profiler is there as long as `self` is, and V8 uses the output during the call only.
        unsafe {
            let result = cpu_stop(self.profiler.raw, self.own);
            if result.is_null() {
                return None;
            }
            cpu_serialize(result, (&raw mut output).cast(), 0);
            cpu_delete(result);
        }
        Some(output.bytes)
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What V8 itself allows.
const MOST_PROFILES: usize = 100;

/// Begins to look where time goes, at an interval in microseconds (0 is V8's usual one). `None` if too many do already.
pub fn start_cpu(scope: &mut PinScope<'_, '_, ()>, interval: i32, samples: u32) -> Option<u32> {
    let running = Realm::current().room::<Running>();
    if running.profiles.borrow().len() >= MOST_PROFILES {
        return None;
    }
    let id = running.last.get() + 1;
    running.last.set(id);
    let same = running
        .profiles
        .borrow()
        .iter()
        .find(|other| other.profiler.interval == interval)
        .map(|other| other.profiler.clone());
    // V8 takes one profile of each title.
    let title = v8::String::new(scope, &id.to_string())?;
    // SAFETY: an isolate is current, as the scope says, and the profiler lives as long as the profile.
    let profile = unsafe {
        let profiler = same.unwrap_or_else(|| {
            let raw = cpu_new(v8__Isolate__GetCurrent(), 0, 0);
            if interval > 0 {
                cpu_set_interval(raw, interval);
            }
            Rc::new(Profiler { interval, raw })
        });
        let started = cpu_start(profiler.raw, &*title, 0, true, samples);
        Profile { id, own: started.id, profiler }
    };
    running.profiles.borrow_mut().push(profile);
    Some(id)
}

/// The profile `id` as JSON; `None` if none of that number is being taken.
pub fn stop_cpu(_: &mut PinScope<'_, '_, ()>, id: u32) -> Option<Vec<u8>> {
    let running = Realm::current().room::<Running>();
    let place = running.profiles.borrow().iter().position(|profile| profile.id == id)?;
    let profile = running.profiles.borrow_mut().remove(place);
    profile.stop()
}

thread_local! {
    static SAMPLES_HEAP: Cell<bool> = const { Cell::new(false) };
}

/// Begins to note what allocates. False if that is so already.
pub fn start_heap(_: &mut PinScope<'_, '_, ()>, interval: u64, depth: i32, flags: i32) -> bool {
    if SAMPLES_HEAP.replace(true) {
        return false;
    }
    // SAFETY: an isolate is current, as the scope says.
    unsafe { heap_start(heap_profiler(v8__Isolate__GetCurrent()), interval, depth, flags) }
}

/// What was noted, as JSON; `None` if nothing is.
pub fn stop_heap(scope: &mut PinScope<'_, '_, ()>) -> Option<String> {
    if !SAMPLES_HEAP.replace(false) {
        return None;
    }
    // SAFETY: as above. The profile is read before it is deleted, and its names are handles of the scope.
    unsafe {
        let profiler = heap_profiler(v8__Isolate__GetCurrent());
        let profile = heap_profile(profiler);
        if profile.is_null() {
            return None;
        }
        let table = &*(*profile).table;
        let mut json = String::from("{\"samples\":[");
        for (index, sample) in (*(table.samples)(profile)).as_slice().iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let size = sample.size * sample.count as usize;
            let _ = write!(json, "{comma}{{\"size\":{size},\"nodeId\":{},\"ordinal\":{}}}", sample.node, sample.id);
        }
        json.push_str("],\"head\":");
        write_node(scope, &mut json, &*(table.root)(profile));
        json.push('}');
        (table.destructors[1])(profile);
        heap_stop(profiler);
        Some(json)
    }
}

/// `AllocationProfile`
#[repr(C)]
struct Allocations {
    table: *const AllocationsTable,
}

#[repr(C)]
struct AllocationsTable {
    root: unsafe extern "C" fn(*mut Allocations) -> *const Node,
    samples: unsafe extern "C" fn(*mut Allocations) -> *const Vector<Sample>,
    destructors: [unsafe extern "C" fn(*mut Allocations); 2],
}

/// `AllocationProfile::Node`
#[repr(C)]
struct Node {
    name: *const v8::String,
    script_name: *const v8::String,
    script: c_int,
    start: c_int,
    line: c_int,
    column: c_int,
    id: u32,
    children: Vector<*const Node>,
    allocations: Vector<Allocation>,
}

/// `AllocationProfile::Allocation`
#[repr(C)]
struct Allocation {
    size: usize,
    count: c_uint,
}

/// `AllocationProfile::Sample`
#[repr(C)]
struct Sample {
    node: u32,
    size: usize,
    count: c_uint,
    id: u64,
    is_live: bool,
}

/// # Safety
///
/// The node is one of a profile that is still there.
unsafe fn write_node(scope: &mut PinScope<'_, '_, ()>, json: &mut String, node: &Node) {
    // SAFETY: the caller says that the node is there, and with it what it refers to; the names are V8's handles.
    unsafe {
        let size: usize = node.allocations.as_slice().iter().map(|each| each.size * each.count as usize).sum();
        let text = |name: *const v8::String| {
            let text = name.as_ref().map(|name| name.to_rust_string_lossy(scope)).unwrap_or_default();
            serde_json::Value::String(text)
        };
        let (name, url) = (text(node.name), text(node.script_name));
        let _ = write!(
            json,
            "{{\"selfSize\":{size},\"id\":{},\"callFrame\":{{\"scriptId\":{},\"lineNumber\":{},\"columnNumber\":{},\
             \"functionName\":{name},\"url\":{url}}},\"children\":[",
            node.id,
            node.script,
            node.line - 1,
            node.column - 1,
        );
        for (index, child) in node.children.as_slice().iter().enumerate() {
            if index > 0 {
                json.push(',');
            }
            write_node(scope, json, &**child);
        }
    }
    json.push_str("]}");
}

/// A `QueryObjectPredicate`.
#[repr(C)]
struct Predicate {
    table: *const PredicateTable,
    accepts: *mut dyn FnMut(*const Object) -> bool,
}

#[repr(C)]
struct PredicateTable {
    destructors: [unsafe extern "C" fn(*mut Predicate); 2],
    filter: unsafe extern "C" fn(*mut Predicate, *const Object) -> bool,
}

static PREDICATE: PredicateTable = PredicateTable { destructors: [predicate_nothing; 2], filter: predicate_filter };

unsafe extern "C" fn predicate_nothing(_: *mut Predicate) {}

unsafe extern "C" fn predicate_filter(predicate: *mut Predicate, object: *const Object) -> bool {
    // SAFETY: V8 passes on the predicate that it was given, during the call that it was given it for.
    unsafe { (*(*predicate).accepts)(object) }
}

/// All objects that have `prototype` somewhere in their chain of prototypes.
pub fn objects_with_prototype<'s>(
    scope: &mut PinScope<'s, '_>,
    prototype: Local<'s, Object>,
) -> Vec<Local<'s, Object>> {
    let context = scope.get_current_context();
    let mut found = Vector { begin: std::ptr::null_mut(), end: std::ptr::null_mut(), capacity: std::ptr::null_mut() };
    let mut objects = Vec::new();
    // SAFETY: an isolate is current. V8 calls the predicate with handles that are good during that call. What it found are
    // handles that are ours to end, in a vector that is ours to delete.
    unsafe {
        let isolate = v8__Isolate__GetCurrent();
        let mut accepts = |object: *const Object| {
            v8::scope!(let scope, scope);
            let mut next = (*object).get_prototype(scope);
            while let Some(object) = next.and_then(|value| Local::<Object>::try_from(value).ok()) {
                if object == prototype {
                    return true;
                }
                next = object.get_prototype(scope);
            }
            false
        };
        let accepts: *mut (dyn FnMut(*const Object) -> bool + '_) = &mut accepts;
        // The type has no place for how long the function lives.
        let accepts = std::mem::transmute::<*mut (dyn FnMut(*const Object) -> bool + '_), *mut _>(accepts);
        let mut predicate = Predicate { table: &PREDICATE, accepts };
        heap_query(heap_profiler(isolate), &*context, (&raw mut predicate).cast(), &mut found);
        for handle in found.as_slice() {
            let local = v8__Local__New(isolate, *handle);
            objects.extend(std::mem::transmute::<*const Object, Option<Local<'s, Object>>>(local));
            v8__Global__Reset(handle.cast());
        }
        operator_delete(found.begin.cast());
    }
    objects
}
