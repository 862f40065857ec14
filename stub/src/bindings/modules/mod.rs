//! `internalBinding('modules')`: package.json files, and V8's code cache on the disk, which Kiln does not use.

mod package;

use std::rc::Rc;

use ada_url::Url;
use v8::{Array, FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use self::package::{Invalid, Package};
use super::fs::args::path_bytes;
use super::{contextify, url};
use crate::errors::{Kind, throw_code};
use crate::{facts, js, vfs};

crate::room! {
    name: "modules",
    functions: {
        pure "readPackageJSON" => read,
        pure "parsePackageJSON" => parse,
        pure "getNearestParentPackageJSONType" => nearest_type,
        pure "getNearestParentPackageJSON" => nearest,
        pure "getPackageScopeConfig" => scope_config,
        pure "getPackageType" => package_type,
        pure "enableCompileCache" => enable_compile_cache,
        pure "getCompileCacheDir" => nothing,
        pure "flushCompileCache" => nothing,
        pure "getCompileCacheEntry" => compile_cache_entry,
        pure "saveCompileCacheEntry" => nothing,
    },
    setup: setup,
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    facts::install(scope, "modules", target);
}

/// Who asks for a package.json, for the error message.
#[derive(Default)]
struct Asker {
    base: Option<String>,
    specifier: String,
}

impl Asker {
    fn new<'s>(scope: &mut PinScope<'s, '_>, args: &Args<'s>, first: i32) -> Self {
        let mut asker = Asker::default();
        if args.get(first).is_true() {
            let text = |value: Local<Value>| value.is_string().then(|| value.to_rust_string_lossy(scope));
            asker.base = text(args.get(first + 1));
            asker.specifier = text(args.get(first + 2)).unwrap_or_default();
        }
        asker
    }

    fn throw(&self, scope: &mut PinScope, invalid: &Invalid) {
        let base = self.base.as_deref().and_then(|base| url::file_path(&Url::parse(base, None).ok()?).ok());
        let path = &invalid.path;
        let message = match base {
            Some(base) => {
                format!("Invalid package config {path} while importing \"{}\" from {base}.", self.specifier)
            }
            None => format!("Invalid package config {path}."),
        };
        throw_code(scope, Kind::Error, "ERR_INVALID_PACKAGE_CONFIG", &message);
    }
}

impl Package {
    /// `[name, main, type, imports, exports, path]`
    fn tuple<'s>(&self, scope: &mut PinScope<'s, '_>) -> Local<'s, Value> {
        let text = |text: &Option<String>| match text {
            Some(text) => js::string(scope, text).into(),
            None => js::undefined(scope),
        };
        let values = [
            text(&self.name),
            text(&self.main),
            js::name(scope, self.kind).into(),
            text(&self.imports),
            text(&self.exports),
            js::string(scope, &self.path).into(),
        ];
        Array::new_with_elements(scope, &values).into()
    }
}

/// What was found, or nothing once an error has been thrown.
fn found<'s>(
    scope: &mut PinScope<'s, '_>,
    asker: &Asker,
    result: Result<Option<Rc<Package>>, Invalid>,
) -> Option<Rc<Package>> {
    result.unwrap_or_else(|invalid| {
        asker.throw(scope, &invalid);
        None
    })
}

/// `readPackageJSON(path, isESM, base, specifier)`
fn read<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let path = args.get(0).to_rust_string_lossy(scope);
    let asker = Asker::new(scope, &args, 1);
    let result = package::read(scope, &path);
    if let Some(package) = found(scope, &asker, result) {
        rv.set(package.tuple(scope));
    }
}

/// `parsePackageJSON(contents, path, isESM, base, specifier)`
fn parse<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let (contents, path) = (path_bytes(scope, args.get(0)), args.get(1).to_rust_string_lossy(scope));
    let asker = Asker::new(scope, &args, 2);
    let result = package::parse(&contents, &path).map(|package| Some(Rc::new(package)));
    if let Some(package) = found(scope, &asker, result) {
        rv.set(package.tuple(scope));
    }
}

