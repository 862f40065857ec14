//! Programs from npm: each behaves as under Node with `node_modules` gone and an empty PATH.

mod support;

use std::path::Path;

use support::compare::{Run, Setting, compare};
use support::node::install;
use support::process::Input;
use support::report_differences;
use support::workspace::Workspace;

const YAML: &str =
    "# a comment\nname: kiln\nlist: [1, 2.5, yes, ~]\nnested:\n  date: 2024-02-29\n  text: |\n    two\n    lines\n";
const MARKDOWN: &str = "# Title\n\nSome *text* with `code`, <b>HTML</b> & a [link](http://example.com).\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```js\nlet x;\n```\n";

#[test]
fn cowsay() {
    check(
        "cowsay/cli.js",
        &[
            run(&["hello"]),
            run(&["-f", "tux", "-e", "oO", "-T", "U", "a longer text that has to be wrapped at some column"]),
            run(&["-n", "  not   wrapped  "]),
            run(&["-l"]),
            run(&["--help"]),
            run(&["--version"]),
            run(&["-f", "no-such-cow", "hello"]),
            run(&[]).with_input("from standard\ninput"),
        ],
    );
}

#[test]
fn marked() {
    check(
        "marked/bin/marked.js",
        &[
            run(&[]).with_input(MARKDOWN),
            run(&["--tokens"]).with_input("*a*"),
            run(&["-s", "**bold** and a\nnew line", "--breaks"]),
            run(&["--help"]),
            run(&["--version"]),
            run(&["-i", "/no/such/file"]),
            run(&["-c", "/no/such/config", "-s", "x"]),
        ],
    );
}

#[test]
fn js_yaml() {
    check(
        "js-yaml/bin/js-yaml.mjs",
        &[
            run(&[]).with_input(YAML),
            run(&[]).with_input("{ \"json\": [true, null, \"text\"] }"),
            run(&[]).with_input("a: b: c"),
            run(&["--trace"]).with_input("list:\n  - [1, 2\n"),
            run(&["--compact"]).with_input("'not closed"),
            run(&["--help"]),
            run(&["--version"]),
            run(&["/no/such/file"]),
            run(&["--no-such-option"]),
        ],
    );
}

#[test]
fn semver() {
    check(
        "semver/bin/semver.js",
        &[
            run(&["1.10.0", "1.2.0", "v1.9.9-beta.1", "not a version"]),
            run(&["-r", ">=1.2 <2 || 3.x", "1.3.0", "0.9.0", "3.1.4", "2.0.0"]),
            run(&["-i", "prerelease", "--preid", "beta", "1.2.3"]),
            run(&["-c", "version v2.7.1.8 of something"]),
            run(&["nonsense"]),
            run(&["--help"]),
            run(&[]),
        ],
    );
}

fn run(arguments: &[&str]) -> Run {
    Run { arguments: arguments.iter().map(|argument| argument.to_string()).collect(), input: Input::None }
}

trait WithInput {
    fn with_input(self, text: &str) -> Self;
}

impl WithInput for Run {
    fn with_input(mut self, text: &str) -> Self {
        self.input = Input::Pipe(text.as_bytes().to_vec());
        self
    }
}

fn check(entry: &str, runs: &[Run]) {
    let workspace = Workspace::new();
    workspace.copy(&install(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs"), "programs"));
    // From "/" both ways see the program's path below the working directory, so that help texts are alike.
    let setting = Setting { environment: &[("PATH", "")], cwd: Some(Path::new("/")), expected: None, options: &[] };
    let result = compare(&workspace, &format!("node_modules/{entry}"), runs, &setting);
    let failures = result.err().map(|why| format!("{entry}\n{why}")).into_iter().collect();
    report_differences(&[entry.to_owned()], failures);
}
