//! Graphs of small projects.

use std::path::PathBuf;

use super::testing::project;
use super::*;
use crate::diagnostic::Severity;

/// The graph as paths relative to the project: modules, other files, and warnings or errors.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shape {
    modules: Vec<String>,
    files: Vec<String>,
    problems: Vec<String>,
}

fn shape(files: &[(&str, &str)]) -> Shape {
    let project = project(files);
    let root = project.path().canonicalize().unwrap();
    let relative = |path: &PathBuf| path.strip_prefix(&root).unwrap().to_str().unwrap().to_string();
    match build(&entry::find(&root.join(files[0].0)).unwrap(), &Choices::default(), &Progress::default()) {
        Ok(graph) => Shape {
            modules: graph.modules.keys().map(relative).collect(),
            files: graph.files.iter().map(relative).collect(),
            problems: graph.warnings.into_iter().map(|warning| warning.message).collect(),
        },
        Err(errors) => {
            assert!(errors.0.iter().all(|error| error.severity == Severity::Error));
            Shape { problems: errors.0.into_iter().map(|error| error.message).collect(), ..Shape::default() }
        }
    }
}

#[test]
fn follows_every_edge() {
    let found = shape(&[
        (
            "app.mjs",
            "import './a.js'; export * from './b.cjs'; import('./c.mjs'); new Worker(new URL('./w.js', import.meta.url))",
        ),
        ("a.js", "module.exports = require('./d.json')"),
        ("b.cjs", "require('./dir'); require('fs')"),
        ("c.mjs", "import x from 'dep'"),
        ("d.json", "{}"),
        ("dir/index.js", "require('./addon.node')"),
        ("dir/addon.node", ""),
        ("w.js", ""),
        ("unused.js", ""),
        ("node_modules/dep/package.json", "{}"),
        ("node_modules/dep/index.js", ""),
    ]);
    let modules = ["a.js", "app.mjs", "b.cjs", "c.mjs", "d.json", "dir/index.js", "node_modules/dep/index.js", "w.js"];
    assert_eq!(found.modules, modules);
    assert_eq!(found.files, ["dir/addon.node", "node_modules/dep/package.json"]);
    assert_eq!(found.problems, [""; 0]);
}