fn nearest_to<'s>(scope: &mut PinScope<'s, '_>, args: &Args<'s>) -> Option<Rc<Package>> {
    let path = args.get(0).to_rust_string_lossy(scope);
    let result = package::nearest(scope, &path);
    found(scope, &Asker::default(), result)
}

/// `getNearestParentPackageJSON(path)`
fn nearest<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    if let Some(package) = nearest_to(scope, &args) {
        rv.set(package.tuple(scope));
    }
}

/// `getNearestParentPackageJSONType(path)`
fn nearest_type<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    if let Some(package) = nearest_to(scope, &args) {
        rv.set(js::name(scope, package.kind).into());
    }
}

/// The package that the module `resolved` belongs to, or where one was looked for last. `None` after an error.
fn scope_of<'s>(scope: &mut PinScope<'s, '_>, resolved: &str) -> Option<Result<Rc<Package>, String>> {
    if Url::parse(resolved, None).is_err() {
        url::throw_invalid(scope, resolved, None);
        return None;
    }
    let Ok(url) = Url::parse("./package.json", Some(resolved)) else {
        url::throw_invalid(scope, "./package.json", Some(resolved));
        return None;
    };
    let Ok(path) = url::file_path(&url) else {
        url::throw_invalid(scope, resolved, None);
        return None;
    };
    let mut folder = path.strip_suffix("/package.json").unwrap_or_default();
    loop {
        let path = format!("{folder}/package.json");
        if folder.ends_with("/node_modules") {
            return Some(Err(path));
        }
        match package::read(scope, &path) {
            Ok(Some(package)) => return Some(Ok(package)),
            Err(invalid) => {
                Asker::default().throw(scope, &invalid);
                return None;
            }
            Ok(None) => match folder.rsplit_once('/') {
                Some((above, _)) => folder = above,
                None => return Some(Err(path)),
            },
        }
    }
}

/// `getPackageScopeConfig(resolved)`
fn scope_config<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let resolved = args.get(0).to_rust_string_lossy(scope);
    match scope_of(scope, &resolved) {
        Some(Ok(package)) => rv.set(package.tuple(scope)),
        Some(Err(path)) => rv.set(js::string(scope, &path).into()),
        None => {}
    }
}

/// `getPackageType(resolved)`
fn package_type<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let resolved = args.get(0).to_rust_string_lossy(scope);
    if let Some(Ok(package)) = scope_of(scope, &resolved) {
        rv.set(js::name(scope, package.kind).into());
    }
}

/// `enableCompileCache()`: the place of `DISABLED` in `compileCacheStatus`.
fn enable_compile_cache<'s>(scope: &mut PinScope<'s, '_>, _: Args<'s>, mut rv: Return<'s>) {
    const DISABLED: i32 = 3;
    let status = js::integer(scope, DISABLED);
    rv.set(Array::new_with_elements(scope, &[status]).into());
}

/// `getCompileCacheEntry(source, filename, type)`: asked for before types are stripped, which was done for what is
/// embedded when the program was built.
fn compile_cache_entry<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let Ok(source) = Local::<v8::String>::try_from(args.get(0)) else { return };
    let name = args.get(1).to_rust_string_lossy(scope);
    let path = match name.starts_with("file:") {
        true => Url::parse(&name, None).ok().and_then(|url| url::file_path(&url).ok()).unwrap_or_default(),
        false => name,
    };
    let file = vfs::inside(path.as_bytes()).and_then(|inside| inside.file().ok());
    let Some(text) = file.and_then(|file| vfs::module_text(scope, file)) else { return };
    if contextify::same_text(text, source) {
        let entry = Object::new(scope);
        js::set(scope, entry, "transpiled", text);
        rv.set(entry.into());
    }
}

fn nothing<'s>(_: &mut PinScope<'s, '_>, _: Args<'s>, _: Return<'s>) {}
