//! The walk over a module's syntax tree: which names are used and changed, and what else decides whether it fits.

use swc_ecma_ast::{
    ArrowExpr, AssignExpr, AssignOp, AssignPat, AssignPatProp, AssignTarget, AwaitExpr, BreakStmt, CallExpr, Callee,
    ClassProp, Constructor, ContinueStmt, Expr, ForHead, ForOfStmt, Function, Ident, ImportPhase, LabeledStmt, Lit,
    MemberExpr, MemberProp, MetaPropExpr, MetaPropKind, Pat, PrivateProp, Prop, SimpleAssignTarget, StaticBlock,
    UnaryExpr, UnaryOp, UpdateExpr, UsingDecl, VarDecl, VarDeclKind, VarDeclarator,
};
use swc_ecma_utils::find_pat_ids;
use swc_ecma_visit::{Visit, VisitWith};

use super::{Reader, is_import_meta, text, unwrapped};
use crate::optimize::merge::facts::{Fit, OwnPlace};
use crate::scan::range;

impl Visit for Reader<'_> {
    fn visit_ident(&mut self, ident: &Ident) {
        self.used(ident, false);
    }

    fn visit_labeled_stmt(&mut self, statement: &LabeledStmt) {
        statement.body.visit_with(self);
    }

    fn visit_break_stmt(&mut self, _: &BreakStmt) {}

    fn visit_continue_stmt(&mut self, _: &ContinueStmt) {}

    fn visit_prop(&mut self, property: &Prop) {
        match property {
            Prop::Shorthand(ident) => self.used(ident, true),
            property => property.visit_children_with(self),
        }
    }

    fn visit_assign_pat_prop(&mut self, property: &AssignPatProp) {
        self.used(&property.key.id, true);
        if let Some(value) = &property.value {
            self.names(&property.key.id, value);
            value.visit_with(self);
        }
    }

    fn visit_assign_pat(&mut self, pattern: &AssignPat) {
        if let Pat::Ident(ident) = &*pattern.left {
            self.names(&ident.id, &pattern.right);
        }
        pattern.visit_children_with(self);
    }

    fn visit_var_declarator(&mut self, variable: &VarDeclarator) {
        if let (Pat::Ident(ident), Some(value)) = (&variable.name, &variable.init) {
            self.names(&ident.id, value);
        }
        variable.visit_children_with(self);
    }

    fn visit_var_decl(&mut self, variables: &VarDecl) {
        if variables.kind == VarDeclKind::Var && self.functions == 0 {
            for variable in &variables.decls {
                self.declares.extend(find_pat_ids::<_, Ident>(&variable.name).into_iter().map(|ident| ident.sym));
            }
        }
        variables.visit_children_with(self);
    }

    fn visit_using_decl(&mut self, using: &UsingDecl) {
        self.facts.awaits |= using.is_await && self.functions == 0;
        using.visit_children_with(self);
    }

    fn visit_assign_expr(&mut self, assignment: &AssignExpr) {
        match &assignment.left {
            AssignTarget::Simple(SimpleAssignTarget::Ident(ident)) => {
                let names = [AssignOp::Assign, AssignOp::AndAssign, AssignOp::OrAssign, AssignOp::NullishAssign];
                if names.contains(&assignment.op) {
                    self.names(&ident.id, &assignment.right);
                }
                self.assigned_names([ident.id.clone()]);
            }
            AssignTarget::Simple(SimpleAssignTarget::Member(member)) => self.changed(&Expr::Member(member.clone())),
            AssignTarget::Simple(SimpleAssignTarget::Paren(inner)) => {
                if let Expr::Ident(ident) = unwrapped(&inner.expr) {
                    self.assigned_names([ident.clone()]);
                }
                self.changed(unwrapped(&inner.expr));
            }
            AssignTarget::Simple(_) => {}
            AssignTarget::Pat(pattern) => self.assigned(pattern),
        }
        assignment.visit_children_with(self);
    }

    fn visit_update_expr(&mut self, update: &UpdateExpr) {
        if let Expr::Ident(ident) = unwrapped(&update.arg) {
            self.assigned_names([ident.clone()]);
        }
        self.changed(unwrapped(&update.arg));
        update.visit_children_with(self);
    }

    fn visit_unary_expr(&mut self, unary: &UnaryExpr) {
        if unary.op == UnaryOp::Delete {
            self.changed(unwrapped(&unary.arg));
        }
        unary.visit_children_with(self);
    }

    fn visit_for_head(&mut self, head: &ForHead) {
        if let ForHead::Pat(pattern) = head {
            self.assigned(pattern);
        }
        head.visit_children_with(self);
    }

    fn visit_pat(&mut self, pattern: &Pat) {
        if let Pat::Expr(target) = pattern {
            if let Expr::Ident(ident) = unwrapped(target) {
                self.assigned_names([ident.clone()]);
            }
            self.changed(unwrapped(target));
        }
        pattern.visit_children_with(self);
    }

    fn visit_function(&mut self, function: &Function) {
        self.within(function);
    }

    fn visit_arrow_expr(&mut self, arrow: &ArrowExpr) {
        self.within(arrow);
    }

    fn visit_constructor(&mut self, constructor: &Constructor) {
        self.within(constructor);
    }

    fn visit_static_block(&mut self, block: &StaticBlock) {
        self.within(block);
    }

    fn visit_class_prop(&mut self, field: &ClassProp) {
        field.key.visit_with(self);
        self.value_within(&field.value);
    }

    fn visit_private_prop(&mut self, field: &PrivateProp) {
        self.value_within(&field.value);
    }

    fn visit_await_expr(&mut self, expression: &AwaitExpr) {
        self.facts.awaits |= self.functions == 0;
        expression.visit_children_with(self);
    }

    fn visit_for_of_stmt(&mut self, statement: &ForOfStmt) {
        self.facts.awaits |= statement.is_await && self.functions == 0;
        statement.visit_children_with(self);
    }

    fn visit_call_expr(&mut self, call: &CallExpr) {
        match &call.callee {
            Callee::Import(import) => match call.args.first().map(|argument| &*argument.expr) {
                _ if import.phase != ImportPhase::Evaluation => self.facts.limit(Fit::Never),
                Some(Expr::Lit(Lit::Str(specifier))) => {
                    self.facts.dynamic.push((range(specifier.span), text(specifier)));
                }
                _ => self.facts.limit(Fit::Last),
            },
            // It sees every name around.
            Callee::Expr(callee) if matches!(&**callee, Expr::Ident(ident) if ident.sym == "eval") => {
                self.facts.limit(Fit::Never);
            }
            _ => {}
        }
        call.visit_children_with(self);
    }

    fn visit_member_expr(&mut self, member: &MemberExpr) {
        if is_import_meta(&member.obj) {
            let known = match &member.prop {
                MemberProp::Ident(property) => match &*property.sym {
                    "url" => Some(OwnPlace::Url),
                    "filename" => Some(OwnPlace::Filename),
                    "dirname" => Some(OwnPlace::Dirname),
                    _ => None,
                },
                _ => None,
            };
            if let Some(known) = known {
                self.facts.places.push((range(member.span), known));
                return;
            }
        }
        member.visit_children_with(self);
    }

    fn visit_meta_prop_expr(&mut self, meta: &MetaPropExpr) {
        if meta.kind == MetaPropKind::ImportMeta {
            self.facts.limit(Fit::Last);
        }
    }
}
