//! The third step: the stub that ships runs with the program and has V8 take a snapshot of it.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use kiln_payload::{Codes, ImageWriter, SectionId};

use crate::bundle::Bundle;
use crate::diagnostic::{Diagnostic, reason};
use crate::preeval::Unit;

/// How long the program's modules may take, each time that they are evaluated.
pub const LIMIT: Duration = Duration::from_secs(20);

/// How long a training may take.
const TRAINING_LIMIT: Duration = Duration::from_secs(60);

const NO_SNAPSHOT: &str = "cannot take a snapshot of the program";

/// The build image: an executable that is whole but for its snapshot.
pub struct BuildImage(Scratch);

impl BuildImage {
    /// Composes it in memory.
    pub fn new(stub: &[u8], bundle: &Bundle) -> Result<Self, Diagnostic> {
        Self::compose(stub, bundle, None)
    }

    /// Composes an executable that lacks nothing but the code of modules, with the snapshot `blob`.
    pub fn with_snapshot(stub: &[u8], bundle: &Bundle, blob: &[u8]) -> Result<Self, Diagnostic> {
        Self::compose(stub, bundle, Some(blob))
    }

    fn compose(stub: &[u8], bundle: &Bundle, blob: Option<&[u8]>) -> Result<Self, Diagnostic> {
        let mut image = Scratch::new(c"kiln-image").map_err(failed)?;
        write_image(stub, bundle, blob, &mut image.file)?;
        Ok(BuildImage(image))
    }

    /// Runs it to take the snapshot, with `units` evaluated, after a rehearsal or none. Returns V8's blob.
    pub fn snapshot(&self, units: &[Unit], rehearsal: &[u8]) -> Result<Vec<u8>, Diagnostic> {
        // A program that is evaluated may never end, which is no reason for its build not to.
        self.run("--kiln-snapshot", units, rehearsal, (!units.is_empty()).then_some(LIMIT))
    }

    /// Runs it for what `order` says, with `units` and a rehearsal or none, and no longer than `limit`. Returns what it
    /// writes.
    pub fn run(
        &self,
        order: &str,
        units: &[Unit],
        rehearsal: &[u8],
        limit: Option<Duration>,
    ) -> Result<Vec<u8>, Diagnostic> {
        let units = serde_json::to_vec(units).map_err(|error| failed(error.into()))?;
        self.execute(order, &[&units, rehearsal], limit)
    }

    /// The code caches of `modules`, given by their numbers, as the executable takes them.
    pub fn codes(&self, modules: &[u32]) -> Result<Codes, Diagnostic> {
        let modules = serde_json::to_vec(modules).map_err(|error| failed(error.into()))?;
        let codes = self.execute("--kiln-code", &[&modules], None)?;
        Codes::from_bytes(&codes).ok_or_else(|| Diagnostic::error("the code of modules can't be read"))
    }

    /// Runs the program with `arguments`, in a folder of its own, to learn what it compiles. Takes what is `known` of that
    /// and returns more.
    pub fn train(&self, arguments: &[String], known: &[u8]) -> Result<Vec<u8>, Diagnostic> {
        let mut result = Scratch::new(c"kiln-result").map_err(failed)?;
        let mut input = Scratch::new(c"kiln-input").map_err(failed)?;
        input.file.write_all(known).map_err(failed)?;
        let folder = tempfile::tempdir().map_err(failed)?;
        let mut command = Command::new(self.0.path());
        // SAFETY: between fork and exec, system calls are all that happens.
        unsafe {
            command.pre_exec(|| {
                libc::alarm(TRAINING_LIMIT.as_secs() as libc::c_uint);
                end_with_parent()
            })
        };
        let output = command
            .args(arguments)
            .env("KILN_TRAINING", format!("{}:{}", result.path().display(), input.path().display()))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .output()
            .map_err(failed)?;
        let learnt = result.read().map_err(failed)?;
        match learnt.is_empty() {
            true => Err(explain("nothing is learnt from it", &output)),
            false => Ok(learnt),
        }
    }

