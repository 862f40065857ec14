//! What is evaluated at build time, as `--explain` and `KILN_TRACE_START` tell; that nobody else can is for
//! `fixtures/modules/pre-evaluation.txt`.

mod support;

use std::path::Path;
use std::process::Command;

use support::workspace::Workspace;

const LIBRARY: &str = "
const { inspect } = require('util');
const { shared } = require('./part');
class Counter { #count = 0; next() { return ++this.#count; } }
const counter = new Counter();
exports.isVerbose = process.env.VERBOSE_LIBRARY !== undefined;
exports.isPlain = process.argv.includes('--plain');
exports.hasMap = [].mapped !== undefined;
exports.describe = (value) => inspect({ value, shared, count: counter.next() });
";

const MAIN: &str = "
if (process.argv.includes('--patch')) Array.prototype.mapped = true;
const { describe, ...rest } = require('./library');
console.log(describe(process.argv.length), rest, require('./part') === module.children[0].children[0].exports);
";

fn project(workspace: &Workspace) {
    let padding = format!("//{}\n", " what makes a module long".repeat(200));
    workspace.write("main.js", MAIN);
    workspace.write("library.js", &(LIBRARY.to_owned() + &padding));
    workspace.write("part.js", "exports.shared = new Map([[{ a: 1 }, Symbol('x')]]);");
}

fn build(entry: &Path, executable: &Path) -> String {
    let output = support::kiln().arg("build").arg("--explain").arg(entry).arg("-o").arg(executable).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

/// What the start says of itself.
fn trace(executable: &Path, argument: &str, environment: &[(&str, &str)]) -> (String, String) {
    let mut command = Command::new(executable);
    command.arg(argument).env_clear().env("KILN_TRACE_START", "1").envs(environment.iter().copied());
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_start_takes_what_is_evaluated_unless_it_could_tell() {
    let workspace = Workspace::new();
    project(&workspace);
    let executable = workspace.executable();
    let said = build(&workspace.project().join("main.js"), &executable);
    assert!(said.contains("evaluated    /__kiln__/library.js"), "{said}");
    assert!(said.contains("deferred   /__kiln__/main.js: process.argv at /__kiln__/main.js:4"), "{said}");
    assert!(said.contains("2 of 3 modules are evaluated"), "{said}");
    assert!(said.contains("1 module waits for process.argv at /__kiln__/main.js:4\n"), "{said}");

    let expected = "{ value: 3, shared: Map(1) { { a: 1 } => Symbol(x) }, count: 1 }";
    for (argument, environment, why, rest) in [
        (
            "x",
            &[][..],
            "2 modules of /__kiln__/library.js are evaluated",
            "{ isVerbose: false, isPlain: false, hasMap: false }",
        ),
        ("--plain", &[], "--plain was taken for absent", "{ isVerbose: false, isPlain: true, hasMap: false }"),
        ("--patch", &[], "has changed", "{ isVerbose: false, isPlain: false, hasMap: true }"),
        (
            "x",
            &[("VERBOSE_LIBRARY", "1")],
            "VERBOSE_LIBRARY was taken for absent",
            "{ isVerbose: true, isPlain: false, hasMap: false }",
        ),
    ] {
        let (output, trace) = trace(&executable, argument, environment);
        assert!(trace.contains(why), "{argument}: {trace}");
        assert_eq!(output, format!("{expected} {rest} true\n"), "{argument}");
    }
}

#[test]
fn builds_in_other_places_give_the_same_bytes() {
    let build = || {
        let workspace = Workspace::new();
        project(&workspace);
        build(&workspace.project().join("main.js"), &workspace.executable());
        std::fs::read(workspace.executable()).unwrap()
    };
    assert!(build() == build());
}

#[test]
fn a_training_runs_the_program_in_a_folder_of_its_own() {
    let workspace = Workspace::new();
    let program = "
const fs = require('fs');
const { Worker, isMainThread } = require('worker_threads');
if (!isMainThread) process.exit();
const [note] = process.argv.slice(2);
if (note === 'abort') process.abort();
new Worker(__filename).on('exit', (code) => {
  if (note) fs.appendFileSync(note, JSON.stringify([process.argv.length, fs.readdirSync('.'), code]) + '\\n');
  console.log('over', process.env.KILN_TRAINING);
});
";
    workspace.write("main.js", program);
    let (entry, executable) = (workspace.project().join("main.js"), workspace.executable());
    let note = workspace.project().join("a note.txt");
    let train = |lines: &[&str]| {
        let mut command = support::kiln();
        command.arg("build").arg(&entry).arg("-o").arg(&executable);
        let output = command.args(lines.iter().flat_map(|line| ["--train", line])).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };

    let line = format!("'{}' --more", note.display());
    let (built, said) = train(&[&line, &line]);
    assert!(built && !said.contains("over"), "{said}");
    assert_eq!(std::fs::read_to_string(&note).unwrap(), "[4,[],0]\n".repeat(2));
    let output = Command::new(&executable).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "over undefined\n");

    let (built, said) = train(&["abort"]);
    assert!(built && said.contains("the run with the arguments \"abort\" fails"), "{said}");
    let (built, said) = train(&["'half"]);
    assert!(!built && said.contains("--train ''half' can't be read"), "{said}");
}
