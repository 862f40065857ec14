//! One run of a program: how long it took and how much memory it had.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[derive(Clone, Copy)]
pub struct Sample {
    pub time: Duration,
    /// The largest resident set, in bytes.
    pub memory: u64,
}

fn command(parts: &[String], folder: &Path) -> Command {
    let mut command = Command::new(&parts[0]);
    command.args(&parts[1..]).current_dir(folder).env_clear();
    command.env("PATH", "/usr/bin:/bin").env("HOME", folder).env("DENO_NO_UPDATE_CHECK", "1");
    command.stdin(Stdio::null()).stderr(Stdio::null());
    command
}

/// From right before the process is made until it has ended.
pub fn run(parts: &[String], folder: &Path) -> Sample {
    let mut command = command(parts, folder);
    command.stdout(Stdio::null());
    let start = Instant::now();
    let Ok(child) = command.spawn() else { return Sample { time: Duration::ZERO, memory: 0 } };
    let id = libc::pid_t::try_from(child.id()).unwrap();
    let mut status = 0;
    // SAFETY: a usage is plain numbers, for which zero is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the child is ours and has not been waited for; both pointers are to locals.
    let waited = unsafe { libc::wait4(id, &raw mut status, 0, &raw mut usage) };
    let time = start.elapsed();
    assert_eq!(waited, id, "{command:?}");
    Sample { time, memory: u64::try_from(usage.ru_maxrss).unwrap() * 1024 }
}

/// What it prints, and how it ends.
pub fn output(parts: &[String], folder: &Path) -> (Vec<u8>, Option<i32>) {
    match command(parts, folder).stdout(Stdio::piped()).output() {
        Ok(output) => (output.stdout, output.status.code()),
        Err(error) => (error.to_string().into_bytes(), None),
    }
}
