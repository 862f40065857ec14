//! Kiln's runtime: V8, an event loop and the native half of Node's library.
//!
//! `bindings` has one room for each `internalBinding`; everything else here is what the rooms stand
//! on. See ARCHITECTURE.md for the way through.

pub mod aliased;
pub mod binding;
pub mod bindings;
pub mod bootstrap;
pub mod callback;
mod cipher;
pub mod command_line;
pub mod compression;
pub mod errors;
mod exotic;
pub mod facts;
pub mod fast;
mod features;
pub mod icu;
mod imports;
pub mod js;
pub mod library;
pub mod locales;
mod memory;
pub mod pages;
pub mod platform;
pub mod preeval;
mod profiler;
pub mod realm;

mod slots;
pub mod snapshot;
pub mod source;
pub mod start;
pub mod text;
pub mod thread;
pub mod trace;
pub mod train;
pub mod trap;
mod unicode_set;
pub mod uv;
pub mod vfs;
mod weak;
pub mod wrap;
