//! The one place that knows how a message looks.
//!
//! ```text
//! error: cannot find "./nope.js"
//!  --> src/app.js:3:17
//!   |
//! 3 | import nope from "./nope.js";
//!   |                  ^^^^^^^^^^^
//!   |
//!   = help: there is no file /home/me/src/nope.js
//! ```

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Nothing is built.
    Error,
    /// The build goes on.
    Warning,
}

/// A message for the user.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What happened, in one line.
    pub message: String,
    /// Where.
    pub at: Option<Location>,
    /// What to do about it.
    pub help: Option<String>,
}

/// A place in a source file.
#[derive(Debug, Clone)]
pub struct Location {
    /// The file.
    pub path: PathBuf,
    /// Its text.
    pub source: Arc<str>,
    /// Which bytes of the text.
    pub span: Range<usize>,
}

/// The errors that ended a build: at least one.
#[derive(Debug, Clone)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostic {
    /// An error with nothing but a message.
    pub fn error(message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, message: message.into(), at: None, help: None }
    }

    /// A warning with nothing but a message.
    pub fn warning(message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(message) }
    }

    /// Says what to do.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says where.
    pub fn at(mut self, path: &Path, source: &Arc<str>, span: Range<usize>) -> Self {
        self.at = Some(Location { path: path.to_path_buf(), source: source.clone(), span });
        self
    }

    /// The message as it is printed, without a final newline.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        // A control character in a file's name or a specifier must not reach the terminal.
        let message: String = self.message.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        let title = level.primary_title(message);
        let Some(at) = &self.at else {
            let help = self.help.as_ref().map(|help| Group::with_title(Level::HELP.secondary_title(help)));
            let groups = [Some(Group::with_title(title)), help];
            // Two reports, because one would draw a line between its groups.
            let lines: Vec<_> = groups.into_iter().flatten().map(|group| renderer.render(&[group])).collect();
            return lines.join("\n");
        };
        let excerpt = Excerpt::of(at);
        let snippet = Snippet::source(excerpt.text)
            .line_start(excerpt.line)
            .path(display(&at.path))
            .annotation(AnnotationKind::Primary.span(excerpt.span));
        let help = self.help.as_ref().map(|help| Level::HELP.message(help));
        renderer.render(&[title.element(snippet).elements(help)])
    }
}

/// The line that a location points into. Only it is shown, so the renderer need not see the rest of the file.
struct Excerpt<'a> {
    text: &'a str,
    line: usize,
    span: Range<usize>,
}

impl<'a> Excerpt<'a> {
    fn of(at: &'a Location) -> Self {
        let source = &*at.source;
        let boundary = |mut offset: usize| {
            offset = offset.min(source.len());
            while !source.is_char_boundary(offset) {
                offset -= 1;
            }
            offset
        };
        let (start, end) = (boundary(at.span.start), boundary(at.span.end));
        let line_start = source[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = source[start..].find('\n').map_or(source.len(), |newline| start + newline);
        let text = source[line_start..line_end].trim_end_matches('\r');
        let start = (start - line_start).min(text.len());
        let end = (end.max(line_start) - line_start).clamp(start, text.len());
        let line = 1 + source[..line_start].bytes().filter(|&byte| byte == b'\n').count();
        Self { text, line, span: start..end }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (position, diagnostic) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str("\n\n")?;
            }
            write!(f, "{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}
impl std::error::Error for Diagnostics {}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

/// A path as the user would write it: relative to the working directory if it lies there.
pub fn display(path: &Path) -> String {
    let relative = std::env::current_dir().ok().and_then(|cwd| path.strip_prefix(cwd).ok());
    match relative {
        Some(relative) if relative.as_os_str().is_empty() => ".".into(),
        Some(relative) => relative.display().to_string(),
        None => path.display().to_string(),
    }
}

/// What the operating system said, without the number that Rust puts behind it.
pub fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_at_the_place() {
        let source: Arc<str> = "first\r\nconst é = import(\"x\");\r\nlast".into();
        let start = source.find("\"x\"").unwrap();
        let shown = Diagnostic::error("cannot find \"x\"")
            .at(Path::new("/p/app.js"), &source, start..start + 3)
            .help("install it")
            .render(false);
        let expected = "\
error: cannot find \"x\"
 --> /p/app.js:2:18
  |
2 | const é = import(\"x\");
  |                  ^^^
  |
  = help: install it";
        assert_eq!(shown, expected);
    }

    #[test]
    fn without_a_place() {
        let shown = Diagnostic::error("cannot find \"x\"").help("look elsewhere").render(false);
        assert_eq!(shown, "error: cannot find \"x\"\nhelp: look elsewhere");
    }

    #[test]
    fn any_span_can_be_shown() {
        let source: Arc<str> = "a\né\n".into();
        for start in 0..8 {
            for end in 0..8 {
                let at = Diagnostic::error("m").at(Path::new("a.js"), &source, start..end);
                assert!(at.render(false).starts_with("error: m\n"));
            }
        }
        let empty: Arc<str> = "".into();
        Diagnostic::error("m").at(Path::new("a.js"), &empty, 0..0).render(true);
    }

    #[test]
    fn a_minified_line_is_shortened() {
        let source: Arc<str> = format!("{}import 'x';{}", "a;".repeat(100_000), "b;".repeat(100_000)).into();
        let shown = Diagnostic::error("m").at(Path::new("a.js"), &source, 200_007..200_010).render(false);
        assert!(shown.len() < 2000, "{}", shown.len());
        assert!(shown.contains("import 'x'"));
    }

    #[test]
    fn control_characters_stay_out() {
        assert!(!Diagnostic::error("a\x1b[2Jb").render(false).contains('\x1b'));
    }
}
