//! `internalBinding('url')`: WHATWG URLs.

use ada_url::{Idna, Url};
use v8::{FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, Value};

use crate::errors::{Kind, throw_code, with_code};
use crate::{facts, js, text};

crate::room! {
    name: "url",
    functions: {
        pure "domainToASCII" => domain_to_ascii,
        pure "domainToUnicode" => domain_to_unicode,
        pure "format" => format,
        pure "getOrigin" => get_origin,
        pure "parse" => parse,
        pure "pathToFileURL" => path_to_file_url,
        pure "update" => update,
        pure "canParse" => can_parse,
    },
    setup: setup,
}

type Args<'s> = FunctionCallbackArguments<'s>;
type Return<'s> = ReturnValue<'s, Value>;

crate::shared! {
    /// Where the parts of the last URL begin and end; the library reads them right after each call that gives it one.
    COMPONENTS: u32 = "url.components"
}

fn setup<'s>(scope: &mut PinScope<'s, '_>, target: Local<'s, Object>) {
    facts::install(scope, "url", target);
    let components = COMPONENTS.create(scope, 9);
    js::set(scope, target, "urlComponents", components);
}

/// Hands out `url`: its text as the result, its components in the shared array.
fn give<'s>(scope: &mut PinScope<'s, '_>, url: &Url, rv: &mut Return<'s>) {
    let parts = url.components();
    let none = u32::MAX;
    let values = [
        parts.protocol_end,
        parts.username_end,
        parts.host_start,
        parts.host_end,
        parts.port.unwrap_or(none),
        parts.pathname_start.unwrap_or(none),
        parts.search_start.unwrap_or(none),
        parts.hash_start.unwrap_or(none),
        scheme_number(&url.href()[..parts.protocol_end as usize]),
    ];
    for (cell, value) in COMPONENTS.cells(scope).iter().zip(values) {
        cell.set(value);
    }
    // It is all ASCII.
    if let Some(href) = text::narrow(scope, url.href().as_bytes()) {
        rv.set(href.into());
    }
}

/// The number of `ada::scheme::type` for a scheme with its colon. The crate has a function for it, which takes a byte that
/// C++ returns for a longer number: what is above it depends on the compiler.
fn scheme_number(protocol: &str) -> u32 {
    match protocol {
        "http:" => 0,
        "https:" => 2,
        "ws:" => 3,
        "ftp:" => 4,
        "wss:" => 5,
        "file:" => 6,
        _ => 1,
    }
}

/// Throws `ERR_INVALID_URL`, which names what could not be parsed.
pub fn throw_invalid<'s>(scope: &mut PinScope<'s, '_>, input: &str, base: Option<&str>) {
    let error = with_code(scope, Kind::TypeError, "ERR_INVALID_URL", "Invalid URL");
    if let Ok(object) = Local::<Object>::try_from(error) {
        for (key, text) in [("input", Some(input)), ("base", base)] {
            if let Some(text) = text {
                let text = js::string(scope, text);
                js::set(scope, object, key, text);
            }
        }
    }
    scope.throw_exception(error);
}

fn to_text<'s>(scope: &PinScope<'s, '_>, value: Local<'s, Value>) -> String {
    value.to_rust_string_lossy(scope)
}

fn optional<'s>(scope: &PinScope<'s, '_>, value: Local<'s, Value>) -> Option<String> {
    value.is_string().then(|| to_text(scope, value))
}

/// `parse(input, base, raiseException)`
fn parse<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let base = optional(scope, args.get(1));
    let url = text::with_str(scope, args.get(0), |input| Url::parse(input, base.as_deref()).ok());
    match url {
        Some(url) => give(scope, &url, &mut rv),
        None if args.get(2).is_true() => {
            let input = to_text(scope, args.get(0));
            throw_invalid(scope, &input, base.as_deref());
        }
        None => {}
    }
}

/// `canParse(input[, base])`
fn can_parse<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let base = optional(scope, args.get(1));
    rv.set_bool(text::with_str(scope, args.get(0), |input| Url::can_parse(input, base.as_deref())));
}

/// `getOrigin(href)`
fn get_origin<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    match Url::parse(to_text(scope, args.get(0)), None) {
        Ok(url) => rv.set(js::string(scope, &url.origin()).into()),
        Err(_) => throw_code(scope, Kind::TypeError, "ERR_INVALID_URL", "Invalid URL"),
    }
}

/// The host that `domain` is; empty if it can't be one.
fn host(domain: &str) -> String {
    // Any special scheme does.
    let url = Url::parse("ws://x", None).ok();
    let url = url.filter(|_| !domain.is_empty()).and_then(|mut url| url.set_hostname(Some(domain)).ok().map(|()| url));
    url.map_or(String::new(), |url| url.hostname().to_owned())
}

fn domain_to_ascii<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let host = host(&to_text(scope, args.get(0)));
    rv.set(js::string(scope, &host).into());
}

fn domain_to_unicode<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let host = Idna::unicode(&host(&to_text(scope, args.get(0))));
    rv.set(js::string(scope, &host).into());
}

