//! Changes to a source's text that leave the rest of it at its place.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use swc_common::{BytePos, Span, Spanned};
use swc_ecma_ast::{ExportSpecifier, ImportSpecifier, ModuleDecl, ModuleItem, Program};

use super::specifiers::Changes;

/// A stretch of the source and what stands there instead.
type Edit = (Range<usize>, String);

/// Takes out the imports and exports that are gone from `erased`, and writes the other specifiers.
pub fn apply(source: &str, start: BytePos, original: &Program, erased: &Program, changes: &Changes) -> String {
    let mut text = Text { source, start, edits: Vec::new() };
    if let (Program::Module(original), Program::Module(erased)) = (original, erased) {
        let kept = kept(&erased.body);
        original.body.iter().for_each(|item| text.erase(item, &kept));
    }
    for ((span, _), written) in &changes.specifiers {
        let range = text.range(*span);
        let quote = if source[range.clone()].starts_with('\'') { '\'' } else { '"' };
        text.edits.push((range, format!("{quote}{written}{quote}")));
    }
    for span in &changes.static_json {
        let end = text.range(*span).end;
        text.edits.push((end..end, " with { type: \"json\" }".into()));
    }
    for span in &changes.dynamic_json {
        let end = text.range(*span).end;
        text.edits.push((end..end, ", { with: { type: \"json\" } }".into()));
    }
    text.finish()
}

/// The declarations that are left, with the specifiers that are left in each.
fn kept(items: &[ModuleItem]) -> HashMap<Span, HashSet<Span>> {
    let mut kept = HashMap::new();
    for item in items {
        if let ModuleItem::ModuleDecl(declaration) = item {
            kept.insert(declaration.span(), specifiers(declaration).into_iter().map(|(span, _)| span).collect());
        }
    }
    kept
}

/// The specifiers of a declaration, and whether each is marked as a type.
fn specifiers(declaration: &ModuleDecl) -> Vec<(Span, bool)> {
    match declaration {
        ModuleDecl::Import(import) => {
            let is_type =
                |specifier: &ImportSpecifier| matches!(specifier, ImportSpecifier::Named(named) if named.is_type_only);
            import.specifiers.iter().map(|specifier| (specifier.span(), is_type(specifier))).collect()
        }
        ModuleDecl::ExportNamed(export) => {
            let is_type =
                |specifier: &ExportSpecifier| matches!(specifier, ExportSpecifier::Named(named) if named.is_type_only);
            export.specifiers.iter().map(|specifier| (specifier.span(), is_type(specifier))).collect()
        }
        _ => Vec::new(),
    }
}

struct Text<'a> {
    source: &'a str,
    start: BytePos,
    edits: Vec<Edit>,
}

impl Text<'_> {
    fn range(&self, span: Span) -> Range<usize> {
        (span.lo - self.start).0 as usize..(span.hi - self.start).0 as usize
    }

    fn erase(&mut self, item: &ModuleItem, kept: &HashMap<Span, HashSet<Span>>) {
        let ModuleItem::ModuleDecl(declaration) = item else { return };
        let is_candidate = match declaration {
            ModuleDecl::Import(import) => !import.type_only,
            ModuleDecl::ExportNamed(export) => !export.type_only,
            ModuleDecl::ExportDefaultExpr(_) => true,
            _ => false,
        };
        if !is_candidate {
            return;
        }
        let Some(kept) = kept.get(&declaration.span()) else {
            let range = self.range(declaration.span());
            // What follows must not be taken for the rest of what is before.
            let blank = format!(";{}", &blank(&self.source[range.clone()])[1..]);
            return self.edits.push((range, blank));
        };
        for (span, is_type) in specifiers(declaration) {
            if !is_type && !kept.contains(&span) {
                let mut range = self.range(span);
                range.end += comma(&self.source[range.end..]).unwrap_or(0);
                self.edits.push((range.clone(), blank(&self.source[range])));
            }
        }
    }

    fn finish(mut self) -> String {
        self.edits.sort_by_key(|(range, _)| range.start);
        let mut text = String::with_capacity(self.source.len());
        let mut end = 0;
        for (range, replacement) in self.edits {
            if range.start >= end {
                text.push_str(&self.source[end..range.start]);
                text.push_str(&replacement);
                end = range.end;
            }
        }
        text + &self.source[end..]
    }
}

/// As many blanks as there are code units, with the same line breaks.
fn blank(text: &str) -> String {
    let is_break = |c: char| matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}');
    text.chars().map(|c| if is_break(c) { c.to_string() } else { " ".repeat(c.len_utf16()) }).collect()
}

/// How long the text is up to a comma, if nothing but blanks and comments comes before it.
fn comma(text: &str) -> Option<usize> {
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if rest.starts_with(',') {
            return Some(text.len() - rest.len() + 1);
        } else if let Some(comment) = rest.strip_prefix("//") {
            rest = &comment[comment.find('\n')?..];
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = &comment[comment.find("*/")? + 2..];
        } else {
            return None;
        }
    }
}
