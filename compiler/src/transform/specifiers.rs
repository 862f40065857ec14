//! The specifiers that Node would not understand, and what is written in their place.

use std::collections::HashMap;

use kiln_payload::Format;
use swc_atoms::Wtf8Atom;
use swc_common::{DUMMY_SP, Span, SyntaxContext};
use swc_ecma_ast::{
    CallExpr, Callee, ExportAll, Expr, ExprOrSpread, IdentName, ImportDecl, KeyValueProp, Lit, MemberExpr, MemberProp,
    MetaPropKind, NamedExport, ObjectLit, Program, Prop, PropName, PropOrSpread, Str, TsExternalModuleRef,
};
use swc_ecma_visit::{Visit, VisitMut, VisitMutWith, VisitWith};

use crate::graph::resolve::EdgeKind;

/// What to change, by the place of the specifier.
#[derive(Debug, Default)]
pub struct Changes {
    /// The specifiers to write instead. What passes have generated lies nowhere, so the text counts too.
    pub specifiers: HashMap<(Span, Wtf8Atom), String>,
    /// Static imports of JSON that do not say that it is JSON, which Node insists on.
    pub static_json: Vec<Span>,
    /// The same for `import()`.
    pub dynamic_json: Vec<Span>,
}

/// Finds what to change in a program that will have a certain format.
pub fn changes(
    program: &Program,
    format: Format,
    unresolved: SyntaxContext,
    rewrite: &dyn Fn(&str, EdgeKind) -> Option<String>,
) -> Changes {
    let mut finder = Finder { format, unresolved, rewrite, changes: Changes::default() };
    program.visit_with(&mut finder);
    finder.changes
}

struct Finder<'a> {
    format: Format,
    unresolved: SyntaxContext,
    rewrite: &'a dyn Fn(&str, EdgeKind) -> Option<String>,
    changes: Changes,
}

impl Finder<'_> {
    fn specifier(&mut self, text: &Str, kind: EdgeKind) -> bool {
        let specifier = text.value.to_string_lossy();
        let written = (self.rewrite)(&specifier, kind);
        let is_json = written.as_deref().unwrap_or(&specifier).ends_with(".json");
        if let Some(written) = written {
            self.changes.specifiers.insert((text.span, text.value.clone()), written);
        }
        is_json
    }

    fn declaration(&mut self, source: &Str, has_attributes: bool) {
        // What runs as CommonJS requires what it imports.
        let kind = if self.format == Format::CommonJs { EdgeKind::Require } else { EdgeKind::Import };
        if self.specifier(source, kind) && !has_attributes && kind == EdgeKind::Import {
            self.changes.static_json.push(source.span);
        }
    }
}

impl Visit for Finder<'_> {
    fn visit_import_decl(&mut self, import: &ImportDecl) {
        if !import.type_only {
            self.declaration(&import.src, import.with.is_some());
        }
    }

    fn visit_named_export(&mut self, export: &NamedExport) {
        if let Some(source) = export.src.as_deref().filter(|_| !export.type_only) {
            self.declaration(source, export.with.is_some());
        }
    }

    fn visit_export_all(&mut self, export: &ExportAll) {
        if !export.type_only {
            self.declaration(&export.src, export.with.is_some());
        }
    }

    fn visit_ts_external_module_ref(&mut self, reference: &TsExternalModuleRef) {
        self.specifier(&reference.expr, EdgeKind::Require);
    }

    fn visit_call_expr(&mut self, call: &CallExpr) {
        call.visit_children_with(self);
        let Some(ExprOrSpread { spread: None, expr }) = call.args.first() else { return };
        let Expr::Lit(Lit::Str(text)) = &**expr else { return };
        let is_require =
            |expr: &Expr| matches!(expr, Expr::Ident(ident) if ident.ctxt == self.unresolved && ident.sym == "require");
        match &call.callee {
            Callee::Import(_) => {
                if self.specifier(text, EdgeKind::Import) && call.args.len() == 1 {
                    self.changes.dynamic_json.push(text.span);
                }
            }
            Callee::Expr(callee) if is_require(callee) => {
                self.specifier(text, EdgeKind::Require);
            }
            Callee::Expr(callee) => {
                let Expr::Member(MemberExpr { obj, prop: MemberProp::Ident(name), .. }) = &**callee else { return };
                if name.sym != "resolve" {
                    return;
                }
                match &**obj {
                    Expr::MetaProp(meta) if meta.kind == MetaPropKind::ImportMeta => {
                        self.specifier(text, EdgeKind::Import);
                    }
                    object if is_require(object) => {
                        self.specifier(text, EdgeKind::Require);
                    }
                    _ => {}
                }
            }
            Callee::Super(_) => {}
        }
    }
}

/// Applies the changes to a program.
impl VisitMut for Changes {
    fn visit_mut_str(&mut self, text: &mut Str) {
        if let Some(written) = self.specifiers.get(&(text.span, text.value.clone())) {
            text.value = written.as_str().into();
            text.raw = None;
        }
    }

    fn visit_mut_import_decl(&mut self, import: &mut ImportDecl) {
        if self.static_json.contains(&import.src.span) {
            import.with = Some(Box::new(json()));
        }
        import.src.visit_mut_with(self);
    }

    fn visit_mut_named_export(&mut self, export: &mut NamedExport) {
        if export.src.as_ref().is_some_and(|source| self.static_json.contains(&source.span)) {
            export.with = Some(Box::new(json()));
        }
        export.src.visit_mut_with(self);
    }

    fn visit_mut_export_all(&mut self, export: &mut ExportAll) {
        if self.static_json.contains(&export.src.span) {
            export.with = Some(Box::new(json()));
        }
        export.src.visit_mut_with(self);
    }

    fn visit_mut_call_expr(&mut self, call: &mut CallExpr) {
        if matches!(call.callee, Callee::Import(_))
            && let [argument] = &call.args[..]
            && matches!(&*argument.expr, Expr::Lit(Lit::Str(text)) if self.dynamic_json.contains(&text.span))
        {
            let options = property("with", Expr::Object(json()));
            call.args.push(Expr::Object(ObjectLit { span: DUMMY_SP, props: vec![options] }).into());
        }
        call.visit_mut_children_with(self);
    }
}

/// `{ type: "json" }`
fn json() -> ObjectLit {
    let json = Str { span: DUMMY_SP, value: "json".into(), raw: None };
    ObjectLit { span: DUMMY_SP, props: vec![property("type", Expr::Lit(Lit::Str(json)))] }
}

/// `name: value`
pub fn property(name: &str, value: Expr) -> PropOrSpread {
    let key = PropName::Ident(IdentName::new(name.into(), DUMMY_SP));
    PropOrSpread::Prop(Box::new(Prop::KeyValue(KeyValueProp { key, value: Box::new(value) })))
}
