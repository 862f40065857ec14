//! Reading package.json files.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use v8::PinScope;

use crate::realm::Realm;
use crate::{trap, vfs};

/// What the module loaders want to know of a package.json.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Package {
    /// `name`
    pub name: Option<String>,
    /// `main`
    pub main: Option<String>,
    /// `type`: `commonjs`, `module` or `none`.
    pub kind: &'static str,
    /// `imports`: JSON text if it is an object or an array, else the string itself.
    pub imports: Option<String>,
    /// `exports`, in the same way.
    pub exports: Option<String>,
    /// The path of the file.
    pub path: String,
}

/// A package.json that can't be read as one.
#[derive(Debug)]
pub struct Invalid {
    /// Its path.
    pub path: String,
}

/// Files that have been read, by path. One that was not there may be there later.
#[derive(Default)]
struct Cache(RefCell<HashMap<String, Rc<Package>>>);

/// The package.json at `path`, if there is one.
pub fn read(scope: &mut PinScope, path: &str) -> Result<Option<Rc<Package>>, Invalid> {
    let cache = Realm::current().room::<Cache>();
    if let Some(package) = cache.0.borrow().get(path) {
        return Ok(Some(package.clone()));
    }
    let package = match vfs::inside(path.as_bytes()) {
        Some(inside) => match inside.file().and_then(vfs::contents) {
            Ok(contents) => parse(&contents, path)?,
            Err(_) => return Ok(None),
        },
        None if trap::spring(scope, "readPackageJSON") => return Ok(None),
        None if trap::is_noting() => return Ok(None),
        None => match std::fs::read(path) {
            Ok(contents) => parse(&contents, path)?,
            Err(_) => return Ok(None),
        },
    };
    let package = Rc::new(package);
    cache.0.borrow_mut().insert(path.to_owned(), package.clone());
    Ok(Some(package))
}

/// The first package.json above `path`, up to the next `node_modules`. Nobody looks for one in `/`.
pub fn nearest(scope: &mut PinScope, path: &str) -> Result<Option<Rc<Package>>, Invalid> {
    let mut folder = path;
    while let Some((above, _)) = folder.rsplit_once('/') {
        folder = above;
        if folder.is_empty() || folder.ends_with("/node_modules") {
            return Ok(None);
        }
        if let Some(package) = read(scope, &format!("{folder}/package.json"))? {
            return Ok(Some(package));
        }
    }
    Ok(None)
}

/// Reads the text of a package.json.
pub fn parse(contents: &[u8], path: &str) -> Result<Package, Invalid> {
    let contents = String::from_utf8_lossy(contents);
    let text = contents.strip_prefix('\u{feff}').unwrap_or(&contents);
    match serde_json::from_str::<Fields>(text) {
        Ok(Fields(package)) => Ok(Package { path: path.to_owned(), ..package }),
        Err(_) => Err(Invalid { path: path.to_owned() }),
    }
}

struct Fields(Package);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Fields, M::Error> {
        let mut package =
            Package { name: None, main: None, kind: "none", imports: None, exports: None, path: String::new() };
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "name" => package.name = Some(map.next_value()?),
                // As for Node, a `main` that is no string is none.
                "main" => package.main = string(map.next_value()?).ok().or(package.main),
                "exports" => package.exports = tree(map.next_value()?).map_err(M::Error::custom)?.or(package.exports),
                "imports" => package.imports = tree(map.next_value()?).map_err(M::Error::custom)?.or(package.imports),
                "type" => match map.next_value::<String>()?.as_str() {
                    "commonjs" => package.kind = "commonjs",
                    "module" => package.kind = "module",
                    // Of a later version, maybe.
                    _ => {}
                },
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Fields(package))
    }
}

fn string(value: &RawValue) -> Result<String, serde_json::Error> {
    serde_json::from_str(value.get())
}

/// The text of an object or an array, a string itself, and nothing else.
fn tree(value: &RawValue) -> Result<Option<String>, serde_json::Error> {
    match value.get().as_bytes().first() {
        Some(b'{' | b'[') => Ok(Some(value.get().to_owned())),
        Some(b'"') => string(value).map(Some),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<Package> {
        parse(text.as_bytes(), "/p").ok()
    }

    #[test]
    fn keeps_the_text_of_exports() {
        let package = parsed(r##"{"exports": { "b" : 1, "a":[2] }, "imports":"#x"}"##).unwrap();
        assert_eq!(package.exports.as_deref(), Some(r#"{ "b" : 1, "a":[2] }"#));
        assert_eq!(package.imports.as_deref(), Some("#x"));
    }

    #[test]
    fn is_as_strict_as_node() {
        for text in ["", "[]", "{", r#"{"name":1}"#, r#"{"type":1}"#, r#"{"a":}"#, r#"{"a":1} x"#] {
            assert_eq!(parsed(text), None, "{text}");
        }
        assert_eq!(parsed(r#"{"main":1,"exports":false,"type":"later"}"#).unwrap().kind, "none");
        assert_eq!(parsed("\u{feff}{\"name\":\"x\",\"name\":\"y\"}").unwrap().name.as_deref(), Some("y"));
    }
}
