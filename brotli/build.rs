//! Compiles Brotli's C sources, in the release that Node has: what a compressor makes differs from one to the next.
//!
//! PyPI has each of its releases, crates.io an old one. Its licence is among those of Node's package.

#[path = "../build/pinned.rs"]
mod pinned;

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use pinned::Pinned;

const PACKAGE: Pinned = Pinned {
    package: "brotli==1.2.0",
    archive: "brotli-1.2.0.tar.gz",
    integrity: "sha256-4xD3fkGUHBM0CpWXb+ZqipWwHng9Qw7q96L4fgpX3Qo=",
    client: &["python3", "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "brotli", "--dest"],
    members: &["brotli-1.2.0/c"],
    help: "install Python with pip (Debian's packages `python3` and `python3-pip`), or set KILN_BROTLI to a folder with \
           Brotli 1.2.0, such as `c` of its source distribution",
};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../build/pinned.rs");
    println!("cargo::rerun-if-env-changed=KILN_BROTLI");
    if let Err(error) = sources().and_then(|folder| compile(&folder)) {
        println!("cargo::error=Brotli's sources are not to be had: {error}");
        std::process::exit(1);
    }
}

/// The folder of a release of Brotli.
fn sources() -> Result<PathBuf, Box<dyn Error>> {
    match env::var_os("KILN_BROTLI") {
        Some(folder) => Ok(folder.into()),
        None => Ok(PACKAGE.folder()?.join(PACKAGE.members[0])),
    }
}

fn compile(folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut build = cc::Build::new();
    for part in ["common", "dec", "enc"] {
        let mut files = Vec::new();
        for entry in fs::read_dir(folder.join(part))? {
            files.push(entry?.path());
        }
        files.retain(|path| path.extension().is_some_and(|extension| extension == "c"));
        files.sort();
        build.files(files);
    }
    build.include(folder.join("include")).opt_level(3).warnings(false).try_compile("kiln_brotli")?;
    Ok(())
}
