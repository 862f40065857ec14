//! `--cpu-prof` and `--heap-prof`: profiles of the whole run, written when a thread ends.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use v8::PinScope;

use super::{options, report};
use crate::profiler;
use crate::realm::Realm;

/// What is being taken on this thread.
#[derive(Default)]
struct State(Cell<Taken>);

#[derive(Default)]
struct Taken {
    cpu: Option<u32>,
    heap: bool,
    /// Where the program was when it began.
    folder: PathBuf,
}

/// How deep stacks are noted, as V8's inspector has it.
const HEAP_DEPTH: i32 = 128;

/// Begins what the options ask for.
pub fn begin(scope: &mut PinScope) {
    let mut taken = Taken::default();
    if options::flag(scope, "--cpu-prof") {
        let interval = options::number(scope, "--cpu-prof-interval").unwrap_or_default();
        taken.cpu = profiler::start_cpu(scope, interval as i32, u32::MAX);
    }
    if options::flag(scope, "--heap-prof") {
        let interval = options::number(scope, "--heap-prof-interval").unwrap_or_default();
        taken.heap = profiler::start_heap(scope, interval.max(1.0) as u64, HEAP_DEPTH, 0);
    }
    if taken.cpu.is_some() || taken.heap {
        taken.folder = std::env::current_dir().unwrap_or_default();
        Realm::current().room::<State>().0.set(taken);
    }
}

/// Writes what was begun.
pub fn end(scope: &mut PinScope) {
    let taken = Realm::current().room::<State>().0.take();
    if let Some(profile) = taken.cpu.and_then(|id| profiler::stop_cpu(scope, id)) {
        write(scope, &taken.folder, ["CPU", "cpuprofile", "--cpu-prof"], &profile);
    }
    if taken.heap
        && let Some(profile) = profiler::stop_heap(scope)
    {
        write(scope, &taken.folder, ["Heap", "heapprofile", "--heap-prof"], profile.as_bytes());
    }
}

/// Writes a profile where the options that begin with `option` say.
fn write(scope: &mut PinScope, folder: &Path, [kind, extension, option]: [&str; 3], profile: &[u8]) {
    let folder = match options::text(scope, &format!("{option}-dir")) {
        Some(own) => folder.join(own),
        None => folder.to_owned(),
    };
    let name = match options::text(scope, &format!("{option}-name")) {
        Some(name) => name.replace("${pid}", &std::process::id().to_string()),
        None => report::file_name(scope, kind, extension),
    };
    let path = folder.join(name);
    let written = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, profile));
    if let Err(error) = written {
        eprintln!("{error}: Failed to write file {}", path.display());
    }
}
