//! `internalBinding('process_methods')`: what `process` does.

mod addon;
mod env;
mod object;
mod usage;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use v8::{FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use super::process_wrap::{c_text, c_texts};
use super::util::env_file;
use crate::errors::{self, Failure, Kind};
use crate::realm::Realm;
use crate::uv::process;
use crate::{js, uv, vfs};

pub use env::{env_proxy, is_env};
pub use object::executable;
pub use usage::fill;

crate::room! {
    name: "process_methods",
    functions: {
        trap "hrtime" => usage::hrtime as usage::HRTIME_FAST,
        trap "hrtimeBigInt" => usage::hrtime_big_int as usage::HRTIME_BIG_INT_FAST,
        trap "_debugProcess" => debug_process,
        pure "_debugEnd" => nothing,
        trap "abort" => abort,
        trap "causeSegfault" => cause_segfault,
        trap "chdir" => chdir,
        trap "cwd" => cwd,
        trap "umask" => umask,
        trap "memoryUsage" => usage::memory_usage,
        trap "rss" => usage::rss,
        trap "constrainedMemory" => usage::constrained_memory,
        trap "availableMemory" => usage::available_memory,
        trap "cpuUsage" => usage::cpu_usage,
        trap "threadCpuUsage" => usage::thread_cpu_usage,
        trap "resourceUsage" => usage::resource_usage,
        trap "uptime" => usage::uptime,
        trap "_getActiveRequests" => usage::active_requests,
        trap "_getActiveHandles" => usage::active_handles,
        trap "getActiveResourcesInfo" => usage::active_resources,
        trap "_kill" => kill,
        trap "_rawDebug" => raw_debug,
        trap "dlopen" => dlopen,
        trap "dlopenBinary" => dlopen,
        trap "reallyExit" => really_exit,
        trap "execve" => execve,
        trap "patchProcessObject" => object::patch,
        trap "loadEnvFile" => load_env_file,
        pure "setEmitWarningSync" => set_emit_warning_sync,
    },
    references: references,
    setup: setup,
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

/// The slot of the function that emits a warning at once.
pub const EMIT_WARNING_SYNC: &str = "process_methods.emitWarningSync";

fn references() -> Vec<v8::ExternalReference> {
    [env::references(), object::references()].concat()
}

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    let buffer = usage::HRTIME.create(scope, 3);
    js::set(scope, target, "hrtimeBuffer", buffer);
}

fn nothing<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, _: Return<'s>) {}

fn set_emit_warning_sync<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    Realm::current().set_slot(scope, EMIT_WARNING_SYNC, args.get(0));
}

/// Asks another process of this kind to start its debugger.
fn debug_process<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if args.length() < 1 {
        let message = "Invalid number of arguments.";
        return errors::throw_code(scope, Kind::Error, "ERR_MISSING_ARGS", message);
    }
    let pid = args.get(0).int32_value(scope).unwrap_or_default();
    let result = process::kill(pid, libc::SIGUSR1);
    if result < 0 {
        errors::throw_errno(scope, -result, "kill", None);
    }
}

fn abort<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, _: Return<'s>) {
    process::reset_stdio();
    std::process::abort();
}

fn cause_segfault<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, _: Return<'s>) {
    process::kill(std::process::id() as i32, libc::SIGSEGV);
}

fn cwd<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    let errno = match vfs::current_dir() {
        Ok(path) => {
            if let Some(path) = crate::text::utf8(scope, path.as_bytes()) {
                rv.set(path.into());
            }
            return;
        }
        Err(errno) => errno,
    };
    let error = errors::uv_exception(scope, Failure { errno, syscall: "uv_cwd", ..Failure::default() });
    if let Ok(error) = Local::<Object>::try_from(error) {
        let (code, reason) = (uv::error_name(errno), uv::error_message(errno));
        let hint = match errno {
            ENOENT => ", the current working directory was likely removed without changing the working directory",
            _ => "",
        };
        let message = format!("{code}: process.cwd failed with error {reason}{hint}, uv_cwd");
        let message = js::string(scope, &message);
        js::set(scope, error, "message", message);
    }
    scope.throw_exception(error);
}

