//! What a user of `kiln` can ask for, apart from what the program then does.

mod support;

use std::fs;
use std::process::Command;

use support::kiln;
use support::process::{Input, Outcome, run};
use support::workspace::Workspace;

fn in_project(workspace: &Workspace, arguments: &[&str]) -> Outcome {
    run(kiln().args(arguments).current_dir(workspace.project()), &Input::None).unwrap()
}

fn succeed(outcome: Outcome) -> Outcome {
    assert!(outcome.status.success(), "{}\n{}", outcome.status, outcome.stderr());
    outcome
}

/// Builds in the project's folder without `-o`, and runs what should have appeared there.
fn build_and_run(files: &[(&str, &str)], entry: &str, name: &str) -> String {
    let workspace = Workspace::new();
    for (path, text) in files {
        workspace.write(path, text);
    }
    succeed(in_project(&workspace, &["build", entry]));
    succeed(run(&mut Command::new(workspace.project().join(name)), &Input::None).unwrap()).stdout()
}

#[test]
fn output_is_named_after_the_file() {
    assert_eq!(build_and_run(&[("src/tool.js", "console.log('file')")], "src/tool.js", "tool"), "file\n");
    assert_eq!(build_and_run(&[("tool.min.mjs", "console.log('dots')")], "./tool.min.mjs", "tool.min"), "dots\n");
}

