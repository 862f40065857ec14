//! Compiles Chromium's zlib.
//!
//! It is not published by itself. But the crate `v8` had a copy among V8's dependencies, so cargo is asked for that
//! crate: it fetches it, verifies it by `source/Cargo.lock`, and says where it is. None of it is compiled but the files
//! named here. zlib's licence is among those of Node's package.

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const HELP: &str = "set KILN_ZLIB to a folder with Chromium's zlib, such as `third_party/zlib` of the crate v8 0.80.0";

fn main() {
    for file in ["build.rs", "hash.h", "source"] {
        println!("cargo::rerun-if-changed={file}");
    }
    println!("cargo::rerun-if-env-changed=KILN_ZLIB");
    if let Err(error) = sources().and_then(|folder| compile(&folder)) {
        println!("cargo::error=zlib's sources are not to be had: {error}; {HELP}");
        std::process::exit(1);
    }
}

/// The folder of zlib.
fn sources() -> Result<PathBuf> {
    if let Some(folder) = env::var_os("KILN_ZLIB") {
        return Ok(folder.into());
    }
    let output = Command::new(env::var("CARGO")?)
        .args(["metadata", "--format-version", "1", "--locked", "--manifest-path", "source/Cargo.toml"])
        .args(["--filter-platform", &env::var("TARGET")?])
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().into());
    }
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let v8 = packages.filter(|package| package["name"] == "v8").find_map(|package| package["manifest_path"].as_str());
    let folder = v8.and_then(|manifest| Path::new(manifest).parent()).ok_or("cargo does not know the crate")?;
    Ok(folder.join("third_party/zlib"))
}

fn compile(folder: &Path) -> Result<()> {
    let mut build = cc::Build::new();
    // What V8's own build defines, and a name of its own for every function, which no other zlib has.
    build.include(folder).define("ZLIB_IMPLEMENTATION", None).opt_level(3).warnings(false);
    if env::var("CARGO_CFG_TARGET_ARCH")? == "x86_64" {
        for name in ["ADLER32_SIMD_SSSE3", "CRC32_SIMD_SSE42_PCLMUL", "DEFLATE_SLIDE_HASH_SSE2", "X86_NOT_WINDOWS"] {
            build.define(name, None);
        }
        for name in ["INFLATE_CHUNK_SIMD_SSE2", "INFLATE_CHUNK_READ_64LE"] {
            build.define(name, None);
        }
        // Matches are compared by two bytes at a time.
        build.define("UNALIGNED_OK", None);
        // Run where the processor has these instructions.
        let object = |file: &str, flags: &[&str]| {
            let mut build = build.clone();
            build.flags(flags);
            build.file(folder.join(file)).compile_intermediates()
        };
        let special = [
            object("adler32_simd.c", &["-mssse3"]),
            object("crc32_simd.c", &["-msse4.2", "-mpclmul"]),
            object("crc_folding.c", &["-msse4.2", "-mpclmul"]),
        ];
        build.objects(special.into_iter().flatten());
        build.files(["inflate.c", "inffast_chunk.c"].map(|file| folder.join("contrib/optimizations").join(file)));
    } else {
        build.define("CPU_NO_SIMD", None);
        build.files(["inflate.c", "inffast.c"].map(|file| folder.join(file)));
    }
    let hash = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("hash.h");
    let deflate = build.clone().flag("-include").flag(&hash).file(folder.join("deflate.c")).compile_intermediates();
    build.objects(deflate);
    build.files(
        ["adler32.c", "cpu_features.c", "crc32.c", "inftrees.c", "trees.c", "zutil.c"].map(|file| folder.join(file)),
    );
    build.try_compile("kiln_zlib")?;
    Ok(())
}
