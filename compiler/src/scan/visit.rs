//! One walk over a module: what it asks for, and the paths that it makes.

use std::path::Path;

use kiln_payload::Format;
use swc_common::{GLOBALS, Globals, Mark, Spanned, SyntaxContext};
use swc_ecma_ast::{
    CallExpr, Callee, ExportAll, Expr, ExprOrSpread, ImportDecl, MemberExpr, MemberProp, MetaPropKind, NamedExport,
    Program, Str, TryStmt,
};
use swc_ecma_transforms_base::resolver;
use swc_ecma_visit::{Visit, VisitMutWith, VisitWith};

use super::parse::range;
use super::value::{Value, Values};
use super::{Guess, PathUse, Pattern, Purpose, Reference, ReferenceKind, Scan};

/// Reads a parsed module.
pub fn visit(mut program: Program, format: Format, path: &Path) -> Scan {
    GLOBALS.set(&Globals::new(), || {
        let unresolved = Mark::new();
        // Gives every binding an identity, so that a parameter called `require` is not taken for Node's.
        program.visit_mut_with(&mut resolver(unresolved, Mark::new(), false));
        let mut values = Values::new(path, format, SyntaxContext::empty().apply_mark(unresolved));
        program.visit_with(&mut values);
        let directory = path.parent().map(|parent| parent.to_string_lossy().into_owned()).unwrap_or_default();
        let mut visitor = Visitor { values, directory, guards: 0, scan: Scan::default(), unsure: false };
        program.visit_with(&mut visitor);
        if visitor.unsure {
            program.visit_with(&mut Guesses(&mut visitor.scan.guesses));
        }
        visitor.scan.guesses.sort();
        visitor.scan.guesses.dedup();
        visitor.scan
    })
}

struct Visitor {
    values: Values,
    directory: String,
    /// How many `try` blocks and `.catch(…)` calls are around.
    guards: u32,
    scan: Scan,
    /// Whether the module loads what can't be known.
    unsure: bool,
}

/// Functions of `node:module` that load, or that make such.
const LOADERS: [&str; 4] = ["createRequire", "_load", "_compile", "_resolveFilename"];

/// Every string that may be the name of a file beside the module.
struct Guesses<'a>(&'a mut Vec<Guess>);

impl Visit for Guesses<'_> {
    fn visit_str(&mut self, text: &Str) {
        let specifier = text.value.to_string_lossy();
        let named = specifier.trim_start_matches(['.', '/']);
        if (specifier.starts_with("./") || specifier.starts_with("../")) && !named.is_empty() {
            self.0.push(Guess { specifier: specifier.into_owned(), from: None });
        }
    }
}

impl Visitor {
    fn reference(&mut self, specifier: &Str, kind: ReferenceKind) {
        self.scan.references.push(Reference {
            specifier: specifier.value.to_string_lossy().into_owned(),
            kind,
            span: range(specifier.span),
            guarded: self.guards > 0,
        });
    }

    /// The argument of something that loads a module.
    fn load(&mut self, args: &[ExprOrSpread], kind: ReferenceKind) {
        let Some((first, rest)) = args.split_first() else { return };
        rest.visit_with(self);
        match self.values.text(&first.expr).filter(|_| first.spread.is_none()) {
            Some(Pattern { prefix, tail: None, anchored: false }) => {
                let span = range(first.expr.span());
                let guarded = self.guards > 0;
                self.scan.references.push(Reference { specifier: prefix, kind, span, guarded });
            }
            Some(mut pattern) => {
                // `require("./locale/" + name)`: any of the files there.
                if !pattern.anchored && (pattern.prefix.starts_with("./") || pattern.prefix.starts_with("../")) {
                    pattern = pattern.relative_to(&self.directory);
                }
                let purpose = match kind {
                    ReferenceKind::Require | ReferenceKind::RequireResolve => Purpose::Require,
                    _ => Purpose::Import,
                };
                if pattern.anchored {
                    self.path(pattern, purpose, &first.expr);
                } else {
                    self.unsure = true;
                    first.expr.visit_children_with(self);
                }
            }
            None => {
                let choices = self.values.choices(&first.expr).filter(|_| !matches!(&*first.expr, Expr::Array(_)));
                self.unsure |= choices.is_none();
                let span = range(first.expr.span());
                let reference = |specifier| Reference { specifier, kind, span: span.clone(), guarded: true };
                self.scan.references.extend(choices.into_iter().flatten().map(reference));
                first.visit_with(self);
            }
        }
    }

    /// The argument of a `require` for another place.
    fn load_from(&mut self, args: &[ExprOrSpread], from: &Pattern) {
        let texts = args.first().filter(|first| first.spread.is_none()).and_then(|arg| self.values.choices(&arg.expr));
        self.unsure |= texts.is_none();
        let from = from.prefix.rsplit_once('/').map(|(folder, _)| folder.to_owned());
        let guess = |specifier| Guess { specifier, from: from.clone() };
        self.scan.guesses.extend(texts.into_iter().flatten().map(guess));
        args.visit_with(self);
    }

