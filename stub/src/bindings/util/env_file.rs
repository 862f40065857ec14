//! The format of `.env` files, as Node reads it.

use std::collections::BTreeMap;

const BLANKS: [char; 3] = [' ', '\t', '\n'];

/// The variables of an `.env` file, sorted by name.
pub fn parse(text: &str) -> BTreeMap<String, String> {
    let text = text.replace('\r', "");
    let mut rest = text.trim_matches(BLANKS);
    let mut variables = BTreeMap::new();
    while !rest.is_empty() {
        if rest.starts_with(['\n', '#']) {
            // Without looking past blanks: ` #` does not begin a comment here, in Node neither.
            rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
            continue;
        }
        let line = rest.split('\n').next().unwrap_or(rest);
        let Some(equals) = line.find('=') else {
            rest = after_line(rest);
            continue;
        };
        let name = rest[..equals].trim_matches(BLANKS);
        rest = &rest[equals + 1..];
        // Node looks at the name only once it knows that a value follows.
        if rest.is_empty() || rest.starts_with('\n') {
            variables.insert(name.to_owned(), String::new());
        } else if name.is_empty() {
            rest = rest.trim_matches(BLANKS);
        } else {
            let name = name.strip_prefix("export ").map_or(name, |name| name.trim_matches(BLANKS));
            let (value, after) = value(rest);
            variables.insert(name.to_owned(), value);
            rest = after;
        }
    }
    variables
}

/// What follows the line break of this line, without leading blanks.
fn after_line(text: &str) -> &str {
    text.split_once('\n').map_or("", |(_, rest)| rest.trim_matches(BLANKS))
}

/// Reads one value, and returns it with what follows it.
fn value(text: &str) -> (String, &str) {
    let text = text.trim_matches(BLANKS);
    let Some(quote) = text.chars().next().filter(|first| ['"', '\'', '`'].contains(first)) else {
        let (line, rest) = split_line(text);
        let line = line.split('#').next().unwrap_or(line);
        return (line.trim_matches(BLANKS).to_owned(), rest);
    };
    match text[1..].split_once(quote) {
        Some((inner, rest)) => {
            let inner = if quote == '"' { inner.replace("\\n", "\n") } else { inner.to_owned() };
            (inner, split_line(rest).1)
        }
        // The quotation mark is an ordinary character where no second one follows.
        None => {
            let (line, rest) = split_line(text);
            (line.to_owned(), rest)
        }
    }
}

/// The first line, and what follows it from its line break on.
fn split_line(text: &str) -> (&str, &str) {
    text.split_at(text.find('\n').unwrap_or(text.len()))
}
