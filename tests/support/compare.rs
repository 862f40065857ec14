//! One program, two ways: under Node, and as an executable whose source is gone.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};

use super::node::node;
use super::normal::normal;
use super::process::{Input, Outcome, run};
use super::workspace::Workspace;

/// Where an executable keeps its files.
const VIRTUAL_ROOT: &str = "/__kiln__";

/// One way to start a program.
#[derive(Clone, Debug)]
pub struct Run {
    pub arguments: Vec<String>,
    pub input: Input,
}

impl Run {
    pub fn plain() -> Self {
        Self { arguments: Vec::new(), input: Input::None }
    }
}

/// What every run has in common.
pub struct Setting<'a> {
    /// The variables of the environment; there are no others.
    pub environment: &'a [(&'a str, &'a str)],
    /// The working directory; without it, each run has an empty one.
    pub cwd: Option<&'a Path>,
    /// What is expected, for a program that Node does not run: see [`outcomes`].
    pub expected: Option<&'a str>,
    /// Options of `kiln build`.
    pub options: &'a [&'a str],
}

/// Runs the project's `entry` with Node, builds it, removes the project, runs the executable.
pub fn compare(workspace: &Workspace, entry: &str, runs: &[Run], setting: &Setting) -> Result<(), String> {
    let entry = workspace.project().join(entry);
    let start = |command: &mut Command, way: &Run| {
        let cwd = setting.cwd.map_or_else(|| workspace.cwd(), Path::to_path_buf);
        command.args(&way.arguments).current_dir(&cwd).env_clear();
        command.env("HOME", &cwd).envs(setting.environment.iter().copied());
        run(command, &way.input)
    };
    let expected: Vec<Outcome> = match setting.expected {
        Some(text) => outcomes(text),
        None => runs.iter().map(|way| start(Command::new(node()).arg(&entry), way)).collect::<Result<_, _>>()?,
    };
    if expected.len() != runs.len() {
        return Err(format!("  {} runs, {} of them expected", runs.len(), expected.len()));
    }
    // Help texts may name the program after its file; under Node that is the entry's.
    let executable = workspace.executable().with_file_name(entry.file_name().unwrap());
    build(&entry, &executable, setting.options)?;
    let project = workspace.project();
    workspace.remove_project();

    let mut differences = Vec::new();
    for (way, expected) in runs.iter().zip(&expected) {
        let actual = start(&mut Command::new(&executable), way)?;
        if let Some(difference) = difference(expected, &actual, &project) {
            differences.push(format!("  {}\n{difference}", describe(way)));
        }
    }
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n")) }
}

/// Builds with Kiln; warnings are no failure. `KILN_OPTIONS` has more options for every build, such as `--minify`.
pub fn build(entry: &Path, executable: &Path, options: &[&str]) -> Result<(), String> {
    let more = std::env::var("KILN_OPTIONS").unwrap_or_default();
    let mut kiln = super::kiln();
    let more = more.split_whitespace().filter(|option| !options.contains(option));
    kiln.arg("build").args(options).args(more).arg(entry).arg("-o").arg(executable);
    let built = run(&mut kiln, &Input::None)?;
    if built.status.success() {
        return Ok(());
    }
    Err(format!("  kiln build: {}\n{}", built.status, indent(&built.stderr())))
}

/// What is expected of each run: `$ app …` begins one, `2> ` a line on standard error, `exit ` says how it ends if not
/// with 0. The rest is standard output.
fn outcomes(text: &str) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = Vec::new();
    for line in text.split_inclusive('\n') {
        if line.starts_with("$ app") {
            outcomes.push(Outcome { stdout: Vec::new(), stderr: Vec::new(), status: ExitStatus::from_raw(0) });
            continue;
        }
        let Some(outcome) = outcomes.last_mut() else { continue };
        if let Some(line) = line.strip_prefix("2> ") {
            outcome.stderr.extend(line.bytes());
        } else if let Some(code) = line.strip_prefix("exit ") {
            outcome.status = ExitStatus::from_raw(code.trim().parse::<i32>().unwrap() << 8);
        } else {
            outcome.stdout.extend(line.bytes());
        }
    }
    outcomes
}

fn describe(way: &Run) -> String {
    let input = match &way.input {
        Input::None => String::new(),
        Input::File(path) => format!(" < {}", path.file_name().unwrap().display()),
        Input::Pipe(bytes) => format!(" | {} bytes", bytes.len()),
    };
    format!("$ app {}{input}", way.arguments.join(" "))
}

/// Where the two part, if they do.
fn difference(node: &Outcome, kiln: &Outcome, project: &Path) -> Option<String> {
    let mut found = Vec::new();
    if node.status != kiln.status {
        found.push(format!("    node: {}\n    kiln: {}", node.status, kiln.status));
    }
    for (name, node, kiln) in [("stdout", &node.stdout, &kiln.stdout), ("stderr", &node.stderr, &kiln.stderr)] {
        let node = normal(node, &[project]);
        let kiln = normal(kiln, &[Path::new(VIRTUAL_ROOT)]);
        if node != kiln {
            found.push(format!("    {name}\n{}", first_difference(&node, &kiln)));
        }
    }
    (!found.is_empty()).then(|| found.join("\n"))
}

/// The first lines that differ, with the one above them.
fn first_difference(node: &str, kiln: &str) -> String {
    const SHOWN: usize = 6;
    let (node, kiln): (Vec<&str>, Vec<&str>) = (node.lines().collect(), kiln.lines().collect());
    let same = node.iter().zip(&kiln).take_while(|(a, b)| a == b).count();
    let side = |name: &str, lines: &[&str]| {
        let lines = lines.iter().skip(same).take(SHOWN).map(|line| shorten(line));
        let lines: Vec<String> = lines.map(|line| format!("      {name} {line}\n")).collect();
        if lines.is_empty() { format!("      {name} (the end)\n") } else { lines.concat() }
    };
    let above = same.checked_sub(1).map(|at| format!("     line {same}: {}\n", shorten(node[at])));
    format!("{}{}{}", above.unwrap_or_default(), side("node:", &node), side("kiln:", &kiln)).trim_end().to_owned()
}

fn shorten(line: &str) -> String {
    const WIDTH: usize = 240;
    match line.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}… {} bytes more", &line[..end], line.len() - end),
        None => line.to_owned(),
    }
}

fn indent(text: &str) -> String {
    text.lines().take(12).map(|line| format!("    {line}\n")).collect()
}
