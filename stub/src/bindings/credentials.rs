//! `internalBinding('credentials')`: users, groups, and the environment as far as it can be trusted.

use std::cell::Cell;
use std::io;
use std::os::unix::ffi::OsStrExt as _;

use v8::{Array, FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use crate::realm::Realm;
use crate::uv::system::{self, identity};
use crate::{errors, js, text};

crate::room! {
    name: "credentials",
    functions: {
        trap "safeGetenv" => safe_getenv,
        trap "getTempDir" => get_temp_dir,
        trap "getuid" => getuid,
        trap "geteuid" => geteuid,
        trap "getgid" => getgid,
        trap "getegid" => getegid,
        trap "getgroups" => getgroups,
        trap "initgroups" => initgroups,
        trap "setegid" => setegid,
        trap "seteuid" => seteuid,
        trap "setgid" => setgid,
        trap "setuid" => setuid,
        trap "setgroups" => setgroups,
    },
    setup: setup,
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    let yes = js::boolean(scope, true);
    js::set(scope, target, "implementsPosixCredentials", yes);
}

/// A variable, unless the process has rights that who set it has not.
fn trusted(name: &str) -> Option<std::ffi::OsString> {
    if identity::is_privileged() { None } else { Realm::current().thread.environment.get(name.as_bytes()) }
}

/// The variables that say where Node looks for modules that it finds nowhere else.
const MODULE_PATHS: [&str; 2] = ["NODE_PATH", "HOME"];

/// Which of [`MODULE_PATHS`] have been asked for.
#[derive(Default)]
struct Asked([Cell<bool>; MODULE_PATHS.len()]);

/// `safeGetenv(name)`. Only Node's `Module._initPaths` calls it.
///
/// What an executable runs was decided when it was built: its environment must not add modules, which could take the
/// place of optional ones that were left out. So the process's start finds those variables unset. A program that sets
/// `process.env.NODE_PATH` itself and calls `Module._initPaths()` again is heard. What `kiln run` starts is not built yet.
fn safe_getenv<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let name = args.get(0).to_rust_string_lossy(scope);
    let is_built = Realm::current().program.image.index().is_ok_and(|index| !index.in_place);
    if is_built && let Some(place) = MODULE_PATHS.iter().position(|path| *path == name) {
        let asked = Realm::current().room::<Asked>();
        if !asked.0[place].replace(true) {
            return;
        }
    }
    if let Some(value) = trusted(&name).and_then(|value| text::utf8(scope, value.as_bytes())) {
        rv.set(value.into());
    }
}

fn get_temp_dir<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    let set = |name| trusted(name).filter(|value| !value.is_empty());
    let Some(path) = ["TMPDIR", "TMP", "TEMP"].into_iter().find_map(set) else { return };
    let path = path.as_bytes();
    let path = if path.len() > 1 { path.strip_suffix(b"/").unwrap_or(path) } else { path };
    if let Some(path) = text::utf8(scope, path) {
        rv.set(path.into());
    }
}

fn getuid<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_uint32(identity::ids()[0]);
}

fn geteuid<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_uint32(identity::ids()[1]);
}

fn getgid<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_uint32(identity::ids()[2]);
}

fn getegid<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    rv.set_uint32(identity::ids()[3]);
}

/// The supplementary groups, and the effective one if it is not among them.
fn getgroups<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    let mut groups = match identity::groups() {
        Ok(groups) => groups,
        Err(error) => return throw(scope, &error, "getgroups"),
    };
    let effective = identity::ids()[3];
    if !groups.contains(&effective) {
        groups.push(effective);
    }
    let groups: Vec<Local<Value>> = groups.into_iter().map(|id| js::number(scope, id.into())).collect();
    rv.set(Array::new_with_elements(scope, &groups).into());
}

fn throw(scope: &mut PinScope, error: &io::Error, syscall: &str) {
    errors::throw_errno(scope, error.raw_os_error().unwrap_or_default(), syscall, None);
}

/// A user's number, from itself or the name.
fn user_id<'s>(scope: &PinScope<'s, '_>, value: Local<'s, Value>) -> Option<u32> {
    if value.is_uint32() {
        return value.uint32_value(scope);
    }
    let name = value.to_rust_string_lossy(scope);
    system::find_user(|user| user.name.as_bytes() == name.as_bytes()).map(|user| user.uid)
}

/// A group's number, from itself or the name.
fn group_id<'s>(scope: &PinScope<'s, '_>, value: Local<'s, Value>) -> Option<u32> {
    if value.is_uint32() {
        return value.uint32_value(scope);
    }
    let name = value.to_rust_string_lossy(scope);
    system::groups().find(|group| group.name == name.as_bytes()).map(|group| group.gid)
}

/// Node's answer to a name that nobody has.
const UNKNOWN: i32 = 1;

fn change<'s>(
    scope: &mut PinScope<'s, '_>,
    mut rv: Return<'s>,
    id: Option<u32>,
    set: fn(u32) -> io::Result<()>,
    syscall: &str,
) {
    match id.map(set) {
        None => rv.set_int32(UNKNOWN),
        Some(Ok(())) => rv.set_int32(0),
        Some(Err(error)) => throw(scope, &error, syscall),
    }
}

fn setuid<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    let id = user_id(scope, args.get(0));
    change(scope, rv, id, identity::set_uid, "setuid");
}

fn seteuid<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    let id = user_id(scope, args.get(0));
    change(scope, rv, id, identity::set_euid, "seteuid");
}

fn setgid<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    let id = group_id(scope, args.get(0));
    change(scope, rv, id, identity::set_gid, "setgid");
}

fn setegid<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, rv: Return<'s>) {
    let id = group_id(scope, args.get(0));
    change(scope, rv, id, identity::set_egid, "setegid");
}

/// `setgroups(groups)`: gives the place of the first unknown group, counted from 1.
fn setgroups<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Ok(array) = Local::<Array>::try_from(args.get(0)) else { return };
    let mut groups = Vec::new();
    for index in 0..array.length() {
        match array.get_index(scope, index).and_then(|value| group_id(scope, value)) {
            Some(id) => groups.push(id),
            None => return rv.set_uint32(index + 1),
        }
    }
    match identity::set_groups(&groups) {
        Ok(()) => rv.set_int32(0),
        Err(error) => throw(scope, &error, "setgroups"),
    }
}

/// `initgroups(user, group)`: all groups of the user, and one more. Gives 1 for an unknown user, 2 for an
/// unknown group.
fn initgroups<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let user = args.get(0);
    let name = match user.is_uint32() {
        true => {
            let uid = user.uint32_value(scope);
            system::find_user(|each| Some(each.uid) == uid).map(|each| each.name.as_bytes().to_vec())
        }
        false => Some(user.to_rust_string_lossy(scope).into_bytes()),
    };
    let Some(name) = name else { return rv.set_int32(UNKNOWN) };
    let Some(extra) = group_id(scope, args.get(1)) else { return rv.set_int32(2) };
    let mut groups = vec![extra];
    groups.extend(system::groups().filter(|group| group.members.contains(&name)).map(|group| group.gid));
    groups.dedup();
    match identity::set_groups(&groups) {
        Ok(()) => rv.set_int32(0),
        Err(error) => throw(scope, &error, "initgroups"),
    }
}
