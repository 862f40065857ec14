//! The language's newer features, in the snapshot.
//!
//! V8 leaves what it calls experimental out of snapshots, so that flags can still turn it off, and installs it in each
//! context that it restores: `Float16Array`, `Promise.try`, `Map.prototype.getOrInsert`... Installed when the snapshot is
//! taken, it is there for what is evaluated at build time, and no start waits for it.
//!
//! V8 has no interface for this, so what it does itself (`Genesis::Genesis` in its `init/bootstrapper.cc`) is done here
//! by the same functions. Two things stay for each start: `WebAssembly`, and `Temporal`, whose lazy accessor a snapshot can't have.

use std::ffi::{c_char, c_void};

use v8::{Context, Isolate, Local, PinScope};

/// Where an isolate says that it is there for a snapshot only. V8 installs nothing in the contexts of such an isolate.
/// [`install`] makes sure that it is there.
const IS_FOR_SNAPSHOT: usize = 0x10a78;

/// V8's `Genesis`, which makes a context, as far as its functions for features look at it.
#[repr(C)]
struct Genesis {
    isolate: *mut c_void,
    result: *const c_void,
    context: *const c_void,
    proxy: *const c_void,
    thrower: *const c_void,
    bootstrapper: *const c_void,
}

unsafe extern "C" {
    #[link_name = "_ZN2v88internal7Genesis28InitializeExperimentalGlobalEv"]
    fn install_features(genesis: *mut Genesis);
    #[link_name = "_ZN2v88internal7Genesis33InitializeGlobal_harmony_temporalEv"]
    fn install_temporal(genesis: *mut Genesis);
    /// What flags ask for, such as `gc`.
    #[link_name = "_ZN2v88internal7Genesis17InstallExtensionsEPNS0_7IsolateENS0_12DirectHandleINS0_7ContextEEEPNS_22ExtensionConfigurationE"]
    fn install_extensions(isolate: *mut c_void, context: *const c_void, names: *const Names) -> bool;
    /// `WebAssembly` and `Error.stackTraceLimit`.
    #[link_name = "_ZN2v88internal7Genesis21InstallSpecialObjectsEPNS0_7IsolateENS0_12DirectHandleINS0_13NativeContextEEE"]
    fn install_special_objects(isolate: *mut c_void, context: *const c_void) -> bool;
}

/// V8's `ExtensionConfiguration`: the names of what else is to be installed.
#[repr(C)]
struct Names {
    count: usize,
    names: *const *const c_char,
}

impl Genesis {
    fn of(isolate: *mut c_void, context: Local<Context>) -> Genesis {
        let context = handle(context);
        Genesis {
            isolate,
            result: context,
            context,
            proxy: std::ptr::null(),
            thrower: std::ptr::null(),
            bootstrapper: std::ptr::null(),
        }
    }
}

/// What V8 takes for a handle of the context.
fn handle(context: Local<Context>) -> *const c_void {
    (&raw const *context).cast()
}

fn address(isolate: &Isolate) -> *mut c_void {
    // SAFETY: the pointer is used only while the isolate is there, and a raw pointer is all that it has in it.
    unsafe { std::mem::transmute::<v8::UnsafeRawIsolatePtr, *mut c_void>(isolate.as_raw_isolate_ptr()) }
}

/// The byte that says whether `isolate` is there for a snapshot.
fn flag(isolate: &Isolate) -> *mut bool {
    // SAFETY: V8's isolate is longer than this.
    unsafe { address(isolate).byte_add(IS_FOR_SNAPSHOT).cast() }
}

/// Installs the features in `context`, of an isolate for a snapshot, before anything else happens in it.
pub fn install(scope: &mut PinScope, context: Local<Context>) {
    let isolate: &Isolate = scope;
    // SAFETY: the byte is V8's, and so is its value, which no Rust code has a reference to.
    assert!(unsafe { flag(isolate).cast::<u8>().read() } == 1, "V8's isolate is not laid out as expected");
    v8::V8::set_flags_from_string("--no-harmony-temporal");
    // SAFETY: V8 would call the function right after it made the context, with no more in its hands than this.
    unsafe { install_features(&mut Genesis::of(address(isolate), context)) };
    v8::V8::set_flags_from_string("--harmony-temporal");
}

/// Makes a context from a snapshot for which [`install`] was called.
pub fn restore<'s>(
    scope: &mut PinScope<'s, '_, ()>,
    restore: impl FnOnce(&mut PinScope<'s, '_, ()>) -> Option<Local<'s, Context>>,
) -> Option<Local<'s, Context>> {
    let flag = flag(scope);
    // SAFETY: see `install`. This isolate is no other thread's, and the context is made by this one.
    unsafe { flag.write(true) };
    let context = restore(scope);
    // SAFETY: as above.
    unsafe { flag.write(false) };
    context
}

/// Installs what no snapshot can have in `context`, which [`restore`] has made and which has been entered.
pub fn install_rest(scope: &mut PinScope, context: Local<Context>) {
    let isolate = address(scope);
    let none = Names { count: 0, names: std::ptr::null() };
    // SAFETY: as in `install`; V8 calls the others when it has made the context, with the context entered.
    unsafe {
        install_temporal(&mut Genesis::of(isolate, context));
        install_extensions(isolate, handle(context), &raw const none);
        install_special_objects(isolate, handle(context));
    }
}
