//! The second step: every file's place under the virtual root, and the payload's sections.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use kiln_payload::{
    DirEntry, Encoding, EntryKind, File, Format, Index, Map, Module, Node, Origin, Origins, SHARED, Stretch, Text,
    VIRTUAL_ROOT,
};

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use rayon::prelude::*;

use crate::diagnostic::{Diagnostic, Diagnostics, display, reason};
use crate::graph::resolve::{EdgeKind, Target, normalized};
use crate::graph::{self, ModuleGraph};
use crate::transform::SourceMap;

/// Files are compressed once and decompressed at most once a run.
const ZSTD_LEVEL: i32 = 12;

/// What the stub is handed: the payload without a snapshot.
#[derive(Debug)]
pub struct Bundle {
    /// Says what is where.
    pub index: Index,
    /// The module that runs first; the index has the path by which it is started.
    pub entry: String,
    /// The Text section.
    pub text: Vec<u8>,
    /// The Files section.
    pub files: Vec<u8>,
}

impl Bundle {
    /// How many modules there are.
    pub fn modules(&self) -> usize {
        self.index.modules.len()
    }

    /// How many files there are, modules included.
    pub fn files(&self) -> usize {
        self.index.nodes.values().filter(|node| matches!(node, Node::File(_))).count()
    }
}

/// Lays out the program.
///
/// With `in_place` its modules stay where they are, and no other files are embedded.
pub fn lay_out(graph: &ModuleGraph, in_place: bool) -> Result<Bundle, Diagnostics> {
    let (real, files) = match in_place {
        true => (PathBuf::from("/"), BTreeSet::new()),
        false => root_and_files(graph),
    };
    let root = Root { real, shown: if in_place { "" } else { VIRTUAL_ROOT } };
    let mut text = Vec::new();
    let mut stored = Vec::new();
    let mut index =
        Index { entry: root.virtual_path(&graph.invoked).unwrap_or_default(), in_place, ..Index::default() };
    let entry = root.virtual_path(&graph.entry).unwrap_or_default();
    let (mut nodes, mut hidden) = (BTreeMap::new(), BTreeMap::new());

    for (path, module) in &graph.modules {
        let Some(virtual_path) = root.virtual_path(path) else { continue };
        let id =
            u32::try_from(index.modules.len()).map_err(|_| Diagnostic::error("the program has too many modules"))?;
        let source = source_of(module, &virtual_path);
        // What was transformed is there as it runs: positions in its errors are positions in the file.
        let mut file = match module.transformed || source.as_bytes() == module.bytes {
            true => text_file(&source),
            false => Packed::new(module.bytes.clone()).store(&mut stored),
        };
        file.executable = is_executable(path);
        file.module = Some(id);
        match graph.hidden.contains(path) {
            true => hidden.insert(virtual_path.clone(), Node::File(file)),
            false => nodes.insert(virtual_path.clone(), Node::File(file)),
        };
        let origins = module.map.as_ref().map(|map| origins(map, module, &virtual_path, &root).to_bytes());
        let origins = origins.map(|bytes| Packed::new(bytes).store(&mut stored));
        let text = append_text(&source, &mut text);
        index.modules.push(lay_out_module(module, virtual_path, text, origins, &root));
    }
    let files: Vec<&PathBuf> = files.iter().filter(|path| !graph.modules.contains_key(*path)).collect();
    let packed: Vec<Packed> = files.par_iter().map(|path| read(path)).collect::<Result<_, _>>()?;
    for (path, packed) in files.into_iter().zip(packed) {
        let Some(virtual_path) = root.virtual_path(path) else { continue };
        let mut file = packed.store(&mut stored);
        file.executable = is_executable(path);
        nodes.insert(virtual_path, Node::File(file));
    }
    if in_place {
        index.nodes = nodes.into_iter().collect();
        return Ok(Bundle { index, entry, text, files: stored });
    }
    for (link, target) in &graph.links {
        if let (Some(path), Some(target)) = (root.virtual_path(link), root.virtual_target(link, target)) {
            nodes.entry(path).or_insert(Node::Symlink(target));
        }
    }
    if graph.loads_unknown {
        let shared = shared(&nodes, &entry);
        nodes.extend(shared);
    }
    let folders = graph.folders.iter().filter_map(|folder| root.virtual_path(folder));
    index.nodes = with_folders(nodes, folders);
    index.nodes.extend(hidden);
    for (alias, path) in &graph.aliases {
        if let (Some(alias), Some(path)) = (root.virtual_path(alias), root.virtual_path(path)) {
            index.nodes.entry(alias).or_insert(Node::Symlink(path));
        }
    }
    Ok(Bundle { index, entry, text, files: stored })
}