/// `format(href, fragment, unicode, search, auth)`: the URL without the parts that are not wanted.
fn format<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let href = to_text(scope, args.get(0));
    let Ok(mut url) = Url::parse(href.as_str(), None) else { return rv.set(args.get(0)) };
    if !args.get(1).is_true() {
        url.set_hash(None);
    }
    if !args.get(3).is_true() {
        url.set_search(None);
    }
    if !args.get(4).is_true() {
        // A URL that can't have them has none.
        let _ = url.set_username(Some(""));
        let _ = url.set_password(Some(""));
    }
    let mut href = url.href().to_owned();
    if args.get(2).is_true() && !url.hostname().is_empty() {
        let end = url.components().host_end as usize;
        let start = end - url.hostname().len();
        href.replace_range(start..end, &Idna::unicode(url.hostname()));
    }
    rv.set(js::string(scope, &href).into());
}

/// `pathToFileURL(path, windows[, hostname])`
fn path_to_file_url<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let (path, windows) = (to_text(scope, args.get(0)), args.get(1).is_true());
    let hostname = optional(scope, args.get(2));
    let mut href = String::with_capacity(path.len() + 16);
    href.push_str("file://");
    for char in path.chars() {
        match char {
            '\\' if windows => href.push(char),
            // What the parser would take for something else than part of a path, and what Node has always escaped.
            '\0' | '\t' | '\n' | '\r' | ' ' | '"' | '#' | '%' | '?' | '[' | ']' | '\\' | '^' | '|' | '~' => {
                href.push_str(&format!("%{:02X}", u32::from(char)));
            }
            _ => href.push(char),
        }
    }
    let Ok(mut url) = Url::parse(href.as_str(), None) else { return throw_invalid(scope, &path, None) };
    if windows
        && let Some(hostname) = &hostname
        && url.set_hostname(Some(hostname)).is_err()
    {
        return throw_invalid(scope, &path, Some(hostname));
    }
    give(scope, &url, &mut rv);
}

/// `update(href, action, value)`: the URL with one part replaced, or `false`.
fn update<'s>(scope: &mut PinScope<'s, '_>, args: Args<'s>, mut rv: Return<'s>) {
    let (href, value) = (to_text(scope, args.get(0)), to_text(scope, args.get(2)));
    let Ok(mut url) = Url::parse(href.as_str(), None) else { return rv.set_bool(false) };
    let value = value.as_str();
    // The numbers are `updateActions` in lib/internal/url.js.
    let result = match args.get(1).int32_value(scope).unwrap_or(-1) {
        0 => url.set_protocol(value),
        1 => url.set_host(Some(value)),
        2 => url.set_hostname(Some(value)),
        3 => url.set_port(Some(value)),
        4 => url.set_username(Some(value)),
        5 => url.set_password(Some(value)),
        6 => url.set_pathname(Some(value)),
        7 => {
            url.set_search(Some(value));
            Ok(())
        }
        8 => {
            url.set_hash(Some(value));
            Ok(())
        }
        9 => url.set_href(value),
        _ => Err(()),
    };
    match result {
        Ok(()) => give(scope, &url, &mut rv),
        Err(()) => rv.set_bool(false),
    }
}

/// Why a URL is not that of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NoFile {
    /// Its scheme is not `file:`.
    Scheme,
    /// It names another host.
    Host,
    /// It has an encoded slash in it.
    Path,
}

impl NoFile {
    /// Throws what `fileURLToPath` throws.
    pub fn throw(&self, scope: &mut PinScope) {
        let (code, message) = match self {
            NoFile::Scheme => ("ERR_INVALID_URL_SCHEME", "The URL must be of scheme file".to_owned()),
            NoFile::Host => {
                let platform = "linux";
                let message = format!("File URL host must be \"localhost\" or empty on {platform}");
                ("ERR_INVALID_FILE_URL_HOST", message)
            }
            NoFile::Path => {
                ("ERR_INVALID_FILE_URL_PATH", "File URL path must not include encoded / characters".to_owned())
            }
        };
        throw_code(scope, Kind::TypeError, code, &message);
    }
}

/// The path of a `file:` URL.
pub fn file_path(url: &Url) -> Result<String, NoFile> {
    if url.protocol() != "file:" {
        return Err(NoFile::Scheme);
    }
    if !url.hostname().is_empty() {
        return Err(NoFile::Host);
    }
    let encoded = url.pathname().as_bytes();
    if !encoded.contains(&b'%') {
        return Ok(url.pathname().to_owned());
    }
    let digit = |at: usize| encoded.get(at).and_then(|&byte| char::from(byte).to_digit(16));
    let mut path = Vec::with_capacity(encoded.len());
    let mut at = 0;
    while at < encoded.len() {
        match (encoded[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(2), Some(15)) => return Err(NoFile::Path),
            (b'%', Some(high), Some(low)) => {
                path.push((high << 4 | low) as u8);
                at += 3;
            }
            (byte, ..) => {
                path.push(byte);
                at += 1;
            }
        }
    }
    Ok(String::from_utf8_lossy(&path).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_urls_have_paths() {
        let path = |url: &str| file_path(&Url::parse(url, None).unwrap());
        assert_eq!(path("file:///a%20b/%C3%A9.js?q#h"), Ok("/a b/é.js".to_owned()));
        assert_eq!(path("file:///100%"), Ok("/100%".to_owned()));
        assert_eq!(path("file:///a%2fb"), Err(NoFile::Path));
        assert_eq!(path("file://host/a"), Err(NoFile::Host));
        assert_eq!(path("https://host/a"), Err(NoFile::Scheme));
    }

    #[test]
    fn hosts_are_checked() {
        assert_eq!(host("español.com"), "xn--espaol-zwa.com");
        assert_eq!(host("a b"), "");
        assert_eq!(host("example.com:80"), "");
    }
}
