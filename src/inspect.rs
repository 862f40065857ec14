//! `kiln inspect`

use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;

use kiln_compiler::{Diagnostic, diagnostic};
use kiln_payload::{ArchivedFormat, ArchivedIndex, ArchivedNode, Image, Seal, SectionId};

use crate::arguments::Inspect;
use crate::terminal::{Outcome, Size, count};

/// Lists what is inside an executable.
pub fn inspect(options: &Inspect) -> Outcome {
    let shown = diagnostic::display(&options.file);
    let bytes = fs::read(&options.file)
        .map_err(|error| Diagnostic::error(format!("cannot read \"{shown}\": {}", diagnostic::reason(&error))))?;
    let cannot = |why: &dyn std::fmt::Display| Diagnostic::error(format!("cannot inspect \"{shown}\": {why}"));
    let seal = Seal::of(&bytes).map_err(|error| cannot(&error))?;
    let runtime = seal.read().map_or(0, |(_, payload)| payload);
    // It is read once and needed until the end.
    let image = Image::open(bytes.leak(), &seal).map_err(|damage| cannot(&damage))?;
    let index = image.checked_index().map_err(|damage| cannot(&damage))?;
    let listed = if options.files { list_files(index) } else { list(&image, index, runtime) };
    match listed {
        // Whoever reads this has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Diagnostic::error(format!("cannot write: {}", diagnostic::reason(&error))).into())
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn list(image: &Image, index: &ArchivedIndex, runtime: u64) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{:10}{:>12}{:>12}", "section", "stored", "plain")?;
    writeln!(out, "{:10}{:>12}{:>12}", "runtime", Size(runtime), Size(runtime))?;
    for id in SectionId::ALL {
        if let Some(section) = image.section(id) {
            let (stored, plain) = (Size(section.bytes.len() as u64), Size(section.plain_len));
            writeln!(out, "{:10}{stored:>12}{plain:>12}", id.name())?;
        }
    }
    let of = |format| index.modules.iter().filter(|module| module.format == format).count();
    let files = index.nodes.values().filter(|node| matches!(node, ArchivedNode::File(_))).count();
    writeln!(out)?;
    writeln!(out, "entry     {}", index.entry)?;
    writeln!(
        out,
        "modules   {}: {} CommonJS, {} ES, {} JSON",
        index.modules.len(),
        of(ArchivedFormat::CommonJs),
        of(ArchivedFormat::Module),
        of(ArchivedFormat::Json)
    )?;
    writeln!(out, "besides   {}", count(files.saturating_sub(index.modules.len()), "file"))
}

fn list_files(index: &ArchivedIndex) -> io::Result<()> {
    let mut files: Vec<_> = index
        .nodes
        .iter()
        .filter_map(|(path, node)| match node {
            ArchivedNode::File(file) => Some((path.as_str(), file.len.to_native())),
            ArchivedNode::Directory(_) | ArchivedNode::Symlink(_) => None,
        })
        .collect();
    files.sort_unstable();
    let mut out = io::BufWriter::new(io::stdout().lock());
    for (path, len) in files {
        writeln!(out, "{:>10}  {path}", Size(len))?;
    }
    out.flush()
}
