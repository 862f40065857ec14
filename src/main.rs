//! `kiln`: builds one self-contained native executable from a JavaScript project.

mod arguments;
mod build;
mod inspect;
mod licenses;
mod progress;
mod run;
mod signals;
mod stub;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    terminal::report_failure(|| match arguments.command {
        Command::Build(options) => build::build(&options),
        Command::Run(options) => run::run(&options),
        Command::Inspect(options) => inspect::inspect(&options),
        Command::Licenses => licenses::licenses(),
    })
}
