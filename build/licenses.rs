//! Collects the licences of the Rust packages that go into `kiln` and its runtime, for `kiln licenses`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use serde_json::Value;

/// One text: each licence once, below the packages that come with it.
pub fn collect() -> Result<String, String> {
    let cargo = env::var_os("CARGO").ok_or("cargo does not say where it is")?;
    let target = env::var("TARGET").map_err(|error| error.to_string())?;
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--offline", "--locked", "--filter-platform", &target])
        .output()
        .map_err(|error| error.to_string())?;
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .map_err(|_| String::from_utf8_lossy(&output.stderr).trim().to_owned())?;
    let mut packages_of: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        // Those of the workspace are Kiln itself.
        let (Some(manifest), false) = (package["manifest_path"].as_str(), package["source"].is_null()) else {
            continue;
        };
        let text = |key: &str| package[key].as_str().unwrap_or_default();
        let name = format!("{} {} ({})", text("name"), text("version"), text("license"));
        for license in texts(Path::new(manifest)) {
            packages_of.entry(license).or_default().push(name.clone());
        }
    }
    let mut all = String::new();
    for (license, mut packages) in packages_of {
        packages.sort();
        let rule = "-".repeat(80);
        let _ = write!(all, "{rule}\n{}\n{rule}\n\n{license}\n\n", packages.join("\n"));
    }
    Ok(all)
}

/// The licence files beside a manifest; without any, what the manifest calls the licence.
fn texts(manifest: &Path) -> Vec<String> {
    let is_license = |name: &str| {
        let name = name.to_ascii_uppercase();
        ["LICENSE", "LICENCE", "COPYING", "NOTICE"].iter().any(|start| name.starts_with(start))
    };
    let folder = manifest.parent().into_iter().flat_map(fs::read_dir).flatten().flatten();
    let mut files: Vec<_> = folder.filter(|entry| is_license(&entry.file_name().to_string_lossy())).collect();
    files.sort_by_key(|entry| entry.file_name());
    let texts = files.iter().filter_map(|entry| fs::read_to_string(entry.path()).ok());
    let texts: Vec<_> = texts.map(|text| text.replace('\r', "").trim().to_owned()).collect();
    if texts.is_empty() {
        vec!["Under the terms named above; the package has no file with their text.".into()]
    } else {
        texts
    }
}
