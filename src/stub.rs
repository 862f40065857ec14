//! The runtime that goes to the front of every executable.

use std::borrow::Cow;

use kiln_compiler::{Diagnostic, diagnostic};

/// Embedded by build.rs.
static STUB: &[u8] = include_bytes!(env!("KILN_STUB_PATH"));

/// The stub's bytes. While working on the stub, `KILN_STUB=path` takes another one without building `kiln` anew.
pub fn bytes() -> Result<Cow<'static, [u8]>, Diagnostic> {
    match std::env::var_os("KILN_STUB") {
        None => Ok(Cow::Borrowed(STUB)),
        Some(path) => std::fs::read(&path).map(Cow::Owned).map_err(|error| {
            let path = path.to_string_lossy();
            Diagnostic::error(format!("cannot read \"{path}\": {}", diagnostic::reason(&error)))
                .help("the environment variable KILN_STUB names it")
        }),
    }
}
