//! What may differ between Node and an executable is made equal here, and nothing else:
//! where the program lies, process ids, the program's own name in a hint, and the frames of a
//! stack inside of Node's loaders, which Kiln does not have.

use std::path::Path;

/// The output as text, with `roots` written as `<root>` and process ids as `<pid>`.
pub fn normal(output: &[u8], roots: &[&Path]) -> String {
    let mut text = String::from_utf8_lossy(output).into_owned();
    for root in roots {
        let root = root.to_str().unwrap();
        text = text.replace(root, "<root>").replace(&root[1..], "<root>");
    }
    let mut lines: Vec<String> = Vec::new();
    for line in text.split('\n') {
        match internal_frame(line) {
            // What stands behind a frame belongs to the error: "{" opens its properties.
            Some(rest) => lines.last_mut().map(|line| line.push_str(rest)).unwrap_or_default(),
            None => lines.push(hint(&process_id(line))),
        }
    }
    without_internal_heading(&mut lines);
    lines.join("\n")
}

/// Of a stack's line that points into Node's internals, what follows the frame.
fn internal_frame(line: &str) -> Option<&str> {
    let frame = line.trim_start();
    if frame.starts_with("... ") && frame.ends_with(" lines matching cause stack trace ...") {
        return Some("");
    }
    let frame = frame.strip_prefix("at ")?;
    let at = frame.find("node:internal/")?;
    let end = frame[at..].find([')', ' ', ',']).map_or(frame.len(), |end| at + end);
    Some(frame[end..].trim_start_matches(')'))
}

/// `(node:123) Warning` has the process id.
fn process_id(line: &str) -> String {
    let Some((before, rest)) = line.split_once("(node:") else { return line.to_owned() };
    match rest.split_once(')') {
        Some((id, after)) if id.bytes().all(|b| b.is_ascii_digit()) => format!("{before}(node:<pid>){after}"),
        _ => line.to_owned(),
    }
}

/// "(Use `node --trace-warnings ...` to show where …)" names the running program.
fn hint(line: &str) -> String {
    match line.strip_prefix("(Use `").and_then(|rest| rest.split_once(" --trace-")) {
        Some((_, rest)) => format!("(Use `<name> --trace-{rest}"),
        None => line.to_owned(),
    }
}

/// An error that Node's own code threw is headed by that code: file, line, caret.
fn without_internal_heading(lines: &mut Vec<String>) {
    let Some(start) = lines.iter().position(|line| line.starts_with("node:internal/")) else { return };
    if let Some(caret) = lines[start..].iter().take(4).position(|line| line.trim() == "^") {
        lines.drain(start..=start + caret);
    }
}
