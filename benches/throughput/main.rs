//! How much Kiln's executables do in a second, beside Node.
//!
//!     cargo bench --bench throughput                 all workloads
//!     cargo bench --bench throughput -- Buffer       those with that in their names
//!     cargo bench --bench throughput -- --rounds 5
//!
//! Each round runs all workloads once with each of the two; the medians of the rounds are compared. A second is one of
//! the processor's time that the program takes, but where it waits for children.

// The tests need more of it.
#[allow(dead_code)]
#[path = "../../tests/support/node.rs"]
mod node;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

const DEFAULT_ROUNDS: usize = 3;
/// A ratio below this is told.
const GOAL: f64 = 0.9;

/// Runs in a second, by workload: one number for each round.
type Rates = BTreeMap<String, Vec<f64>>;

fn main() {
    let (rounds, only) = arguments();
    let workloads = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/throughput/workloads.js");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("throughput");
    fs::create_dir_all(&folder).unwrap();
    let executable = folder.join("workloads");
    let built =
        Command::new(env!("CARGO_BIN_EXE_kiln")).arg("build").arg(&workloads).arg("-o").arg(&executable).output();
    let built = built.unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));

    let (mut kiln, mut reference, mut order) = (Rates::new(), Rates::new(), Vec::new());
    for _ in 0..rounds {
        run(Command::new(&executable).arg(&only), &mut kiln, &mut order);
        run(Command::new(node::node()).arg(&workloads).arg(&only), &mut reference, &mut Vec::new());
    }
    println!("{:<28}{:>14}{:>14}{:>8}", "in a second", "kiln", "node", "ratio");
    for name in &order {
        let (ours, theirs) = (median(&kiln[name]), median(&reference[name]));
        let ratio = ours / theirs;
        let note = if ratio < GOAL { "  slower" } else { "" };
        println!("{name:<28}{ours:>14.0}{theirs:>14.0}{ratio:>8.2}{note}");
    }
}

fn arguments() -> (usize, String) {
    let (mut rounds, mut only) = (DEFAULT_ROUNDS, String::new());
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--rounds" => rounds = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(rounds).max(1),
            // Cargo says it to every benchmark.
            "--bench" => {}
            _ => only = argument,
        }
    }
    (rounds, only)
}

fn run(command: &mut Command, rates: &mut Rates, order: &mut Vec<String>) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Some((name, rate)) = line.split_once('\t') else { continue };
        if !order.iter().any(|known| known == name) {
            order.push(name.to_owned());
        }
        rates.entry(name.to_owned()).or_default().push(rate.parse().unwrap());
    }
}

fn median(rates: &[f64]) -> f64 {
    let mut rates = rates.to_vec();
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
