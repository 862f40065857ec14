//! An executable depends on nothing around it: not on the environment, not on the file system, not on its name.

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::compare::build;
use support::process::{Input, Outcome, run};
use support::workspace::Workspace;

const REPORTER: &str = "
console.log(JSON.stringify({ execPath: process.execPath, argv: process.argv, argv0: process.argv0, execArgv: process.execArgv }));
try { require('planted'); } catch (e) { console.log(e.code); }
console.log(globalThis.planted, require('./lib').value);
";

/// Builds the program and removes its source.
fn executable(workspace: &Workspace, files: &[(&str, &str)]) -> PathBuf {
    for (path, text) in files {
        workspace.write(path, text);
    }
    let executable = workspace.executable();
    build(&workspace.project().join(files[0].0), &executable, &[]).unwrap_or_else(|why| panic!("{why}"));
    workspace.remove_project();
    executable
}

fn reporter(workspace: &Workspace) -> PathBuf {
    executable(workspace, &[("main.js", REPORTER), ("lib.js", "exports.value = 'embedded';")])
}

fn succeed(command: &mut Command) -> Outcome {
    let outcome = run(command, &Input::None).unwrap();
    assert!(outcome.status.success(), "{command:?}: {}\n{}", outcome.status, outcome.stderr());
    outcome
}

#[test]
fn no_environment_variable_changes_what_runs() {
    let workspace = Workspace::new();
    let app = reporter(&workspace);
    let expected = succeed(Command::new(&app).env_clear()).stdout();

    let elsewhere = workspace.cwd();
    let planted = elsewhere.join("planted.js");
    fs::write(&planted, "globalThis.planted = 'planted'; console.log('planted code runs');").unwrap();
    let path = planted.to_str().unwrap();
    let folder = elsewhere.to_str().unwrap();
    let variables = [
        ("NODE_OPTIONS", format!("--require={path}")),
        ("NODE_OPTIONS", format!("--import=file://{path}")),
        ("NODE_OPTIONS", "--no-such-option --inspect-brk --stack-trace-limit=0".into()),
        ("NODE_PATH", folder.into()),
        ("NODE_REPL_EXTERNAL_MODULE", path.into()),
        ("NODE_V8_COVERAGE", folder.into()),
        ("NODE_COMPILE_CACHE", folder.into()),
        ("NODE_EXTRA_CA_CERTS", path.into()),
        ("NODE_CHANNEL_FD", "0".into()),
        ("NODE_UNIQUE_ID", "1".into()),
        ("NODE_PRESERVE_SYMLINKS", "1".into()),
        ("NODE_ICU_DATA", folder.into()),
        ("LD_PRELOAD", path.into()),
        ("LD_LIBRARY_PATH", folder.into()),
        ("V8_FLAGS", "--jitless".into()),
    ];
    for (name, value) in variables {
        let outcome = succeed(Command::new(&app).env_clear().env(name, &value));
        assert_eq!(outcome.stdout(), expected, "{name}={value}");
        assert_eq!(outcome.stderr(), "", "{name}={value}");
    }
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 1, "something was written");
}

#[test]
fn arguments_belong_to_the_program() {
    let workspace = Workspace::new();
    let app = reporter(&workspace);
    let arguments = ["--version", "--help", "--require=/x.js", "--inspect", "-e", "1", "--", "--snapshot", "", "ünï"];
    let outcome = succeed(Command::new(&app).args(arguments));
    let expected = arguments.map(|argument| format!("\"{argument}\"")).join(",");
    assert!(outcome.stdout().contains(&format!(",{expected}]")), "{}", outcome.stdout());
    assert!(outcome.stdout().contains("\"execArgv\":[]"), "{}", outcome.stdout());
}

