//! What `kiln` says, and how it ends.

use std::fmt;
use std::io::{IsTerminal, stderr};
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use kiln_compiler::{Diagnostic, Diagnostics};

use crate::progress;

/// How a command ends: with an exit code, or with what to tell the user.
pub type Outcome = Result<ExitCode, Diagnostics>;

/// Prints a message.
pub fn print(diagnostic: &Diagnostic) {
    let is = |name: &str, value: &str| std::env::var_os(name).is_some_and(|set| set == value);
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty());
    let colour = stderr().is_terminal() && !no_colour && !is("TERM", "dumb");
    progress::wipe();
    eprintln!("{}", diagnostic.render(colour));
}

/// Runs a command and prints what went wrong, even if that is a fault of `kiln` itself.
pub fn report_failure(command: impl FnOnce() -> Outcome) -> ExitCode {
    static PANIC: Mutex<String> = Mutex::new(String::new());
    panic::set_hook(Box::new(|panic| *PANIC.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string()));
    let outcome = panic::catch_unwind(AssertUnwindSafe(command)).unwrap_or_else(|_| {
        let panic = PANIC.lock().unwrap_or_else(PoisonError::into_inner);
        Err(Diagnostic::error("this is a fault of kiln, not of your program").help(panic.as_str()).into())
    });
    match outcome {
        Ok(code) => code,
        Err(diagnostics) => {
            diagnostics.0.iter().for_each(print);
            ExitCode::FAILURE
        }
    }
}

/// A number of bytes, for people.
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let text = match self.0 {
            bytes @ 0..1000 => format!("{bytes} B"),
            bytes @ 1000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
            bytes => format!("{:.1} MB", bytes as f64 / 1e6),
        };
        f.pad(&text)
    }
}

/// "1 module", "2 modules"
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
