//! The symbolic links on the way to what the program loads, which has its place by its real path.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// How many links a path may lead through.
const MOST_LINKS: u32 = 40;

/// Finds links, looking at each path once.
#[derive(Default)]
pub struct Links {
    /// Where a path leads, if it is a link.
    seen: Mutex<HashMap<PathBuf, Option<PathBuf>>>,
}

impl Links {
    /// Remembers every link on `path`, which is absolute.
    pub fn follow(&self, path: &Path) {
        let mut open: Vec<OsString> = Vec::new();
        let ahead = |open: &mut Vec<OsString>, path: &Path| {
            let parts = path.components().filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
            open.extend(parts.map(|part| part.as_os_str().to_owned()).rev());
        };
        ahead(&mut open, path);
        let mut here = PathBuf::from("/");
        let mut links = 0;
        while let Some(part) = open.pop() {
            if part == ".." {
                here.pop();
                continue;
            }
            let next = here.join(part);
            match self.target(&next) {
                Some(target) if links < MOST_LINKS => {
                    links += 1;
                    if target.is_absolute() {
                        here = PathBuf::from("/");
                    }
                    ahead(&mut open, &target);
                }
                _ => here = next,
            }
        }
    }

    /// The links that were followed, with their targets.
    pub fn into_found(self) -> BTreeMap<PathBuf, PathBuf> {
        let seen = self.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        seen.into_iter().filter_map(|(path, target)| Some((path, target?))).collect()
    }

    fn target(&self, path: &Path) -> Option<PathBuf> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = seen.get(path) {
            return known.clone();
        }
        let target = fs::read_link(path).ok().and_then(|target| match target.is_absolute() {
            // By its real path, which does not lead through links outside of the program.
            true => path.canonicalize().ok(),
            false => path.exists().then_some(target),
        });
        seen.insert(path.to_path_buf(), target.clone());
        target
    }
}