/// The folder that becomes the virtual root, and the files to embed: each package.json up to there among them.
pub fn root_and_files(graph: &ModuleGraph) -> (PathBuf, BTreeSet<PathBuf>) {
    let mut files = graph.files.clone();
    let everything = graph.modules.keys().chain(&files).chain(graph.links.keys()).chain(&graph.merged);
    let root = everything.filter_map(|path| path.parent()).map(Path::to_path_buf).reduce(|a, b| common(&a, &b));
    let root = above_node_modules(root.unwrap_or_else(|| PathBuf::from("/")));

    // Files may be modules, too, once they are loaded.
    let folders: BTreeSet<&Path> = graph
        .modules
        .keys()
        .chain(&graph.files)
        .chain(&graph.merged)
        .flat_map(|path| path.ancestors().skip(1))
        .filter(|folder| folder.starts_with(&root))
        .collect();
    let manifests = folders.into_iter().map(|folder| folder.join("package.json")).filter(|path| path.is_file());
    files.extend(manifests);
    (root, files)
}

/// Links by which modules on the disk find the packages that the program has: `/node_modules`, where every search ends.
fn shared(nodes: &BTreeMap<String, Node>, entry: &str) -> BTreeMap<String, Node> {
    let folders: Vec<String> =
        Path::new(entry).ancestors().skip(1).map(|folder| format!("{}/node_modules/", folder.display())).collect();
    let inside = entry.match_indices("/node_modules/").map(|(start, part)| entry[..start + part.len()].to_owned());
    let mut links = BTreeMap::new();
    for folder in inside.collect::<Vec<_>>().iter().rev().chain(&folders) {
        for (path, node) in nodes.range(folder.clone()..).take_while(|(path, _)| path.starts_with(folder.as_str())) {
            let rest = &path[folder.len()..];
            let parts = if rest.starts_with('@') { 2 } else { 1 };
            let name = rest.split('/').take(parts).collect::<Vec<_>>().join("/");
            let is_folder = name.len() < rest.len() || matches!(node, Node::Symlink(_));
            if !name.starts_with('.') && is_folder {
                links.entry(format!("{SHARED}/{name}")).or_insert(Node::Symlink(format!("{folder}{name}")));
            }
        }
    }
    links
}

fn common(a: &Path, b: &Path) -> PathBuf {
    a.components().zip(b.components()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect()
}

/// Programs look for `/node_modules/` in paths, so the root is never inside.
fn above_node_modules(path: PathBuf) -> PathBuf {
    let outermost = path.components().position(|part| part == Component::Normal("node_modules".as_ref()));
    match outermost {
        Some(position) => path.components().take(position).collect(),
        None => path,
    }
}

/// The real folder that the virtual root stands for, and the virtual root.
struct Root {
    real: PathBuf,
    shown: &'static str,
}

impl Root {
    fn virtual_path(&self, path: &Path) -> Option<String> {
        let relative = path.strip_prefix(&self.real).ok()?;
        Some(match relative.as_os_str().is_empty() {
            true => self.shown.into(),
            false => format!("{}/{}", self.shown, relative.to_string_lossy()),
        })
    }

    /// The target of a link: as it is, if that leads to the same place under the virtual root.
    fn virtual_target(&self, link: &Path, target: &Path) -> Option<String> {
        let meant = self.virtual_path(&normalized(&link.parent()?.join(target)))?;
        let virtual_link = self.virtual_path(link)?;
        let as_it_is = normalized(&Path::new(&virtual_link).parent()?.join(target));
        Some(if as_it_is == Path::new(&meant) { target.to_string_lossy().into_owned() } else { meant })
    }
}

/// What a URL's path has to escape beside what is not ASCII.
const IN_URLS: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The text of a module. Node has what was TypeScript in CommonJS go by its URL, and says so in a comment at its end.
fn source_of<'m>(module: &'m graph::Module, path: &str) -> Cow<'m, str> {
    if !module.is_typescript || module.format != Format::CommonJs {
        return Cow::Borrowed(&module.source);
    }
    let url = utf8_percent_encode(path, IN_URLS);
    Cow::Owned(format!("{}\n\n//# sourceURL=file://{url}", module.source))
}

/// A source map as the stub reads it.
fn origins(map: &SourceMap, module: &graph::Module, path: &str, root: &Root) -> Origins {
    let source = |id| {
        let text = map.get_source_contents(id).map(ToString::to_string).unwrap_or_default();
        let own =
            map.get_source(id).filter(|_| module.is_merged).and_then(|path| root.virtual_path(Path::new(&**path)));
        Origin { path: own.unwrap_or_else(|| path.to_owned()), text }
    };
    let sources = (0..map.get_source_count()).map(source).collect();
    let stretch = |token: swc_sourcemap::Token| Stretch {
        line: token.get_dst_line(),
        column: token.get_dst_col(),
        source: token.get_src_id(),
        source_line: token.get_src_line(),
        source_column: token.get_src_col(),
        goes_on: token.is_range(),
    };
    let mut stretches: Vec<Stretch> = map.tokens().map(stretch).collect();
    stretches.sort_unstable();
    // Where an expression begins, the first of its parts does: of `new Error` that became `Error`, the whole counts.
    stretches.dedup_by_key(|stretch| (stretch.line, stretch.column));
    Origins { sources, stretches }
}

