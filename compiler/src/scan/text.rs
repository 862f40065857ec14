//! What the strings of a module may name.

use std::ops::Range;

use super::visit::{Visitor, package_name};
use super::{Guess, PathUse, Pattern, Purpose};

impl Visitor<'_> {
    /// A string that may be the name of a module.
    pub(super) fn string(&mut self, text: &str) {
        self.prefix(text);
        let is_relative = text.starts_with("./") || text.starts_with("../");
        let is_wanted = match is_relative {
            true => !text.trim_start_matches(['.', '/']).is_empty(),
            false => self.surroundings.declares(package_name(text)),
        };
        let mut guess = |specifier: String| self.scan.guesses.push(Guess { specifier, from: None });
        if is_wanted {
            guess(text.to_owned());
        } else if is_file_name(text) {
            // A script beside the module, which somebody else puts into this folder.
            guess(format!("./{text}"));
        } else if let Some((_, extension)) = text.rsplit_once('.')
            && self.surroundings.declares(extension)
        {
            // `render("page.pug")`
            guess(extension.to_owned());
        }
    }

    /// `"eslint-plugin-"`
    pub(super) fn prefix(&mut self, text: &str) {
        const SHORTEST: usize = 4;
        let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"@/-_.".contains(&byte);
        if text.len() >= SHORTEST && text.ends_with(['-', '/']) && text.bytes().all(is_part) && !text.starts_with('.') {
            self.scan.prefixes.push(text.to_owned());
        }
    }

    /// The files that `require("package/locale/" + name)` may load.
    pub(super) fn in_package(&self, pattern: &Pattern) -> Option<Pattern> {
        let name = package_name(&pattern.prefix);
        let rest = pattern.prefix[name.len()..].strip_prefix('/')?;
        let folder = self.surroundings.package_folder(name)?;
        let prefix = format!("{}/{rest}", folder.to_str()?);
        Some(Pattern { prefix, tail: pattern.tail.clone(), anchored: true })
    }

    /// `commandDir("commands")`: a folder beside the module.
    pub(super) fn folder(&self, method: &str, text: &str, span: Range<usize>) -> Option<PathUse> {
        const ENDS: [&str; 4] = ["dir", "Dir", "Directory", "Folder"];
        let is_name =
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_/".contains(&byte));
        if !is_name || text.starts_with('/') || !ENDS.iter().any(|end| method.ends_with(end)) {
            return None;
        }
        let pattern = Pattern { anchored: true, ..Pattern::text(format!("{}/{text}", self.directory)) };
        Some(PathUse { pattern, purpose: Purpose::List, span })
    }
}

/// `"worker.js"`
fn is_file_name(text: &str) -> bool {
    let Some((stem, extension)) = text.rsplit_once('.') else { return false };
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    ["js", "cjs", "mjs", "ts"].contains(&extension) && !stem.is_empty() && stem.bytes().all(is_part)
}