#[test]
fn formats() {
    let project = project(&[
        ("app.mjs", "import './a.js'; import './b/b.js'; import './c/c.js'; import './d.js'; import './e.cjs'"),
        ("a.js", "exports.x = 1"),
        ("d.js", "export {}"),
        ("e.cjs", ""),
        ("b/package.json", r#"{"type":"module"}"#),
        ("b/b.js", ""),
        ("c/package.json", r#"{"type":"commonjs"}"#),
        ("c/c.js", ""),
    ]);
    let root = project.path().canonicalize().unwrap();
    let graph = build(&entry::find(&root.join("app.mjs")).unwrap(), &Choices::default(), &Progress::default()).unwrap();
    let formats: Vec<_> = graph.modules.values().map(|module| module.format).collect();
    use Format::{CommonJs as C, Module as M};
    // a.js, app.mjs, b/b.js, c/c.js, d.js, e.cjs
    assert_eq!(formats, [C, M, M, C, M, C]);
}

#[test]
fn broken_static_imports_are_errors() {
    let found =
        shape(&[("app.mjs", "import './a.mjs'"), ("a.mjs", "import './gone.js'; import 'gone'; import 'node:fs'")]);
    assert_eq!(found.problems, ["cannot find \"./gone.js\"", "cannot find \"gone\""]);
    let found = shape(&[("app.mjs", "import './a.mjs'"), ("a.mjs", "let a = ;")]);
    assert_eq!(found.problems, ["syntax error: expression expected"]);
    let found = shape(&[("app.js", "let a = ;")]);
    assert_eq!(found.problems, ["syntax error: expression expected"]);
}

#[test]
fn what_is_only_missed_when_reached_is_a_warning() {
    let found = shape(&[
        ("app.js", "require('./a.mjs'); require('optional'); try { require('more') } catch {}; import('x').catch(f)"),
        ("a.mjs", "import './gone.js'; import './broken.cjs'"),
        ("broken.cjs", "let a = ;"),
    ]);
    assert_eq!(found.modules, ["a.mjs", "app.js", "broken.cjs"]);
    let problems = ["cannot find \"./gone.js\"", "cannot find \"optional\"", "syntax error: expression expected"];
    assert_eq!(found.problems, problems);
}

#[test]
fn files_beside_the_module() {
    let found = shape(&[
        (
            "lib/app.js",
            "const path = require('path');
            fs.readdir(path.join(__dirname, '../cows'), f);
            fs.readFileSync(`${__dirname}/locales/${name}.json`);
            require('./plugins/' + name);
            fs.readFileSync(__dirname + '/one.txt');",
        ),
        ("package.json", "{}"),
        ("other.txt", ""),
        ("cows/a.cow", ""),
        ("cows/more/b.cow", ""),
        ("cows/node_modules/c", ""),
        ("cows/.git/d", ""),
        ("lib/locales/en.json", "{}"),
        ("lib/locales/readme.txt", ""),
        ("lib/plugins/x.js", "require('./y')"),
        ("lib/plugins/y.js", ""),
        ("lib/plugins/z.txt", ""),
        ("lib/one.txt", ""),
        ("lib/two.txt", ""),
    ]);
    assert_eq!(found.modules, ["lib/app.js", "lib/plugins/x.js", "lib/plugins/y.js"]);
    let files = ["cows/a.cow", "cows/more/b.cow", "lib/locales/en.json", "lib/one.txt", "package.json"];
    assert_eq!(found.files, files);
    assert_eq!(found.problems, [""; 0]);
}

#[test]
fn scripts_that_are_named_are_modules() {
    let found = shape(&[
        (
            "app.mjs",
            "import { fork } from 'child_process'; import path from 'path';
            run(path.join(import.meta.dirname, 'stub'));
            const formatter = path.join(import.meta.dirname, 'formatters', `${name}.js`);
            use(formatter);
            fork(path.join(import.meta.dirname, 'child.js'));
            const hidden = new Function('specifier', 'return import(specifier)');
            hidden('./hidden.mjs');",
        ),
        ("formatters/a.js", "require('../shared')"),
        ("formatters/readme.txt", ""),
        ("shared.js", ""),
        ("child.js", ""),
        ("hidden.mjs", ""),
        ("stub.js", ""),
    ]);
    assert_eq!(found.modules, ["app.mjs", "child.js", "formatters/a.js", "hidden.mjs", "shared.js", "stub.js"]);
    assert_eq!(found.files, [""; 0]);
}

#[test]
fn a_whole_package_only_if_it_is_meant() {
    let files = [("package.json", "{}"), (".env", ""), ("data/x", ""), ("node_modules/a/b.js", "")];
    let with = |app| {
        let all: Vec<_> = [("app.js", app)].into_iter().chain(files).collect();
        shape(&all).files
    };
    assert_eq!(with("f(__dirname + '/data/x')"), ["data/x", "package.json"]);
    assert_eq!(with("require('fs').existsSync(__dirname)"), ["package.json"]);
    assert_eq!(with("f(__dirname)"), ["data/x", "package.json"]);
    assert_eq!(with("fs.readdirSync(__dirname)"), ["data/x", "package.json"]);
    assert_eq!(with("fs.readFileSync(__dirname + '/' + name)"), ["data/x", "package.json"]);
    // Without a package, only what lies right beside.
    assert_eq!(shape(&[("app.js", "fs.readdirSync(__dirname)"), ("x", ""), ("d/y", "")]).files, ["x"]);
}

#[test]
fn what_a_package_may_load() {
    let found = shape(&[
        ("app.js", "require('dep'); require('other')"),
        ("node_modules/dep/package.json", r#"{"name":"dep","dependencies":{"a":"1"},"peerDependencies":{"b":"1"}}"#),
        (
            "node_modules/dep/index.js",
            "require('./names').forEach((name) => load(name)); const load = require('./load')",
        ),
        ("node_modules/dep/load.js", "module.exports = (name) => require(name)"),
        ("node_modules/dep/names.js", "module.exports = ['a/sub', 'b', 'c']"),
        ("node_modules/other/late.js", "require('c')"),
        ("node_modules/a/sub.js", ""),
        ("node_modules/a/other.js", ""),
        ("node_modules/b/package.json", r#"{"name":"b","bin":"cli.js"}"#),
        ("node_modules/b/index.js", ""),
        ("node_modules/b/cli.js", "require('c')"),
        ("node_modules/c/index.js", ""),
        ("node_modules/other/package.json", r#"{"name":"other","dependencies":{"d":"1"}}"#),
        ("node_modules/other/index.js", "'d'; help('./late', './none')"),
        ("node_modules/d/index.js", ""),
    ]);
    let modules = ["app.js", "node_modules/dep/index.js", "node_modules/dep/load.js", "node_modules/dep/names.js"];
    assert_eq!(found.modules[..4], modules);
    assert_eq!(found.modules[4..], ["node_modules/other/index.js"]);
    // Guesses are there, but cost nothing at start.
    let files = [
        "node_modules/a/sub.js",
        "node_modules/b/cli.js",
        "node_modules/b/index.js",
        "node_modules/b/package.json",
        "node_modules/c/index.js",
        // Named by a package that loads nothing itself.
        "node_modules/d/index.js",
        "node_modules/dep/package.json",
        "node_modules/other/late.js",
        "node_modules/other/package.json",
    ];
    assert_eq!(found.files, files);
}

#[test]
fn links_lead_to_real_paths() {
    let project =
        project(&[("app.js", "require('dep')"), ("store/dep/index.js", "require('./a')"), ("store/dep/a.js", "")]);
    let root = project.path().canonicalize().unwrap();
    std::fs::create_dir(root.join("node_modules")).unwrap();
    std::os::unix::fs::symlink("../store/dep", root.join("node_modules/dep")).unwrap();
    let graph = build(&entry::find(&root.join("app.js")).unwrap(), &Choices::default(), &Progress::default()).unwrap();
    assert!(graph.modules.contains_key(&root.join("store/dep/a.js")));
}

#[test]
fn guesses_what_is_loaded() {
    let found = shape(&[
        (
            "app.js",
            "for (const f of ['./a.cjs', 'dep']) require(f); ['./b'].forEach((f) => require(f)); require(x ? './c' : './d');
            const { createRequire } = require('module'); createRequire(__dirname + '/sub/any.js')('./e');",
        ),
        ("a.cjs", "const names = { one: './lib/one.js', none: './gone' }; require(names[process.argv[2]])"),
        ("b.js", "const { resolve } = require('module'); module._load(x); './lib/two.js'"),
        ("c.js", "'./lib/three.js'"),
        ("d.js", ""),
        ("sub/e.js", ""),
        ("lib/one.js", ""),
        ("lib/two.js", ""),
        ("lib/three.js", ""),
        ("node_modules/dep/index.js", ""),
    ]);
    let modules = [
        "a.cjs",
        "app.js",
        "b.js",
        "c.js",
        "d.js",
        "lib/one.js",
        "lib/two.js",
        "node_modules/dep/index.js",
        "sub/e.js",
    ];
    assert_eq!(found.modules, modules);
    assert_eq!(found.problems, ["what is loaded here is only known when the program runs"]);
}

#[test]
fn a_path_made_with_an_imported_module() {
    let found = shape(&[
        (
            "bin/app.mjs",
            "import { dirname, resolve } from 'node:path'; const { fileURLToPath } = await import('url');
            const __dirname = dirname(fileURLToPath(import.meta.url)); read(resolve(__dirname, '../man/page.md'));",
        ),
        ("man/page.md", ""),
        ("package.json", "{}"),
    ]);
    assert_eq!(found.files, ["man/page.md", "package.json"]);
}
