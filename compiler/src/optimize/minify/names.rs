//! The variables whose names errors tell: those after which functions and classes are named that have no name of their
//! own, and imports.

use std::collections::BTreeSet;

use swc_atoms::Atom;
use swc_ecma_ast::{
    AssignExpr, AssignPat, AssignTarget, Expr, ImportSpecifier, Pat, Program, SimpleAssignTarget, VarDeclarator,
};
use swc_ecma_visit::{Visit, VisitWith};

/// The names of these variables, wherever in the program they are.
pub fn given(program: &Program) -> Vec<Atom> {
    let mut names = Names::default();
    program.visit_with(&mut names);
    names.0.into_iter().collect()
}

#[derive(Default)]
struct Names(BTreeSet<Atom>);

impl Names {
    fn note(&mut self, name: Option<&Atom>, value: &Expr) {
        let is_named_so = match value {
            Expr::Class(class) => class.ident.is_none(),
            Expr::Fn(function) => function.ident.is_none(),
            value => value.is_arrow(),
        };
        self.0.extend(name.filter(|_| is_named_so).cloned());
    }
}

impl Visit for Names {
    /// Who uses one too early is told its name.
    fn visit_import_specifier(&mut self, import: &ImportSpecifier) {
        self.0.insert(import.local().sym.clone());
    }

    fn visit_var_declarator(&mut self, declarator: &VarDeclarator) {
        if let (Pat::Ident(name), Some(value)) = (&declarator.name, &declarator.init) {
            self.note(Some(&name.sym), value);
        }
        declarator.visit_children_with(self);
    }

    fn visit_assign_expr(&mut self, assign: &AssignExpr) {
        if let AssignTarget::Simple(SimpleAssignTarget::Ident(name)) = &assign.left {
            self.note(Some(&name.sym), &assign.right);
        }
        assign.visit_children_with(self);
    }

    fn visit_assign_pat(&mut self, default: &AssignPat) {
        self.note(default.left.as_ident().map(|name| &name.sym), &default.right);
        default.visit_children_with(self);
    }
}
