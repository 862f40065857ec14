//! ES modules that run as CommonJS.

use std::collections::HashSet;

use swc_common::{DUMMY_SP, Mark, SyntaxContext};
use swc_ecma_ast::{
    BinExpr, CallExpr, Callee, Expr, Id, ImportSpecifier, Lit, ModuleDecl, ModuleItem, NewExpr, ObjectLit, Program,
    Stmt, Tpl,
};
use swc_ecma_transforms_base::helper_expr;
use swc_ecma_transforms_module::common_js::{Config, FeatureFlag, common_js};
use swc_ecma_transforms_module::path::Resolver;
use swc_ecma_transforms_module::util::ImportInterop;
use swc_ecma_utils::{ExprFactory, quote_ident, quote_str};
use swc_ecma_visit::{Visit, VisitMut, VisitMutWith, VisitWith};

use super::Options;
use super::specifiers::property;

/// Makes CommonJS of a program.
pub fn lower(program: &mut Program, unresolved: Mark, options: &Options) {
    let unresolved_ctxt = SyntaxContext::empty().apply_mark(unresolved);
    if !options.keeps_dynamic_imports {
        program.visit_mut_with(&mut DynamicImports { unresolved: unresolved_ctxt });
    }
    let is_plain = has_callable_namespaces(program);
    let has_exports = matches!(&*program, Program::Module(module) if module.body.iter().any(is_export));
    let config = Config {
        import_interop: Some(if is_plain { ImportInterop::None } else { ImportInterop::Swc }),
        export_interop_annotation: Some(true),
        ignore_dynamic: true,
        ..Config::default()
    };
    let features = FeatureFlag { support_block_scoping: true, support_arrow: true };
    program.mutate(&mut common_js(Resolver::Default, unresolved, config, features));
    if let Program::Module(module) = program
        && is_plain
        && has_exports
    {
        // How others import it does not depend on how it imports others.
        module.body.insert(1, define_es_module(unresolved_ctxt).into());
    }
}

/// `Object.defineProperty(exports, "__esModule", { value: true });`
fn define_es_module(unresolved: SyntaxContext) -> Stmt {
    let props = vec![property("value", Expr::Lit(Lit::Bool(true.into())))];
    let descriptor = ObjectLit { span: DUMMY_SP, props };
    let arguments =
        vec![quote_ident!(unresolved, "exports").as_arg(), quote_str!("__esModule").as_arg(), descriptor.as_arg()];
    let define = quote_ident!(unresolved, "Object").make_member(quote_ident!("defineProperty"));
    define.as_call(DUMMY_SP, arguments).into_stmt()
}

fn is_export(item: &ModuleItem) -> bool {
    matches!(
        item,
        ModuleItem::ModuleDecl(
            ModuleDecl::ExportDecl(_)
                | ModuleDecl::ExportNamed(_)
                | ModuleDecl::ExportDefaultDecl(_)
                | ModuleDecl::ExportDefaultExpr(_)
                | ModuleDecl::ExportAll(_)
        )
    )
}

/// Whether a file calls what it imports as a namespace: it is written for a compiler that takes whatever a module
/// exports for its namespace (`esModuleInterop` is off), and makes up no default exports.
fn has_callable_namespaces(program: &Program) -> bool {
    let Program::Module(module) = program else { return false };
    let mut calls = Calls::default();
    for item in &module.body {
        let Some(import) = item.as_module_decl().and_then(ModuleDecl::as_import) else { continue };
        for specifier in &import.specifiers {
            match specifier {
                ImportSpecifier::Namespace(namespace) => {
                    calls.namespaces.insert(namespace.local.to_id());
                }
                ImportSpecifier::Default(_) => return false,
                ImportSpecifier::Named(named) if named.imported.as_ref().is_some_and(|it| *it.atom() == *"default") => {
                    return false;
                }
                ImportSpecifier::Named(_) => {}
            }
        }
    }
    if !calls.namespaces.is_empty() {
        program.visit_with(&mut calls);
    }
    calls.found
}

#[derive(Default)]
struct Calls {
    namespaces: HashSet<Id>,
    found: bool,
}

impl Calls {
    fn callee(&mut self, callee: &Expr) {
        self.found |= matches!(callee, Expr::Ident(ident) if self.namespaces.contains(&ident.to_id()));
    }
}

impl Visit for Calls {
    fn visit_call_expr(&mut self, call: &CallExpr) {
        if let Callee::Expr(callee) = &call.callee {
            self.callee(callee);
        }
        call.visit_children_with(self);
    }

    fn visit_new_expr(&mut self, new: &NewExpr) {
        self.callee(&new.callee);
        new.visit_children_with(self);
    }
}

/// `import()` of the program's own modules is made of `require`, which finds files without an extension, and default
/// exports. That of packages stays: many are ES modules.
struct DynamicImports {
    unresolved: SyntaxContext,
}

impl VisitMut for DynamicImports {
    fn visit_mut_expr(&mut self, expr: &mut Expr) {
        expr.visit_mut_children_with(self);
        let Expr::Call(CallExpr { callee: Callee::Import(_), args, span, .. }) = expr else { return };
        let [specifier] = &args[..] else { return };
        if !begins_with_dot(&specifier.expr) {
            return;
        }
        let span = *span;
        let require = quote_ident!(self.unresolved, span, "require").as_call(span, vec![specifier.clone()]);
        let namespace = helper_expr!(interop_require_wildcard).as_call(DUMMY_SP, vec![require.as_arg()]);
        let load = namespace.into_lazy_arrow(Vec::new());
        let promise = quote_ident!(self.unresolved, "Promise").make_member(quote_ident!("resolve"));
        let resolved = promise.as_call(span, Vec::new());
        *expr = resolved.make_member(quote_ident!("then")).as_call(span, vec![load.as_arg()]);
    }
}

/// Whether a string begins with `./` or `../`.
fn begins_with_dot(expr: &Expr) -> bool {
    let is_dotted = |text: &str| text.starts_with("./") || text.starts_with("../");
    match expr {
        Expr::Lit(Lit::Str(text)) => is_dotted(&text.value.to_string_lossy()),
        Expr::Tpl(Tpl { quasis, .. }) => quasis.first().is_some_and(|first| is_dotted(&first.raw)),
        Expr::Bin(BinExpr { left, .. }) => begins_with_dot(left),
        Expr::Paren(paren) => begins_with_dot(&paren.expr),
        _ => false,
    }
}
