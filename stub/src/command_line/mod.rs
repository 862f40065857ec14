//! What the process was asked to run.
//!
//! A program that starts `process.execPath` means Node: with a file, run this file; with `-e`, evaluate a text. Such a
//! child does that, and not the program again. What `kiln run` starts is Node in all that it is asked.

mod options;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::sync::OnceLock;

use kiln_payload::{ArchivedIndex, ArchivedNode, SPAWNED, VIRTUAL_ROOT};

use options::Table;
pub use options::{Options, Value};

use crate::uv::{environment, process};
use crate::{library, snapshot, vfs};

/// What Node was asked to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Task {
    /// Run this module.
    Module(OsString),
    /// Run this script of Node's library, such as `internal/main/eval_string`.
    Script(&'static str),
    /// Say Node's version.
    Version,
    /// Say what V8's flags are.
    Flags,
    /// Nothing: the command line is wrong.
    Fail(String),
}

/// The command line, read as Node would.
pub struct CommandLine {
    /// What to do.
    pub task: Task,
    /// `process.execArgv`.
    pub options: Vec<OsString>,
    /// What follows the entry in `process.argv`.
    pub arguments: Vec<OsString>,
    /// Node's options, as far as they differ from the defaults.
    pub values: BTreeMap<String, Value>,
    /// Flags for V8.
    pub v8: Vec<String>,
}

static READ: OnceLock<CommandLine> = OnceLock::new();

/// This process's command line. The first call has to come before the program runs, which may change what it is read
/// from, and before V8 starts.
pub fn get(index: &ArchivedIndex) -> &'static CommandLine {
    READ.get_or_init(|| {
        let arguments: Vec<OsString> = process::arguments().iter().skip(1).cloned().collect();
        let spawned = environment::get(SPAWNED.as_bytes());
        if let Some(cwd) = &spawned {
            environment::remove(SPAWNED.as_bytes());
            vfs::begin_in(cwd);
        }
        let is_embedded = |path: &OsStr| {
            let path = path.to_str().filter(|path| path.starts_with(VIRTUAL_ROOT));
            path.is_some_and(|path| matches!(index.nodes.get(path), Some(ArchivedNode::File(_))))
        };
        let role = match (index.in_place, spawned.is_some()) {
            (true, _) => Role::Node,
            (false, true) => Role::Child,
            (false, false) => Role::Program,
        };
        // Only the program itself can mean its own files.
        let is_own = |variable: &OsString| variable.to_string_lossy().contains(VIRTUAL_ROOT);
        let heeds = |variable: &OsString| role == Role::Node || (role == Role::Child && is_own(variable));
        let variable = environment::get(b"NODE_OPTIONS").filter(heeds);
        let facts = || Table::new(&library::fact("options"));
        read(arguments, index.entry.as_str(), role, variable.as_deref(), is_embedded, facts)
    })
}

/// Reads the options that a program gives to a worker, its `execArgv`.
pub fn of_worker(arguments: &[String]) -> Options {
    Table::new(&library::fact("options")).read(arguments, false)
}

/// Reads the options in a variable like `NODE_OPTIONS`.
pub fn of_variable(variable: &str) -> Options {
    let mut options = read_variable(variable, &Table::new(&library::fact("options")));
    if options::words(variable).is_err() {
        // Node's message ends with its line.
        options.error = options.error.map(|error| error + "\n");
    }
    options
}

fn read_variable(variable: &str, table: &Table) -> Options {
    let mut options = match options::words(variable) {
        Ok(words) => table.read(&words, true),
        Err(error) => Options { error: Some(error.to_owned()), ..Options::default() },
    };
    options.taken = 0;
    options
}

/// Variables that stand for options.
const VARIABLES: &[(&str, &str)] = &[
    ("NODE_PENDING_DEPRECATION", "--pending-deprecation"),
    ("NODE_PRESERVE_SYMLINKS", "--preserve-symlinks"),
    ("NODE_PRESERVE_SYMLINKS_MAIN", "--preserve-symlinks-main"),
    ("NODE_REDIRECT_WARNINGS", "--redirect-warnings"),
];

/// What an executable is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// The program that was built.
    Program,
    /// A child of it, which may be meant to be Node.
    Child,
    /// Node.
    Node,
}

/// Adds what the variables say that stand for options; `get` gives their values.
pub fn take_variables(options: &mut Options, get: impl Fn(&[u8]) -> Option<OsString>) {
    for (variable, option) in VARIABLES {
        match get(variable.as_bytes()).filter(|value| !value.is_empty()) {
            Some(value) if *option == "--redirect-warnings" => {
                let value = Value::Text(value.to_string_lossy().into_owned());
                options.values.entry((*option).to_owned()).or_insert(value);
            }
            Some(value) if value == "1" => {
                options.values.insert((*option).to_owned(), Value::Flag(true));
            }
            _ => {}
        }
    }
}

