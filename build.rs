//! Builds the stub, the runtime that `kiln` puts at the front of every executable, for `src/stub.rs` to embed.
//!
//! A nested cargo does it, because the stub wants other flags than `kiln`: it is a static executable at a fixed
//! address, which starts fastest. `KILN_STUB=path` embeds a stub that was built elsewhere.

#[path = "build/licenses.rs"]
mod licenses;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=KILN_STUB");
    let stub = match env::var_os("KILN_STUB") {
        Some(prebuilt) => PathBuf::from(prebuilt),
        None => build(),
    };
    println!("cargo::rerun-if-changed={}", stub.display());
    println!("cargo::rustc-env=KILN_STUB_PATH={}", stub.display());
    let licenses = licenses::collect().unwrap_or_else(|error| panic!("the licences can't be collected: {error}"));
    let path = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("licenses.txt");
    std::fs::write(&path, licenses).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    println!("cargo::rustc-env=KILN_LICENSES={}", path.display());
}

fn build() -> PathBuf {
    for input in
        ["stub", "payload", "llhttp", "zlib", "brotli", "build", ".cargo/config.toml", "Cargo.toml", "Cargo.lock"]
    {
        println!("cargo::rerun-if-changed={input}");
    }
    let variable = |name: &str| env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"));
    let target = variable("TARGET");
    let release = variable("PROFILE") == "release";
    // OUT_DIR is TARGET_DIR/PROFILE/build/PACKAGE/out. The outer cargo holds the lock of TARGET_DIR, so the nested one
    // needs a folder of its own; one for all profiles and for `cargo check`, which shares what `cargo build` made.
    let out = PathBuf::from(variable("OUT_DIR"));
    let target_dir = out.ancestors().nth(4).unwrap_or(&out).join("stub");

    let mut cargo = Command::new(variable("CARGO"));
    cargo
        .current_dir(variable("CARGO_MANIFEST_DIR"))
        .args(["rustc", "--package", "kiln-stub", "--bin", "kiln-stub"])
        // With an explicit target, the flags below are not those of build scripts and macros.
        .args(["--target", &target])
        .args(["--profile", if release { "release" } else { "dev" }])
        .args(["--config", "profile.release.panic=\"abort\""])
        .arg("--target-dir")
        .arg(&target_dir)
        // V8 comes with a C++ library of its own, the other C++ dependencies use the system's. Where the two are linked
        // into one static executable, both define the functions that the language itself needs; either will do.
        .args(["--", "-Clink-arg=-Wl,--allow-multiple-definition,--icf=all,--no-eh-frame-hdr"])
        .args(release.then(release_layout).into_iter().flatten())
        .env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+crt-static\x1f-Crelocation-model=static");
    // What the outer cargo, or clippy, meant for this package alone.
    for (name, _) in env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        let about_package = ["CARGO_PKG_", "CARGO_CFG_", "CARGO_FEATURE_", "CARGO_MANIFEST_", "DEP_"];
        let about_build =
            ["RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "CARGO_TARGET_DIR", "CARGO_BUILD_TARGET"];
        if about_package.iter().any(|prefix| text.starts_with(prefix)) || about_build.contains(&text) {
            cargo.env_remove(&name);
        }
    }
    // clang, which also compiled Node, makes the better code of what the dependencies have in C and C++: URLs are parsed in
    // two thirds of the time that they take where GCC compiled that, and Zstandard compresses in four fifths.
    for (variable, compiler) in [("CC", "clang"), ("CXX", "clang++")] {
        let own = format!("{variable}_{}", target.replace('-', "_"));
        let names = [variable.to_owned(), format!("TARGET_{variable}"), own.clone()];
        let is_chosen = names.iter().any(|name| env::var_os(name).is_some());
        if !is_chosen && Command::new(compiler).arg("--version").output().is_ok_and(|output| output.status.success()) {
            cargo.env(own, compiler);
        }
    }
    // Code that goes into an executable finds its data without looking their addresses up.
    let flags = format!("CFLAGS_{}", target.replace('-', "_"));
    if ["CFLAGS", "TARGET_CFLAGS", &flags].iter().all(|name| env::var_os(name).is_none()) {
        cargo.env(flags, "-fpie -fomit-frame-pointer");
    }
    if !cargo.status().is_ok_and(|status| status.success()) {
        println!("cargo::error=the runtime (the package kiln-stub) could not be built, for the reason shown here");
        if !v8_is_at_hand() {
            println!(
                "cargo::error=V8's library is neither in ../shared/v8 nor, it seems, to be downloaded: put it there, or set \
                 RUSTY_V8_MIRROR to a folder or address that has it, or RUSTY_V8_ARCHIVE to the file"
            );
        }
        std::process::exit(1);
    }
    binary(&target_dir, &target, release)
}

/// How the linker lays out a stub that ships. What a start runs lies together, so that a start has few pages to map;
/// and the tables for unwinding, which nothing does where panics abort, are left out.
fn release_layout() -> [String; 2] {
    let folder = PathBuf::from(env::var("CARGO_MANIFEST_DIR").unwrap_or_default()).join("stub/link");
    [
        format!(
            "-Clink-arg=-Wl,--symbol-ordering-file={},--no-warn-symbol-ordering",
            folder.join("start.txt").display()
        ),
        format!("-Clink-arg=-Wl,-T,{}", folder.join("no-unwinding.ld").display()),
    ]
}

/// Whether the `v8` crate finds its library without a download.
fn v8_is_at_hand() -> bool {
    let named = env::var_os("RUSTY_V8_ARCHIVE").map(PathBuf::from);
    let mirror = env::var_os("RUSTY_V8_MIRROR").map_or_else(|| PathBuf::from("../shared/v8"), PathBuf::from);
    named.is_some_and(|path| path.exists()) || std::fs::read_dir(mirror).is_ok_and(|mut files| files.next().is_some())
}

fn binary(target_dir: &Path, target: &str, release: bool) -> PathBuf {
    target_dir.join(target).join(if release { "release" } else { "debug" }).join("kiln-stub")
}
