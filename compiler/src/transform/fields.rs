//! Class fields that are assigned in the constructor, as TypeScript wrote them before there were such in the language.
//!
//! A field without a value is then no more than a type, and one with a value runs a setter of the same name.

use swc_common::{DUMMY_SP, Span};
use swc_ecma_ast::{
    AssignExpr, AssignOp, AssignTarget, BlockStmt, Class, ClassMember, ClassProp, ComputedPropName, Expr, ExprStmt,
    Lit, MemberExpr, MemberProp, PrivateProp, PropName, SimpleAssignTarget, StaticBlock, Stmt, ThisExpr,
};
use swc_ecma_utils::constructor::inject_after_super;
use swc_ecma_utils::default_constructor_with_span;
use swc_ecma_visit::{VisitMut, VisitMutWith};

/// Moves the values of fields.
pub struct AssignFields;

/// Whether a field's key can be written a second time without anybody noticing.
fn is_plain(key: &PropName) -> bool {
    match key {
        PropName::Computed(computed) => matches!(&*computed.expr, Expr::Lit(_)),
        _ => true,
    }
}

/// Whether a field would be changed.
pub fn concerns(field: &ClassProp) -> bool {
    !field.declare && !field.is_abstract && is_plain(&field.key)
}

impl VisitMut for AssignFields {
    fn visit_mut_class(&mut self, class: &mut Class) {
        class.visit_mut_children_with(self);
        let is_moved = |member: &ClassMember| matches!(member, ClassMember::ClassProp(field) if concerns(field) && !field.is_static);
        // All or none: their order stays.
        let moves_instance = class.body.iter().any(is_moved);
        let mut assignments = Vec::new();
        let mut body = Vec::with_capacity(class.body.len());
        for member in std::mem::take(&mut class.body) {
            match member {
                ClassMember::ClassProp(field) if concerns(&field) => {
                    let ClassProp { span, key, value: Some(value), is_static, .. } = field else { continue };
                    let assignment = assign(span, member_name(key), value);
                    match is_static {
                        true => body.push(static_block(span, assignment)),
                        false => assignments.push(assignment),
                    }
                }
                ClassMember::PrivateProp(PrivateProp { span, key, value: Some(value), is_static: false, .. })
                    if moves_instance =>
                {
                    assignments.push(assign(span, MemberProp::PrivateName(key.clone()), value));
                    let private = PrivateProp { span, key, value: None, ..PrivateProp::default() };
                    body.push(ClassMember::PrivateProp(private));
                }
                member => body.push(member),
            }
        }
        class.body = body;
        if assignments.is_empty() {
            return;
        }
        let is_constructor = |member: &ClassMember| matches!(member, ClassMember::Constructor(it) if it.body.is_some());
        let position = class.body.iter().position(is_constructor).unwrap_or_else(|| {
            let constructor = default_constructor_with_span(class.super_class.is_some(), class.span);
            class.body.insert(0, ClassMember::Constructor(constructor));
            0
        });
        if let ClassMember::Constructor(constructor) = &mut class.body[position] {
            inject_after_super(constructor, assignments);
        }
    }
}

fn member_name(key: PropName) -> MemberProp {
    match key {
        PropName::Ident(name) => MemberProp::Ident(name),
        PropName::Str(text) => computed(Expr::Lit(Lit::Str(text))),
        PropName::Num(number) => computed(Expr::Lit(Lit::Num(number))),
        PropName::BigInt(number) => computed(Expr::Lit(Lit::BigInt(number))),
        PropName::Computed(name) => MemberProp::Computed(name),
    }
}

fn computed(expr: Expr) -> MemberProp {
    MemberProp::Computed(ComputedPropName { span: DUMMY_SP, expr: Box::new(expr) })
}

/// `this.name = value`
fn assign(span: Span, prop: MemberProp, value: Box<Expr>) -> Box<Expr> {
    let this = Box::new(Expr::This(ThisExpr { span }));
    let target = MemberExpr { span, obj: this, prop };
    let left = AssignTarget::Simple(SimpleAssignTarget::Member(target));
    Box::new(Expr::Assign(AssignExpr { span, op: AssignOp::Assign, left, right: value }))
}

fn static_block(span: Span, expr: Box<Expr>) -> ClassMember {
    let stmts = vec![Stmt::Expr(ExprStmt { span, expr })];
    ClassMember::StaticBlock(StaticBlock { span, body: BlockStmt { span, stmts, ..BlockStmt::default() } })
}
