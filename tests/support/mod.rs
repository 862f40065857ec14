//! What the end-to-end tests share: they run a program with Node, build it with Kiln, take its
//! source away, run the executable, and compare.

// Each test binary uses its own part of this.
#![allow(dead_code)]

pub mod compare;
pub mod node;
pub mod normal;
pub mod process;
pub mod workspace;

use std::path::Path;
use std::process::Command;

/// The `kiln` under test.
pub fn kiln() -> Command {
    Command::new(env!("CARGO_BIN_EXE_kiln"))
}

/// The folder of fixtures.
pub fn fixtures() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"))
}

/// Whether `KILN_ONLY` asks for this one; without it, everything is asked for.
pub fn is_wanted(name: &str) -> bool {
    std::env::var("KILN_ONLY").map_or(true, |only| name.contains(&only))
}

/// Ends the test with every failure, not just the first.
pub fn report(failures: Vec<String>, of: usize) {
    if !failures.is_empty() {
        panic!("\n{}\n{} of {of} failed", failures.join("\n"), failures.len());
    }
}
