//! A package that is not a crate: fetched once by its registry's own client, checked against a hash that is pinned
//! here, and kept unpacked in the cache.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// What can be fetched, and how it is known to be the right thing.
pub struct Pinned<'a> {
    /// The package with its version, as the registry's client is asked for it.
    pub package: &'a str,
    /// The archive that the client leaves behind. Without its extension, it names the folder in the cache.
    pub archive: &'a str,
    /// Its hash: `sha256-` or `sha512-`, and base64.
    pub integrity: &'a str,
    /// The client and its arguments, but for the folder where the archive goes and the package.
    pub client: &'a [&'a str],
    /// What of the archive is needed; all if there is nothing here.
    pub members: &'a [&'a str],
    /// What the reader of an error can do.
    pub help: &'a str,
}

type Result<T> = std::result::Result<T, Box<dyn Error>>;

impl Pinned<'_> {
    /// The folder with what was in the archive.
    pub fn folder(&self) -> Result<PathBuf> {
        let home = env::var("HOME").unwrap_or_else(|_| "/tmp".into());
        let cache = env::var("XDG_CACHE_HOME").map_or_else(|_| PathBuf::from(home).join(".cache"), PathBuf::from);
        let name = self.archive.trim_end_matches(".gz").trim_end_matches(".tar").trim_end_matches(".tgz");
        let folder = cache.join("kiln").join(name);
        if !folder.exists() {
            self.download(&folder)?;
        }
        Ok(folder)
    }

    fn download(&self, folder: &Path) -> Result<()> {
        // Not `with_extension`: versions have dots.
        let partial = PathBuf::from(format!("{}.part{}", folder.display(), std::process::id()));
        fs::create_dir_all(&partial)?;
        let moved = self.fetch_and_verify(&partial).and_then(|()| match fs::rename(&partial, folder) {
            // Another build may have been faster; its copy was verified too.
            Err(_) if folder.exists() => Ok(()),
            other => Ok(other?),
        });
        let _ = fs::remove_dir_all(&partial);
        moved
    }

    fn fetch_and_verify(&self, folder: &Path) -> Result<()> {
        let (client, package, help) = (self.client[0], self.package, self.help);
        let output = Command::new(client)
            .args(&self.client[1..])
            .arg(folder)
            .arg(package)
            .output()
            .map_err(|error| format!("{client} could not be started ({error}); {help}"))?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{client} could not fetch {package}: {}; {help}", reason.trim()).into());
        }
        let archive = folder.join(self.archive);
        let (kind, _) = self.integrity.split_once('-').ok_or("an integrity hash says its kind")?;
        let digest = Command::new("openssl").args(["dgst", &format!("-{kind}"), "-binary"]).arg(&archive).output();
        let digest = match digest {
            Ok(output) if output.status.success() => output.stdout,
            _ => return Err("openssl (Debian's package `openssl`) is needed to verify the download".into()),
        };
        if format!("{kind}-{}", base64(&digest)) != self.integrity.trim() {
            return Err(format!("{} does not have the pinned integrity hash", archive.display()).into());
        }
        let mut tar = Command::new("tar");
        tar.arg("-xzf").arg(&archive).arg("-C").arg(folder).arg("--no-same-owner").args(self.members);
        if !tar.status()?.success() {
            return Err(format!("{} could not be unpacked", archive.display()).into());
        }
        fs::remove_file(archive)?;
        Ok(())
    }
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bytes
        .chunks(3)
        .flat_map(|chunk| {
            let word = chunk.iter().fold(0u32, |word, &byte| word << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
            (0..4).map(move |index| match index <= chunk.len() {
                true => ALPHABET[(word >> (18 - 6 * index)) as usize & 63] as char,
                false => '=',
            })
        })
        .collect()
}
