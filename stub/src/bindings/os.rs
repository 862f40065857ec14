//! `internalBinding('os')`: the machine and its users.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use v8::{Array, FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use super::buffer::new_buffer;
use super::process_methods::fill;
use crate::text::{self, Encoding};
use crate::uv::environment;
use crate::uv::system::{self, identity};
use crate::{errors, js};

crate::room! {
    name: "os",
    functions: {
        trap "getHostname" => get_hostname,
        trap "getLoadAvg" => get_load_avg,
        trap "getUptime" => get_uptime,
        trap "getTotalMem" => get_total_mem,
        trap "getFreeMem" => get_free_mem,
        trap "getCPUs" => get_cpus,
        trap "getInterfaceAddresses" => get_interface_addresses,
        trap "getHomeDirectory" => get_home_directory,
        trap "getUserInfo" => get_user_info,
        trap "setPriority" => set_priority,
        trap "getPriority" => get_priority,
        trap "getAvailableParallelism" => get_available_parallelism,
        trap "getOSInformation" => get_os_information,
    },
    setup: setup,
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    let big = js::boolean(scope, cfg!(target_endian = "big"));
    js::set(scope, target, "isBigEndian", big);
}

/// Tells a failure in the argument `context`; the result is then `undefined`.
fn fail<'s>(scope: &PinScope<'s, '_>, context: Local<'s, Value>, error: i32, syscall: &str) {
    if let Ok(context) = context.try_into() {
        errors::collect_uv(scope, context, error, syscall);
    }
}

fn text_value<'s>(scope: &PinScope<'s, '_>, text: &OsStr) -> Local<'s, Value> {
    text::utf8(scope, text.as_bytes()).map_or_else(|| js::undefined(scope), Into::into)
}

fn get_hostname<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    match system::hostname() {
        Ok(name) => rv.set(text_value(scope, &name)),
        Err(error) => fail(scope, args.get(0), error, "uv_os_gethostname"),
    }
}

fn get_load_avg<'s>(_: &mut PinScope<'s, '_>, args: Args<'s>, _: Return<'s>) {
    fill(args.get(0), &system::load_average());
}

fn get_uptime<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    match system::uptime() {
        Ok(uptime) => rv.set_double(uptime),
        Err(error) => fail(scope, args.get(0), error, "uv_uptime"),
    }
}

fn get_total_mem<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_double(system::memory::total());
}

fn get_free_mem<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_double(system::memory::free());
}

/// Seven values for each processor.
fn get_cpus<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    let Ok(processors) = system::processors() else { return };
    let mut values: Vec<Local<Value>> = Vec::new();
    for processor in processors {
        values.push(js::string(scope, &processor.model).into());
        values.push(js::integer(scope, processor.speed));
        values.extend(processor.times.map(|time| js::number(scope, time)));
    }
    rv.set(Array::new_with_elements(scope, &values).into());
}

/// Seven values for each address.
fn get_interface_addresses<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let interfaces = match system::interfaces() {
        Ok(interfaces) => interfaces,
        Err(error) => return fail(scope, args.get(0), error, "uv_interface_addresses"),
    };
    let mut values: Vec<Local<Value>> = Vec::new();
    for each in interfaces {
        let mac = each.mac.map(|byte| format!("{byte:02x}")).join(":");
        let family = if each.v6 { "IPv6" } else { "IPv4" };
        for text in [&each.name, &each.address, &each.netmask, family, &mac] {
            values.push(js::string(scope, text).into());
        }
        values.push(js::boolean(scope, each.internal));
        values.push(js::number(scope, each.scope.map_or(-1.0, f64::from)));
    }
    rv.set(Array::new_with_elements(scope, &values).into());
}

fn get_home_directory<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    if let Some(home) = environment::get(b"HOME") {
        return rv.set(text_value(scope, &home));
    }
    let uid = identity::ids()[0];
    match system::find_user(|user| user.uid == uid) {
        Some(user) => rv.set(text_value(scope, &user.home)),
        None => fail(scope, args.get(0), -libc::ENOENT, "uv_os_homedir"),
    }
}

/// `getUserInfo(options, context)`
fn get_user_info<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let options = Local::<Object>::try_from(args.get(0)).ok();
    let encoding = match options {
        // A getter may throw.
        Some(options) => match js::get(scope, options, "encoding") {
            Some(encoding) => Encoding::parse(scope, encoding, Encoding::Utf8),
            None => return,
        },
        None => Encoding::Utf8,
    };
    let uid = identity::ids()[1];
    let Some(user) = system::find_user(|user| user.uid == uid) else {
        return fail(scope, args.get(1), -libc::ENOENT, "uv_os_get_passwd");
    };
    let info = Object::new(scope);
    let null = js::null(scope);
    info.set_prototype(scope, null);
    for (name, id) in [("uid", user.uid), ("gid", user.gid)] {
        let id = js::number(scope, id.into());
        js::set(scope, info, name, id);
    }
    for (name, text) in [("username", &user.name), ("homedir", &user.home), ("shell", &user.shell)] {
        let value = match encoding {
            Encoding::Buffer => Some(new_buffer(scope, text.as_bytes().to_vec()).into()),
            encoding => text::encode(scope, text.as_bytes(), encoding),
        };
        let Some(value) = value else { return };
        js::set(scope, info, name, value);
    }
    rv.set(info.into());
}

/// `setPriority(pid, priority, context)`
fn set_priority<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let pid = args.get(0).int32_value(scope).unwrap_or_default();
    let priority = args.get(1).int32_value(scope).unwrap_or_default();
    let result = system::set_priority(pid, priority);
    if result < 0 {
        fail(scope, args.get(2), result, "uv_os_setpriority");
    }
    rv.set_int32(result);
}

/// `getPriority(pid, context)`
fn get_priority<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let pid = args.get(0).int32_value(scope).unwrap_or_default();
    match system::priority(pid) {
        Ok(priority) => rv.set_int32(priority),
        Err(error) => fail(scope, args.get(1), error, "uv_os_getpriority"),
    }
}

fn get_available_parallelism<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_uint32(system::parallelism());
}

fn get_os_information<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    match system::name() {
        Ok(name) => rv.set(js::strings(scope, name).into()),
        Err(error) => fail(scope, args.get(0), error, "uv_os_uname"),
    }
}
