//! Every program of `fixtures/modules`: it prints the same as an executable and under Node.
//!
//! `KILN_ONLY="part of a name"` runs some of them.

mod support;

use std::fs;

use support::compare::{Run, Setting, compare};
use support::workspace::Workspace;
use support::{fixtures, is_wanted, report_differences};

/// A test for each text file, so that they run side by side.
macro_rules! topics {
    ($($name:ident)*) => {
        $(#[test] fn $name() { check(stringify!($name)); })*
        const TOPICS: &[&str] = &[$(stringify!($name)),*];
    };
}

topics! {
    builtins cjs_default_interop cjs_named_imports commonjs corners cycles data_urls dead_zone dynamic_import errors exits
    formats import_meta json links live_bindings merging namespaces order pre_evaluation reexports require_esm resolution
    top_level_await
}

#[test]
fn every_topic_is_run() {
    for entry in fs::read_dir(fixtures().join("modules")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            let name = path.file_stem().unwrap().to_str().unwrap().replace('-', "_");
            assert!(TOPICS.contains(&name.as_str()), "{} is not among the topics", path.display());
        }
    }
}

fn check(topic: &str) {
    let path = fixtures().join("modules").join(format!("{}.txt", topic.replace('_', "-")));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let programs: Vec<Program> = parse(&text).into_iter().filter(|program| is_wanted(program.name)).collect();
    let failures = programs
        .iter()
        .filter_map(|program| {
            program.check_all_ways(topic).err().map(|why| format!("{topic}: {}\n{why}", program.name))
        })
        .collect();
    let compared: Vec<String> = programs.iter().map(|program| format!("{topic}: {}", program.name)).collect();
    report_differences(&compared, failures);
}

struct Program<'a> {
    name: &'a str,
    files: Vec<(&'a str, Content<'a>)>,
}

enum Content<'a> {
    Text(Vec<&'a str>),
    LinkTo(&'a str),
}

/// What `pre-evaluation.txt` takes for unset at build time, and more.
const ANOTHER_ENVIRONMENT: &[(&str, &str)] =
    &[("DEBUG", "*"), ("FORCE_COLOR", "1"), ("SPECIAL", "set"), ("TZ", "Asia/Tokyo"), ("NODE_NO_WARNINGS", "1")];

impl Program<'_> {
    fn check_all_ways(&self, topic: &str) -> Result<(), String> {
        if topic != "pre_evaluation" {
            self.check(false, &[], &[])?;
            if self.imports() {
                self.check(false, &[], &["--optimize"]).map_err(|why| format!("with --optimize\n{why}"))?;
            }
            return Ok(());
        }
        // Short modules are not worth being evaluated at build time.
        self.check(true, &[], &[])?;
        self.check(true, ANOTHER_ENVIRONMENT, &[]).map_err(|why| format!("in another environment\n{why}"))?;
        self.check(true, &[], &["--no-preeval"]).map_err(|why| format!("without pre-evaluation\n{why}"))
    }

    /// Whether a module may import another, so that the two can be merged.
    fn imports(&self) -> bool {
        let is_module = |(_, content): &&(&str, Content)| match content {
            Content::Text(lines) => lines.iter().any(|line| line.starts_with("import") || line.starts_with("export")),
            Content::LinkTo(_) => false,
        };
        self.files.iter().filter(is_module).count() > 1
    }

    fn check(&self, padded: bool, environment: &[(&str, &str)], options: &[&str]) -> Result<(), String> {
        let workspace = Workspace::new();
        for (path, content) in &self.files {
            match content {
                Content::Text(lines) => {
                    let mut text = lines.concat();
                    if padded && path.ends_with("js") {
                        text += &format!("\n//{}\n", " what makes a module long".repeat(200));
                    }
                    workspace.write(path, &text);
                }
                Content::LinkTo(target) => workspace.link(path, target),
            }
        }
        let (entry, _) = self.files.first().ok_or("it has no files")?;
        compare(&workspace, entry, &[Run::plain()], &Setting { environment, cwd: None, expected: None, options })
    }
}

/// `=== name` starts a program, `--- path` a file, `--- path -> target` is a symbolic link.
fn parse(text: &str) -> Vec<Program<'_>> {
    let mut programs: Vec<Program> = Vec::new();
    for line in text.split_inclusive('\n') {
        if let Some(name) = line.strip_prefix("=== ") {
            programs.push(Program { name: name.trim_end(), files: Vec::new() });
            continue;
        }
        let Some(program) = programs.last_mut() else { continue };
        if let Some(file) = line.strip_prefix("--- ") {
            program.files.push(match file.trim_end().split_once(" -> ") {
                Some((path, target)) => (path, Content::LinkTo(target)),
                None => (file.trim_end(), Content::Text(Vec::new())),
            });
        } else if let Some((_, Content::Text(lines))) = program.files.last_mut() {
            lines.push(line);
        }
    }
    for (_, content) in programs.iter_mut().flat_map(|program| &mut program.files) {
        // The empty line between two programs belongs to neither.
        if let Content::Text(lines) = content {
            while lines.last() == Some(&"\n") {
                lines.pop();
            }
        }
    }
    programs
}
