//! `kiln build`

use std::process::ExitCode;
use std::time::Instant;

use kiln_compiler::{BuildOptions, Diagnostic, diagnostic, executable};

use crate::arguments::Build;
use crate::progress::Line;
use crate::terminal::{Outcome, Size, count, print};
use crate::{signals, stub};

/// Builds an executable and says so in one line.
pub fn build(options: &Build) -> Outcome {
    let start = Instant::now();
    signals::watch(|signal, _| {
        executable::discard_unfinished();
        signals::die_of(signal);
    });
    let explain = options.explain;
    let options = BuildOptions {
        entry: options.entry.clone(),
        output: options.output.clone(),
        include: options.include.clone(),
        no_preeval: options.no_preeval,
        trainings: options.train.iter().map(|line| split(line)).collect::<Result<_, _>>()?,
        ..options.code.options()
    };
    let line = Line::show(options.progress.clone());
    let built = kiln_compiler::build(&options, &stub::bytes()?, &mut print)?;
    drop(line);
    if explain {
        eprint!("{}", built.evaluation);
    }
    eprintln!(
        "{}  {}, {}, {}, {:.1} s",
        diagnostic::display(&built.output),
        Size(built.size),
        count(built.modules, "module"),
        count(built.files, "file"),
        start.elapsed().as_secs_f64(),
    );
    Ok(ExitCode::SUCCESS)
}

/// The arguments of a command line.
fn split(line: &str) -> Result<Vec<String>, Diagnostic> {
    shell_words::split(line).map_err(|error| Diagnostic::error(format!("--train '{line}' can't be read: {error}")))
}
