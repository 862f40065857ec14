//! Kiln's compiler: from an entry to one executable.
//!
//! A build goes one way, and each step takes one value and returns the next:
//!
//! ```text
//! entry ─▶ graph ─▶ bundle ─▶ snapshot ─▶ executable
//! ```
//!
//! - [`graph`] reads and parses every module that the program can reach, once, and resolves what each asks for.
//! - [`bundle`] gives every file its place under the virtual root and lays out the payload.
//! - [`snapshot`] runs the stub with that payload, so that V8 takes a snapshot of the program.
//! - [`executable`] composes the file and puts it in its place.

pub mod bundle;
pub mod diagnostic;
pub mod executable;
pub mod graph;
mod optimize;
pub mod preeval;
mod progress;
mod scan;
pub mod snapshot;
mod transform;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use diagnostic::{Diagnostic, Diagnostics, Severity};
use graph::choices::Choices;
use graph::entry;
pub use progress::{Progress, Step};

/// What to build.
#[derive(Debug, Clone, Default)]
pub struct BuildOptions {
    /// A file, or a package's folder.
    pub entry: PathBuf,
    /// Where the executable goes. Without it, it is named after the package or the file, in the working directory.
    pub output: Option<PathBuf>,
    /// Globs, relative to the working directory, of files to embed beside those that analysis finds.
    pub include: Vec<String>,
    /// Modules that are not to be embedded, by their names.
    pub external: Vec<String>,
    /// Expressions whose value is known: `NAME=VALUE`.
    pub define: Vec<String>,
    /// Whether to make the sources small.
    pub minify: bool,
    /// Whether to merge modules, and to leave out what nobody uses of them.
    pub optimize: bool,
    /// Learns how far the build is.
    pub progress: Arc<Progress>,
    /// For a program that runs on this machine and now: its files stay where they are. One that has to be compiled to
    /// JavaScript is embedded all the same.
    pub in_place: bool,
    /// Whether modules stay un-evaluated until the program starts.
    pub no_preeval: bool,
    /// Arguments of runs at build time, from which is learnt what the program compiles.
    pub trainings: Vec<Vec<String>>,
}

/// What was built.
#[derive(Debug, Clone)]
pub struct Built {
    /// The executable.
    pub output: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// The path that its main module has for itself.
    pub entry: String,
    /// How many modules it holds.
    pub modules: usize,
    /// How many other files it holds.
    pub files: usize,
    /// What of the program is evaluated at build time.
    pub evaluation: preeval::Evaluation,
}

/// Builds one executable from a project. Warnings go to `report` as they are found.
pub fn build(options: &BuildOptions, stub: &[u8], report: &mut dyn FnMut(&Diagnostic)) -> Result<Built, Diagnostics> {
    let entry = entry::find(&options.entry)?;
    let output = options.output.clone().unwrap_or_else(|| PathBuf::from(&entry.name));
    let output = executable::check_output(&output)?;

    let defines = transform::Defines::parse(&options.define)?;
    let choices = Choices::gather(&entry.path, &options.include, &options.external, defines)?;
    let progress = &options.progress;
    let mut graph = graph::build(&entry, &choices, progress)?;
    graph.warnings.iter().for_each(&mut *report);
    refuse_to_overwrite(&graph, &output)?;

    if options.optimize {
        let (root, _) = bundle::root_and_files(&graph);
        graph::pool()?.install(|| optimize::merge(&mut graph, root));
    }
    if options.minify {
        graph::pool()?.install(|| optimize::minify(&mut graph));
    }
    let is_plain = options.include.is_empty() && options.define.is_empty() && !options.minify && !options.optimize;
    let in_place = options.in_place && is_plain && graph.modules.values().all(|module| !module.transformed);
    let mut bundle = bundle::lay_out(&graph, in_place)?;
    progress.begin(Step::Snapshot);
    let (snapshot, codes, evaluation) = preeval::snapshot(stub, &bundle, !options.no_preeval, &options.trainings)?;
    evaluation.warnings.iter().for_each(report);
    bundle.index.formatters = evaluation.formatters.iter().cloned().collect();
    progress.begin(Step::Write);
    let size = executable::write(stub, &bundle, &snapshot, &codes, &output)?;

    let files = bundle.files() - bundle.modules();
    Ok(Built { output, size, entry: bundle.index.entry.clone(), modules: bundle.modules(), files, evaluation })
}

/// `kiln build app` in the folder of a script called `app` must not replace the script.
fn refuse_to_overwrite(graph: &graph::ModuleGraph, output: &Path) -> Result<(), Diagnostic> {
    if graph.modules.contains_key(output) || graph.files.contains(output) {
        let message = format!("the executable would overwrite \"{}\"", diagnostic::display(output));
        return Err(Diagnostic::error(message).help("this file is part of the program: choose another name with -o"));
    }
    Ok(())
}
