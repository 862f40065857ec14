//! What an executable loads from the disk when it runs, and the names that it goes by.

mod support;

use std::fs;
use std::process::Command;

use support::compare::build;
use support::process::{Input, run};
use support::workspace::Workspace;

/// What the executable of `files`, whose first is the entry, says with the paths of `disk` as its arguments.
fn output(files: &[(&str, &str)], disk: &[(&str, &str)]) -> String {
    let workspace = Workspace::new();
    for (path, text) in files {
        workspace.write(path, text);
    }
    let executable = workspace.executable();
    build(&workspace.project().join(files[0].0), &executable, &[]).unwrap_or_else(|why| panic!("{why}"));
    workspace.remove_project();
    let cwd = workspace.cwd();
    let paths = disk.iter().map(|(path, text)| {
        let path = cwd.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    });
    let paths: Vec<_> = paths.collect();
    let outcome = run(Command::new(executable).args(paths).current_dir(&cwd), &Input::None).unwrap();
    format!("{}{}", outcome.stdout(), outcome.stderr())
}

const APP: &str = "
const dep = require('dep'), own = require('@scope/own');
dep.seen = own.seen = 'the same';
(async () => { for (const path of process.argv.slice(2)) console.log(await import(path).then((m) => m.default, (e) => e.code)); })();
";

const PACKAGES: [(&str, &str); 5] = [
    ("main.js", APP),
    ("node_modules/dep/package.json", r#"{ "name": "dep", "exports": { ".": "./main.js" } }"#),
    ("node_modules/dep/main.js", "module.exports = {};"),
    ("node_modules/@scope/own/index.js", "module.exports = {};"),
    ("node_modules/@scope/own/package.json", r#"{ "name": "@scope/own" }"#),
];

#[test]
fn modules_on_the_disk_share_the_packages_of_the_program() {
    let disk = [
        ("config.mjs", "import dep from 'dep'; import own from '@scope/own'; export default [dep.seen, own.seen];"),
        ("config.cjs", "module.exports = [require('dep').seen, require('@scope/own').seen];"),
        ("missing.mjs", "import 'not-there';"),
        ("private.cjs", "require('dep/private')"),
    ];
    let same = "[ 'the same', 'the same' ]\n";
    assert_eq!(output(&PACKAGES, &disk), format!("{same}{same}ERR_MODULE_NOT_FOUND\nERR_PACKAGE_PATH_NOT_EXPORTED\n"));
}

/// The outer package.json is not that of the module's own folder, and the module is only guessed at.
#[test]
fn packages_that_are_guessed_at_are_whole() {
    let files = [
        ("node_modules/tool/cli.js", "require('help')('./lib/late.js', require('path').dirname(__filename))"),
        ("node_modules/tool/package.json", r#"{ "name": "tool", "dependencies": { "dual": "1" } }"#),
        ("node_modules/tool/lib/late.js", "console.log(require('dual'))"),
        ("node_modules/help/index.js", "module.exports = (name, base) => require(require('path').join(base, name))"),
        ("node_modules/dual/package.json", r#"{ "name": "dual", "exports": { "require": "./cjs/main.js" } }"#),
        ("node_modules/dual/cjs/package.json", r#"{ "type": "commonjs" }"#),
        ("node_modules/dual/cjs/main.js", "module.exports = 'dual'"),
    ];
    assert_eq!(output(&files, &[]), "dual\n");
}

#[test]
fn a_package_on_the_disk_comes_first() {
    let disk = [
        ("config.mjs", "import dep from 'dep'; export default dep.seen;"),
        ("node_modules/dep/index.js", "exports.seen = 'another'; exports.default = 'by path';"),
    ];
    assert_eq!(output(&PACKAGES, &disk), "another\n{ seen: 'another', default: 'by path' }\n");
}

#[test]
fn a_program_is_called_as_the_link_that_was_built() {
    let workspace = Workspace::new();
    workspace.write("node_modules/tool/lib/cli.js", "console.log(process.argv[1], __filename, require('./name'))");
    workspace.write("node_modules/tool/lib/name.js", "module.exports = 'found';");
    let bin = workspace.project().join("node_modules/.bin");
    fs::create_dir_all(&bin).unwrap();
    std::os::unix::fs::symlink("../tool/lib/cli.js", bin.join("tool")).unwrap();
    build(&bin.join("tool"), &workspace.executable(), &[]).unwrap();
    workspace.remove_project();
    let outcome = run(&mut Command::new(workspace.executable()), &Input::None).unwrap();
    let expected = "/__kiln__/node_modules/.bin/tool /__kiln__/node_modules/tool/lib/cli.js found\n";
    assert_eq!(outcome.stdout(), expected, "{}", outcome.stderr());
}
