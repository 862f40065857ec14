//! The part of `llhttp.h` that is used. Compare with it when the version in `build.rs` changes.

use std::ffi::{c_char, c_int, c_void};

/// `llhttp_t`
#[repr(C)]
pub struct Raw {
    pub index: i32,
    pub span_start: *mut c_void,
    pub span_callback: *mut c_void,
    pub error: i32,
    pub reason: *const c_char,
    pub error_position: *const c_char,
    pub data: *mut c_void,
    pub current: *mut c_void,
    pub content_length: u64,
    pub kind: u8,
    pub method: u8,
    pub http_major: u8,
    pub http_minor: u8,
    pub header_state: u8,
    pub lenient_flags: u16,
    pub upgrade: u8,
    pub finish: u8,
    pub flags: u16,
    pub status_code: u16,
    pub initial_message_completed: u8,
    pub settings: *mut c_void,
}

/// `llhttp_cb`
pub type Callback = unsafe extern "C" fn(*mut Raw) -> c_int;
/// `llhttp_data_cb`
pub type DataCallback = unsafe extern "C" fn(*mut Raw, *const c_char, usize) -> c_int;

/// `llhttp_settings_t`
#[repr(C)]
#[derive(Default)]
pub struct Settings {
    pub on_message_begin: Option<Callback>,
    pub on_protocol: Option<DataCallback>,
    pub on_url: Option<DataCallback>,
    pub on_status: Option<DataCallback>,
    pub on_method: Option<DataCallback>,
    pub on_version: Option<DataCallback>,
    pub on_header_field: Option<DataCallback>,
    pub on_header_value: Option<DataCallback>,
    pub on_chunk_extension_name: Option<DataCallback>,
    pub on_chunk_extension_value: Option<DataCallback>,
    pub on_headers_complete: Option<Callback>,
    pub on_body: Option<DataCallback>,
    pub on_message_complete: Option<Callback>,
    pub on_protocol_complete: Option<Callback>,
    pub on_url_complete: Option<Callback>,
    pub on_status_complete: Option<Callback>,
    pub on_method_complete: Option<Callback>,
    pub on_version_complete: Option<Callback>,
    pub on_header_field_complete: Option<Callback>,
    pub on_header_value_complete: Option<Callback>,
    pub on_chunk_extension_name_complete: Option<Callback>,
    pub on_chunk_extension_value_complete: Option<Callback>,
    pub on_chunk_header: Option<Callback>,
    pub on_chunk_complete: Option<Callback>,
    pub on_reset: Option<Callback>,
}

unsafe extern "C" {
    pub fn llhttp_init(parser: *mut Raw, kind: c_int, settings: *const Settings);
    pub fn llhttp_execute(parser: *mut Raw, data: *const c_char, length: usize) -> c_int;
    pub fn llhttp_finish(parser: *mut Raw) -> c_int;
    pub fn llhttp_should_keep_alive(parser: *const Raw) -> c_int;
    pub fn llhttp_pause(parser: *mut Raw);
    pub fn llhttp_resume(parser: *mut Raw);
    pub fn llhttp_resume_after_upgrade(parser: *mut Raw);
    pub fn llhttp_errno_name(error: c_int) -> *const c_char;
}
