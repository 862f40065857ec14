//! `kiln licenses`

use std::io::{ErrorKind, Write, stdout};
use std::process::ExitCode;

use kiln_compiler::{Diagnostic, diagnostic, snapshot};

use crate::stub;
use crate::terminal::Outcome;

/// Kiln's own.
const OWN: &str = include_str!("../LICENSE");
/// Those of the Rust packages, collected by build.rs.
const PACKAGES: &str = include_str!(env!("KILN_LICENSES"));

/// Prints the licences of all that goes into an executable. Node's, which covers V8 and what else Node is made of, the
/// runtime carries itself.
pub fn licenses() -> Outcome {
    let node = snapshot::licenses(&stub::bytes()?)?;
    let text = format!("Kiln\n\n{OWN}\n{node}\n{PACKAGES}");
    match stdout().write_all(text.as_bytes()) {
        // Whoever read it has seen enough.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Diagnostic::error(format!("cannot write the licences: {}", diagnostic::reason(&error))).into())
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}