#[test]
fn package_folders() {
    let bin = [
        ("packages/pkg/package.json", r#"{ "name": "@scope/pkg", "bin": "./cli.js", "main": "lib.js" }"#),
        ("packages/pkg/cli.js", "#!/usr/bin/env node\nconsole.log('bin', require('./package.json').name)"),
        ("packages/pkg/lib.js", "console.log('main')"),
    ];
    assert_eq!(build_and_run(&bin, "packages/pkg/", "pkg"), "bin @scope/pkg\n");
    let named = [
        ("packages/pkg/package.json", r#"{ "name": "pkg", "bin": { "tool": "cli.js" }, "type": "module" }"#),
        ("packages/pkg/cli.js", "console.log('a bin of its own name', import.meta.main)"),
    ];
    assert_eq!(build_and_run(&named, "packages/pkg", "tool"), "a bin of its own name true\n");
    let main = [
        ("packages/pkg/package.json", r#"{ "name": "pkg", "main": "./lib/entry" }"#),
        ("packages/pkg/lib/entry.js", "console.log('main')"),
    ];
    assert_eq!(build_and_run(&main, "packages/pkg", "pkg"), "main\n");
    let exports = [
        ("packages/pkg/package.json", r#"{ "name": "pkg", "exports": { "import": "./a.mjs", "require": "./b.cjs" } }"#),
        ("packages/pkg/a.mjs", "console.log('exports, import')"),
        ("packages/pkg/b.cjs", "console.log('exports, require')"),
    ];
    assert!(build_and_run(&exports, "packages/pkg", "pkg").starts_with("exports, "));
    let index = [("packages/unnamed/index.js", "console.log('index')")];
    assert_eq!(build_and_run(&index, "packages/unnamed", "unnamed"), "index\n");
}

#[test]
fn help() {
    let workspace = Workspace::new();
    for arguments in [&["--help"][..], &["build", "--help"], &["run", "--help"], &["inspect", "--help"]] {
        let outcome = succeed(in_project(&workspace, arguments));
        assert!(outcome.stdout().contains("Usage: kiln"), "{arguments:?}: {}", outcome.stdout());
    }
    assert!(succeed(in_project(&workspace, &["--version"])).stdout().starts_with("kiln "));
    assert_eq!(in_project(&workspace, &["build"]).code(), Some(2));
    assert_eq!(in_project(&workspace, &["build", "--no-such-option", "x.js"]).code(), Some(2));
}

#[test]
fn run_behaves_as_node_and_leaves_nothing() {
    let workspace = Workspace::new();
    workspace.write(
        "main.js",
        "process.stdin.on('data', (data) => console.log(process.argv.slice(2), String(data), process.argv[1], process.title));
         process.stdin.on('end', () => { console.error('to stderr'); process.exitCode = 7; });",
    );
    let temporary = workspace.cwd();
    let mut command = kiln();
    command.args(["run", "--title=mine", "main.js", "--flag", "two words", "-o"]).current_dir(workspace.project());
    command.env("TMPDIR", &temporary);
    let outcome = run(&mut command, &Input::Pipe(b"input".to_vec())).unwrap();
    assert_eq!(outcome.code(), Some(7), "{}", outcome.stderr());
    let main = workspace.project().join("main.js");
    let expected = format!("[ '--flag', 'two words', '-o' ] input {} mine\n", main.display());
    assert_eq!(outcome.stdout(), expected);
    assert_eq!(outcome.stderr(), "to stderr\n");
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "something is left in TMPDIR");
    assert_eq!(fs::read_dir(workspace.project()).unwrap().count(), 1, "something is left beside the program");
}

#[test]
fn what_may_be_missing_is_a_warning() {
    let workspace = Workspace::new();
    workspace.write(
        "main.js",
        "const load = () => require('optional');\nconst gone = () => import('./gone.mjs');
         try { load(); } catch (e) { console.log(e.code); }\ngone().catch((e) => console.log(e.code));",
    );
    let outcome = succeed(in_project(&workspace, &["build", "main.js"]));
    for part in ["warning", "main.js:1:28", "optional", "main.js:2:27", "./gone.mjs"] {
        assert!(outcome.stderr().contains(part), "no {part:?} in:\n{}", outcome.stderr());
    }
    let program = run(&mut Command::new(workspace.project().join("main")), &Input::None).unwrap();
    assert_eq!(program.stdout(), "MODULE_NOT_FOUND\nERR_MODULE_NOT_FOUND\n");
}

#[test]
fn included_files_are_embedded() {
    let workspace = Workspace::new();
    workspace.write(
        "main.js",
        "const fs = require('fs'), path = require('path');
         const folder = path.join(__dirname, ['vi', 'ews'].join(''));
         for (const name of fs.readdirSync(folder).sort()) console.log(name, fs.readFileSync(path.join(folder, name), 'utf8'));",
    );
    workspace.write("views/a.html", "<a>");
    workspace.write("views/b.html", "<b>");
    succeed(in_project(&workspace, &["build", "main.js", "-o", "../app", "--include", "views/**"]));
    workspace.remove_project();
    let program = run(&mut Command::new(workspace.executable()), &Input::None).unwrap();
    assert_eq!(program.stdout(), "a.html <a>\nb.html <b>\n", "{}", program.stderr());
}

#[test]
fn same_input_same_bytes() {
    let workspace = Workspace::new();
    workspace.write("main.mjs", "import { a } from './a.cjs';\nimport 'node:fs';\nconsole.log(a, Math.random());\n");
    workspace.write("a.cjs", "exports.a = new Map([[{}, Symbol('s')]]);\n");
    succeed(in_project(&workspace, &["build", "main.mjs", "-o", "one"]));
    succeed(in_project(&workspace, &["build", "main.mjs", "-o", "two"]));
    let read = |name: &str| fs::read(workspace.project().join(name)).unwrap();
    let (one, two) = (read("one"), read("two"));
    let different = one.iter().zip(&two).position(|(a, b)| a != b);
    assert_eq!((one.len(), different), (two.len(), None), "the first byte that differs");
}

#[test]
fn inspect_lists_what_is_inside() {
    let workspace = Workspace::new();
    workspace.write("main.js", "require('./data.json'); import('./lib.mjs'); require('@a/b/c')");
    workspace.write("node_modules/@a/b/package.json", r#"{ "name": "@a/b" }"#);
    workspace.write("node_modules/@a/b/c.js", "require('d');");
    workspace.write("node_modules/@a/b/node_modules/d/index.js", "");
    workspace.write("data.json", "{}");
    workspace.write("lib.mjs", "export {};");
    succeed(in_project(&workspace, &["build", "main.js", "-o", "app"]));
    let outcome = succeed(in_project(&workspace, &["inspect", "app"]));
    for part in [
        "snapshot",
        "/__kiln__/main.js",
        "5: 3 CommonJS, 1 ES, 1 JSON",
        "       1       1        31 B        31 B  @a/b\n",
        "       1       0         0 B         0 B  d\n",
        "  (the program)\n",
    ] {
        assert!(outcome.stdout().contains(part), "no {part:?} in:\n{}", outcome.stdout());
    }
    let refused = in_project(&workspace, &["inspect", "main.js"]);
    assert_eq!((refused.code(), refused.stdout().as_str()), (Some(1), ""));
}

#[test]
fn licences_of_all_parts() {
    let workspace = Workspace::new();
    let text = succeed(in_project(&workspace, &["licenses"])).stdout();
    for part in [
        "\nMIT License\n",
        "Node.js is licensed for use as follows",
        "- V8, located at deps/v8",
        "\nv8 152.2.0 (MIT)\n",
    ] {
        assert!(text.contains(part), "{part:?} is missing");
    }
}

#[test]
fn code_options() {
    let workspace = Workspace::new();
    workspace.write("package.json", r#"{ "kiln": { "include": ["data/*.txt"], "external": ["elsewhere"] } }"#);
    workspace.write("data/note.txt", "note");
    let program = "
        const fs = require('fs'), name = ['data', 'note.txt'].join('/');
        function thrower(anArgumentWithALongName) {
          throw new Error(anArgumentWithALongName + VERSION + process.env.NODE_ENV);
        }
        try { require('elsewhere/deep'); } catch (error) { console.log(error.code); }
        try { thrower('v'); } catch (error) {
          console.log(error.message, error.stack.split('\\n')[1].replace(/\\(.*\\//, '('));
        }
        console.log(fs.readFileSync(process.argv[1].replace('app.js', name), 'utf8'), thrower.toString().includes('LongName'));";
    workspace.write("app.js", program);
    let build = |more: &[&str]| {
        let defines = ["build", "app.js", "--define", "VERSION='1'", "--define", "process.env.NODE_ENV=\"test\""];
        let outcome = succeed(in_project(&workspace, &[&defines[..], more].concat()));
        assert!(!outcome.stderr().contains("warning"), "{}", outcome.stderr());
        succeed(run(&mut Command::new(workspace.project().join("app")), &Input::None).unwrap()).stdout()
    };
    let start = "MODULE_NOT_FOUND\nv1test     at thrower (app.js:4:17)\nnote ";
    assert_eq!(build(&[]), format!("{start}true\n"));
    assert_eq!(build(&["--minify"]), format!("{start}false\n"));
    let wrong = in_project(&workspace, &["build", "app.js", "--define", "VERSION"]);
    assert!(!wrong.status.success() && wrong.stderr().contains("--define NAME=VALUE"), "{}", wrong.stderr());
}
