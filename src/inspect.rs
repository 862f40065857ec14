//! `kiln inspect`

use std::collections::BTreeMap;
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
    writeln!(out, "besides   {}", count(files.saturating_sub(index.modules.len()), "file"))?;
    list_packages(&mut out, index)
}

/// What one package brings.
#[derive(Default)]
struct Package {
    modules: usize,
    files: usize,
    /// In bytes, in the sections of sources and of files; the code that V8 made of modules is not counted.
    stored: u64,
    /// The same when it is read, in bytes.
    plain: u64,
}

/// Lists the modules and files by the packages that they belong to, the largest first.
fn list_packages(out: &mut impl Write, index: &ArchivedIndex) -> io::Result<()> {
    let mut packages: BTreeMap<&str, Package> = BTreeMap::new();
    for module in index.modules.iter() {
        let package = packages.entry(package_of(&module.path)).or_default();
        let bytes = module.text.len.to_native() << u32::from(module.text.wide);
        package.modules += 1;
        package.stored += bytes;
        package.plain += bytes;
        if let Some(origins) = module.origins.as_ref() {
            package.stored += origins.stored_len.to_native();
            package.plain += origins.len.to_native();
        }
    }
    for (path, node) in index.nodes.iter() {
        let ArchivedNode::File(file) = node else { continue };
        let package = packages.entry(package_of(path)).or_default();
        if file.module.is_none() {
            package.files += 1;
            package.plain += file.len.to_native();
        }
        // A module's own file takes nothing, if it is its text.
        package.stored += file.stored_len.to_native();
    }
    let mut packages: Vec<_> = packages.into_iter().collect();
    packages.sort_by_key(|(name, package)| (std::cmp::Reverse(package.stored), *name));
    writeln!(out, "\n{:>8}{:>8}{:>12}{:>12}  package", "modules", "files", "stored", "plain")?;
    for (name, Package { modules, files, stored, plain }) in packages {
        writeln!(out, "{modules:>8}{files:>8}{:>12}{:>12}  {name}", Size(stored), Size(plain))?;
    }
    Ok(())
}

/// The name of the package that an embedded file belongs to.
fn package_of(path: &str) -> &str {
    let Some((_, inside)) = path.rsplit_once("/node_modules/") else { return "(the program)" };
    let parts = if inside.starts_with('@') { 2 } else { 1 };
    inside.match_indices('/').nth(parts - 1).map_or(inside, |(end, _)| &inside[..end])
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
