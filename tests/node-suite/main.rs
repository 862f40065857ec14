//! Runs Node's own tests, from a checkout of them, and says how many pass.
//!
//!     cargo test --test node-suite -- CHECKOUT [OPTION...]
//!
//! CHECKOUT is the folder with `test/parallel`. Only tests that Node passes on this machine count; which these are is
//! found out once and kept in the cache. Options:
//!
//!     --only TEXT     the tests of the module TEXT, or those with TEXT in their names
//!     --jobs N        so many at a time (default: 2)
//!     --timeout S     seconds for one test (default: 60)
//!     --build         builds each test with `kiln run`; without it, one program that `kiln run` has built is Node for
//!                     all, which is much faster and reads the test's files at run time
//!     --show          what failing tests say
//!     --write         writes the outcome to `tests/node-suite/results.txt`
//!
//! It fails if a test fails that `results.txt` does not know as failing.

mod case;
mod modules;
mod results;

#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{env, fs};

use case::{Case, End};
use results::Results;

struct Options {
    checkout: PathBuf,
    only: Option<String>,
    jobs: usize,
    limit: Duration,
    build: bool,
    show: bool,
    write: bool,
}

fn options() -> Result<Options, String> {
    let mut arguments = env::args().skip(1);
    let mut options = Options {
        checkout: PathBuf::new(),
        only: None,
        jobs: 2,
        limit: Duration::from_secs(60),
        build: false,
        show: false,
        write: false,
    };
    let number = |text: Option<String>| text.and_then(|text| text.parse::<usize>().ok()).ok_or("a number is missing");
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--only" => options.only = arguments.next(),
            "--jobs" => options.jobs = number(arguments.next())?.max(1),
            "--timeout" => options.limit = Duration::from_secs(number(arguments.next())? as u64),
            "--build" => options.build = true,
            "--show" => options.show = true,
            "--write" => options.write = true,
            other if other.starts_with('-') => return Err(format!("no such option: {other}")),
            folder => options.checkout = folder.into(),
        }
    }
    match options.checkout.join("test/parallel").is_dir() {
        true => Ok(options),
        false => Err("give a checkout of Node's tests: a folder with test/parallel".into()),
    }
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let cases = cases(&options);
    let passing = passing_under_node(&options, &cases);
    let cases: Vec<Case> = cases.into_iter().filter(|case| passing.contains(&case.name)).collect();

    let kiln = env!("CARGO_BIN_EXE_kiln");
    let host = (!options.build).then(Host::start);
    let program: Vec<&Path> = match &host {
        Some(host) => vec![&host.program],
        None => vec![kiln.as_ref(), "run".as_ref()],
    };
    let mut failed = run_all(&cases, &program, &options, options.show);
    failed.sort();

    let mut results = Results::read();
    let news = results.update(&cases, &failed);
    print!("{}", results.summary(&cases, &failed));
    if options.write {
        results.write(options.only.is_none().then_some((&cases[..], &failed[..])));
    }
    for name in &news {
        println!("fails, and did not: {name}");
    }
    if news.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn cases(options: &Options) -> Vec<Case> {
    let folder = options.checkout.canonicalize().unwrap_or_else(|_| options.checkout.clone()).join("test/parallel");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let wanted = |case: &Case| match &options.only {
        Some(only) if modules::is_module(only) => case.module == only,
        Some(only) => case.name.contains(only.as_str()),
        None => true,
    };
    paths
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "js" || extension == "mjs"))
        .filter_map(|path| Case::read(path, modules::of(path.file_stem()?.to_str()?)?))
        .filter(wanted)
        .collect()
}

/// The names of the tests that Node passes. What it does is asked once for each test, and kept.
fn passing_under_node(options: &Options, cases: &[Case]) -> BTreeSet<String> {
    let kept = support::node::cache().join("node-suite.txt");
    let mut known: Vec<(String, bool)> = fs::read_to_string(&kept)
        .unwrap_or_default()
        .lines()
        .filter_map(|line| Some((line.strip_prefix(['+', '-'])?.to_owned(), line.starts_with('+'))))
        .collect();
    let unknown: Vec<&Case> = cases.iter().filter(|case| known.iter().all(|(name, _)| *name != case.name)).collect();
    if !unknown.is_empty() {
        eprintln!("asking Node about {} tests", unknown.len());
        let failed = run_all(&unknown, &[support::node::node()], options, false);
        known.extend(unknown.iter().map(|case| (case.name.clone(), !failed.contains(&case.name))));
        known.sort();
        let lines: Vec<String> =
            known.iter().map(|(name, passes)| format!("{}{name}\n", if *passes { '+' } else { '-' })).collect();
        fs::write(&kept, lines.concat()).unwrap();
    }
    known.into_iter().filter(|(_, passes)| *passes).map(|(name, _)| name).collect()
}

/// Runs all and returns the names of those that fail. A failure is looked at a second time, alone: many tests are about
/// time, and a busy machine is no fault of theirs.
fn run_all<C: AsRef<Case> + Sync>(cases: &[C], program: &[&Path], options: &Options, show: bool) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for thread in 0..options.jobs {
            let (next, failed) = (&next, &failed);
            scope.spawn(move || {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let End::Failed(_) = case.as_ref().run(program, thread, options.limit) {
                        failed.lock().unwrap().push(case.as_ref());
                    }
                }
            });
        }
    });
    let again = |case: &&Case| match case.run(program, 0, options.limit) {
        End::Passed => None,
        End::Failed(text) => {
            if show {
                println!("=== {}\n{text}", case.name);
            }
            Some(case.name.clone())
        }
    };
    failed.into_inner().unwrap().iter().filter_map(again).collect()
}

impl AsRef<Case> for Case {
    fn as_ref(&self) -> &Case {
        self
    }
}

/// A program that `kiln run` has built, for as long as this value lives.
struct Host {
    kiln: Child,
    program: PathBuf,
}

impl Host {
    fn start() -> Host {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("node.js");
        fs::write(&file, "console.log(process.execPath); process.stdin.resume();").unwrap();
        let mut kiln = Command::new(env!("CARGO_BIN_EXE_kiln"))
            .arg("run")
            .arg(&file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("kiln can be started");
        let mut line = String::new();
        BufReader::new(kiln.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Host { kiln, program: line.trim_end().into() }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // The end of its input ends the program, and with it `kiln run`.
        drop(self.kiln.stdin.take());
        let _ = self.kiln.wait();
    }
}
