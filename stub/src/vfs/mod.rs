//! The files inside the executable, as a read-only layer under every file system call.
//!
//! They lie under [`VIRTUAL_ROOT`], which does not exist on the disk. A path that does not name it costs one search
//! for its name; one that does is answered from the image's index, without a system call.

mod calls;
mod open;
mod outside;

use std::borrow::Cow;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::sync::OnceLock;

use kiln_payload::{
    ArchivedEncoding, ArchivedFile, ArchivedIndex, ArchivedNode, Image, Origins, SHARED, VIRTUAL_ROOT, normalize,
};

pub use calls::{Served, run, serve};
pub use open::{count as open_descriptors, path_of as path_of_descriptor};
pub use outside::{begin_in, change_dir, copied, current_dir, hand_over};

use crate::realm::Realm;
use crate::uv::fs::Stat;

/// Where a path leads.
pub enum Place {
    /// To the disk.
    Disk,
    /// To the disk, by this path: it only wound its way through the virtual root.
    DiskBy(CString),
    /// Into the executable.
    Inside(Inside),
}

/// A path below the virtual root.
pub struct Inside {
    /// The path, absolute and normalized.
    pub path: String,
    /// What is there, or why nothing is: `ENOENT` or `ENOTDIR`.
    pub node: Result<&'static ArchivedNode, i32>,
}

static IMAGE: OnceLock<Image> = OnceLock::new();

/// The image of this process. Threads of the pool know it once a thread with a realm has asked.
fn image() -> Option<&'static Image> {
    IMAGE.get().or_else(|| {
        let mut found = None;
        Realm::with_current(|realm| found = Some(realm.program.image));
        found.map(|image| IMAGE.get_or_init(|| image))
    })
}

/// Makes the files known to threads of the pool.
pub fn prepare() {
    image();
}

fn index() -> Option<&'static ArchivedIndex> {
    image()?.index().ok()
}

/// Whether `path` may lead into the executable; if not, it certainly does not.
fn suspect(path: &[u8]) -> bool {
    let name = &VIRTUAL_ROOT.as_bytes()[1..];
    let begins_inside = || !path.starts_with(b"/") && outside::embedded_cwd().is_some();
    path.starts_with(VIRTUAL_ROOT.as_bytes())
        || begins_inside()
        || memchr::memchr_iter(name[0], path).any(|start| path[start..].starts_with(name))
        || is_shared(path)
        || is_other_case(path)
}

/// Whether `path` certainly leads to the disk, and does so as it is.
pub fn is_outside(path: &[u8]) -> bool {
    !suspect(path)
}

/// Whether `path` is that of a package which the disk does not have, and that only modules on the disk look for.
fn is_shared(path: &[u8]) -> bool {
    let Some(rest) = path.strip_prefix(SHARED.as_bytes()) else { return false };
    matches!(rest.first(), None | Some(b'/'))
        && index().is_some_and(|index| index.nodes.contains_key(SHARED))
        && std::fs::symlink_metadata(std::ffi::OsStr::from_bytes(path)).is_err()
}

/// Whether `path` is below the virtual root but for its case, as programs ask to learn what the file system makes of
/// that. Nothing is there, whatever the disk holds.
fn is_other_case(path: &[u8]) -> bool {
    let root = VIRTUAL_ROOT.as_bytes();
    path.len() > root.len()
        && path[root.len()] == b'/'
        && path[..root.len()].eq_ignore_ascii_case(root)
        && !path.starts_with(root)
}

/// Where `path` leads. A relative path begins at the working directory, links are followed.
pub fn locate(path: &[u8]) -> Place {
    place(path, true)
}

/// Where `path` leads if a link at its very end is what is meant.
pub fn locate_itself(path: &[u8]) -> Place {
    place(path, false)
}

