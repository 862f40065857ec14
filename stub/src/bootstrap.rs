//! Runs Node's bootstrap scripts over the bindings.

/// The slot of the `process` object.
pub const PROCESS: &str = "bootstrap.process";
