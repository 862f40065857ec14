//! One walk over a module: what it asks for, and the paths that it makes.

use std::path::Path;

use kiln_payload::Format;
use swc_common::{GLOBALS, Globals, Mark, Spanned, SyntaxContext};
use swc_ecma_ast::{
    ArrowExpr, AssignExpr, AssignTarget, BinaryOp, CallExpr, Callee, Decl, ExportAll, ExportDecl, ExportSpecifier,
    Expr, ExprOrSpread, Function, Ident, ImportDecl, KeyValueProp, Lit, MemberExpr, MemberProp, MetaPropKind,
    ModuleExportName, NamedExport, NewExpr, Pat, Program, Prop, PropName, SimpleAssignTarget, Str, TplElement, TryStmt,
    VarDeclarator,
};
use swc_ecma_transforms_base::resolver;
use swc_ecma_visit::{Visit, VisitMutWith, VisitWith};

use super::parse::range;
use super::value::{Value, Values};
use super::{Guess, PathUse, Pattern, Purpose, Reference, ReferenceKind, Scan, Surroundings};

/// Reads a parsed module.
pub fn visit(mut program: Program, format: Format, path: &Path, surroundings: &dyn Surroundings) -> Scan {
    GLOBALS.set(&Globals::new(), || {
        let unresolved = Mark::new();
        // Gives every binding an identity, so that a parameter called `require` is not taken for Node's.
        program.visit_mut_with(&mut resolver(unresolved, Mark::new(), false));
        let mut values = Values::new(path, format, SyntaxContext::empty().apply_mark(unresolved), surroundings);
        values.collect(&program);
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let (file, directory) = (text(path), path.parent().map(text).unwrap_or_default());
        let scan = Scan::default();
        let mut visitor = Visitor { values, surroundings, file, directory, guards: 0, quiet: false, runs: false, scan };
        program.visit_with(&mut visitor);
        let mut scan = visitor.scan;
        scan.guesses.sort();
        scan.guesses.dedup();
        scan
    })
}

pub(super) struct Visitor<'a> {
    values: Values<'a>,
    pub(super) surroundings: &'a dyn Surroundings,
    file: String,
    pub(super) directory: String,
    /// How many `try` blocks and `.catch(…)` calls are around.
    guards: u32,
    /// Whether the paths that are met do not count: they are parts of one that does, or only looked at.
    quiet: bool,
    /// Whether what is met is to be run, by a child process or a worker.
    runs: bool,
    pub(super) scan: Scan,
}

/// Functions of `node:module` that load, or that make such.
const LOADERS: [&str; 4] = ["createRequire", "_load", "_compile", "_resolveFilename"];