    fn execute(&self, order: &str, inputs: &[&[u8]], limit: Option<Duration>) -> Result<Vec<u8>, Diagnostic> {
        let mut result = Scratch::new(c"kiln-result").map_err(failed)?;
        let mut files = Vec::new();
        for input in inputs {
            let mut file = Scratch::new(c"kiln-input").map_err(failed)?;
            file.file.write_all(input).map_err(failed)?;
            files.push(file);
        }
        let mut command = Command::new(self.0.path());
        let seconds = limit.map_or(0, |limit| limit.as_secs() as libc::c_uint);
        // SAFETY: between fork and exec, system calls are all that happens.
        unsafe {
            command.pre_exec(move || {
                use_fixed_addresses();
                libc::alarm(seconds);
                end_with_parent()
            })
        };
        let output = command
            .arg(order)
            .arg(result.path())
            .args(files.iter().map(Scratch::path))
            // Nothing of this machine may find its way into the snapshot.
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .output()
            .map_err(failed)?;
        if !output.status.success() {
            return Err(explain(NO_SNAPSHOT, &output));
        }
        result.read().map_err(failed)
    }
}

fn failed(error: io::Error) -> Diagnostic {
    Diagnostic::error(format!("cannot take the snapshot: {}", reason(&error)))
}

/// The licences of what the runtime is made of, which it carries.
pub fn licenses(stub: &[u8]) -> Result<String, Diagnostic> {
    let failed = |error: io::Error| Diagnostic::error(format!("cannot run Kiln's runtime: {}", reason(&error)));
    let mut image = Scratch::new(c"kiln-stub").map_err(failed)?;
    image.file.write_all(stub).map_err(failed)?;
    let output = Command::new(image.path()).arg("--kiln-licenses").output().map_err(failed)?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(explain("Kiln's runtime does not run", &output)),
    }
}

/// Has the kernel kill the calling process when its parent ends: a snapshot that nobody waits for is of no use.
fn end_with_parent() -> io::Result<()> {
    // SAFETY: no memory is involved.
    match unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Has the kernel put the calling process's memory at the same addresses each time, for some of V8's hashes and orders
/// come from addresses, and the same program shall give the same bytes. A sandbox may forbid it, which is no reason to
/// fail.
fn use_fixed_addresses() {
    // SAFETY: no memory is involved.
    unsafe { libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong) };
}

/// Writes the build image: an executable that is whole but for the snapshot, which tells it to take one; or with that, but
/// for the code of modules, which tells it to make it.
fn write_image(stub: &[u8], bundle: &Bundle, blob: Option<&[u8]>, out: &mut File) -> Result<(), Diagnostic> {
    let index = bundle.index.to_bytes();
    let mut image = writer(stub)?;
    image.plain(SectionId::Index, &index).plain(SectionId::Text, &bundle.text).plain(SectionId::Files, &bundle.files);
    if let Some(blob) = blob {
        image.plain(SectionId::Snapshot, blob).plain(SectionId::Code, &[]);
    }
    let mut buffered = io::BufWriter::with_capacity(1 << 20, out);
    image
        .write(&mut buffered)
        .and_then(|_| buffered.flush())
        .map_err(|error| Diagnostic::error(format!("cannot take the snapshot: {}", reason(&error))))
}

/// Begins an executable.
pub fn writer(stub: &[u8]) -> Result<ImageWriter<'_>, Diagnostic> {
    ImageWriter::new(stub).map_err(|error| {
        Diagnostic::error(format!("Kiln's runtime cannot be used: {error}"))
            .help("is KILN_STUB set to something else than a bare stub?")
    })
}

/// What went wrong in the stub, in its own words.
fn explain(what: &str, output: &std::process::Output) -> Diagnostic {
    let said = String::from_utf8_lossy(&output.stderr);
    let how = match (output.status.code(), output.status.signal()) {
        (Some(code), _) => format!("it exited with code {code}"),
        (None, Some(signal)) => format!("it was killed by signal {signal}"),
        (None, None) => "it did not finish".into(),
    };
    let diagnostic = Diagnostic::error(format!("{what}: {how}"));
    match said.trim_end() {
        "" => diagnostic,
        said => diagnostic.help(format!("the runtime said:\n{said}")),
    }
}

/// A file that lives in memory and is gone with this process, however it ends.
struct Scratch {
    file: File,
}

impl Scratch {
    fn new(name: &std::ffi::CStr) -> io::Result<Self> {
        // SAFETY: the name is a C string. The descriptor is inherited on purpose: the stub opens it by its path.
        let descriptor = unsafe { libc::memfd_create(name.as_ptr(), 0) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: nobody else owns the descriptor.
        Ok(Self { file: unsafe { File::from_raw_fd(descriptor) } })
    }

    fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.file.as_raw_fd()).into()
    }

    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.file.rewind()?;
        self.file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}