    /// Whether a call is of a function that loads what can't be told: a `require` for nobody knows where, or the
    /// loader's own functions.
    fn loads_anything(&self, call: &CallExpr, callee: &Expr) -> bool {
        match self.values.of(callee) {
            Some(Value::Function(module, function)) if module == "module" => match function.as_str() {
                "createRequire" => self.values.of_call(call).is_none(),
                function => matches!(function, "_load" | "_resolveFilename"),
            },
            _ => matches!(callee, Expr::Member(MemberExpr { prop: MemberProp::Ident(name), .. })
                if matches!(&*name.sym, "_load" | "_compile")),
        }
    }

    fn path(&mut self, pattern: Pattern, purpose: Purpose, expr: &Expr) {
        self.scan.paths.push(PathUse { pattern, purpose, span: range(expr.span()) });
    }

    /// What a call loads, if that is what it does.
    fn loads(&self, callee: &Expr) -> Option<ReferenceKind> {
        if let Expr::Member(MemberExpr { obj, prop: MemberProp::Ident(name), .. }) = callee
            && name.sym == "resolve"
        {
            return match &**obj {
                Expr::MetaProp(meta) if meta.kind == MetaPropKind::ImportMeta => Some(ReferenceKind::ImportResolve),
                object if self.values.of(object) == Some(Value::Require) => Some(ReferenceKind::RequireResolve),
                _ => None,
            };
        }
        match self.values.of(callee)? {
            Value::Require => Some(ReferenceKind::Require),
            Value::Import => Some(ReferenceKind::DynamicImport),
            _ => None,
        }
    }

    /// Whether a call lists a folder, so that all of it is wanted.
    fn lists(callee: &Expr) -> bool {
        const LISTERS: [&str; 10] = [
            "readdir",
            "readdirSync",
            "opendir",
            "opendirSync",
            "cp",
            "cpSync",
            "copy",
            "copySync",
            "glob",
            "globSync",
        ];
        match callee {
            Expr::Member(MemberExpr { prop: MemberProp::Ident(name), .. }) => LISTERS.contains(&&*name.sym),
            Expr::Ident(name) => LISTERS.contains(&&*name.sym),
            _ => false,
        }
    }
}

impl Visit for Visitor {
    fn visit_import_decl(&mut self, import: &ImportDecl) {
        self.reference(&import.src, ReferenceKind::Import);
    }

    fn visit_named_export(&mut self, export: &NamedExport) {
        if let Some(source) = &export.src {
            self.reference(source, ReferenceKind::Import);
        }
    }

    fn visit_export_all(&mut self, export: &ExportAll) {
        self.reference(&export.src, ReferenceKind::Import);
    }

    fn visit_try_stmt(&mut self, statement: &TryStmt) {
        self.guards += u32::from(statement.handler.is_some());
        statement.block.visit_with(self);
        self.guards -= u32::from(statement.handler.is_some());
        statement.handler.visit_with(self);
        statement.finalizer.visit_with(self);
    }

    /// The loader's own functions may also be replaced.
    fn visit_member_expr(&mut self, member: &MemberExpr) {
        self.unsure |= matches!(&member.prop, MemberProp::Ident(name) if LOADERS[1..].contains(&&*name.sym));
        member.visit_children_with(self);
    }

    fn visit_call_expr(&mut self, call: &CallExpr) {
        let callee = match &call.callee {
            Callee::Import(_) => return self.load(&call.args, ReferenceKind::DynamicImport),
            Callee::Expr(callee) => callee,
            _ => return call.visit_children_with(self),
        };
        if let Some(kind) = self.loads(callee) {
            return self.load(&call.args, kind);
        }
        // Only callees that may be one: a long chain of calls would be looked at from each of its links.
        let (is_candidate, required) = match &**callee {
            Expr::Member(MemberExpr { obj, prop: MemberProp::Ident(name), .. }) => {
                let is_resolve = name.sym == "resolve";
                (is_resolve || LOADERS.contains(&&*name.sym), if is_resolve { obj } else { callee })
            }
            Expr::Ident(_) | Expr::Call(_) | Expr::Paren(_) | Expr::Seq(_) => (true, callee),
            _ => (false, callee),
        };
        if is_candidate {
            if let Some(Value::RequireFrom(from)) = self.values.of(required) {
                return self.load_from(&call.args, &from);
            }
            self.unsure |= self.loads_anything(call, callee);
        }
        // `names.map(require)`
        let is_require = |arg: &ExprOrSpread| arg.expr.is_ident() && self.values.of(&arg.expr) == Some(Value::Require);
        self.unsure |= call.args.iter().any(is_require);
        if let Expr::Member(MemberExpr { obj, prop: MemberProp::Ident(name), .. }) = &**callee
            && (name.sym == "catch" || (name.sym == "then" && call.args.len() == 2))
        {
            self.guards += 1;
            obj.visit_with(self);
            self.guards -= 1;
            return call.args.visit_with(self);
        }
        if Self::lists(callee)
            && let Some((first, rest)) = call.args.split_first()
            && let Some(pattern) = self.values.path(&first.expr)
        {
            self.path(pattern, Purpose::List, &first.expr);
            return rest.visit_with(self);
        }
        call.visit_children_with(self);
    }

    fn visit_expr(&mut self, expr: &Expr) {
        // The outermost expression that is a path counts, not the parts of which it is made.
        match self.values.path(expr) {
            Some(pattern) => self.path(pattern, Purpose::Unknown, expr),
            None => expr.visit_children_with(self),
        }
    }
}
