//! A folder for one program: its source in `project`, its executable beside it, a place to work in.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Removed when it goes out of scope.
pub struct Workspace {
    root: PathBuf,
}

impl Workspace {
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(root.join("project")).unwrap();
        Self { root: root.canonicalize().unwrap() }
    }

    pub fn project(&self) -> PathBuf {
        self.root.join("project")
    }

    /// Where the executable goes.
    pub fn executable(&self) -> PathBuf {
        self.root.join("app")
    }

    /// A working directory that is empty again with each call.
    pub fn cwd(&self) -> PathBuf {
        let cwd = self.root.join("cwd");
        let _ = fs::remove_dir_all(&cwd);
        fs::create_dir(&cwd).unwrap();
        cwd
    }

    pub fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.project().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    pub fn link(&self, path: &str, target: &str) {
        let path = self.project().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    /// Copies a folder's content into the project.
    pub fn copy(&self, from: &Path) {
        copy(from, &self.project());
    }

    /// From here on the program has only what is in its executable.
    pub fn remove_project(&self) {
        fs::remove_dir_all(self.project()).unwrap();
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (kind, to) = (entry.file_type().unwrap(), to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &to);
        } else if kind.is_symlink() {
            symlink(fs::read_link(entry.path()).unwrap(), to).unwrap();
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}
