//! What has to leave the executable: files that somebody else is to read, and the working directory, which the kernel
//! can't have inside.

use std::ffi::{CStr, CString, OsStr, OsString, c_int};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use digest::Digest as _;
use kiln_payload::{ArchivedFile, ArchivedNode, VIRTUAL_ROOT};

use super::{Inside, Place, contents, inside, locate};
use crate::uv::child::Command;
use crate::uv::system::identity;
use crate::uv::{environment, process};

/// Makes a child find what is embedded. Another program gets copies of the files that it is named; this executable
/// knows them itself.
pub fn hand_over(command: &mut Command) {
    if is_node(command)
        && let Ok(own) = std::env::current_exe()
    {
        command.file = CString::new(own.into_os_string().into_vec()).unwrap_or_default();
    }
    if command.is_own() {
        command.embedded_cwd = match &command.cwd {
            Some(cwd) => inside(cwd.as_bytes()).filter(|inside| inside.is_dir() == Ok(true)).map(|inside| inside.path),
            None => embedded_cwd(),
        }
        .and_then(|path| CString::new(path).ok());
        if command.embedded_cwd.is_some() {
            command.cwd = None;
        }
        return;
    }
    if asks_for_node(command) && provide_node(command).is_ok() {
        return;
    }
    copied(&mut command.file);
    command.arguments.iter_mut().skip(1).for_each(copied);
}

/// Whether a shell is told to start Node with a file that no Node but this one has.
fn asks_for_node(command: &Command) -> bool {
    let inside = [VIRTUAL_ROOT.as_bytes(), b"/"].concat();
    let is_word = |text: &[u8], at: usize| {
        let before = at.checked_sub(1).map(|at| text[at]);
        let after = text.get(at + NODE.len());
        before.is_none_or(|byte| b" \t\n;&|(".contains(&byte)) && after.is_some_and(|byte| byte.is_ascii_whitespace())
    };
    command.arguments.iter().skip(1).map(|text| text.as_bytes()).any(|text| {
        memchr::memmem::find(text, &inside).is_some()
            && memchr::memmem::find_iter(text, NODE).any(|at| is_word(text, at))
    })
}

const NODE: &[u8] = b"node";

/// Has a child find this executable by the name of Node, and have it be Node.
fn provide_node(command: &mut Command) -> io::Result<()> {
    let own = std::env::current_exe()?;
    let name = sha2::Sha256::digest(own.as_os_str().as_bytes());
    let name: String = name.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let folder = cache()?.join(format!("node-{name}"));
    make_private(&folder)?;
    let link = folder.join("node");
    if fs::read_link(&link).ok().as_ref() != Some(&own) {
        let unfinished = folder.join(format!(".{}", std::process::id()));
        std::os::unix::fs::symlink(&own, &unfinished).and_then(|()| fs::rename(&unfinished, &link))?;
    }
    command.first_in_path = CString::new(folder.into_os_string().into_vec()).ok();
    Ok(())
}

/// Whether a child is to be Node, with a file that no Node but this one has.
fn is_node(command: &Command) -> bool {
    let program = command.file.as_bytes().rsplit(|&byte| byte == b'/').next();
    let is_script = |path: &CString| path.as_bytes().starts_with(VIRTUAL_ROOT.as_bytes()) && is_file(path);
    let names_inside = |pair: &CString| {
        let value = pair.as_bytes().strip_prefix(b"NODE_OPTIONS=");
        value.is_some_and(|value| memchr::memmem::find(value, VIRTUAL_ROOT.as_bytes()).is_some())
    };
    program == Some(NODE)
        && (command.arguments.iter().skip(1).any(is_script) || command.environment.iter().flatten().any(names_inside))
}

fn is_file(path: &CStr) -> bool {
    inside(path.to_bytes()).is_some_and(|inside| inside.file().is_ok())
}

/// Replaces the absolute path of an embedded file by that of a copy.
pub fn copied(path: &mut CString) {
    if !path.as_bytes().starts_with(b"/") {
        return;
    }
    let Some(inside) = inside(path.as_bytes()) else { return };
    if let Ok(copy) = inside.unpack()
        && let Ok(copy) = CString::new(copy.into_os_string().into_vec())
    {
        *path = copy;
    }
}

