//! The command line. What an option does is said here and nowhere else.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use kiln_compiler::BuildOptions;

/// Builds one self-contained native executable from a JavaScript project.
#[derive(Parser)]
#[command(name = "kiln", version, arg_required_else_help = true, disable_help_subcommand = true)]
#[command(after_help = "\
Examples:
  kiln build app.js -o app     build app.js and all that it imports into ./app
  kiln build .                 build the package in this folder
  kiln run app.js --port 80    build it, run it, and leave nothing behind

The executable needs no Node.js, no node_modules and no network.")]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

/// What `kiln` can be asked to do.
#[derive(Subcommand)]
pub enum Command {
    Build(Build),
    Run(Run),
    Inspect(Inspect),
    /// Print the licences of Kiln and of what is in every executable
    Licenses,
}

/// Build an executable
#[derive(Args)]
#[command(after_help = "\
Examples:
  kiln build app.js -o app
  kiln build node_modules/cowsay
  kiln build server.js --include 'public/**' --include config.json")]
pub struct Build {
    /// The program's main file, or the folder of its package
    pub entry: PathBuf,

    /// Where to put the executable
    ///
    /// Without it, the executable is called like the package or the file and lies in the working directory.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Embed these files too, which the program reads from beside itself
    ///
    /// Files that the program names in its source, as in path.join(__dirname, "views"), are embedded anyway. The
    /// pattern is relative to the working directory: * stands for part of a name, ** for any folders. A folder stands
    /// for all that is in it. Can be given several times. "kiln": { "include": [...], "external": [...] } in the program's
    /// package.json does the same as --include and --external.
    #[arg(long, value_name = "GLOB")]
    pub include: Vec<String>,

    /// Evaluate no module at build time
    ///
    /// Otherwise the program is evaluated as far as it does not depend on anything outside of it, and starts from there.
    #[arg(long)]
    pub no_preeval: bool,

    /// Run the program once with these arguments, to learn which of its functions runs need
    ///
    /// It runs on this machine, in an empty folder, for a minute at most, and what it prints is not shown. Starts are
    /// faster for it, because the functions are compiled. ARGS is written as on a command line; can be given several times.
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true)]
    pub train: Vec<String>,

    /// Say how far the program is evaluated at build time, and what ends it
    #[arg(long)]
    pub explain: bool,

    #[command(flatten)]
    pub code: Code,
}

/// What becomes of the program's code.
#[derive(Args)]
pub struct Code {
    /// Leave this module, and what is below it, to the machine that the program runs on. Can be given several times
    #[arg(long, value_name = "NAME")]
    pub external: Vec<String>,

    /// Put a value in the place of an expression, such as process.env.NODE_ENV or a global. Can be given several times
    #[arg(long, value_name = "NAME=VALUE")]
    pub define: Vec<String>,

    /// Make the sources small. Errors still show the lines and the names that you wrote
    #[arg(long)]
    pub minify: bool,

    /// Merge ES modules that are always loaded together, without what nobody uses of them
    ///
    /// Errors still show your files, lines and columns.
    #[arg(long)]
    pub optimize: bool,
}

/// Build a program, run it, and leave nothing behind
#[derive(Args)]
#[command(after_help = "\
Examples:
  kiln run app.js
  kiln run server.js --port 8080
  kiln run --expose-gc --no-warnings test.js

The program finds its files where they are, as under Node; what is embedded counts once it is built. Options of Node come
before ENTRY; all that follows it is the program's.")]
pub struct Run {
    /// Embed these files too, which the program reads from beside itself
    #[arg(long, value_name = "GLOB")]
    pub include: Vec<String>,

    #[command(flatten)]
    pub code: Code,

    /// Options of Node, the program's main file or the folder of its package, and the program's arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true, value_name = "ENTRY")]
    pub args: Vec<OsString>,
}

/// Options of Node that take the next argument as their value.
const WITH_VALUE: &[&str] = &[
    "-r",
    "--require",
    "--import",
    "--loader",
    "--experimental-loader",
    "-C",
    "--conditions",
    "--env-file",
    "--env-file-if-exists",
    "--title",
    "--unhandled-rejections",
    "--disable-warning",
    "--stack-trace-limit",
];

impl Run {
    /// Options of Node, the entry, and the program's arguments.
    pub fn parts(&self) -> Option<(&[OsString], &OsString, &[OsString])> {
        let mut at = 0;
        while let Some(option) = self.args.get(at).filter(|argument| argument.as_encoded_bytes().starts_with(b"-")) {
            at += if WITH_VALUE.iter().any(|name| option == name) { 2 } else { 1 };
        }
        Some((self.args.get(..at)?, self.args.get(at)?, &self.args[at + 1..]))
    }
}

/// List what is inside an executable
#[derive(Args)]
pub struct Inspect {
    /// An executable that was made by kiln
    pub file: PathBuf,

    /// List every embedded file instead, with its size
    #[arg(long)]
    pub files: bool,
}

impl Code {
    /// These as options of a build.
    pub fn options(&self) -> BuildOptions {
        BuildOptions {
            external: self.external.clone(),
            define: self.define.clone(),
            minify: self.minify,
            optimize: self.optimize,
            ..BuildOptions::default()
        }
    }
}
