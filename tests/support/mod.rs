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

/// Differences from Node that are known and not mended yet: a program's name, then why. One that no longer differs has
/// to leave the list, so that the list says what is so.
const KNOWN: &str = include_str!("../known-differences.txt");

/// As [`report`], for programs that were compared with Node. `compared` are their names; the first line of a failure is
/// its program's.
pub fn report_differences(compared: &[String], failures: Vec<String>) {
    let is_known =
        |name: &str| KNOWN.lines().any(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(" -- ")));
    let name = |failure: &String| failure.lines().next().unwrap_or_default().to_owned();
    let differing: Vec<String> = failures.iter().map(name).collect();
    let mended = compared.iter().filter(|name| is_known(name) && !differing.contains(name));
    let mended = mended.map(|name| format!("{name}\nis as under Node now: take it off tests/known-differences.txt"));
    let failures = failures.iter().filter(|failure| !is_known(&name(failure))).cloned().chain(mended).collect();
    report(failures, compared.len());
}