impl Inside {
    /// A copy of the file on the disk: made once, found again by what is in it.
    pub fn unpack(&self) -> io::Result<PathBuf> {
        let file = self.file().map_err(|errno| io::Error::from_raw_os_error(-errno))?;
        let bytes = contents(file).map_err(|errno| io::Error::from_raw_os_error(-errno))?;
        let digest = sha2::Sha256::digest(&bytes);
        let hash: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let folder = cache()?.join(hash);
        let name = Path::new(&self.path).file_name().unwrap_or_default();
        let target = folder.join(name);
        if fs::read(&target).is_ok_and(|there| there == *bytes) {
            return Ok(target);
        }
        make_private(&folder)?;
        write(&folder, &target, &bytes, file)?;
        Ok(target)
    }
}

/// Writes a file under another name first, so that nobody ever meets half of it.
fn write(folder: &Path, target: &Path, bytes: &[u8], file: &ArchivedFile) -> io::Result<()> {
    let mode = if file.executable { 0o700 } else { 0o600 };
    let unfinished = folder.join(format!(".{}", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&unfinished)
        .and_then(|mut copy| copy.write_all(bytes))
        .and_then(|()| fs::rename(&unfinished, target));
    if written.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    written
}

/// The folder for copies: the user's, where there is one that can be written to.
fn cache() -> io::Result<PathBuf> {
    let variable = |name: &[u8]| environment::get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let own = variable(b"XDG_CACHE_HOME").or_else(|| Some(variable(b"HOME")?.join(".cache")));
    if let Some(folder) = own.map(|folder| folder.join("kiln"))
        && make_private(&folder).is_ok()
    {
        return Ok(folder);
    }
    let folder = std::env::temp_dir().join(format!("kiln-{}", identity::ids()[1]));
    make_private(&folder)?;
    Ok(folder)
}

/// Makes a folder that only the user can write to. One that is somebody else's will not do: what is in it may be run.
fn make_private(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let found = fs::symlink_metadata(folder)?;
    match found.is_dir() && found.uid() == identity::ids()[1] && found.mode() & 0o022 == 0 {
        true => Ok(()),
        false => Err(io::ErrorKind::PermissionDenied.into()),
    }
}

/// Whether the working directory is an embedded folder; it saves everybody else the lock.
static IS_EMBEDDED: AtomicBool = AtomicBool::new(false);
static CWD: Mutex<Option<String>> = Mutex::new(None);

/// The working directory, if that is an embedded folder.
pub fn embedded_cwd() -> Option<String> {
    match IS_EMBEDDED.load(Ordering::Relaxed) {
        true => CWD.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        false => None,
    }
}

fn set_embedded_cwd(path: Option<String>) {
    let mut cwd = CWD.lock().unwrap_or_else(PoisonError::into_inner);
    IS_EMBEDDED.store(path.is_some(), Ordering::Relaxed);
    *cwd = path;
}

/// Begins in an embedded folder, if `path` is one: whoever started this executable was there.
pub fn begin_in(path: &OsStr) {
    let path = path.to_str().filter(|path| path.starts_with(VIRTUAL_ROOT));
    if let Some(path) = path {
        set_embedded_cwd(Some(path.to_owned()));
    }
}

/// The working directory, or a libuv error.
pub fn current_dir() -> Result<OsString, c_int> {
    embedded_cwd().map_or_else(process::current_dir, |path| Ok(path.into()))
}

/// Changes the working directory; the result is a libuv error.
pub fn change_dir(path: &OsStr) -> Result<(), c_int> {
    let path = CString::new(path.as_bytes()).map_err(|_| -libc::ENOENT)?;
    let done = |errno: c_int| if errno == 0 { Ok(()) } else { Err(errno) };
    let on_disk = match locate(path.as_bytes()) {
        Place::Inside(inside) => match inside.node? {
            ArchivedNode::Directory(_) => {
                set_embedded_cwd(Some(inside.path));
                return Ok(());
            }
            _ => return Err(-libc::ENOTDIR),
        },
        Place::Disk => done(process::change_dir(&path)),
        Place::DiskBy(path) => done(process::change_dir(&path)),
    };
    on_disk.inspect(|()| set_embedded_cwd(None))
}
