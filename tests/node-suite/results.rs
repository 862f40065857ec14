//! What is known of the tests: `results.txt`, which is in the repository so that a change shows in review.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use crate::case::Case;

/// Failing tests by name, each with the reason.
#[derive(Default)]
pub struct Results {
    failing: BTreeMap<String, String>,
    table: String,
}

const UNKNOWN: &str = "?";

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/node-suite/results.txt")
}

impl Results {
    pub fn read() -> Results {
        let text = fs::read_to_string(file()).unwrap_or_default();
        let (table, failing) = text.split_once("\n\n").unwrap_or((&text, ""));
        let failing = failing.lines().filter_map(|line| {
            let (name, reason) = line.split_once("  ")?;
            Some((name.to_owned(), reason.trim().to_owned()))
        });
        Results { failing: failing.collect(), table: table.to_owned() }
    }

    /// Takes the outcome of `cases`. Returns what fails and was not known to.
    pub fn update(&mut self, cases: &[Case], failed: &[String]) -> Vec<String> {
        for case in cases.iter().filter(|case| !failed.contains(&case.name)) {
            self.failing.remove(&case.name);
        }
        let news: Vec<String> = failed.iter().filter(|name| !self.failing.contains_key(*name)).cloned().collect();
        for name in &news {
            self.failing.insert(name.clone(), UNKNOWN.to_owned());
        }
        news
    }

    /// Passed and all tests of each module.
    pub fn summary(&self, cases: &[Case], failed: &[String]) -> String {
        let mut modules: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for case in cases {
            let (passed, all) = modules.entry(case.module).or_default();
            *all += 1;
            *passed += usize::from(!failed.contains(&case.name));
        }
        let total = modules.values().fold((0, 0), |sum, (passed, all)| (sum.0 + passed, sum.1 + all));
        let mut text = String::new();
        for (module, (passed, all)) in modules.into_iter().chain([("all", total)]) {
            let percent = 100.0 * passed as f64 / all.max(1) as f64;
            // Writing to a string can't fail.
            let _ = writeln!(text, "{module:<20} {passed:>5} of {all:>5}  {percent:>5.1} %");
        }
        text
    }

    /// Writes the file; with a run of all tests, its table anew.
    pub fn write(&self, all: Option<(&[Case], &[String])>) {
        let table = all.map_or_else(|| self.table.clone(), |(cases, failed)| self.summary(cases, failed));
        let width = self.failing.keys().map(String::len).max().unwrap_or_default();
        let mut text = format!("{}\n\n", table.trim_end());
        for (name, reason) in &self.failing {
            let _ = writeln!(text, "{name:<width$}  {reason}");
        }
        fs::write(file(), text).expect("results.txt can be written");
    }
}
