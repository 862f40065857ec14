//! Node's bindings, one room each, named as `internalBinding` names them.

pub mod async_context_frame;
pub mod async_wrap;
pub mod blob;
pub mod block_list;
pub mod buffer;
pub mod builtins;
pub mod cares_wrap;
pub mod cjs_lexer;
pub mod config;
pub mod constants;
pub mod contextify;
pub mod credentials;
pub mod crypto;
pub mod diagnostics_channel;
pub mod encoding_binding;
pub mod errors;
pub mod fs;
pub mod fs_dir;
pub mod fs_event_wrap;
pub mod heap_utils;
pub mod http2;
pub mod http_parser;
pub mod icu;
pub mod inspector;
pub mod internal_only_v8;
pub mod ipc_serdes;
pub mod js_stream;
pub mod locks;
pub mod messaging;
pub mod mksnapshot;
pub mod module_wrap;
pub mod modules;
pub mod options;
pub mod os;
pub mod performance;
pub mod permission;
pub mod pipe_wrap;
pub mod process_methods;
pub mod process_wrap;
pub mod profiler;
pub mod profiling;
pub mod report;
pub mod sea;
pub mod serdes;
pub mod signal_wrap;
pub mod spawn_sync;
pub mod stream_wrap;
pub mod string_decoder;
pub mod symbols;
pub mod task_queue;
pub mod tcp_wrap;
pub mod timers;
pub mod tls_wrap;
pub mod trace_events;
pub mod tty_wrap;
pub mod types;
pub mod udp_wrap;
pub mod url;
pub mod url_pattern;
pub mod util;
pub mod uv;
pub mod v8;
pub mod wasm_web_api;
pub mod webstorage;
pub mod worker;
pub mod zlib;

use crate::binding::Room;

/// All rooms, in the order of the table of external references.
pub static ROOMS: &[&Room] = &[
    &async_context_frame::ROOM,
    &async_wrap::ROOM,
    &blob::ROOM,
    &block_list::ROOM,
    &buffer::ROOM,
    &builtins::ROOM,
    &cares_wrap::ROOM,
    &cjs_lexer::ROOM,
    &config::ROOM,
    &constants::ROOM,
    &contextify::ROOM,
    &credentials::ROOM,
    &crypto::ROOM,
    &diagnostics_channel::ROOM,
    &encoding_binding::ROOM,
    &errors::ROOM,
    &fs::ROOM,
    &fs_dir::ROOM,
    &fs_event_wrap::ROOM,
    &heap_utils::ROOM,
    &http2::ROOM,
    &http_parser::ROOM,
    &icu::ROOM,
    &inspector::ROOM,
    &internal_only_v8::ROOM,
    &ipc_serdes::ROOM,
    &js_stream::ROOM,
    &locks::ROOM,
    &messaging::ROOM,
    &mksnapshot::ROOM,
    &module_wrap::ROOM,
    &modules::ROOM,
    &options::ROOM,
    &os::ROOM,
    &performance::ROOM,
    &permission::ROOM,
    &pipe_wrap::ROOM,
    &process_methods::ROOM,
    &process_wrap::ROOM,
    &profiler::ROOM,
    &report::ROOM,
    &sea::ROOM,
    &serdes::ROOM,
    &signal_wrap::ROOM,
    &spawn_sync::ROOM,
    &stream_wrap::ROOM,
    &string_decoder::ROOM,
    &symbols::ROOM,
    &task_queue::ROOM,
    &tcp_wrap::ROOM,
    &timers::ROOM,
    &tls_wrap::ROOM,
    &trace_events::ROOM,
    &tty_wrap::ROOM,
    &types::ROOM,
    &udp_wrap::ROOM,
    &url::ROOM,
    &url_pattern::ROOM,
    &util::ROOM,
    &uv::ROOM,
    &v8::ROOM,
    &wasm_web_api::ROOM,
    &webstorage::ROOM,
    &worker::ROOM,
    &zlib::ROOM,
];
