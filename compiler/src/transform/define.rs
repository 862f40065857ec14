//! `--define`: expressions such as `process.env.NODE_ENV` whose value is known when the program is built.

use std::collections::BTreeMap;

use kiln_payload::Format;
use swc_common::input::StringInput;
use swc_common::{BytePos, GLOBALS, Globals, Mark, Span, Spanned, SyntaxContext};
use swc_ecma_ast::{
    AssignTarget, EsVersion, Expr, Lit, MemberExpr, MemberProp, MetaPropKind, Program, Prop, SimpleAssignTarget,
    UnaryExpr, UnaryOp, UpdateExpr,
};
use swc_ecma_parser::lexer::Lexer;
use swc_ecma_parser::{EsSyntax, Parser, Syntax};
use swc_ecma_transforms_base::resolver;
use swc_ecma_visit::{Visit, VisitMutWith, VisitWith};

use crate::diagnostic::Diagnostic;

/// What is known, by the names that make up an expression.
#[derive(Debug, Clone, Default)]
pub struct Defines(BTreeMap<Vec<String>, String>);

impl Defines {
    /// Reads `NAME=VALUE` as given on the command line.
    pub fn parse(given: &[String]) -> Result<Self, Diagnostic> {
        let mut defines = BTreeMap::new();
        for text in given {
            let wrong = |why: &str| {
                Diagnostic::error(format!("--define \"{text}\" {why}")).help(
                    "write it as --define NAME=VALUE; a string keeps its quotes: --define 'process.env.MODE=\"test\"'",
                )
            };
            let Some((name, value)) = text.split_once('=') else { return Err(wrong("has no \"=\"")) };
            let names: Vec<String> = name.split('.').map(str::to_owned).collect();
            let is_name = |name: &String| {
                let mut characters = name.chars();
                let is_first = |c: char| c.is_alphabetic() || c == '_' || c == '$';
                characters.next().is_some_and(is_first) && characters.all(|c| is_first(c) || c.is_numeric())
            };
            if !names.iter().all(is_name) {
                return Err(wrong("names nothing that a program can say"));
            }
            let value = value.trim();
            let Some(expr) = expression(value) else { return Err(wrong("has a value that is not an expression")) };
            // A value is read where it is put, so nothing around it may get a hold of a part of it.
            let is_whole =
                matches!(expr, Expr::Lit(Lit::Str(_) | Lit::Bool(_) | Lit::Null(_)) | Expr::Ident(_) | Expr::Array(_));
            defines.insert(names, if is_whole { value.to_owned() } else { format!("({value})") });
        }
        Ok(Self(defines))
    }

    /// The text of a module with the values in the place of the expressions, if it has any of these.
    pub fn apply(&self, source: &str, format: Format) -> Option<String> {
        let mentioned = |names: &Vec<String>| names.iter().all(|name| source.contains(name.as_str()));
        if format == Format::Json || !self.0.keys().any(mentioned) {
            return None;
        }
        let mut program = parse(source, format == Format::Module)?;
        GLOBALS.set(&Globals::new(), || {
            let unresolved = Mark::new();
            program.visit_mut_with(&mut resolver(unresolved, Mark::new(), false));
            let unresolved = SyntaxContext::empty().apply_mark(unresolved);
            let mut finder = Finder { defines: self, unresolved, edits: Vec::new() };
            program.visit_with(&mut finder);
            let mut edits = finder.edits;
            edits.sort_by_key(|(span, _)| span.lo);
            let mut text = String::with_capacity(source.len());
            let mut end = 0;
            for (span, value) in edits {
                text.push_str(&source[end..span.lo.0 as usize - 1]);
                text.push_str(&value);
                end = span.hi.0 as usize - 1;
            }
            (end > 0).then(|| text + &source[end..])
        })
    }
}

fn syntax() -> Syntax {
    Syntax::Es(EsSyntax { import_attributes: true, explicit_resource_management: true, ..EsSyntax::default() })
}

fn parse(source: &str, is_module: bool) -> Option<Program> {
    let input = StringInput::new(source, BytePos(1), BytePos(1 + source.len() as u32));
    let mut parser = Parser::new_from(Lexer::new(syntax(), EsVersion::EsNext, input, None));
    match is_module {
        true => parser.parse_module().map(Program::Module).ok(),
        false => parser.parse_commonjs().map(Program::Script).ok(),
    }
}

