//! `kiln run`

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, ExitStatus};
use std::sync::atomic::{AtomicI32, Ordering};

use kiln_compiler::{BuildOptions, Diagnostic, diagnostic, executable};
use kiln_payload::SPAWNED;
use tempfile::TempDir;

use crate::arguments::Run;
use crate::terminal::Outcome;
use crate::{signals, stub};

/// The program's process while it runs, else 0.
static PROGRAM: AtomicI32 = AtomicI32::new(0);

/// Builds a program into a folder of its own, runs it there as Node would run its file, and removes the folder.
pub fn run(options: &Run) -> Outcome {
    let cannot =
        |what: &str, error: &std::io::Error| Diagnostic::error(format!("cannot {what}: {}", diagnostic::reason(error)));
    let folder = tempfile::Builder::new()
        .prefix("kiln-run-")
        .tempdir()
        .map_err(|error| cannot("make a temporary folder", &error).help("TMPDIR says where such folders go"))?;
    watch(&folder);

    let Some((node_options, entry, arguments)) = options.parts() else {
        return Err(Diagnostic::error("there is no program to run")
            .help("options of Node are followed by the program's main file, or the folder of its package")
            .into());
    };
    let entry = kiln_compiler::graph::entry::find(entry.as_ref())?;
    let program = folder.path().join(&entry.name);
    let build = BuildOptions {
        entry: entry.path.clone(),
        output: Some(program.clone()),
        include: options.include.clone(),
        in_place: true,
        // The program starts only once.
        no_preeval: true,
        ..options.code.options()
    };
    // What it says on its standard error is the program's own, so warnings would be in the way.
    let built = kiln_compiler::build(&build, &stub::bytes()?, &mut |_| {})?;

    let mut command = Command::new(&program);
    // So that it takes options of Node's before its file.
    command.env(SPAWNED, "1").args(node_options).arg(&built.entry).args(arguments);
    let mut child = command.spawn().map_err(|error| {
        cannot("run the program", &error).help("TMPDIR says where it is put; is that mounted noexec?")
    })?;
    PROGRAM.store(child.id().cast_signed(), Ordering::SeqCst);
    let status = child.wait();
    PROGRAM.store(0, Ordering::SeqCst);
    // Nothing is lost if it stays.
    let _ = folder.close();
    let status = status.map_err(|error| cannot("wait for the program", &error))?;
    Ok(end_like(status))
}

/// Passes signals on to the program while it runs; before, they end the build.
fn watch(folder: &TempDir) {
    let folder = folder.path().to_path_buf();
    signals::watch(move |signal, origin| match PROGRAM.load(Ordering::SeqCst) {
        0 => {
            executable::discard_unfinished();
            // Whether this works makes no difference any more.
            let _ = std::fs::remove_dir_all(&folder);
            signals::die_of(signal);
        }
        // What a terminal sends, it sends to the program as well.
        program if origin == signals::Origin::Process => signals::send(program, signal),
        _ => {}
    });
}

/// Ends as the program did, even if a signal killed it.
fn end_like(status: ExitStatus) -> ExitCode {
    if let Some(signal) = status.signal() {
        signals::die_of(signal);
    }
    ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