impl Visitor<'_> {
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
        let places = match kind {
            ReferenceKind::RequireResolve => rest.first().and_then(|options| self.search_paths(&options.expr)),
            _ => None,
        };
        let texts = places.as_ref().and_then(|_| self.values.choices(&first.expr));
        match &texts {
            // What is looked for there is known, so the folders need not be followed.
            Some(_) => self.quietly(|visitor| rest.visit_with(visitor)),
            None => self.loudly(|visitor| rest.visit_with(visitor)),
        }
        let is_elsewhere = texts.is_some();
        for place in places.into_iter().flatten() {
            let guess = |specifier: &String| Guess { specifier: specifier.clone(), from: Some(place.clone()) };
            self.scan.guesses.extend(texts.iter().flatten().map(guess));
        }
        match self.values.text(&first.expr).filter(|_| first.spread.is_none()) {
            Some(Pattern { prefix, tail: None, anchored: false }) => {
                let span = range(first.expr.span());
                let guarded = self.guards > 0 || is_elsewhere;
                self.scan.references.push(Reference { specifier: prefix, kind, span, guarded });
            }
            Some(mut pattern) => {
                // `require("./locale/" + name)`: any of the files there.
                if !pattern.anchored && (pattern.prefix.starts_with("./") || pattern.prefix.starts_with("../")) {
                    pattern = pattern.relative_to(&self.directory);
                }
                if let Some(found) = self.in_package(&pattern).filter(|_| !pattern.anchored) {
                    pattern = found;
                }
                let purpose = match kind {
                    ReferenceKind::Require | ReferenceKind::RequireResolve => Purpose::Require,
                    _ => Purpose::Import,
                };
                if pattern.anchored {
                    self.path(pattern, purpose, &first.expr);
                    self.quietly(|visitor| first.visit_with(visitor));
                } else {
                    // `require("@scope/tool-" + platform)`
                    if !pattern.prefix.is_empty() {
                        let names = self.surroundings.declared_with(&pattern.prefix);
                        self.scan.guesses.extend(names.into_iter().map(|specifier| Guess { specifier, from: None }));
                    }
                    self.unsure(&first.expr);
                    first.expr.visit_children_with(self);
                }
            }
            None => {
                let choices = self.values.choices(&first.expr).filter(|_| !matches!(&*first.expr, Expr::Array(_)));
                let open = first.expr.as_ident().is_some_and(|name| self.values.open.contains(&name.to_id()));
                if choices.is_none() || open {
                    self.unsure(&first.expr);
                }
                let span = range(first.expr.span());
                let reference = |specifier| Reference { specifier, kind, span: span.clone(), guarded: true };
                self.scan.references.extend(choices.into_iter().flatten().map(reference));
                first.visit_with(self);
            }
        }
    }

    /// The known folders of `{ paths: [...] }`, the second argument of `require.resolve`.
    fn search_paths(&self, options: &Expr) -> Option<Vec<String>> {
        let Expr::Object(options) = options else { return None };
        let paths = options.props.iter().find_map(|property| match property.as_prop()?.as_key_value()? {
            KeyValueProp { key: PropName::Ident(key), value } if key.sym == "paths" => value.as_array(),
            _ => None,
        })?;
        let places = paths.elems.iter().flatten().filter_map(|place| self.values.path(&place.expr));
        Some(places.filter(|place| place.tail.is_none()).map(|place| place.prefix).collect())
    }

    /// The argument of a `require` for another place.
    fn load_from(&mut self, args: &[ExprOrSpread], from: &Pattern) {
        let texts = args.first().filter(|first| first.spread.is_none()).and_then(|arg| self.values.choices(&arg.expr));
        if texts.is_none() {
            args.iter().take(1).for_each(|arg| self.unsure(&arg.expr));
        }
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

    fn unsure(&mut self, expr: &impl Spanned) {
        self.scan.unsure.push(range(expr.span()));
    }

    fn path(&mut self, pattern: Pattern, purpose: Purpose, expr: &impl Spanned) {
        let is_run = self.runs && pattern.tail.is_none() && pattern.prefix == self.file;
        if self.scan.escape.is_none() && !is_run && self.escapes(&pattern, purpose) {
            self.scan.escape = Some(range(expr.span()));
        }
        self.scan.paths.push(PathUse { pattern, purpose, span: range(expr.span()) });
    }

    /// Whether a path says no more than where the module lies, so that anything may be made of it.
    fn escapes(&self, pattern: &Pattern, purpose: Purpose) -> bool {
        let is_above = |folder: &str| {
            self.directory.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        match &pattern.tail {
            None => purpose == Purpose::Unknown && (pattern.prefix == self.file || is_above(&pattern.prefix)),
            // What follows may begin with `..`.
            Some(_) if pattern.prefix.ends_with('/') => {
                matches!(purpose, Purpose::Unknown | Purpose::Read) && is_above(pattern.prefix.trim_end_matches('/'))
            }
            Some(_) => {
                let folder = pattern.prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
                purpose == Purpose::Unknown && folder.len() < self.directory.len() && is_above(folder)
            }
        }
    }

    /// Visits what is part of a path, or has it only looked at.
    fn quietly(&mut self, visit: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.quiet, true);
        visit(self);
        self.quiet = before;
    }

    fn running(&mut self, visit: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.runs, true);
        visit(self);
        self.runs = before;
    }

    fn loudly(&mut self, visit: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.quiet, false);
        visit(self);
        self.quiet = before;
    }

    /// A path that a binding, an export or a property is worth.
    fn name(&mut self, name: &Ident) {
        if let Some(pattern) = self.values.path(&Expr::Ident(name.clone())).filter(|_| !self.quiet) {
            self.path(pattern, Purpose::Unknown, name);
        }
    }

    /// Initializers of names that are followed wherever they go need not be looked at by themselves.
    fn bound(&mut self, name: &Pat, init: &Expr) {
        match name {
            Pat::Ident(name) if self.values.is_path(&name.to_id()) => self.quietly(|visitor| init.visit_with(visitor)),
            _ => init.visit_with(self),
        }
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

impl Visit for Visitor<'_> {
    fn visit_import_decl(&mut self, import: &ImportDecl) {
        self.reference(&import.src, ReferenceKind::Import);
    }

    fn visit_named_export(&mut self, export: &NamedExport) {
        if let Some(source) = &export.src {
            return self.reference(source, ReferenceKind::Import);
        }
        for specifier in &export.specifiers {
            if let ExportSpecifier::Named(named) = specifier
                && let ModuleExportName::Ident(name) = &named.orig
            {
                self.name(name);
            }
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
        if matches!(&member.prop, MemberProp::Ident(name) if LOADERS[1..].contains(&&*name.sym)) {
            self.unsure(member);
        }
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
            if self.loads_anything(call, callee) {
                self.unsure(call);
            }
        }
        // `names.map(require)`
        let is_require = |arg: &ExprOrSpread| arg.expr.is_ident() && self.values.of(&arg.expr) == Some(Value::Require);
        if call.args.iter().any(is_require) {
            self.unsure(call);
        }
        if let Expr::Member(MemberExpr { obj, prop: MemberProp::Ident(name), .. }) = &**callee
            && (name.sym == "catch" || (name.sym == "then" && call.args.len() == 2))
        {
            self.guards += 1;
            obj.visit_with(self);
            self.guards -= 1;
            return call.args.visit_with(self);
        }
        if let (Expr::Member(MemberExpr { prop: MemberProp::Ident(name), .. }), Some(first)) =
            (&**callee, call.args.first())
            && let Expr::Lit(Lit::Str(text)) = &*first.expr
        {
            let used = self.folder(&name.sym, &text.value.to_string_lossy(), range(first.expr.span()));
            self.scan.paths.extend(used);
        }
        if Self::lists(callee)
            && let Some((first, rest)) = call.args.split_first()
            && let Some(pattern) = self.values.path(&first.expr)
        {
            self.path(pattern, Purpose::List, &first.expr);
            callee.visit_with(self);
            self.quietly(|visitor| first.visit_with(visitor));
            return rest.visit_with(self);
        }
        match Some(callee).filter(|callee| is_short(callee)).and_then(|callee| self.values.of(callee)) {
            Some(Value::Function(module, _)) if module == "fs" => {
                callee.visit_with(self);
                for arg in &call.args {
                    if let Some(pattern) = self.values.path(&arg.expr) {
                        self.path(pattern, Purpose::Read, &arg.expr);
                        self.quietly(|visitor| arg.visit_with(visitor));
                    } else {
                        arg.visit_with(self);
                    }
                }
            }
            // What these give is a path again, or says little.
            Some(Value::Function(module, function))
                if module == "path" && ["basename", "extname", "relative"].contains(&function.as_str()) =>
            {
                self.quietly(|visitor| call.visit_children_with(visitor));
            }
            Some(Value::Function(module, function)) if module == "module" && function == "createRequire" => {
                self.quietly(|visitor| call.visit_children_with(visitor));
            }
            Some(Value::Function(module, _)) if ["child_process", "cluster"].contains(&module.as_str()) => {
                self.running(|visitor| call.visit_children_with(visitor));
            }
            Some(Value::Function(..) | Value::Require) => call.visit_children_with(self),
            _ => match &**callee {
                // `import.meta.url.startsWith("file:")`
                Expr::Member(MemberExpr { obj, prop: MemberProp::Ident(name), .. })
                    if ["startsWith", "endsWith", "includes", "indexOf"].contains(&&*name.sym) =>
                {
                    self.quietly(|visitor| obj.visit_with(visitor));
                    call.args.visit_with(self);
                }
                _ => self.loudly(|visitor| call.visit_children_with(visitor)),
            },
        }
    }

    /// `new Worker(__filename)`
    fn visit_new_expr(&mut self, new: &NewExpr) {
        match new.callee.as_ident().is_some_and(|name| name.sym == "Worker") {
            true => self.running(|visitor| new.visit_children_with(visitor)),
            false => new.visit_children_with(self),
        }
    }

    fn visit_var_declarator(&mut self, declarator: &VarDeclarator) {
        match &declarator.init {
            Some(init) => self.bound(&declarator.name, init),
            None => declarator.visit_children_with(self),
        }
    }

    fn visit_assign_expr(&mut self, assign: &AssignExpr) {
        match &assign.left {
            AssignTarget::Simple(SimpleAssignTarget::Ident(name)) => {
                self.bound(&Pat::Ident(name.clone()), &assign.right)
            }
            _ => assign.visit_children_with(self),
        }
    }

    fn visit_export_decl(&mut self, export: &ExportDecl) {
        if let Decl::Var(variables) = &export.decl {
            for declarator in &variables.decls {
                declarator.name.as_ident().inspect(|name| self.name(&name.id));
            }
        }
        export.visit_children_with(self);
    }

    fn visit_prop(&mut self, property: &Prop) {
        match property {
            Prop::Shorthand(name) => self.name(name),
            property => property.visit_children_with(self),
        }
    }

    fn visit_function(&mut self, function: &Function) {
        self.loudly(|visitor| function.visit_children_with(visitor));
    }

    fn visit_arrow_expr(&mut self, arrow: &ArrowExpr) {
        self.loudly(|visitor| arrow.visit_children_with(visitor));
    }

    /// A string that may be the name of a module.
    fn visit_str(&mut self, text: &Str) {
        self.string(&text.value.to_string_lossy());
    }

    fn visit_tpl_element(&mut self, text: &TplElement) {
        self.prefix(&text.raw);
    }

    fn visit_expr(&mut self, expr: &Expr) {
        match expr {
            // Looking is not taking.
            Expr::Bin(binary) if is_comparison(binary.op) => {
                return self.quietly(|visitor| binary.visit_children_with(visitor));
            }
            Expr::Unary(unary) => return self.quietly(|visitor| unary.visit_children_with(visitor)),
            _ => {}
        }
        if self.quiet {
            return expr.visit_children_with(self);
        }
        // The outermost expression that is a path counts, not the parts of which it is made.
        match self.values.path(expr) {
            Some(pattern) => {
                self.path(pattern, Purpose::Unknown, expr);
                self.quietly(|visitor| expr.visit_children_with(visitor));
            }
            None => expr.visit_children_with(self),
        }
    }
}

/// Whether an expression is no long chain, which would be looked at from each of its links.
fn is_short(expr: &Expr) -> bool {
    match expr {
        Expr::Member(member) => is_short(&member.obj),
        Expr::Call(CallExpr { callee: Callee::Expr(callee), .. }) => callee.is_ident(),
        Expr::Ident(_) | Expr::Paren(_) | Expr::Seq(_) | Expr::MetaProp(_) | Expr::Await(_) => true,
        _ => false,
    }
}

fn is_comparison(operator: BinaryOp) -> bool {
    use BinaryOp::{EqEq, EqEqEq, In, InstanceOf, NotEq, NotEqEq};
    matches!(operator, EqEq | EqEqEq | NotEq | NotEqEq | In | InstanceOf)
}

/// The name of the package that a specifier names.
pub fn package_name(specifier: &str) -> &str {
    let slashes = if specifier.starts_with('@') { 1 } else { 0 };
    specifier.match_indices('/').nth(slashes).map_or(specifier, |(end, _)| &specifier[..end])
}
