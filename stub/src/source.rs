//! Module texts as external strings: V8 reads them where they lie, in the mapped executable.
//!
//! A snapshot stores such a string as an index into the table of external references. When it is
//! restored, the slot of the table points to a resource of the same text somewhere else.

use std::ffi::c_void;
use std::sync::OnceLock;

/// Which of `sources` is at `resource`.
pub fn position(sources: &[Source], resource: *const c_void) -> Option<usize> {
    let offset = (resource as usize).checked_sub(sources.as_ptr() as usize)?;
    let position = offset / size_of::<Source>();
    (position < sources.len()).then_some(position)
}

/// A string resource with the memory layout of V8's `v8::String::ExternalOneByteStringResource` and
/// `ExternalStringResource`, which differ only in what `data` points to.
///
/// The `v8` crate has such a type for ASCII alone (`OneByteConst`).
#[repr(C)]
pub struct Source {
    vtable: *const Method,
    data: *const u8,
    /// In code units.
    length: usize,
    wide: bool,
    /// Where `data` comes from when it is first wanted, if it is not there from the beginning.
    unpack: Option<Unpack>,
    unpacked: OnceLock<&'static [u8]>,
}

/// Makes the text of a source that was kept in another form.
pub type Unpack = Box<dyn Fn() -> &'static [u8] + Send + Sync>;

// SAFETY: the vtable and the text are immutable and live for ever.
unsafe impl Send for Source {}
unsafe impl Sync for Source {}

type Method = unsafe extern "C" fn(*const Source);

/// The Itanium C++ ABI's vtable: what the object points to is the first destructor, behind the
/// offset to the top and the type information (V8 is built without).
#[repr(C)]
struct Vtable {
    offset_to_top: isize,
    type_info: *const c_void,
    destructors: [Method; 2],
    is_cacheable: unsafe extern "C" fn(*const Source) -> bool,
    unaccount: unsafe extern "C" fn(*const Source, *mut c_void),
    estimate_memory_usage: unsafe extern "C" fn(*const Source) -> usize,
    estimate_shared_memory_usage: unsafe extern "C" fn(*const Source, *mut c_void),
    dispose: Method,
    lock: Method,
    unlock: Method,
    data: unsafe extern "C" fn(*const Source) -> *const u8,
    length: unsafe extern "C" fn(*const Source) -> usize,
}

// SAFETY: nothing in it changes.
unsafe impl Sync for Vtable {}

unsafe extern "C" fn nothing(_: *const Source) {}
unsafe extern "C" fn nothing_with(_: *const Source, _: *mut c_void) {}
unsafe extern "C" fn yes(_: *const Source) -> bool {
    true
}
unsafe extern "C" fn no(_: *const Source) -> bool {
    false
}
unsafe extern "C" fn default_estimate(_: *const Source) -> usize {
    usize::MAX
}
unsafe extern "C" fn data(this: *const Source) -> *const u8 {
    // SAFETY: V8 passes the resource that it was given, which lives for ever.
    unsafe { &*this }.bytes().as_ptr()
}
unsafe extern "C" fn length(this: *const Source) -> usize {
    // SAFETY: as in `data`.
    unsafe { (*this).length }
}

const fn vtable(is_cacheable: unsafe extern "C" fn(*const Source) -> bool) -> Vtable {
    Vtable {
        offset_to_top: 0,
        type_info: std::ptr::null(),
        destructors: [nothing, nothing],
        is_cacheable,
        unaccount: nothing_with,
        estimate_memory_usage: default_estimate,
        estimate_shared_memory_usage: nothing_with,
        dispose: nothing,
        lock: nothing,
        unlock: nothing,
        data,
        length,
    }
}

/// V8 remembers where the text of such a source is.
static READY: Vtable = vtable(yes);
/// V8 asks for the text each time, so it need not be there before it is used.
static LAZY: Vtable = vtable(no);

// V8 sees a `Source` only as far as the vtable leads.
#[allow(improper_ctypes)]
unsafe extern "C" {
    // `v8::String::NewExternalOneByte(Isolate*, ExternalOneByteStringResource*)` and its two-byte
    // sister: the crate exposes them only for resources of its own.
    #[link_name = "_ZN2v86String18NewExternalOneByteEPNS_7IsolateEPNS0_29ExternalOneByteStringResourceE"]
    fn new_external_one_byte(isolate: *mut c_void, resource: *const Source) -> *const v8::String;
    #[link_name = "_ZN2v86String18NewExternalTwoByteEPNS_7IsolateEPNS0_22ExternalStringResourceE"]
    fn new_external_two_byte(isolate: *mut c_void, resource: *const Source) -> *const v8::String;
}

impl Source {
    /// Whether the text begins with a byte order mark.
    pub fn begins_with_mark(&self) -> bool {
        self.wide && self.bytes().starts_with(&0xfeff_u16.to_ne_bytes())
    }

    /// A source over Latin-1 (`wide` false) or UTF-16 in native byte order (`wide` true).
    pub fn new(bytes: &'static [u8], wide: bool) -> Self {
        let length = if wide { bytes.len() / 2 } else { bytes.len() };
        debug_assert!(!wide || bytes.as_ptr().cast::<u16>().is_aligned());
        let (vtable, data) = (&raw const READY.destructors[0], bytes.as_ptr());
        Source { vtable, data, length, wide, unpack: None, unpacked: OnceLock::new() }
    }

    /// A source whose text, `length` code units, is made by `unpack` when V8 first reads it.
    pub fn lazy(length: usize, wide: bool, unpack: Unpack) -> Self {
        let (vtable, data) = (&raw const LAZY.destructors[0], std::ptr::null());
        Source { vtable, data, length, wide, unpack: Some(unpack), unpacked: OnceLock::new() }
    }

    fn bytes(&self) -> &'static [u8] {
        match &self.unpack {
            Some(unpack) => self.unpacked.get_or_init(unpack),
            // SAFETY: `new` took them from such a slice.
            None => unsafe { std::slice::from_raw_parts(self.data, self.length << usize::from(self.wide)) },
        }
    }

    /// A source over UTF-16 code units.
    pub fn wide(units: &'static [u16]) -> Self {
        // SAFETY: the same memory, seen as bytes.
        let bytes = unsafe { std::slice::from_raw_parts(units.as_ptr().cast(), 2 * units.len()) };
        Source::new(bytes, true)
    }

    /// What an external reference holds for this source.
    pub fn reference(&'static self) -> v8::ExternalReference {
        v8::ExternalReference { pointer: (&raw const *self).cast_mut().cast() }
    }

    /// The text as a JavaScript string that copies nothing.
    pub fn string<'s>(&'static self, scope: &v8::PinScope<'s, '_>) -> v8::Local<'s, v8::String> {
        if self.length == 0 {
            return v8::String::empty(scope);
        }
        // SAFETY: the isolate is the scope's own; the resource lives for ever, so V8 may keep it, and
        // has the layout that V8 expects. The handle belongs to the scope's handle scope.
        unsafe {
            let isolate = scope.as_raw_isolate_ptr();
            let isolate: *mut c_void = std::mem::transmute(isolate);
            let string = match self.wide {
                true => new_external_two_byte(isolate, self),
                false => new_external_one_byte(isolate, self),
            };
            // A `Local` is a pointer to the handle's slot, null where there is none.
            let string: Option<v8::Local<'s, v8::String>> = std::mem::transmute(string);
            string.unwrap_or_else(|| v8::String::empty(scope))
        }
    }
}
