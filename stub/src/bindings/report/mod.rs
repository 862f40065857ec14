//! `internalBinding('report')`: the diagnostic report of `process.report`.

mod document;

pub use document::file_name;

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use v8::{FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use super::errors;
use crate::js;
use crate::realm::Realm;

crate::room! {
    name: "report",
    functions: {
        trap "writeReport" => js_write_report,
        trap "getReport" => get_report,
        pure "getCompact" => get_compact,
        pure "setCompact" => set_compact,
        pure "getExcludeNetwork" => get_exclude_network,
        pure "setExcludeNetwork" => set_exclude_network,
        pure "getExcludeEnv" => get_exclude_env,
        pure "setExcludeEnv" => set_exclude_env,
        pure "getDirectory" => get_directory,
        pure "setDirectory" => set_directory,
        pure "getFilename" => get_filename,
        pure "setFilename" => set_filename,
        pure "getSignal" => get_signal,
        pure "setSignal" => set_signal,
        pure "shouldReportOnFatalError" => should_report_on_fatal_error,
        pure "setReportOnFatalError" => set_report_on_fatal_error,
        pure "shouldReportOnSignal" => should_report_on_signal,
        pure "setReportOnSignal" => set_report_on_signal,
        pure "shouldReportOnUncaughtException" => should_report_on_uncaught_exception,
        pure "setReportOnUncaughtException" => set_report_on_uncaught_exception,
    },
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

/// A setting and its value where the program has not set it.
#[derive(Clone, Copy)]
enum Setting {
    Compact,
    ExcludeNetwork,
    ExcludeEnv,
    Directory,
    Filename,
    Signal,
    OnFatalError,
    OnSignal,
    OnUncaughtException,
}

impl Setting {
    fn slot(self) -> &'static str {
        match self {
            Setting::Compact => "report.compact",
            Setting::ExcludeNetwork => "report.excludeNetwork",
            Setting::ExcludeEnv => "report.excludeEnv",
            Setting::Directory => "report.directory",
            Setting::Filename => "report.filename",
            Setting::Signal => "report.signal",
            Setting::OnFatalError => "report.onFatalError",
            Setting::OnSignal => "report.onSignal",
            Setting::OnUncaughtException => "report.onUncaughtException",
        }
    }

    fn get<'s>(self, scope: &PinScope<'s, '_>) -> Local<'s, Value> {
        Realm::current().slot(scope, self.slot()).unwrap_or_else(|| match self {
            Setting::Directory | Setting::Filename => js::string(scope, "").into(),
            Setting::Signal => js::string(scope, "SIGUSR2").into(),
            _ => js::boolean(scope, false),
        })
    }

    fn is_on(self, scope: &PinScope) -> bool {
        self.get(scope).is_true()
    }

    fn text(self, scope: &PinScope) -> String {
        self.get(scope).to_rust_string_lossy(scope)
    }
}

macro_rules! accessors {
    ($($setting:ident: $get:ident, $set:ident;)*) => {
        $(
            fn $get<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
                rv.set(Setting::$setting.get(scope));
            }

            fn $set<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
                Realm::current().set_slot(scope, Setting::$setting.slot(), args.get(0));
            }
        )*
    };
}

accessors! {
    Compact: get_compact, set_compact;
    ExcludeNetwork: get_exclude_network, set_exclude_network;
    ExcludeEnv: get_exclude_env, set_exclude_env;
    Directory: get_directory, set_directory;
    Filename: get_filename, set_filename;
    Signal: get_signal, set_signal;
    OnFatalError: should_report_on_fatal_error, set_report_on_fatal_error;
    OnSignal: should_report_on_signal, set_report_on_signal;
    OnUncaughtException: should_report_on_uncaught_exception, set_report_on_uncaught_exception;
}

/// `getReport(error)`: the report as JSON.
fn get_report<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let cause = document::Cause { event: "JavaScript API", trigger: "GetReport", error: args.get(0).try_into().ok() };
    let null = js::null(scope);
    if let Some(text) = document::make(scope, &cause, null, true) {
        rv.set(text.into());
    }
}

/// `writeReport(event, trigger, filename, error)`: writes the report to a file and returns its name.
fn js_write_report<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let event = args.get(0).to_rust_string_lossy(scope);
    let trigger = args.get(1).to_rust_string_lossy(scope);
    let filename = args.get(2).is_string().then(|| args.get(2).to_rust_string_lossy(scope));
    let cause = document::Cause { event: &event, trigger: &trigger, error: args.get(3).try_into().ok() };
    let name = write_report(scope, &cause, filename);
    rv.set(js::string(scope, &name).into());
}

/// Writes the report of an exception that ends the process, if the program asked for one.
pub fn on_uncaught<'s>(scope: &mut PinScope<'s, '_>, message: &str, error: Option<Local<'s, Object>>) {
    if Setting::OnUncaughtException.is_on(scope) {
        write_report(scope, &document::Cause { event: message, trigger: "Exception", error }, None);
    }
}

fn write_report<'s>(scope: &mut PinScope<'s, '_>, cause: &document::Cause<'_, 's>, filename: Option<String>) -> String {
    let set = Some(Setting::Filename.text(scope)).filter(|name| !name.is_empty());
    let name = filename.or(set).unwrap_or_else(|| document::file_name(scope, "report", "json"));
    let value = js::string(scope, &name);
    let compact = Setting::Compact.is_on(scope);
    let Some(text) = document::make(scope, cause, value.into(), compact) else { return String::new() };
    let text = text.to_rust_string_lossy(scope) + "\n";
    match name.as_str() {
        "stdout" => {
            let _ = std::io::stdout().write_all(text.as_bytes());
        }
        "stderr" => errors::print(&text),
        _ => {
            let directory = Setting::Directory.text(scope);
            let path = Path::new(&directory).join(&name);
            match File::create(&path).and_then(|mut file| file.write_all(text.as_bytes())) {
                Ok(()) => {
                    errors::print(&format!("\nWriting Node.js report to file: {name}\nNode.js report completed\n"));
                }
                Err(error) => {
                    let place = if directory.is_empty() { String::new() } else { format!(" directory: {directory}") };
                    let number = error.raw_os_error().unwrap_or_default();
                    errors::print(&format!("\nFailed to open Node.js report file: {name}{place} (errno: {number})\n"));
                    return String::new();
                }
            }
        }
    }
    name
}
