//! Which code has no effect but its value.

use std::collections::BTreeSet;

use swc_atoms::Atom;
use swc_common::SyntaxContext;
use swc_ecma_ast::{Class, ClassMember, Decl, Expr, Lit, Pat, Prop, PropName, PropOrSpread, Stmt, UnaryOp, VarDecl};

/// What is known where code runs.
pub struct Known<'a> {
    /// What names of the top level look like to the resolver.
    pub top_level: SyntaxContext,
    /// The same for names that nothing declares.
    pub unresolved: SyntaxContext,
    /// Names of the top level that have their values by now, or are functions.
    pub ready: &'a BTreeSet<Atom>,
    /// Names of imports.
    pub imports: &'a BTreeSet<Atom>,
    /// The imports that were read.
    pub reads: Vec<Atom>,
}

impl Known<'_> {
    pub fn statement(&mut self, statement: &Stmt) -> bool {
        match statement {
            Stmt::Empty(_) => true,
            Stmt::Decl(declaration) => self.declaration(declaration),
            Stmt::Expr(statement) => matches!(&*statement.expr, Expr::Lit(_)),
            _ => false,
        }
    }

    pub fn declaration(&mut self, declaration: &Decl) -> bool {
        match declaration {
            Decl::Fn(_) => true,
            Decl::Class(class) => self.class(&class.class),
            Decl::Var(variables) => self.variables(variables),
            _ => false,
        }
    }

    fn variables(&mut self, variables: &VarDecl) -> bool {
        variables.decls.iter().all(|variable| {
            matches!(variable.name, Pat::Ident(_)) && variable.init.as_ref().is_none_or(|value| self.value(value))
        })
    }

    pub fn class(&mut self, class: &Class) -> bool {
        // What it extends may turn out to be no class, and its `prototype` may be anything.
        class.super_class.is_none()
            && class.decorators.is_empty()
            && class.body.iter().all(|member| match member {
                ClassMember::Constructor(_) | ClassMember::PrivateMethod(_) | ClassMember::Empty(_) => true,
                ClassMember::Method(method) => self.key(&method.key) && method.function.decorators.is_empty(),
                ClassMember::ClassProp(field) => {
                    self.key(&field.key) && field.decorators.is_empty() && !self.runs(field.is_static, &field.value)
                }
                ClassMember::PrivateProp(field) => {
                    field.decorators.is_empty() && !self.runs(field.is_static, &field.value)
                }
                _ => false,
            })
    }

    fn runs(&mut self, is_static: bool, value: &Option<Box<Expr>>) -> bool {
        is_static && value.as_ref().is_some_and(|value| !self.value(value))
    }

    fn key(&mut self, key: &PropName) -> bool {
        match key {
            PropName::Computed(key) => matches!(&*key.expr, Expr::Lit(_)),
            _ => true,
        }
    }

    /// Whether an expression does nothing but make a value, and that without fail.
    pub fn value(&mut self, value: &Expr) -> bool {
        match value {
            Expr::Lit(Lit::JSXText(_)) => false,
            Expr::Lit(_) | Expr::Fn(_) | Expr::Arrow(_) => true,
            Expr::Class(class) => self.class(&class.class),
            Expr::Paren(inner) => self.value(&inner.expr),
            Expr::Tpl(template) => template.exprs.is_empty(),
            Expr::Unary(unary) => match unary.op {
                UnaryOp::Void | UnaryOp::Bang => self.value(&unary.arg),
                UnaryOp::Minus | UnaryOp::Plus => matches!(&*unary.arg, Expr::Lit(Lit::Num(_))),
                UnaryOp::TypeOf => matches!(&*unary.arg, Expr::Lit(_)),
                _ => false,
            },
            Expr::Cond(cond) => self.value(&cond.test) && self.value(&cond.cons) && self.value(&cond.alt),
            Expr::Array(array) => array.elems.iter().flatten().all(|element| {
                // Iterators can be changed.
                element.spread.is_none() && self.value(&element.expr)
            }),
            Expr::Object(object) => object.props.iter().all(|property| match property {
                PropOrSpread::Prop(property) => match &**property {
                    Prop::Shorthand(name) => self.name(&name.sym, name.ctxt),
                    Prop::KeyValue(pair) => self.key(&pair.key) && self.value(&pair.value),
                    Prop::Method(method) => self.key(&method.key),
                    Prop::Getter(getter) => self.key(&getter.key),
                    Prop::Setter(setter) => self.key(&setter.key),
                    _ => false,
                },
                _ => false,
            }),
            Expr::Ident(name) => self.name(&name.sym, name.ctxt),
            _ => false,
        }
    }

    fn name(&mut self, name: &Atom, context: SyntaxContext) -> bool {
        if context == self.unresolved {
            return matches!(&**name, "undefined" | "NaN" | "Infinity");
        }
        if context == self.top_level && self.imports.contains(name) {
            self.reads.push(name.clone());
            return true;
        }
        context == self.top_level && self.ready.contains(name)
    }
}