fn read(
    arguments: Vec<OsString>,
    own: &str,
    role: Role,
    variable: Option<&OsStr>,
    is_embedded: impl Fn(&OsStr) -> bool,
    table: impl Fn() -> Table,
) -> CommandLine {
    let program = |arguments: Vec<OsString>| CommandLine {
        task: Task::Module(own.into()),
        options: Vec::new(),
        arguments,
        values: BTreeMap::new(),
        v8: Vec::new(),
    };
    let has_options = arguments.first().is_some_and(|argument| argument.as_bytes().starts_with(b"-"));
    // Whoever starts the program itself gives it whatever arguments it has.
    if role == Role::Program && !arguments.iter().any(|argument| is_embedded(argument)) {
        return program(arguments);
    }
    let mut options = Options::default();
    if has_options || variable.is_some_and(|variable| !variable.is_empty()) {
        let table = table();
        if let Some(variable) = variable {
            options = read_variable(&variable.to_string_lossy(), &table);
        }
        let texts: Vec<String> = arguments.iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
        options.merge(table.read(&texts, false));
    }
    if role == Role::Node {
        take_variables(&mut options, environment::get);
    }
    let unknown = snapshot::set_flags(&options.v8);
    let error = options.error.clone().or_else(|| unknown.first().map(|option| format!("bad option: {option}")));
    let (given, rest) = arguments.split_at(options.taken);
    let mut rest = rest.to_vec();
    let file = rest.first().filter(|file| role != Role::Program || is_embedded(file)).cloned();
    let task = match error {
        Some(error) => Task::Fail(error),
        None => task(&options, file.as_deref()),
    };
    // A child is Node even where that is of no use to it: one that ran the program again might do so without end.
    if role == Role::Program && !matches!(task, Task::Module(_)) {
        return program(arguments);
    }
    if matches!(task, Task::Module(_)) {
        rest.remove(0);
    }
    let given = &given[..given.len() - usize::from(options.ended && !given.is_empty())];
    CommandLine { task, options: given.to_vec(), arguments: rest, values: options.values, v8: options.v8 }
}

/// What Node does, in its own order of importance.
fn task(options: &Options, file: Option<&OsStr>) -> Task {
    let file = file.filter(|file| *file != "-");
    let is_interactive = options.flag("--interactive");
    let script = match file {
        _ if options.flag("--version") => return Task::Version,
        _ if options.flag("--v8-options") => return Task::Flags,
        _ if options.flag("--help") => "internal/main/print_help",
        _ if options.flag("--prof-process") => "internal/main/prof_process",
        _ if options.flag("--check") && !is_interactive => "internal/main/check_syntax",
        _ if options.flag("--test") => "internal/main/test_runner",
        _ if options.flag("--watch") => "internal/main/watch_mode",
        _ if options.flag("[has_eval_string]") && !is_interactive => "internal/main/eval_string",
        Some(file) => return Task::Module(file.to_owned()),
        None if is_interactive || process::is_terminal(0) => "internal/main/repl",
        None => "internal/main/eval_stdin",
    };
    Task::Script(script)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: &str = r#"{
        "info": [["--eval", {"type": 5}], ["--warnings", {"type": 2}], ["--require", {"type": 7}]],
        "aliases": [["-e", ["--eval"]], ["-r", ["--require"]]]
    }"#;

    fn texts(arguments: &[&str], role: Role) -> (Task, Vec<String>, Vec<String>) {
        let arguments = arguments.iter().map(OsString::from).collect();
        let is_embedded = |path: &OsStr| path == "/__kiln__/worker.js";
        let line =
            read(arguments, "/own.js", role, None, is_embedded, || Table::new(&serde_json::from_str(FACTS).unwrap()));
        let strings = |list: Vec<OsString>| list.into_iter().map(|text| text.into_string().unwrap()).collect();
        (line.task, strings(line.options), strings(line.arguments))
    }

    fn owned(list: &[&str]) -> Vec<String> {
        list.iter().map(|text| text.to_string()).collect()
    }

    fn module(path: &str) -> Task {
        Task::Module(path.into())
    }

    #[test]
    fn a_user_s_arguments_are_the_program_s() {
        let line = texts(&["--flag", "file.js"], Role::Program);
        assert_eq!(line, (module("/own.js"), vec![], owned(&["--flag", "file.js"])));
    }

    #[test]
    fn a_child_runs_the_file_that_it_is_given() {
        let line = texts(&["--no-warnings", "-r", "hook.js", "file.js", "--flag"], Role::Child);
        assert_eq!(line, (module("file.js"), owned(&["--no-warnings", "-r", "hook.js"]), owned(&["--flag"])));
        let line = texts(&["/__kiln__/worker.js", "child"], Role::Program);
        assert_eq!(line, (module("/__kiln__/worker.js"), vec![], owned(&["child"])));
    }

    #[test]
    fn a_child_evaluates_text() {
        let line = texts(&["-e", "1", "a"], Role::Child);
        assert_eq!(line, (Task::Script("internal/main/eval_string"), owned(&["-e", "1"]), owned(&["a"])));
    }

    #[test]
    fn a_child_is_node_whatever_it_is_asked() {
        let missing = Task::Fail("--eval requires an argument".into());
        assert_eq!(texts(&["--eval"], Role::Child).0, missing);
        assert!(matches!(texts(&[], Role::Child).0, Task::Script(_)));
        let line = texts(&["-", "a"], Role::Child);
        assert_eq!((line.0, line.2), (Task::Script("internal/main/eval_stdin"), owned(&["-", "a"])));
    }

    #[test]
    fn what_kiln_run_starts_is_node() {
        assert_eq!(texts(&["--eval"], Role::Node).0, Task::Fail("--eval requires an argument".into()));
        assert_eq!(texts(&["--", "-x"], Role::Node), (module("-x"), vec![], vec![]));
    }
}
