//! What V8 refuses to compile though the parser accepts it: names that are declared twice, exports of what is not there.

use std::collections::{HashMap, HashSet};

use kiln_payload::Format;
use swc_atoms::Atom;
use swc_common::Span;
use swc_ecma_ast::{
    ArrowExpr, ArrowFunctionBody, BlockStmt, CatchClause, ClassDecl, Constructor, DefaultDecl, ExportDecl,
    ExportDefaultDecl, ExportSpecifier, FnDecl, ForInStmt, ForOfStmt, ForStmt, Function, ImportDecl, ModuleDecl,
    ModuleExportName, ModuleItem, Pat, Program, StaticBlock, Stmt, SwitchStmt, UsingDecl, VarDecl, VarDeclKind,
};
use swc_ecma_utils::find_pat_ids;
use swc_ecma_visit::{Visit, VisitWith};

use super::SyntaxError;
use super::parse::range;

/// Looks for the first such error.
pub fn check(program: &Program, format: Format) -> Result<(), SyntaxError> {
    let mut checker = Checker { scopes: Vec::new(), is_module: format == Format::Module, found: None };
    let parameters = match format {
        Format::CommonJs => ["exports", "require", "module", "__filename", "__dirname"].map(Atom::from).into(),
        _ => HashSet::new(),
    };
    checker.scopes.push(Scope { is_function: true, parameters, ..Scope::default() });
    program.visit_children_with(&mut checker);
    if let Program::Module(module) = program {
        checker.exports(&module.body);
    }
    checker.found.map_or(Ok(()), Err)
}

#[derive(Default)]
struct Scope {
    /// Declared by `let`, `const`, `class` or an import; a function in a block may be declared again.
    lexical: HashMap<Atom, bool>,
    /// Declared by `var`, here or in a block inside.
    vars: HashSet<Atom>,
    parameters: HashSet<Atom>,
    is_function: bool,
}

struct Checker {
    scopes: Vec<Scope>,
    is_module: bool,
    found: Option<SyntaxError>,
}

impl Checker {
    fn report(&mut self, span: Span, message: String) {
        self.found
            .get_or_insert_with(|| SyntaxError { message: format!("syntax error: {message}"), span: range(span) });
    }

    fn redeclared(&mut self, name: &Atom, span: Span) {
        self.report(span, format!("identifier '{name}' has already been declared"));
    }

    fn lexical(&mut self, name: &Atom, span: Span, is_function: bool) {
        let may_repeat = is_function && !self.is_module;
        let Some(scope) = self.scopes.last_mut() else { return };
        let clashes = scope.vars.contains(name) || scope.parameters.contains(name);
        let before = scope.lexical.insert(name.clone(), may_repeat);
        if clashes || before.is_some_and(|could| !(could && may_repeat)) {
            self.redeclared(name, span);
        }
    }

    fn var(&mut self, name: &Atom, span: Span) {
        let mut clashes = false;
        for scope in self.scopes.iter_mut().rev() {
            clashes |= scope.lexical.contains_key(name);
            scope.vars.insert(name.clone());
            if scope.is_function {
                break;
            }
        }
        if clashes {
            self.redeclared(name, span);
        }
    }

    fn names(pattern: &Pat) -> Vec<(Atom, Span)> {
        let names = find_pat_ids::<_, swc_ecma_ast::Ident>(pattern);
        names.into_iter().map(|ident| (ident.sym, ident.span)).collect()
    }

    fn inside(&mut self, scope: Scope, visit: impl FnOnce(&mut Self)) {
        self.scopes.push(scope);
        visit(self);
        self.scopes.pop();
    }

