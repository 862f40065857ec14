//! `internalBinding('fs')`: files and folders, on the disk and inside of the executable.
//!
//! Most functions take a request as their last argument, which says how they answer; see [`request`]. Functions are
//! declared pure where they check themselves, for each call, that it is about an embedded file, and are traps otherwise.

pub mod args;
mod calls;
mod cp;
mod data;
mod descriptors;
pub mod file_handle;
mod jobs;
mod lookup;
pub mod output;
mod recursive;
pub mod request;
mod stat_watcher;
mod stats;

use std::ffi::CString;

use v8::{Local, Object, PinScope};

use crate::{facts, js, vfs};

pub use descriptors::close_all;
pub use file_handle::TRAVELLER;

crate::room! {
    name: "fs",
    functions: {
        pure "getFormatOfExtensionlessFile" => lookup::format_of_extensionless,
        pure "access" => calls::access,
        pure "close" => calls::close,
        pure "existsSync" => calls::exists,
        pure "open" => calls::open,
        trap "openFileHandle" => file_handle::open,
        pure "read" => data::read,
        pure "readFileUtf8" => data::read_file_utf8,
        trap "readBuffers" => data::read_buffers,
        pure "fdatasync" => calls::fdatasync,
        pure "fsync" => calls::fsync,
        pure "rename" => calls::rename,
        pure "ftruncate" => calls::ftruncate,
        pure "rmdir" => calls::rmdir,
        trap "rmSync" => recursive::rm,
        pure "mkdir" => recursive::mkdir,
        pure "readdir" => calls::readdir,
        pure "readdirRecursive" => recursive::readdir,
        pure "internalModuleStat" => lookup::internal_module_stat,
        pure "stat" => calls::stat,
        pure "lstat" => calls::lstat,
        pure "fstat" => calls::fstat,
        pure "statfs" => calls::statfs,
        pure "link" => calls::link,
        pure "symlink" => calls::symlink,
        pure "readlink" => calls::readlink,
        pure "unlink" => calls::unlink,
        trap "writeBuffer" => data::write_buffer,
        trap "writeBuffers" => data::write_buffers,
        trap "writeString" => data::write_string,
        trap "writeFileUtf8" => data::write_file_utf8,
        pure "realpath" => calls::realpath,
        pure "copyFile" => calls::copy_file,
        pure "chmod" => calls::chmod,
        pure "fchmod" => calls::fchmod,
        pure "chown" => calls::chown,
        pure "fchown" => calls::fchown,
        pure "lchown" => calls::lchown,
        pure "utimes" => calls::utimes,
        pure "futimes" => calls::futimes,
        pure "lutimes" => calls::lutimes,
        pure "mkdtemp" => calls::mkdtemp,
        trap "cpSyncCheckPaths" => cp::check_paths,
        trap "cpSyncOverrideFile" => cp::override_file,
        trap "cpSyncCopyDir" => cp::copy_dir,
        pure "legacyMainResolve" => lookup::legacy_main_resolve,
    },
    classes: {
        "FSReqCallback" extends "AsyncWrap" {
            trap new => request::new_request,
            pure "cancel" => request::cancel,
        },
        #[hidden] "FSReqPromise" extends "AsyncWrap" {
            trap new => request::new_promise_request,
        },
        "FileHandle" extends "AsyncWrap" {
            trap new => file_handle::new,
            trap "close" => file_handle::close,
            trap "closeSync" => file_handle::close_sync,
            pure "releaseFD" => file_handle::release,
        } get {
            "fd" => file_handle::fd;
        },
        #[hidden] "FileHandleCloseReq" extends "AsyncWrap" {
            trap new => file_handle::new_close_request,
        },
        "ReadFileJob" extends "AsyncWrap" {
            pure new => jobs::new_read,
            pure "run" => jobs::run_read,
        },
        "WriteFileJob" extends "AsyncWrap" {
            trap new => jobs::new_write,
            trap "run" => jobs::run_write,
        },
        "CpDirJob" extends "AsyncWrap" {
            trap new => cp::new_job,
            trap "run" => cp::run_job,
        },
        "StatWatcher" extends "HandleWrap" {
            trap new => stat_watcher::new,
            trap "start" => stat_watcher::start,
        },
    },
    setup: setup,
}

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    facts::install(scope, "fs", target);
    stats::setup(scope, target);
    let promises = request::promise_symbol(scope);
    js::set(scope, target, "kUsePromises", promises);
}

/// What to watch for `path`: embedded files never change, and neither does the executable that they are in.
pub fn watched(path: CString) -> CString {
    match vfs::inside(path.as_bytes()) {
        Some(inside) if inside.node.is_ok() => c"/proc/self/exe".to_owned(),
        _ => path,
    }
}