fn place(path: &[u8], follows: bool) -> Place {
    if !suspect(path) {
        return Place::Disk;
    }
    if is_other_case(path) {
        let path = String::from_utf8_lossy(path).into_owned();
        return Place::Inside(Inside { path, node: Err(-libc::ENOENT) });
    }
    // Most paths that lead inside are those of the index, letter for letter.
    if let Some((path, node)) = std::str::from_utf8(path).ok().and_then(|path| Some((path, index()?.nodes.get(path)?)))
        && !matches!(node, ArchivedNode::Symlink(_))
    {
        return Place::Inside(Inside { path: path.to_owned(), node: Ok(node) });
    }
    let absolute: Cow<[u8]> = match path.first() {
        Some(b'/') => Cow::Borrowed(path),
        _ => {
            let Ok(base) = current_dir() else { return Place::Disk };
            Cow::Owned([base.as_encoded_bytes(), b"/", path].concat())
        }
    };
    let mut parts: Vec<&[u8]> = Vec::new();
    let mut entered = false;
    for part in absolute.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop();
            }
            part => {
                parts.push(part);
                entered |= parts.len() == 1 && part == &VIRTUAL_ROOT.as_bytes()[1..];
            }
        }
    }
    let plain = [b"/", &parts.join(&b'/')[..]].concat();
    if parts.first() != Some(&&VIRTUAL_ROOT.as_bytes()[1..]) && !is_shared(&plain) {
        return match CString::new(plain) {
            Ok(plain) if entered => Place::DiskBy(plain),
            _ => Place::Disk,
        };
    }
    let as_folder = matches!(absolute.last(), Some(b'/'));
    let Ok(path) = String::from_utf8(plain) else {
        return Place::Inside(Inside { path: String::new(), node: Err(-libc::ENOENT) });
    };
    Place::Inside(find(path, as_folder, follows))
}

/// How many links a path may lead through.
const MOST_LINKS: u32 = 40;

/// What lies at `path`, which is absolute and normalized, by the path without links.
fn find(mut path: String, as_folder: bool, follows: bool) -> Inside {
    let Some(index) = index() else { return Inside { path, node: Err(-libc::ENOENT) } };
    for _ in 0..MOST_LINKS {
        let link = match index.nodes.get(path.as_str()) {
            Some(ArchivedNode::File(_)) if as_folder => return Inside { path, node: Err(-libc::ENOTDIR) },
            Some(ArchivedNode::Symlink(target)) if follows || as_folder => Some((path.len(), target)),
            Some(node) => return Inside { path, node: Ok(node) },
            None => None,
        };
        let mut through_file = false;
        let link = link.or_else(|| {
            let mut ancestors = path.match_indices('/').skip(1).map(|(end, _)| end);
            ancestors.find_map(|end| match index.nodes.get(&path[..end]) {
                Some(ArchivedNode::Symlink(target)) => Some((end, target)),
                Some(ArchivedNode::File(_)) => {
                    through_file = true;
                    None
                }
                _ => None,
            })
        });
        let Some((end, target)) = link else {
            return Inside { path, node: Err(if through_file { -libc::ENOTDIR } else { -libc::ENOENT }) };
        };
        path = through(&path, end, target);
    }
    Inside { path, node: Err(-libc::ELOOP) }
}

/// `path` with what its first `end` bytes name, a link, replaced by the link's target.
fn through(path: &str, end: usize, target: &str) -> String {
    let (link, rest) = path.split_at(end);
    let folder = if target.starts_with('/') { "" } else { link.rsplit_once('/').map_or("", |(folder, _)| folder) };
    let target = normalize(&format!("{folder}/{target}"));
    format!("{}{rest}", target.trim_end_matches('/'))
}

/// What lies at `path`, if that is inside of the executable.
pub fn inside(path: &[u8]) -> Option<Inside> {
    match locate(path) {
        Place::Inside(inside) => Some(inside),
        _ => None,
    }
}

/// The bytes of the file at `path`, if that is inside of the executable.
pub fn read(path: &[u8]) -> Option<Result<Cow<'static, [u8]>, i32>> {
    inside(path).map(|inside| inside.file().and_then(contents))
}