    fn function<'a>(&mut self, parameters: impl Iterator<Item = &'a Pat>, visit: impl FnOnce(&mut Self)) {
        let parameters = parameters.flat_map(Self::names).map(|(name, _)| name).collect();
        self.inside(Scope { parameters, is_function: true, ..Scope::default() }, visit);
    }

    fn block(&mut self, visit: impl FnOnce(&mut Self)) {
        self.inside(Scope::default(), visit);
    }

    fn exports(&mut self, items: &[ModuleItem]) {
        let mut seen: HashSet<Atom> = HashSet::new();
        let mut exported: Vec<(Atom, Span)> = Vec::new();
        for item in items.iter().filter_map(ModuleItem::as_module_decl) {
            match item {
                ModuleDecl::ExportDefaultDecl(it) => exported.push(("default".into(), it.span)),
                ModuleDecl::ExportDefaultExpr(it) => exported.push(("default".into(), it.span)),
                ModuleDecl::ExportNamed(export) => {
                    for specifier in &export.specifiers {
                        let ExportSpecifier::Named(named) = specifier else { continue };
                        if let (None, ModuleExportName::Ident(local)) = (&export.src, &named.orig) {
                            let is_there = self.scopes.first().is_some_and(|scope| {
                                scope.lexical.contains_key(&local.sym) || scope.vars.contains(&local.sym)
                            });
                            if !is_there {
                                self.report(local.span, format!("export '{}' is not defined in module", local.sym));
                            }
                        }
                        let name = named.exported.as_ref().unwrap_or(&named.orig);
                        exported.push((name.atom().into_owned(), named.span));
                    }
                }
                _ => {}
            }
        }
        for (name, span) in exported {
            if !seen.insert(name.clone()) {
                self.report(span, format!("duplicate export of '{name}'"));
            }
        }
    }
}

impl Visit for Checker {
    fn visit_import_decl(&mut self, import: &ImportDecl) {
        for specifier in &import.specifiers {
            let local = specifier.local();
            self.lexical(&local.sym, local.span, false);
        }
    }

    fn visit_var_decl(&mut self, variables: &VarDecl) {
        for (name, span) in variables.decls.iter().flat_map(|declarator| Self::names(&declarator.name)) {
            match variables.kind {
                VarDeclKind::Var => self.var(&name, span),
                _ => self.lexical(&name, span, false),
            }
        }
        variables.visit_children_with(self);
    }

    fn visit_using_decl(&mut self, variables: &UsingDecl) {
        for (name, span) in variables.decls.iter().flat_map(|declarator| Self::names(&declarator.name)) {
            self.lexical(&name, span, false);
        }
        variables.visit_children_with(self);
    }

    fn visit_class_decl(&mut self, class: &ClassDecl) {
        self.lexical(&class.ident.sym, class.ident.span, false);
        class.class.visit_with(self);
    }

    fn visit_fn_decl(&mut self, function: &FnDecl) {
        let (name, span) = (&function.ident.sym, function.ident.span);
        let in_function = self.scopes.last().is_some_and(|scope| scope.is_function);
        // At the top of a function, and of a script, a function is a variable; elsewhere it is as if by `let`.
        match in_function && !(self.is_module && self.scopes.len() == 1) {
            true => self.var(name, span),
            false => {
                let is_plain = !function.function.is_async && !function.function.is_generator;
                self.lexical(name, span, is_plain);
            }
        }
        function.function.visit_with(self);
    }

    fn visit_export_decl(&mut self, export: &ExportDecl) {
        export.decl.visit_with(self);
    }

    fn visit_export_default_decl(&mut self, export: &ExportDefaultDecl) {
        let name = match &export.decl {
            DefaultDecl::Class(class) => class.ident.as_ref(),
            DefaultDecl::Fn(function) => function.ident.as_ref(),
            DefaultDecl::TsInterfaceDecl(_) => None,
        };
        if let Some(name) = name {
            self.lexical(&name.sym, name.span, false);
        }
        export.visit_children_with(self);
    }

    fn visit_function(&mut self, function: &Function) {
        self.function(function.params.iter().map(|parameter| &parameter.pat), |this| {
            function.params.visit_with(this);
            if let Some(body) = &function.body {
                body.stmts.visit_with(this);
            }
        });
    }

    fn visit_arrow_expr(&mut self, arrow: &ArrowExpr) {
        self.function(arrow.params.iter(), |this| {
            arrow.params.visit_with(this);
            match &*arrow.body {
                ArrowFunctionBody::FunctionBody(body) => body.stmts.visit_with(this),
                body => body.visit_with(this),
            }
        });
    }

    fn visit_constructor(&mut self, constructor: &Constructor) {
        let parameters = constructor.params.iter().filter_map(|parameter| parameter.as_param().map(|it| &it.pat));
        self.function(parameters, |this| {
            constructor.params.visit_with(this);
            if let Some(body) = &constructor.body {
                body.stmts.visit_with(this);
            }
        });
    }

