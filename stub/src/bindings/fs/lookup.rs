//! What the module loaders ask of the disk.

use v8::PinScope;

use super::args;
use super::request::{Args, Return};
use crate::bindings::url;
use crate::errors::{Kind, throw_code};
use crate::uv::fs;
use crate::{trap, vfs};

/// `internalModuleStat(path)`: 0 for a file, 1 for a folder, negative for nothing.
pub fn internal_module_stat<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let path = args::path(scope, args.get(0));
    match is_dir(scope, &path, "internalModuleStat") {
        Some(Ok(is_dir)) => rv.set_int32(is_dir.into()),
        Some(Err(errno)) => rv.set_int32(errno),
        None => {}
    }
}

/// `None` when a trap has sprung.
fn is_dir(scope: &mut PinScope, path: &std::ffi::CStr, name: &str) -> Option<Result<bool, i32>> {
    match vfs::inside(path.to_bytes()) {
        Some(inside) => Some(inside.is_dir()),
        None if trap::spring(scope, name) => None,
        None => Some(fs::is_dir(path)),
    }
}

/// `getFormatOfExtensionlessFile(path)`: 1 for WebAssembly, else 0.
pub fn format_of_extensionless<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    const WASM: &[u8] = b"\0asm";
    let path = args::path(scope, args.get(0));
    let is_wasm = match vfs::inside(path.as_bytes()) {
        Some(inside) => inside.file().and_then(vfs::contents).is_ok_and(|bytes| bytes.starts_with(WASM)),
        None if trap::spring(scope, "getFormatOfExtensionlessFile") => return,
        None => {
            let mut start = [0; 4];
            let fd = super::data::open(path, libc::O_RDONLY, 0);
            fd.is_ok_and(|fd| {
                let count = fs::read(fd, &mut start);
                let _ = super::data::close(fd);
                count == Ok(4) && start == *WASM
            })
        }
    };
    rv.set_int32(is_wasm.into());
}

/// What the legacy resolution of a package appends to its `main`.
const WITH_MAIN: [&str; 7] = ["", ".js", ".json", ".node", "/index.js", "/index.json", "/index.node"];
/// What it appends to `index` without one.
const WITHOUT_MAIN: [&str; 3] = [".js", ".json", ".node"];

/// `legacyMainResolve(packagePath, main, base)`: the index of the first name that there is, of both lists together.
pub fn legacy_main_resolve<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let package = args.get(0).to_rust_string_lossy(scope);
    let main = args.get(1).is_string().then(|| resolve(&package, &args.get(1).to_rust_string_lossy(scope)));
    let index = resolve(&package, "./index");
    let with_main = main.iter().flat_map(|main| WITH_MAIN.iter().map(move |end| format!("{main}{end}")));
    let candidates = with_main
        .enumerate()
        .chain(WITHOUT_MAIN.iter().enumerate().map(|(at, end)| (WITH_MAIN.len() + at, format!("{index}{end}"))));
    for (at, candidate) in candidates {
        let path = args::c_string(candidate.into_bytes());
        match is_dir(scope, &path, "legacyMainResolve") {
            Some(Ok(false)) => return rv.set_int32(at as i32),
            Some(_) => {}
            None => return,
        }
    }
    if !args.get(2).is_string() {
        let message = "The \"base\" argument must be of type string or an instance of URL.";
        return throw_code(scope, Kind::TypeError, "ERR_INVALID_ARG_TYPE", message);
    }
    let base = args.get(2).to_rust_string_lossy(scope);
    let Ok(base) = ada_url::Url::parse(&base, None) else {
        return throw_code(scope, Kind::TypeError, "ERR_INVALID_URL", "Invalid URL");
    };
    let base = match url::file_path(&base) {
        Ok(path) => path,
        Err(problem) => return problem.throw(scope),
    };
    let wanted = main.unwrap_or_else(|| format!("{index}.js"));
    let message = format!("Cannot find package '{wanted}' imported from {base}");
    throw_code(scope, Kind::Error, "ERR_MODULE_NOT_FOUND", &message);
}

/// `path.resolve(base, path)`.
pub fn resolve(base: &str, path: &str) -> String {
    let mut whole = match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("{base}/{path}"),
    };
    if !whole.starts_with('/') {
        let current = vfs::current_dir().unwrap_or_default();
        whole = format!("{}/{whole}", current.to_string_lossy());
    }
    kiln_payload::normalize(&whole)
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn resolves_as_path_resolve_does() {
        assert_eq!(resolve("/a/b", "./index"), "/a/b/index");
        assert_eq!(resolve("/a/b/", "../c//d/."), "/a/c/d");
        assert_eq!(resolve("/a", "/b/../.."), "/");
    }
}
