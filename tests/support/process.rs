//! Running a program to its end, with its input, its output and a limit on its time.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub enum Input {
    None,
    /// As `< file` in a shell.
    File(PathBuf),
    /// As `cat file |` in a shell.
    Pipe(Vec<u8>),
}

#[derive(Debug)]
pub struct Outcome {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub status: ExitStatus,
}

impl Outcome {
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

pub fn run(command: &mut Command, input: &Input) -> Result<Outcome, String> {
    let stdin = match input {
        Input::None => Stdio::null(),
        Input::File(path) => File::open(path).map_err(|e| format!("{}: {e}", path.display()))?.into(),
        Input::Pipe(_) => Stdio::piped(),
    };
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = spawn(command).map_err(|e| format!("{command:?}: {e}"))?;
    let writer = child.stdin.take().map(|mut pipe| {
        let Input::Pipe(bytes) = input.clone() else { unreachable!() };
        // A program that does not read all of its input is not at fault.
        thread::spawn(move || drop(pipe.write_all(&bytes)))
    });
    let stdout = drain(child.stdout.take().unwrap());
    let stderr = drain(child.stderr.take().unwrap());
    let status = wait(&mut child).ok_or_else(|| format!("{command:?}: still running after {LIMIT:?}"))?;
    if let Some(writer) = writer {
        writer.join().unwrap();
    }
    Ok(Outcome { stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap(), status })
}

/// A process that another test has just forked may hold an executable open for writing until it execs.
fn spawn(command: &mut Command) -> io::Result<Child> {
    for _ in 0..100 {
        match command.spawn() {
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => thread::sleep(Duration::from_millis(10)),
            result => return result,
        }
    }
    command.spawn()
}

fn drain(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

fn wait(child: &mut Child) -> Option<ExitStatus> {
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    while start.elapsed() < LIMIT {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}