    fn visit_static_block(&mut self, block: &StaticBlock) {
        self.function(std::iter::empty(), |this| block.body.stmts.visit_with(this));
    }

    fn visit_block_stmt(&mut self, block: &BlockStmt) {
        self.block(|this| block.stmts.visit_with(this));
    }

    fn visit_for_stmt(&mut self, statement: &ForStmt) {
        self.block(|this| statement.visit_children_with(this));
    }

    fn visit_for_in_stmt(&mut self, statement: &ForInStmt) {
        self.block(|this| statement.visit_children_with(this));
    }

    fn visit_for_of_stmt(&mut self, statement: &ForOfStmt) {
        self.block(|this| statement.visit_children_with(this));
    }

    fn visit_switch_stmt(&mut self, statement: &SwitchStmt) {
        statement.discriminant.visit_with(self);
        self.block(|this| statement.cases.visit_with(this));
    }

    fn visit_catch_clause(&mut self, clause: &CatchClause) {
        let parameters = clause.param.iter().flat_map(Self::names).map(|(name, _)| name).collect();
        clause.param.visit_with(self);
        self.inside(Scope { parameters, ..Scope::default() }, |this| clause.body.stmts.visit_with(this));
    }

    /// `if (a) function f() {}`: the function is in a block of its own.
    fn visit_stmt(&mut self, statement: &Stmt) {
        match statement {
            Stmt::If(branch) => {
                branch.test.visit_with(self);
                self.block(|this| branch.cons.visit_with(this));
                self.block(|this| branch.alt.visit_with(this));
            }
            Stmt::Labeled(labeled) => labeled.body.visit_with(self),
            statement => statement.visit_children_with(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::scan::{Declared, scan};

    fn check(source: &str, declared: Declared) -> Option<String> {
        scan(source, Path::new("/a.js"), declared, &crate::scan::tests::Around).1.err().map(|error| error.message)
    }

    #[test]
    fn names_that_are_declared_twice() {
        for source in [
            "let a; let a",
            "let a; var a",
            "var a; const a = 1",
            "{ var a } let a",
            "let a; { var a }",
            "class A {} class A {}",
            "class A {} function A() {}",
            "function f(a) { let a }",
            "(a) => { const a = 1 }",
            "for (let i;;) { var i }",
            "switch (x) { case 1: let a; case 2: let a }",
            "try {} catch (e) { let e }",
            "{ let f; function f() {} }",
            "{ async function f() {} function f() {} }",
            "let require",
        ] {
            assert!(
                check(source, Declared::CommonJs).is_some_and(|it| it.contains("already been declared")),
                "{source}"
            );
        }
        for source in
            ["import a from 'm'; let a", "function f() {} function f() {}", "export default function f() {} let f"]
        {
            assert!(check(source, Declared::Module).is_some(), "{source}");
        }
    }

    #[test]
    fn names_that_only_look_so() {
        for source in [
            "var a; var a; function a() {} function a() {}",
            "let a; { let a } function f(a) { var a; { let a } }",
            "{ function f() {} function f() {} } { function f() {} }",
            "try {} catch (e) { var e }",
            "for (let i;;) { let i } for (const x of y) { let x }",
            "(function f() { let f }); class A { static { var a } a() { let a } }",
            "if (x) function f() {} else function f() {}",
            "var require, module; function exports() {}",
            "label: { let a } let a",
            "function f(a, b = () => { let a }) {}",
            "switch (x) { case 1: { let a } default: { let a } }",
            "let a; x = { get b() { var a }, set b(v) { var a }, c() { var a } }",
            "let arguments_; function g() { var arguments }",
        ] {
            assert_eq!(check(source, Declared::CommonJs), None, "{source}");
        }
        for source in [
            "let require; var a, b; export { a, b as c, a as d }",
            "export { x } from 'm'; import x from 'n'; export default x",
        ] {
            assert_eq!(check(source, Declared::Module), None, "{source}");
        }
    }

    #[test]
    fn exports() {
        for source in ["export { nope }", "let a; export { a }; export { a }", "export default 1; export default 2"] {
            assert!(check(source, Declared::Module).is_some_and(|it| it.contains("export")), "{source}");
        }
    }
}