#[test]
fn paths_of_the_executable() {
    let workspace = Workspace::new();
    let app = reporter(&workspace);
    let shown = |path: &Path, argv0: &str| {
        let path = path.display();
        format!(
            "{{\"execPath\":\"{path}\",\"argv\":[\"{path}\",\"/__kiln__/main.js\"],\"argv0\":\"{argv0}\",\"execArgv\":[]}}\n"
        )
    };
    let start = |mut command: Command| succeed(&mut command).stdout();
    assert!(start(Command::new(&app)).starts_with(&shown(&app, app.to_str().unwrap())));

    let mut named = Command::new(&app);
    named.arg0("another-name");
    assert!(start(named).starts_with(&shown(&app, "another-name")));

    let mut relative = Command::new("./app");
    relative.current_dir(app.parent().unwrap());
    assert!(start(relative).starts_with(&shown(&app, "./app")));

    let mut found = Command::new("/bin/sh");
    found.args(["-c", "app"]).env("PATH", app.parent().unwrap());
    assert!(start(found).starts_with(&shown(&app, "app")));

    let link = app.with_file_name("link");
    symlink("app", &link).unwrap();
    assert!(start(Command::new(&link)).starts_with(&shown(&app, link.to_str().unwrap())));

    let moved = app.with_file_name("moved elsewhere");
    fs::rename(&app, &moved).unwrap();
    assert!(start(Command::new(&moved)).starts_with(&shown(&moved, moved.to_str().unwrap())));
}

#[test]
fn source_that_changes_later_is_not_read() {
    let workspace = Workspace::new();
    let app = reporter(&workspace);
    fs::create_dir(workspace.project()).unwrap();
    workspace.write("main.js", "console.log('changed');");
    workspace.write("lib.js", "exports.value = 'changed';");
    workspace.write("node_modules/planted/index.js", "globalThis.planted = true;");
    let outcome = succeed(Command::new(&app).current_dir(workspace.project()));
    assert!(outcome.stdout().ends_with("MODULE_NOT_FOUND\nundefined embedded\n"), "{}", outcome.stdout());
}

#[test]
fn empty_root() {
    let workspace = Workspace::new();
    let source = "
const fs = require('fs'), path = require('path'), os = require('os');
console.log(fs.readdirSync('/'), process.cwd(), fs.readFileSync(path.join(__dirname, 'note.txt'), 'utf8'));
fs.writeFileSync('/written', 'text');
console.log(fs.readFileSync('/written', 'utf8'), os.EOL.length, new Intl.NumberFormat('de').format(1234.5));
console.log(new URL('http://ex%41mple.com/').href, Buffer.from('ü').toString('hex'), process.execPath);
setTimeout(() => import('./lib.mjs').then((lib) => console.log(lib.default)), 1);
";
    let files = [("main.js", source), ("note.txt", "a note"), ("lib.mjs", "export default await 'imported';")];
    let app = executable(&workspace, &files);
    let root = workspace.cwd();
    fs::rename(app, root.join("app")).unwrap();
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "chroot"])
        .arg(&root)
        .arg("/app")
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    match run(&mut command, &Input::None) {
        Ok(outcome) if !outcome.stderr().contains("unshare") => {
            let expected = "[ 'app' ] / a note\ntext 1 1.234,5\nhttp://example.com/ c3bc /app\nimported\n";
            assert_eq!((outcome.stdout().as_str(), outcome.stderr().as_str()), (expected, ""), "{}", outcome.status);
        }
        other => eprintln!("skipped: no user namespace here: {other:?}"),
    }
}

#[test]
fn closed_standard_streams() {
    let workspace = Workspace::new();
    let source = "
console.log('into nothing');
console.error('into nothing');
const fd = require('fs').openSync('opened', 'w');
process.stdin.on('data', () => {}).on('error', () => {});
process.exitCode = fd > 2 ? 5 : 6;
";
    let app = executable(&workspace, &[("main.js", source)]);
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$1\" <&- >&- 2>&-", "sh"]).arg(&app).current_dir(workspace.cwd());
    assert_eq!(run(&mut command, &Input::None).unwrap().code(), Some(5));
}

#[test]
fn executable_that_may_only_be_executed_and_many_at_once() {
    let workspace = Workspace::new();
    let app = reporter(&workspace);
    let expected = succeed(&mut Command::new(&app)).stdout();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(succeed(&mut Command::new(&app)).stdout(), expected));
        }
    });
}

#[test]
fn the_same_program_gives_the_same_bytes_wherever_it_is_built() {
    let [first, second] = [Workspace::new(), Workspace::new()].map(|workspace| {
        let app = reporter(&workspace);
        (fs::read(app).unwrap(), workspace)
    });
    assert!(first.0 == second.0, "two builds differ");
}
