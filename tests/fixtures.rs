//! Every project of `fixtures`: it prints the same as an executable and under Node.
//!
//! A project's entry is its `main.js` or the like. Its file `runs`, if it has one, says how it is started, one run a
//! line. What Node does not run, because more is to be done than to take types out, has a file `expected` instead; it
//! holds what the program prints under `tsx`.

mod support;

use std::fs;
use std::path::Path;

use support::compare::{Run, Setting, compare};
use support::process::Input;
use support::workspace::Workspace;
use support::{fixtures, is_wanted, report_differences};

/// A test for each project, so that they run side by side.
macro_rules! projects {
    ($($name:ident)*) => {
        $(#[test] fn $name() { check(stringify!($name)); })*
        const PROJECTS: &[&str] = &[$(stringify!($name)),*];
    };
}

projects! {
    abort addresses assert big_output buffer builtins builtins_imported child_process children_as_node ciphers cluster cluster_dgram console
    crypto decorators dgram embedded_files embedded_folder embedded_programs encoding encoding_limits event_loop event_target events exit fork fs fs_callbacks
    fs_promises hello hot http http_hooks inspect js_stream jsx node_children origins os own_place path performance process profile_options profiles readline stdin
    storage streams structured_clone timers tls tsconfig types typescript uncaught url url_pattern util wasm worker workspaces
    zlib zlib_bytes
}

/// The projects of several ES modules, which are built with `--optimize`, too.
const MERGED: &[&str] =
    &["decorators", "jsx", "origins", "own_place", "tsconfig", "typescript", "wasm", "worker", "workspaces"];

const ENTRIES: [&str; 7] = ["main.js", "main.mjs", "main.cjs", "main.ts", "main.mts", "main.cts", "main.tsx"];

#[test]
fn every_project_is_run() {
    for entry in fs::read_dir(fixtures()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_str().unwrap().replace('-', "_");
        let is_project = entry.path().is_dir() && name != "modules";
        assert!(!is_project || PROJECTS.contains(&name.as_str()), "{name} is not among the projects");
    }
}

fn check(project: &str) {
    if !is_wanted(project) {
        return;
    }
    let folder = fixtures().join(project.replace('_', "-"));
    let workspace = Workspace::new();
    workspace.copy(&folder);
    let entry = ENTRIES.into_iter().find(|name| folder.join(name).exists()).unwrap();
    let environment = [("PATH", "/usr/bin:/bin"), ("GREETING", "hello"), ("TZ", "UTC")];
    let runs = runs(&folder);
    let expected = fs::read_to_string(folder.join("expected")).ok();
    let setting = Setting { environment: &environment, cwd: None, expected: expected.as_deref(), options: &[] };
    let mut failures = compare(&workspace, entry, &runs, &setting).err().map(|why| format!("{project}\n{why}"));
    if MERGED.contains(&project) {
        workspace.copy(&folder);
        let setting = Setting { options: &["--optimize"], ..setting };
        let optimized = compare(&workspace, entry, &runs, &setting).err();
        failures = failures.or(optimized.map(|why| format!("{project} with --optimize\n{why}")));
    }
    report_differences(&[project.to_owned()], failures.into_iter().collect());
}

/// Each line holds the arguments of one run, as in a shell. With `< file` at its end there are two runs: with the
/// file as standard input, and with a pipe.
fn runs(folder: &Path) -> Vec<Run> {
    let Ok(text) = fs::read_to_string(folder.join("runs")) else { return vec![Run::plain()] };
    let mut runs = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (arguments, input) = line.split_once('<').unwrap_or((line, ""));
        let arguments = words(arguments);
        if input.is_empty() {
            runs.push(Run { arguments, input: Input::None });
            continue;
        }
        let path = folder.join(input.trim());
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        runs.push(Run { arguments: arguments.clone(), input: Input::File(path) });
        runs.push(Run { arguments, input: Input::Pipe(bytes) });
    }
    runs
}

/// Words between spaces; quotes keep spaces together.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}