fn lay_out_module(module: &graph::Module, path: String, text: Text, origins: Option<File>, root: &Root) -> Module {
    let (mut requires, mut imports) = (Map::default(), Map::default());
    for ((kind, specifier), target) in &module.edges {
        let target = match target {
            Target::Builtin(name) => name.clone(),
            Target::File { path, suffix } => match root.virtual_path(path) {
                Some(path) => path + suffix,
                None => continue,
            },
            Target::Elsewhere => continue,
        };
        match kind {
            EdgeKind::Require => requires.insert(specifier.clone(), target),
            EdgeKind::Import => imports.insert(specifier.clone(), target),
        };
    }
    Module { path, format: module.format, text, origins, requires, imports }
}

/// Puts a source into the Text section as V8 wants it: one byte for each character where that is possible.
fn append_text(source: &str, text: &mut Vec<u8>) -> Text {
    text.resize(text.len().next_multiple_of(8), 0);
    let offset = text.len() as u64;
    let latin1 = source.chars().all(|character| character <= '\u{ff}');
    if latin1 {
        // The test above has shown that nothing is cut off.
        text.extend(source.chars().map(|character| character as u8));
        Text { offset, len: text.len() as u64 - offset, wide: false }
    } else {
        text.extend(source.encode_utf16().flat_map(u16::to_le_bytes));
        Text { offset, len: (text.len() as u64 - offset) / 2, wide: true }
    }
}

/// A file as it will be kept.
struct Packed {
    bytes: Vec<u8>,
    len: u64,
    encoding: Encoding,
}

impl Packed {
    /// Compresses a file if that pays.
    fn new(bytes: Vec<u8>) -> Self {
        let len = bytes.len() as u64;
        match zstd::bulk::compress(&bytes, ZSTD_LEVEL) {
            Ok(compressed) if compressed.len() < bytes.len() / 8 * 7 => {
                Self { bytes: compressed, len, encoding: Encoding::Zstd }
            }
            _ => Self { bytes, len, encoding: Encoding::Plain },
        }
    }

    /// Puts the file into the Files section.
    fn store(self, section: &mut Vec<u8>) -> File {
        let (offset, stored_len) = (section.len() as u64, self.bytes.len() as u64);
        section.extend(self.bytes);
        File { offset, stored_len, len: self.len, encoding: self.encoding, executable: false, module: None }
    }
}

fn read(path: &Path) -> Result<Packed, Diagnostic> {
    let bytes = fs::read(path).map_err(|error| {
        Diagnostic::error(format!("cannot read \"{}\": {}", display(path), reason(&error)))
            .help("the program reads this file, so it has to be embedded")
    })?;
    Ok(Packed::new(bytes))
}

/// The file of a module that is nothing but the module's text.
fn text_file(source: &str) -> File {
    let len = source.len() as u64;
    File { offset: 0, stored_len: 0, len, encoding: Encoding::Text, executable: false, module: None }
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0)
}

/// Adds the folders that the files lie in, up to the root, and those that are wanted for themselves.
fn with_folders(files: BTreeMap<String, Node>, wanted: impl Iterator<Item = String>) -> Map<Node> {
    let mut folders: BTreeMap<String, BTreeSet<DirEntry>> = BTreeMap::from([(VIRTUAL_ROOT.into(), BTreeSet::new())]);
    folders.extend(wanted.map(|folder| (folder, BTreeSet::new())));
    let wanted: Vec<String> = folders.keys().cloned().collect();
    let wanted = wanted.iter().map(|folder| (folder, EntryKind::Directory));
    let entries = files.iter().map(|(path, node)| match node {
        Node::Symlink(_) => (path, EntryKind::Symlink),
        _ => (path, EntryKind::File),
    });
    for (path, kind) in entries.chain(wanted) {
        let (mut path, mut kind) = (path.as_str(), kind);
        while path != VIRTUAL_ROOT
            && let Some((parent, name)) = path.rsplit_once('/')
        {
            let entries = folders.entry(parent.into()).or_default();
            if !entries.insert(DirEntry { name: name.into(), kind }) || parent == SHARED {
                break;
            }
            (path, kind) = (parent, EntryKind::Directory);
        }
    }
    let folders = folders.into_iter().map(|(path, entries)| (path, Node::Directory(entries.into_iter().collect())));
    files.into_iter().chain(folders).collect()
}
