//! Whole builds, with a shell script in the stub's place.

use std::fs;
use std::path::{Path, PathBuf};

use kiln_compiler::{BuildOptions, Built};
use kiln_payload::{ArchivedEntryKind, ArchivedFormat, ArchivedIndex, ArchivedNode, Image, Seal, SectionId, Source};
use tempfile::TempDir;

/// A stub that takes "snapshots" with `script`.
fn stub(script: &str) -> Vec<u8> {
    let seal = Seal::UNSEALED;
    // SAFETY: a `Seal` is plain bytes without padding.
    let seal = unsafe { std::slice::from_raw_parts((&raw const seal).cast::<u8>(), Seal::LEN) };
    [b"#!/bin/sh\n", script.as_bytes(), b"\nexit\n", seal].concat()
}

const SNAPSHOT: &str = r#"[ "$1" = --kiln-snapshot ] && printf blob > "$2""#;

/// A folder with a project in it, and room for the output.
struct Project(TempDir);

impl Project {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("out")).unwrap();
        for (path, bytes) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        Self(folder)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn build(&self, entry: &str, output: &str) -> Result<Built, String> {
        self.build_with(entry, output, &stub(SNAPSHOT))
    }

    fn build_with(&self, entry: &str, output: &str, stub: &[u8]) -> Result<Built, String> {
        let options =
            BuildOptions { entry: self.path(entry), output: Some(self.path(output)), ..BuildOptions::default() };
        kiln_compiler::build(&options, stub, &mut |_| {}).map_err(|errors| errors.to_string())
    }

    /// What lies in the folder of the output.
    fn outputs(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("out")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn open(path: &Path) -> (Image, &'static ArchivedIndex) {
    let bytes = fs::read(path).unwrap().leak();
    let image = Image::open(bytes, &Seal::of(bytes).unwrap()).unwrap();
    (image, image.checked_index().unwrap())
}

#[test]
fn an_executable_holds_the_program() {
    let project = Project::new(&[
        ("app.js", "require('./é.js'); require('dep'); require('fs').readFile(__dirname + '/data.txt')".as_bytes()),
        ("é.js", "\u{feff}'😀'".as_bytes()),
        ("data.txt", &[b'x'; 5000]),
        ("node_modules/dep/package.json", br#"{"type":"module","exports":"./m.js"}"#),
        ("node_modules/dep/m.js", b"'caf\xc3\xa9'; import './j.json' with { type: 'json' }"),
        ("node_modules/dep/j.json", b"{}"),
    ]);
    let built = project.build("app.js", "out/app").unwrap();
    assert_eq!((built.modules, built.files), (4, 2));
    assert_eq!(project.outputs(), ["app"]);

    let (image, index) = open(&built.output);
    assert_eq!(index.entry.as_str(), "/__kiln__/app.js");
    let paths: Vec<_> = index.modules.iter().map(|module| module.path.as_str()).collect();
    let dep = "/__kiln__/node_modules/dep";
    assert_eq!(paths, ["/__kiln__/app.js", &format!("{dep}/j.json"), &format!("{dep}/m.js"), "/__kiln__/é.js"]);
    let [app, json, module, wide] = &index.modules[..] else { panic!() };
    assert!(matches!(
        (&app.format, &json.format, &module.format),
        (ArchivedFormat::CommonJs, ArchivedFormat::Json, ArchivedFormat::Module)
    ));
    assert_eq!(app.requires.get("dep").unwrap().as_str(), format!("{dep}/m.js"));
    assert_eq!(app.requires.get("fs").unwrap().as_str(), "node:fs");
    assert_eq!(module.imports.get("./j.json").unwrap().as_str(), format!("{dep}/j.json"));
    assert!(matches!(image.source(&module.text), Ok(Source::Latin1(text)) if text.starts_with(b"'caf\xe9'")));
    assert!(matches!(image.source(&wide.text), Ok(Source::Wide([39, 0xd83d, 0xde00, 39]))));

    for path in ["app.js", "é.js", "data.txt", "node_modules/dep/package.json", "node_modules/dep/m.js"] {
        let Some(ArchivedNode::File(file)) = index.nodes.get(format!("/__kiln__/{path}").as_str()) else {
            panic!("{path}")
        };
        assert_eq!(*image.file(index, file).unwrap(), fs::read(project.path(path)).unwrap(), "{path}");
    }
    let Some(ArchivedNode::Directory(entries)) = index.nodes.get("/__kiln__") else { panic!() };
    let names: Vec<_> =
        entries.iter().map(|entry| (entry.name.as_str(), matches!(entry.kind, ArchivedEntryKind::Directory))).collect();
    assert_eq!(names, [("app.js", false), ("data.txt", false), ("node_modules", true), ("é.js", false)]);
    assert!(index.nodes.contains_key("/__kiln__/node_modules"));

    assert_eq!(*image.section(SectionId::Snapshot).unwrap().decode().unwrap(), *b"blob");
}

#[test]
fn same_input_same_bytes() {
    let project =
        Project::new(&[("app.js", b"require('./b')"), ("b.js", b"require('./app')"), ("package.json", b"{}")]);
    let [first, second] = ["out/a", "out/b"].map(|out| fs::read(project.build("app.js", out).unwrap().output).unwrap());
    assert!(first == second);
}

#[test]
fn the_root_is_never_inside_node_modules() {
    let project = Project::new(&[("node_modules/p/cli.js", b""), ("node_modules/p/package.json", b"{}")]);
    let built = project.build("node_modules/p/cli.js", "out/p").unwrap();
    assert_eq!(open(&built.output).1.entry.as_str(), "/__kiln__/node_modules/p/cli.js");
}

#[test]
fn a_stub_that_fails_leaves_nothing() {
    let project = Project::new(&[("app.js", b"")]);
    for (script, said) in [
        ("echo 'no memory' >&2; exit 3", "it exited with code 3"),
        ("echo 'no memory' >&2; kill -SEGV $$", "it was killed by signal 11"),
    ] {
        let error = project.build_with("app.js", "out/app", &stub(script)).unwrap_err();
        assert!(error.contains(said) && error.contains("no memory"), "{error}");
        assert_eq!(project.outputs(), [""; 0]);
    }
    assert!(project.build_with("app.js", "out/app", b"no stub").unwrap_err().contains("not made by Kiln"));
}

#[test]
fn the_snapshot_knows_nothing_of_this_machine() {
    let project = Project::new(&[("app.js", b"")]);
    let script = r#"env | grep -v -e ^PWD= -e ^SHLVL= -e ^_= > "$2"; pwd >> "$2"; cat >> "$2""#;
    let built = project.build_with("app.js", "out/app", &stub(script)).unwrap();
    let blob = open(&built.output).0.section(SectionId::Snapshot).unwrap().decode().unwrap();
    assert_eq!(String::from_utf8_lossy(&blob), "/\n");
}

#[test]
fn outputs_that_cannot_be() {
    let project = Project::new(&[("app", b""), ("out/folder/x", b"")]);
    for (output, said) in [
        ("out/folder", "it is a folder"),
        ("out/no/app", "does not exist"),
        ("/dev/full", "it is not a regular file"),
        ("app", "would overwrite"),
        ("out/..", "it is a folder"),
    ] {
        let error = project.build("app", output).unwrap_err();
        assert!(error.starts_with("error: ") && error.contains(said), "{error}");
        assert_eq!(error.matches("error: ").count(), 1);
    }
    assert_eq!(project.outputs(), ["folder"]);
}

#[test]
fn an_output_is_replaced_through_its_link() {
    let project = Project::new(&[("app.js", b""), ("out/old", b"old")]);
    std::os::unix::fs::symlink("old", project.path("out/link")).unwrap();
    project.build("app.js", "out/link").unwrap();
    assert!(fs::symlink_metadata(project.path("out/link")).unwrap().is_symlink());
    open(&project.path("out/old"));
}

#[test]
fn files_that_were_asked_for() {
    let project = Project::new(&[
        ("app.js", b""),
        ("views/a/b.html", b"<b>"),
        ("views/x.js", b"require('./y')"),
        ("views/y.js", b""),
    ]);
    let include = |glob: &str| {
        let options = BuildOptions {
            entry: project.path("app.js"),
            output: Some(project.path("out/app")),
            include: vec![project.path(glob).to_str().unwrap().into()],
            ..BuildOptions::default()
        };
        kiln_compiler::build(&options, &stub(SNAPSHOT), &mut |_| {})
    };
    let built = include("views").unwrap();
    assert_eq!((built.modules, built.files), (3, 1));
    assert!(open(&built.output).1.nodes.contains_key("/__kiln__/views/a/b.html"));
    assert_eq!(include("**/*.html").unwrap().files, 1);
    assert!(include("*.txt").unwrap_err().to_string().contains("matches no file"));
    assert!(include("***").unwrap_err().to_string().contains("not a glob"));
}
