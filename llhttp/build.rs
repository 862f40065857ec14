//! Compiles llhttp's C sources.
//!
//! They are generated for each of its releases, and the package that has those is aiohttp's source distribution on
//! PyPI: npm has llhttp's first release only, and crates.io and Debian have none that is as new. llhttp's licence is
//! among those of Node's package.

#[path = "../build/pinned.rs"]
mod pinned;

use std::env;
use std::error::Error;
use std::path::PathBuf;

use pinned::Pinned;

const PACKAGE: Pinned = Pinned {
    package: "aiohttp==3.14.5",
    archive: "aiohttp-3.14.5.tar.gz",
    integrity: "sha256-VVin9aBa+ez3RK+R5brvxDb5PJMz5lbCfsJT+aa74Xg=",
    // pip looks into the package to see what it needs, and so needs what the package is built with.
    client: &["python3", "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "aiohttp", "--dest"],
    members: &["aiohttp-3.14.5/vendor/llhttp"],
    help: "install Python with pip (Debian's packages `python3` and `python3-pip`), or set KILN_LLHTTP to a folder with \
           llhttp 9.4.2, such as `vendor/llhttp` of aiohttp 3.14.5's source distribution",
};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../build/pinned.rs");
    println!("cargo::rerun-if-env-changed=KILN_LLHTTP");
    match sources() {
        Ok(folder) => compile(folder),
        Err(error) => {
            println!("cargo::error=llhttp's sources are not to be had: {error}");
            std::process::exit(1);
        }
    }
}

/// The folder of a release of llhttp.
fn sources() -> Result<PathBuf, Box<dyn Error>> {
    match env::var_os("KILN_LLHTTP") {
        Some(folder) => Ok(folder.into()),
        None => Ok(PACKAGE.folder()?.join(PACKAGE.members[0])),
    }
}

fn compile(folder: PathBuf) {
    cc::Build::new()
        .files(["build/c/llhttp.c", "src/native/api.c", "src/native/http.c"].map(|file| folder.join(file)))
        .include(folder.join("build"))
        // A state machine of thousands of labels: without optimization it takes several times as long.
        .opt_level(2)
        .warnings(false)
        .compile("llhttp");
}
