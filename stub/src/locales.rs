//! V8's lists of the locales that its formatters know. Each is made when the first formatter of its kind is, which takes
//! several milliseconds: all of ICU's data is looked through. Where a rehearsal has seen the program make one when it starts,
//! another thread makes the list while V8 restores the snapshot; V8 itself lets no two threads make the same.

use std::ffi::{CStr, c_char, c_void};
use std::sync::atomic::{AtomicBool, Ordering};

use kiln_payload::ArchivedIndex;

type Make = unsafe extern "C" fn() -> *const c_void;

unsafe extern "C" {
    #[link_name = "_ZN2v88internal10JSCollator19GetAvailableLocalesEv"]
    fn collator() -> *const c_void;
    #[link_name = "_ZN2v88internal11JSSegmenter19GetAvailableLocalesEv"]
    fn segmenter() -> *const c_void;
    #[link_name = "_ZN2v88internal16JSDateTimeFormat19GetAvailableLocalesEv"]
    fn date_time_format() -> *const c_void;
    #[link_name = "_ZN2v88internal20JSRelativeTimeFormat19GetAvailableLocalesEv"]
    fn relative_time_format() -> *const c_void;
    #[link_name = "_ZN2v88internal16JSDurationFormat19GetAvailableLocalesEv"]
    fn duration_format() -> *const c_void;
    #[link_name = "_ZN2v88internal12JSListFormat19GetAvailableLocalesEv"]
    fn list_format() -> *const c_void;
    #[link_name = "_ZN2v88internal14JSDisplayNames19GetAvailableLocalesEv"]
    fn display_names() -> *const c_void;
    #[link_name = "_ZN2v88internal14JSNumberFormat19GetAvailableLocalesEv"]
    fn number_format() -> *const c_void;
}

unsafe extern "C" {
    /// `icu::Locale icu::Locale::createCanonical(const char*)`: the caller has room for the result.
    #[link_name = "__real__ZN6icu_786Locale15createCanonicalEPKc"]
    fn create_canonical(result: *mut c_void, name: *const c_char) -> *mut c_void;
}

/// What V8 calls for that. It does so only to see which locales of its lists have a script, and three quarters of a list's time
/// went into tables which ICU makes for the extension of the single name that has one, `en-US-u-va-posix`.
///
/// # Safety
///
/// As for the function that it stands for.
#[unsafe(export_name = "__wrap__ZN6icu_786Locale15createCanonicalEPKc")]
unsafe extern "C" fn create_without_extension(result: *mut c_void, name: *const c_char) -> *mut c_void {
    // SAFETY: V8 passes a text that ends with a zero.
    let text = unsafe { CStr::from_ptr(name) };
    match text.to_bytes() {
        // SAFETY: the caller's own arguments, but for a shorter name of the same language, script and region.
        b"en-US-u-va-posix" => unsafe { create_canonical(result, c"en-US".as_ptr()) },
        // SAFETY: the caller's own arguments.
        _ => unsafe { create_canonical(result, name) },
    }
}

/// By the names of the formatters.
const LISTS: &[(&str, Make)] = &[
    ("Collator", collator),
    ("DateTimeFormat", date_time_format),
    ("DisplayNames", display_names),
    ("DurationFormat", duration_format),
    ("ListFormat", list_format),
    ("NumberFormat", number_format),
    ("RelativeTimeFormat", relative_time_format),
    ("Segmenter", segmenter),
];

static RUNS: AtomicBool = AtomicBool::new(false);

/// Begins to make the lists that a start needs. V8 has to be initialized.
pub fn prepare(index: &ArchivedIndex) {
    let find = |name: &str| LISTS.iter().find(|(kind, _)| *kind == name).map(|(_, make)| *make);
    let lists: Vec<Make> = index.formatters.iter().filter_map(|name| find(name)).collect();
    if lists.is_empty() {
        return;
    }
    const STACK: usize = 256 << 10;
    RUNS.store(true, Ordering::Relaxed);
    let make = move || {
        for list in lists {
            // SAFETY: the functions take nothing, touch nothing but V8's own list, which they lock, and ICU's data, which
            // is there for good; what they return a reference to lives for ever.
            unsafe { list() };
        }
        RUNS.store(false, Ordering::Relaxed);
    };
    // Should there be no thread, V8 makes the lists when it needs them.
    if std::thread::Builder::new().stack_size(STACK).spawn(make).is_err() {
        RUNS.store(false, Ordering::Relaxed);
    }
}

/// Whether the other thread is still at it: the process then must not take apart what it uses.
pub fn is_preparing() -> bool {
    RUNS.load(Ordering::Relaxed)
}