fn expression(text: &str) -> Option<Expr> {
    let input = StringInput::new(text, BytePos(1), BytePos(1 + text.len() as u32));
    let mut parser = Parser::new_from(Lexer::new(syntax(), EsVersion::EsNext, input, None));
    let expr = parser.parse_expr().ok()?;
    let is_all = expr.span().hi.0 as usize == 1 + text.len();
    (is_all && parser.take_errors().is_empty()).then_some(*expr)
}

struct Finder<'a> {
    defines: &'a Defines,
    unresolved: SyntaxContext,
    edits: Vec<(Span, String)>,
}

impl Finder<'_> {
    /// The names that make up an expression which begins at a global.
    fn names(&self, expr: &Expr) -> Option<Vec<String>> {
        match expr {
            Expr::Ident(ident) if ident.ctxt == self.unresolved => Some(vec![ident.sym.to_string()]),
            Expr::MetaProp(meta) if meta.kind == MetaPropKind::ImportMeta => Some(vec!["import".into(), "meta".into()]),
            Expr::Member(MemberExpr { obj, prop, .. }) => {
                let name = match prop {
                    MemberProp::Ident(name) => name.sym.to_string(),
                    MemberProp::Computed(computed) => match &*computed.expr {
                        Expr::Lit(Lit::Str(text)) => text.value.to_string_lossy().into_owned(),
                        _ => return None,
                    },
                    MemberProp::PrivateName(_) => return None,
                };
                let mut names = self.names(obj)?;
                names.push(name);
                Some(names)
            }
            _ => None,
        }
    }
}

impl Visit for Finder<'_> {
    fn visit_expr(&mut self, expr: &Expr) {
        let candidate = matches!(expr, Expr::Ident(_) | Expr::Member(_));
        let value = candidate.then(|| self.names(expr)).flatten().and_then(|names| self.defines.0.get(&names));
        match value {
            Some(value) => self.edits.push((expr.span(), value.clone())),
            None => expr.visit_children_with(self),
        }
    }

    fn visit_prop(&mut self, prop: &Prop) {
        match prop {
            Prop::Shorthand(ident) if ident.ctxt == self.unresolved => {
                if let Some(value) = self.defines.0.get(&vec![ident.sym.to_string()]) {
                    self.edits.push((ident.span, format!("{}: {value}", ident.sym)));
                }
            }
            prop => prop.visit_children_with(self),
        }
    }

    /// What is assigned to is a place, not a value.
    fn visit_assign_target(&mut self, target: &AssignTarget) {
        if let AssignTarget::Simple(SimpleAssignTarget::Member(_) | SimpleAssignTarget::Ident(_)) = target {
            return;
        }
        target.visit_children_with(self);
    }

    fn visit_update_expr(&mut self, _: &UpdateExpr) {}

    fn visit_unary_expr(&mut self, unary: &UnaryExpr) {
        if unary.op != UnaryOp::Delete {
            unary.visit_children_with(self);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defined(source: &str) -> Option<String> {
        let given = ["process.env.NODE_ENV=\"production\"", "DEBUG=false", "NUMBER=-1", "import.meta.env.X='x'"];
        let defines = Defines::parse(&given.map(String::from)).unwrap_or_else(|error| panic!("{}", error.message));
        defines.apply(source, Format::Module)
    }

    #[test]
    fn expressions_are_replaced() {
        for (source, expected) in [
            ("if (process.env.NODE_ENV === 'x') f()", "if (\"production\" === 'x') f()"),
            ("f(process.env['NODE_ENV'])", "f(\"production\")"),
            ("x = { DEBUG, y: DEBUG }", "x = { DEBUG: false, y: false }"),
            ("NUMBER ** 2; typeof DEBUG", "(-1) ** 2; typeof false"),
            ("import.meta.env.X", "'x'"),
        ] {
            assert_eq!(defined(source).as_deref(), Some(expected), "{source}");
        }
        for source in
            ["let DEBUG; DEBUG", "process.env.NODE_ENV = 1", "a.DEBUG", "delete process.env.NODE_ENV", "'DEBUG'"]
        {
            assert_eq!(defined(source), None, "{source}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        for text in ["A", "A=", "a b=1", "A=1;2", "1=2", "A=1 2"] {
            assert!(Defines::parse(&[text.to_owned()]).is_err(), "{text}");
        }
    }
}
