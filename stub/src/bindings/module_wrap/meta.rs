//! `import.meta` of the program's modules.

use v8::{Local, Object, PinScope, Value};

use super::host::IMPORT_META_RESOLVE;
use crate::js;
use crate::realm::Realm;

/// Fills `import.meta` of the module that `wrap` holds. `None` with an exception pending when that fails.
pub fn initialize<'s>(scope: &mut PinScope<'s, '_>, wrap: Local<'s, Object>, meta: Local<'s, Object>) -> Option<()> {
    let url = js::get(scope, wrap, "url")?;
    if let Some(filename) = file_path(&url.to_rust_string_lossy(scope)) {
        let dirname = match filename.rsplit_once('/') {
            Some(("", _)) | None => "/",
            Some((dirname, _)) => dirname,
        };
        let dirname = js::string(scope, dirname);
        set(scope, meta, "dirname", dirname.into())?;
        let filename = js::string(scope, &filename);
        set(scope, meta, "filename", filename.into())?;
    }
    let main = js::get(scope, wrap, "isMain")?.is_true();
    let main = js::boolean(scope, main);
    set(scope, meta, "main", main)?;
    if let Some(initializer) = Realm::current().function(scope, IMPORT_META_RESOLVE) {
        let undefined = js::undefined(scope);
        let resolve = initializer.call(scope, undefined, &[url])?;
        set(scope, meta, "resolve", resolve)?;
    }
    set(scope, meta, "url", url)
}

fn set<'s>(scope: &PinScope<'s, '_>, meta: Local<'s, Object>, key: &str, value: Local<'s, Value>) -> Option<()> {
    let key = js::name(scope, key);
    meta.create_data_property(scope, key.into(), value).map(|_| ())
}

/// The path of a `file:` URL.
fn file_path(url: &str) -> Option<String> {
    let path = url.strip_prefix("file://")?;
    let path = path.split(['?', '#']).next()?;
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        let digit = |index: usize| tail.get(index).and_then(|digit| (*digit as char).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((16 * high + low) as u8);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::file_path;

    #[test]
    fn file_urls_become_paths() {
        assert_eq!(file_path("file:///a/b%20c.mjs?x#y").as_deref(), Some("/a/b c.mjs"));
        assert_eq!(file_path("file:///%C3%A4%").as_deref(), Some("/ä%"));
        assert_eq!(file_path("data:text/javascript,1"), None);
    }
}