/// The bytes of an embedded file.
pub fn contents(file: &'static ArchivedFile) -> Result<Cow<'static, [u8]>, i32> {
    let index = index().ok_or(-libc::EIO)?;
    image().ok_or(-libc::EIO)?.file(index, file).map_err(|_| -libc::EIO)
}

/// The text of an embedded file that is a module's source, byte for byte, without a copy.
pub fn module_text<'s>(scope: &v8::PinScope<'s, '_>, file: &'static ArchivedFile) -> Option<v8::Local<'s, v8::String>> {
    if !matches!(file.encoding, ArchivedEncoding::Text) {
        return None;
    }
    let source = Realm::current().program.sources.get(file.module.as_ref()?.to_native() as usize)?;
    Some(source.string(scope))
}

/// [`module_text`] of the embedded file at `path`, which is normalized and without links.
pub fn text<'s>(scope: &v8::PinScope<'s, '_>, path: &str) -> Option<v8::Local<'s, v8::String>> {
    match index()?.nodes.get(path)? {
        ArchivedNode::File(file) => module_text(scope, file),
        _ => None,
    }
}

/// The id of the module at `path`, which is normalized and without links.
pub fn module(path: &str) -> Option<u32> {
    match index()?.nodes.get(path)? {
        ArchivedNode::File(file) => Some(file.module.as_ref()?.to_native()),
        _ => None,
    }
}

/// Whether any module was generated.
pub fn has_origins() -> bool {
    static HAS: OnceLock<bool> = OnceLock::new();
    *HAS.get_or_init(|| index().is_some_and(|index| index.modules.iter().any(|module| module.origins.is_some())))
}

/// Where a module's text comes from, if it was generated.
pub fn origins(module: u32) -> Option<Origins> {
    let index = index()?;
    let file = index.modules.get(module as usize)?.origins.as_ref()?;
    Origins::from_bytes(&image()?.file(index, file).ok()?)
}

impl Inside {
    /// The embedded file, or why it is none.
    pub fn file(&self) -> Result<&'static ArchivedFile, i32> {
        match self.node? {
            ArchivedNode::File(file) => Ok(file),
            ArchivedNode::Directory(_) => Err(-libc::EISDIR),
            ArchivedNode::Symlink(_) => Err(-libc::ELOOP),
        }
    }

    /// Whether there is a folder; an error if there is nothing.
    pub fn is_dir(&self) -> Result<bool, i32> {
        Ok(matches!(self.node?, ArchivedNode::Directory(_)))
    }

    /// What `stat` says of it: the same for every build of the same files, at any time and for any user.
    pub fn stat(&self) -> Result<Stat, i32> {
        let (mode, size) = match self.node? {
            ArchivedNode::File(file) if file.executable => (libc::S_IFREG | 0o555, file.len.to_native()),
            ArchivedNode::File(file) => (libc::S_IFREG | 0o444, file.len.to_native()),
            ArchivedNode::Directory(_) => (libc::S_IFDIR | 0o555, 0),
            ArchivedNode::Symlink(target) => (libc::S_IFLNK | 0o777, target.len() as u64),
        };
        let never = libuv_sys2::uv_timespec_t { tv_sec: 0, tv_nsec: 0 };
        Ok(Stat {
            st_dev: DEVICE,
            st_mode: mode.into(),
            st_nlink: 1,
            st_uid: 0,
            st_gid: 0,
            st_rdev: 0,
            st_ino: inode(&self.path),
            st_size: size,
            st_blksize: 4096,
            st_blocks: size.div_ceil(512),
            st_flags: 0,
            st_gen: 0,
            st_atim: never,
            st_mtim: never,
            st_ctim: never,
            st_birthtim: never,
        })
    }
}

/// A device number that no disk has.
const DEVICE: u64 = 0x6b69_6c6e;

/// FNV-1a, cut to what a JavaScript number can hold exactly; never zero.
fn inode(path: &str) -> u64 {
    let hash = path
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    (hash & ((1 << 53) - 1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::through;

    #[test]
    fn links_lead_on() {
        assert_eq!(through("/k/node_modules/a/x.js", 17, "../packages/a"), "/k/packages/a/x.js");
        assert_eq!(through("/k/a", 4, "./b/"), "/k/b");
        assert_eq!(through("/k/a/b", 4, "/k/c"), "/k/c/b");
    }
}
