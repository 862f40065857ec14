//! What Kiln says when it cannot build, and what an executable says when it is damaged.

mod support;

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use kiln_payload::Seal;
use support::compare::build;
use support::process::{Input, Outcome, run};
use support::workspace::Workspace;
use support::{fixtures, kiln, report};

/// A build that must fail: exit code 1, one message that holds all of `parts`, and nothing on the disk that was not
/// there before.
struct Refusal<'a> {
    files: &'a [(&'a str, &'a str)],
    entry: &'a str,
    output: &'a str,
    parts: &'a [&'a str],
}

impl Refusal<'_> {
    fn check(&self) {
        self.check_after(|_| {});
    }

    fn check_after(&self, prepare: impl FnOnce(&Path)) {
        let workspace = Workspace::new();
        for (path, text) in self.files {
            workspace.write(path, text);
        }
        let project = workspace.project();
        prepare(&project);
        let before = everything(&project);
        let mut command = without_privileges(kiln());
        command.args(["build", self.entry, "-o", self.output]).current_dir(&project);
        let outcome = run(&mut command, &Input::None).unwrap();
        assert_refused(&outcome, self.parts);
        assert_eq!(before, everything(&project), "the build left something behind");
    }
}

fn assert_refused(outcome: &Outcome, parts: &[&str]) {
    let message = outcome.stderr();
    assert_eq!(outcome.code(), Some(1), "{message}");
    assert_eq!(outcome.stdout(), "");
    let messages = message.lines().filter(|line| line.starts_with("error: ")).count();
    assert_eq!(messages, 1, "not one message:\n{message}");
    for part in parts {
        assert!(message.contains(part), "no {part:?} in:\n{message}");
    }
}

/// Paths of all that is below a folder.
fn everything(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for entry in entries.map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(everything(&entry.path()));
        }
        found.insert(entry.path());
    }
    found
}

fn is_root() -> bool {
    // SAFETY: it has no preconditions.
    unsafe { libc::geteuid() == 0 }
}

/// Root may read and write everything; without two capabilities it is bound by permissions like anybody.
fn without_privileges(command: Command) -> Command {
    if !is_root() {
        return command;
    }
    let mut wrapped = Command::new("setpriv");
    wrapped.args(["--bounding-set", "-dac_override,-dac_read_search"]).arg(command.get_program());
    wrapped.args(command.get_args());
    wrapped
}

#[test]
fn entry_is_missing() {
    Refusal { files: &[], entry: "nope.js", output: "app", parts: &["nope.js"] }.check();
    Refusal { files: &[], entry: "no/such/folder/nope.js", output: "app", parts: &["no/such/folder/nope.js"] }.check();
}

