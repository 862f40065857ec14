//! The package that a file belongs to.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

/// A package.json, as far as it decides how modules load.
#[derive(Debug, PartialEq, Eq)]
pub struct Package {
    /// The folder that it stands in.
    pub directory: PathBuf,
    /// Its `type`, where that is one that Node knows.
    pub module_type: Option<ModuleType>,
    /// Whether it has a name: one without only says something of the files in a folder.
    pub is_named: bool,
    /// The packages that it says it uses, and whether each may be missing.
    pub dependencies: BTreeMap<String, bool>,
}

/// What `"type"` says of .js files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModuleType {
    /// They are CommonJS.
    CommonJs,
    /// They are ES modules.
    Module,
}

/// Finds packages, reading each package.json once.
#[derive(Default)]
pub struct Packages {
    by_directory: Mutex<HashMap<PathBuf, Option<Arc<Package>>>>,
}

impl Packages {
    /// All that were asked for.
    pub fn known(&self) -> Vec<Arc<Package>> {
        let by_directory = self.by_directory.lock().unwrap_or_else(PoisonError::into_inner);
        let own = |(directory, package): (&PathBuf, &Option<Arc<Package>>)| {
            package.clone().filter(|package| package.directory == *directory)
        };
        let mut known: Vec<_> = by_directory.iter().filter_map(own).collect();
        known.sort_by(|a, b| a.directory.cmp(&b.directory));
        known
    }

    /// The package that a file came with: the nearest with a name, else the nearest.
    pub fn owner(&self, file: &Path) -> Option<Arc<Package>> {
        let nearest = self.of(file)?;
        let mut package = nearest.clone();
        while !package.is_named {
            match self.of(&package.directory) {
                Some(outer) => package = outer,
                None => return Some(nearest),
            }
        }
        Some(package)
    }

    /// The nearest package.json at or above a file's folder. As in Node, the search ends at `node_modules`.
    pub fn of(&self, file: &Path) -> Option<Arc<Package>> {
        let directory = file.parent()?;
        let mut by_directory = self.by_directory.lock().unwrap_or_else(PoisonError::into_inner);
        let mut passed = Vec::new();
        let mut found = None;
        for directory in directory.ancestors() {
            if directory.file_name().is_some_and(|name| name == "node_modules") {
                break;
            }
            if let Some(known) = by_directory.get(directory) {
                found = known.clone();
                break;
            }
            passed.push(directory);
            if let Some(package) = read(directory) {
                found = Some(Arc::new(package));
                break;
            }
        }
        for directory in passed {
            by_directory.insert(directory.to_path_buf(), found.clone());
        }
        found
    }
}

fn read(directory: &Path) -> Option<Package> {
    let text = fs::read_to_string(directory.join("package.json")).ok()?;
    // What Node would make of a broken one is for the runtime to say.
    let manifest: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).unwrap_or_default();
    let module_type = match manifest["type"].as_str() {
        Some("module") => Some(ModuleType::Module),
        Some("commonjs") => Some(ModuleType::CommonJs),
        _ => None,
    };
    let mut dependencies = BTreeMap::new();
    for (list, optional) in [
        ("dependencies", false),
        ("optionalDependencies", true),
        ("peerDependencies", true),
        ("peerDependenciesMeta", true),
    ] {
        let names = manifest[list].as_object().into_iter().flat_map(|list| list.keys());
        dependencies.extend(names.map(|name| (name.clone(), optional)));
    }
    let is_named = manifest["name"].is_string();
    Some(Package { directory: directory.to_path_buf(), module_type, is_named, dependencies })
}
