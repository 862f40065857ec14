//! What the process was asked to run.
//!
//! A program that starts `process.execPath` with a file means: Node, run this file. Such a child runs the file, be it
//! embedded or on the disk, and not the program's own entry again.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::sync::OnceLock;

use kiln_payload::{ArchivedIndex, ArchivedNode, VIRTUAL_ROOT};

use crate::uv::{environment, process};

/// Set for a child that a program starts as if the executable were Node; the child takes it out of its environment.
pub const SPAWNED: &str = "KILN_SPAWNED";

/// Options of Node that take the next argument as their value.
const WITH_VALUE: &[&str] = &[
    "-r",
    "--require",
    "--import",
    "--loader",
    "--experimental-loader",
    "-C",
    "--conditions",
    "--env-file",
    "--title",
];

/// The command line, read as Node would.
pub struct CommandLine {
    /// The module to run.
    pub entry: OsString,
    /// `process.execArgv`.
    pub options: Vec<OsString>,
    /// What follows the entry in `process.argv`.
    pub arguments: Vec<OsString>,
}

static READ: OnceLock<CommandLine> = OnceLock::new();

/// This process's command line. The first call has to come before the program runs, which may change what it is read
/// from.
pub fn get(index: &ArchivedIndex) -> &'static CommandLine {
    READ.get_or_init(|| {
        let arguments = process::arguments().iter().skip(1).cloned().collect();
        let spawned = environment::get(SPAWNED.as_bytes()).is_some();
        if spawned {
            environment::remove(SPAWNED.as_bytes());
        }
        let is_embedded = |path: &OsStr| {
            let path = path.to_str().filter(|path| path.starts_with(VIRTUAL_ROOT));
            path.is_some_and(|path| matches!(index.nodes.get(path), Some(ArchivedNode::File(_))))
        };
        read(arguments, index.entry.as_str(), spawned, is_embedded)
    })
}

fn read(
    mut arguments: VecDeque<OsString>,
    own: &str,
    spawned: bool,
    is_embedded: impl Fn(&OsStr) -> bool,
) -> CommandLine {
    let before = arguments.clone();
    let mut options = Vec::new();
    while let Some(option) = arguments.pop_front_if(|argument| argument.as_bytes().starts_with(b"-")) {
        let takes_value = WITH_VALUE.iter().any(|name| option == **name);
        options.push(option);
        if takes_value {
            options.extend(arguments.pop_front());
        }
    }
    match arguments.pop_front_if(|file| spawned || is_embedded(file)) {
        Some(entry) => CommandLine { entry, options, arguments: arguments.into() },
        None => CommandLine { entry: own.into(), options: Vec::new(), arguments: before.into() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(arguments: &[&str], spawned: bool) -> (String, Vec<String>, Vec<String>) {
        let arguments = arguments.iter().map(OsString::from).collect();
        let line = read(arguments, "/own.js", spawned, |path| path == "/__kiln__/worker.js");
        let strings = |list: Vec<OsString>| list.into_iter().map(|text| text.into_string().unwrap()).collect();
        (line.entry.into_string().unwrap(), strings(line.options), strings(line.arguments))
    }

    fn owned(list: &[&str]) -> Vec<String> {
        list.iter().map(|text| text.to_string()).collect()
    }

    #[test]
    fn a_user_s_arguments_are_the_program_s() {
        assert_eq!(texts(&["--flag", "file.js"], false), ("/own.js".into(), vec![], owned(&["--flag", "file.js"])));
    }

    #[test]
    fn a_child_runs_the_file_that_it_is_given() {
        let line = texts(&["--no-warnings", "-r", "hook.js", "file.js", "--flag"], true);
        assert_eq!(line, ("file.js".into(), owned(&["--no-warnings", "-r", "hook.js"]), owned(&["--flag"])));
        let line = texts(&["/__kiln__/worker.js", "child"], false);
        assert_eq!(line, ("/__kiln__/worker.js".into(), vec![], owned(&["child"])));
    }

    #[test]
    fn a_child_without_a_file_runs_the_program() {
        assert_eq!(texts(&["--flag"], true), ("/own.js".into(), vec![], owned(&["--flag"])));
    }
}
