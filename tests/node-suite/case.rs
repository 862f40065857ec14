//! One test: what it asks for, and a run of it.

use std::fs::{self, File};
use std::io::{Read, Seek};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A test file.
pub struct Case {
    /// Its name, without the extension.
    pub name: String,
    /// The module that it is about.
    pub module: &'static str,
    path: PathBuf,
    flags: Vec<String>,
    environment: Vec<(String, String)>,
}

/// How a run ended.
pub enum End {
    Passed,
    /// With the end of what it said.
    Failed(String),
}

impl Case {
    /// Reads what the file asks for. None if it looks into Node's internals.
    pub fn read(path: &Path, module: &'static str) -> Option<Case> {
        let text = String::from_utf8_lossy(&fs::read(path).ok()?).into_owned();
        let words = |mark: &str| {
            let line = text.lines().find_map(|line| line.trim_start().strip_prefix(mark)).unwrap_or_default();
            line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        let flags = words("// Flags:");
        if flags.iter().any(|flag| flag.replace('_', "-") == "--expose-internals") {
            return None;
        }
        let environment = words("// Env:");
        let pair = |text: &String| text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        Some(Case {
            name: path.file_stem()?.to_string_lossy().into_owned(),
            module,
            path: path.to_owned(),
            flags,
            environment: environment.iter().filter_map(pair).collect(),
        })
    }

    /// Runs the test with `program`, as the runner's thread number `thread`.
    pub fn run(&self, program: &[&Path], thread: usize, limit: Duration) -> End {
        let mut output = tempfile::tempfile().expect("a temporary file can be made");
        let copy = |file: &File| Stdio::from(file.try_clone().expect("a descriptor can be duplicated"));
        let mut child = Command::new(program[0])
            .args(&program[1..])
            .args(&self.flags)
            .arg(&self.path)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            // Tests take folders and ports by it.
            .env("TEST_THREAD_ID", thread.to_string())
            .current_dir(self.path.parent().and_then(Path::parent).and_then(Path::parent).unwrap_or(Path::new("/")))
            .stdin(Stdio::null())
            .stdout(copy(&output))
            .stderr(copy(&output))
            .process_group(0)
            .spawn()
            .expect("the program can be started");
        let status = wait(&mut child, limit);
        // Whatever the test has left behind goes with it.
        // SAFETY: the group is that of a child of ours, which has not been waited for by anyone else.
        unsafe { libc::kill(-(child.id() as i32), libc::SIGKILL) };
        if status.is_none() {
            let _ = child.wait();
        }
        if status.is_some_and(|status| status.success()) {
            return End::Passed;
        }
        let mut text = Vec::new();
        // Without what it said, there is still how it ended.
        let _ = output.rewind().and_then(|()| output.read_to_end(&mut text));
        let text = String::from_utf8_lossy(&text).into_owned();
        End::Failed(format!("{}\n{}", ending(status), tail(&text)))
    }
}

fn wait(child: &mut std::process::Child, limit: Duration) -> Option<ExitStatus> {
    let start = Instant::now();
    while start.elapsed() < limit {
        match child.try_wait() {
            Ok(None) => std::thread::sleep(Duration::from_millis(5)),
            Ok(status) => return status,
            Err(_) => return None,
        }
    }
    None
}

fn ending(status: Option<ExitStatus>) -> String {
    match status {
        None => "takes too long".into(),
        Some(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, signal) => format!("signal {}", signal.unwrap_or_default()),
        },
    }
}

fn tail(text: &str) -> &str {
    const MOST: usize = 3000;
    let start = text.len().saturating_sub(MOST);
    (start..text.len()).find(|at| text.is_char_boundary(*at)).map_or("", |at| &text[at..])
}