const ENOENT: i32 = -libc::ENOENT;

fn chdir<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let dest = args.get(0).to_rust_string_lossy(scope);
    if let Err(errno) = vfs::change_dir(OsStr::new(&dest)) {
        let current = vfs::current_dir().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
        let failure = Failure { errno, syscall: "chdir", path: Some(&current), dest: Some(&dest) };
        errors::throw_uv(scope, failure);
    }
}

fn umask<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let old = match args.get(0).is_undefined() {
        true => process::current_umask(),
        false => process::umask(args.get(0).uint32_value(scope).unwrap_or_default()),
    };
    rv.set_uint32(old);
}

fn kill<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let pid = args.get(0).int32_value(scope).unwrap_or_default();
    let signal = args.get(1).int32_value(scope).unwrap_or_default();
    rv.set_int32(process::kill(pid, signal));
}

fn raw_debug<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let text = args.get(0).to_rust_string_lossy(scope);
    super::errors::print(&format!("{text}\n"));
}

/// `dlopen(module, path, flags)`. Native addons can't be loaded: the executable is static and has no interface for them.
fn dlopen<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    if args.length() < 2 {
        let message = "process.dlopen needs at least 2 arguments";
        return errors::throw_code(scope, Kind::TypeError, "ERR_MISSING_ARGS", message);
    }
    if args.get(2).int32_value(scope).is_none() {
        let message = "flag argument must be an integer.";
        return errors::throw_code(scope, Kind::TypeError, "ERR_INVALID_ARG_TYPE", message);
    }
    let exports = js::name(scope, "exports");
    let exports = args.get(0).to_object(scope).and_then(|module| module.get(scope, exports.into()));
    if exports.and_then(|exports| exports.to_object(scope)).is_none() {
        // Neither null nor undefined has properties: an exception is on its way, but from `to_object` there is none.
        let message = js::string(scope, "Cannot convert undefined or null to object");
        let error = v8::Exception::type_error(scope, message);
        scope.throw_exception(error);
        return;
    }
    let path = args.get(1).to_rust_string_lossy(scope);
    let why = addon::why_not(path.as_bytes());
    errors::throw_code(scope, Kind::Error, "ERR_DLOPEN_FAILED", &format!("{path}: {why}"));
}

fn really_exit<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let code = args.get(0).int32_value(scope).unwrap_or_default();
    super::errors::trace_exit(scope, code);
    super::errors::exit(code);
}

/// `execve(path, args, env)`: throws if it comes back.
fn execve<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let mut file = c_text(scope, args.get(0));
    vfs::copied(&mut file);
    let arguments = c_texts(scope, args.get(1)).unwrap_or_default();
    let environment = c_texts(scope, args.get(2)).unwrap_or_default();
    process::reset_stdio();
    let errno = process::execute(&file, &arguments, &environment);
    errors::throw_errno(scope, errno, "execve", Some(&file.to_string_lossy()));
}

/// `loadEnvFile(path)`: variables that are set already keep their values.
fn load_env_file<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    let path = match args.length() {
        0 => ".env".to_owned(),
        _ => args.get(0).to_rust_string_lossy(scope),
    };
    let contents = match std::fs::read(&path) {
        Ok(contents) => contents,
        Err(error) if error.kind() == std::io::ErrorKind::IsADirectory => {
            let message = format!("Contents of '{path}' should be a valid string.");
            return errors::throw_code(scope, Kind::TypeError, "ERR_INVALID_ARG_TYPE", &message);
        }
        // Node does not look at why it can't be read.
        Err(_) => {
            let failure = Failure { errno: ENOENT, syscall: "open", path: Some(&path), dest: None };
            return errors::throw_uv(scope, failure);
        }
    };
    let environment = &Realm::current().thread.environment;
    for (name, value) in env_file::parse(&String::from_utf8_lossy(&contents)) {
        if environment.get(name.as_bytes()).is_none() {
            environment.set(name.as_bytes(), value.as_bytes());
        }
    }
}