#[test]
fn folder_without_an_entry() {
    let only = [("package/readme.md", "nothing to run")];
    Refusal { files: &only, entry: "package", output: "app", parts: &["package"] }.check();
    let wrong = [("package/package.json", r#"{ "name": "wrong", "main": "gone.js" }"#)];
    Refusal { files: &wrong, entry: "package", output: "app", parts: &["package"] }.check();
    let not_json = [("package/package.json", "{ \"name\": \n  nonsense }")];
    Refusal { files: &not_json, entry: "package", output: "app", parts: &["package.json:2:"] }.check();
}

#[test]
fn syntax_error() {
    let entry = [("main.js", "const fine = 1;\nconst = 2;\n")];
    Refusal { files: &entry, entry: "main.js", output: "app", parts: &["main.js:2:7", "const = 2;", "^"] }.check();
    let imported = [("main.mjs", "import './lib/broken.mjs';\n"), ("lib/broken.mjs", "\n\n  export let x = ;\n")];
    let parts = &["lib/broken.mjs:3:18", "export let x = ;", "^"];
    Refusal { files: &imported, entry: "main.mjs", output: "app", parts }.check();
}

#[test]
fn import_that_cannot_be_resolved() {
    let relative = [("main.mjs", "import fs from 'node:fs';\nimport lib from './lib.mjs';\n")];
    Refusal { files: &relative, entry: "main.mjs", output: "app", parts: &["main.mjs:2:17", "./lib.mjs", "^"] }.check();
    let package = [("main.mjs", "export * from 'no-such-package';\n")];
    let parts = &["main.mjs:1:15", "no-such-package", "^"];
    Refusal { files: &package, entry: "main.mjs", output: "app", parts }.check();
    let deeper =
        [("main.mjs", "import './a.mjs';\n"), ("a.mjs", "import './b.mjs';\n"), ("b.mjs", "import './c.mjs';\n")];
    Refusal { files: &deeper, entry: "main.mjs", output: "app", parts: &["b.mjs:1:8", "./c.mjs", "^"] }.check();
    let unexported = [
        ("main.mjs", "import x from 'pkg/hidden.js';\n"),
        ("node_modules/pkg/package.json", r#"{ "exports": "./index.js" }"#),
        ("node_modules/pkg/index.js", ""),
        ("node_modules/pkg/hidden.js", ""),
    ];
    Refusal { files: &unexported, entry: "main.mjs", output: "app", parts: &["main.mjs:1:15", "pkg/hidden.js"] }
        .check();
}

#[test]
fn file_that_cannot_be_read() {
    let files = [("main.mjs", "import './secret.mjs';\n"), ("secret.mjs", "console.log('read');\n")];
    let refusal = Refusal { files: &files, entry: "main.mjs", output: "app", parts: &["secret.mjs"] };
    refusal.check_after(|project| set_mode(&project.join("secret.mjs"), 0o000));
    let entry = Refusal { files: &files, entry: "main.mjs", output: "app", parts: &["main.mjs"] };
    entry.check_after(|project| set_mode(&project.join("main.mjs"), 0o000));
}

#[test]
fn entry_that_is_no_file() {
    let refusal = Refusal { files: &[], entry: "pipe.js", output: "app", parts: &["pipe.js"] };
    refusal.check_after(|project| {
        assert!(Command::new("mkfifo").arg(project.join("pipe.js")).status().unwrap().success());
    });
    let loops = Refusal { files: &[], entry: "loop.js", output: "app", parts: &["loop.js"] };
    loops.check_after(|project| symlink("loop.js", project.join("loop.js")).unwrap());
    let text = Refusal { files: &[], entry: "binary.js", output: "app", parts: &["binary.js"] };
    text.check_after(|project| fs::write(project.join("binary.js"), [0x7f, b'E', b'L', b'F', 0xff, 0xfe]).unwrap());
}

#[test]
fn output_that_cannot_be_written() {
    let hello = [("main.js", "console.log('hello');\n")];
    let to = |output: &'static str| Refusal { files: &hello, entry: "main.js", output, parts: &[] };
    Refusal { parts: &["folder"], ..to("folder") }
        .check_after(|project| fs::create_dir(project.join("folder")).unwrap());
    Refusal { parts: &["no/such/folder"], ..to("no/such/folder/app") }.check();
    Refusal { parts: &["main.js/app"], ..to("main.js/app") }.check();
    Refusal { parts: &["/dev/full"], ..to("/dev/full") }.check();
    Refusal { parts: &["main.js"], ..to("main.js") }.check();
    let locked = Refusal { parts: &["locked/app"], ..to("locked/app") };
    locked.check_after(|project| {
        fs::create_dir(project.join("locked")).unwrap();
        set_mode(&project.join("locked"), 0o555);
    });
}

#[test]
fn disk_that_is_full() {
    let workspace = Workspace::new();
    let entry = workspace.write("main.js", "console.log('hello');\n");
    let disk = workspace.project().join("disk");
    fs::create_dir(&disk).unwrap();
    // A tmpfs of one megabyte, in a mount namespace that ends with the command.
    let script = r#"mount -t tmpfs -o size=1m none "$1" || exit 99; "$2" build "$3" -o "$1/app"; code=$?; ls -A "$1"; exit $code"#;
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]);
    command.arg(&disk).arg(kiln().get_program()).arg(&entry);
    match run(&mut command, &Input::None) {
        Ok(outcome) if outcome.code() != Some(99) && !outcome.stderr().contains("unshare") => {
            assert_refused(&outcome, &["disk/app", "space"]);
        }
        other => eprintln!("skipped: no mount namespace here: {other:?}"),
    }
}

/// An executable that says hello, to be damaged, and where its payload begins.
fn hello(workspace: &Workspace) -> (PathBuf, u64) {
    let executable = workspace.executable();
    build(&fixtures().join("hello/main.js"), &executable, &[]).unwrap_or_else(|why| panic!("{why}"));
    let (length, payload) = Seal::of(&fs::read(&executable).unwrap()).unwrap().read().unwrap();
    assert_eq!(length, fs::metadata(&executable).unwrap().len());
    (executable, payload)
}

fn damage(executable: &Path, what: String) -> Option<String> {
    let outcome = match run(&mut Command::new(executable), &Input::None) {
        Ok(outcome) => outcome,
        Err(error) => return Some(format!("{what}: {error}")),
    };
    let one_line = outcome.stderr.ends_with(b"\n") && outcome.stderr().lines().count() == 1;
    let says_so = outcome.stderr().contains("damaged") && one_line;
    let good = outcome.code() == Some(70) && outcome.stdout.is_empty() && says_so;
    (!good).then(|| format!("{what}: {}, stdout {:?}, stderr {:?}", outcome.status, outcome.stdout(), outcome.stderr()))
}

#[test]
fn executable_cut_short() {
    let workspace = Workspace::new();
    let (executable, payload) = hello(&workspace);
    let file = OpenOptions::new().write(true).open(&executable).unwrap();
    let length = file.metadata().unwrap().len();
    drop(file);
    let mut cuts: Vec<u64> = (0..24).map(|step| payload + (length - payload) * step / 24).collect();
    cuts.extend([
        payload + 1,
        payload + 4095,
        length - 1,
        length - 2,
        length - 8,
        length - 32,
        length - 33,
        length - 4096,
    ]);
    cuts.sort_unstable();
    let mut failures = Vec::new();
    for cut in cuts.iter().rev() {
        OpenOptions::new().write(true).open(&executable).unwrap().set_len(*cut).unwrap();
        failures.extend(damage(&executable, format!("cut at {cut} of {length}")));
    }
    // The runtime itself notices too, as long as its first page is there; before that, the kernel refuses to start it.
    for part in [15, 12, 8, 4, 1] {
        let cut = payload * part / 16;
        OpenOptions::new().write(true).open(&executable).unwrap().set_len(cut).unwrap();
        failures.extend(damage(&executable, format!("cut at {cut}, before the payload at {payload}")));
    }
    report(failures, cuts.len() + 5);
}

#[test]
fn executable_with_a_changed_byte() {
    let workspace = Workspace::new();
    let (executable, payload) = hello(&workspace);
    let length = fs::metadata(&executable).unwrap().len();
    // Steps that are no multiple of a page, so that they meet every part of one; then the whole trailer.
    let mut places: Vec<u64> = (0..48).map(|step| payload + (length - payload) * step / 48 + step * 7).collect();
    places.extend([payload, payload + 1, length - 4097]);
    places.extend(length - 40..length);
    let mut failures = Vec::new();
    for (count, place) in places.iter().enumerate() {
        let mask = 1 << (count % 8);
        flip(&executable, *place, mask);
        failures.extend(damage(&executable, format!("byte {place} of {length} (payload from {payload}) xor {mask}")));
        flip(&executable, *place, mask);
    }
    let whole = run(&mut Command::new(&executable), &Input::None).unwrap();
    assert_eq!(whole.stdout(), "hello\n", "all bytes are as they were");
    report(failures, places.len());
}

fn flip(path: &Path, place: u64, mask: u8) {
    let file: File = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, place).unwrap();
    byte[0] ^= mask;
    file.write_all_at(&byte, place).unwrap();
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}
