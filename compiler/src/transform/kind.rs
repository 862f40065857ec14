//! Whether a file without an opinion of its package's is an ES module or CommonJS.

use kiln_payload::Format;
use swc_common::SyntaxContext;
use swc_ecma_ast::{
    ArrowExpr, AwaitExpr, Class, Constructor, ForOfStmt, Function, GetterProp, Ident, MetaPropExpr, MetaPropKind,
    ModuleDecl, ModuleItem, Program, SetterProp,
};
use swc_ecma_visit::{Visit, VisitWith};

use super::Input;
use crate::scan::Declared;

/// What a program's syntax says.
#[derive(Debug, Default)]
struct Facts {
    /// `import` or `export`
    has_module_syntax: bool,
    /// `import x = require()` or `export =`
    has_common_js_syntax: bool,
    /// What only an ES module can have: `import.meta`, or `await` outside of functions.
    only_module: bool,
    /// It uses `require`, `module`, `exports`, `__filename` or `__dirname`.
    uses_wrapper: bool,
    unresolved: SyntaxContext,
    functions: u32,
}

/// The format of a program whose types are gone already.
pub fn decide(input: &Input, program: &Program, unresolved: SyntaxContext) -> Format {
    match input.declared {
        Declared::Module => return Format::Module,
        Declared::CommonJs => return Format::CommonJs,
        Declared::Neither => {}
    }
    let mut facts = Facts { unresolved, ..Facts::default() };
    program.visit_with(&mut facts);
    if facts.has_common_js_syntax {
        Format::CommonJs
    } else if facts.only_module {
        Format::Module
    } else if !facts.has_module_syntax || input.options.is_common_js || facts.uses_wrapper {
        // `tsc` makes CommonJS of it, or nobody would miss a `require` that is not there.
        Format::CommonJs
    } else {
        Format::Module
    }
}

impl Facts {
    fn in_function(&mut self, visit: impl FnOnce(&mut Self)) {
        self.functions += 1;
        visit(self);
        self.functions -= 1;
    }
}

impl Visit for Facts {
    fn visit_module_item(&mut self, item: &ModuleItem) {
        match item {
            ModuleItem::ModuleDecl(ModuleDecl::TsImportEquals(_) | ModuleDecl::TsExportAssignment(_)) => {
                self.has_common_js_syntax = true;
            }
            ModuleItem::ModuleDecl(_) => self.has_module_syntax = true,
            _ => {}
        }
        item.visit_children_with(self);
    }

    fn visit_meta_prop_expr(&mut self, meta: &MetaPropExpr) {
        self.only_module |= meta.kind == MetaPropKind::ImportMeta;
    }

    fn visit_await_expr(&mut self, wait: &AwaitExpr) {
        self.only_module |= self.functions == 0;
        wait.visit_children_with(self);
    }

    fn visit_for_of_stmt(&mut self, statement: &ForOfStmt) {
        self.only_module |= statement.is_await && self.functions == 0;
        statement.visit_children_with(self);
    }

    fn visit_ident(&mut self, ident: &Ident) {
        self.uses_wrapper |= ident.ctxt == self.unresolved
            && matches!(&*ident.sym, "require" | "module" | "exports" | "__filename" | "__dirname");
    }

    fn visit_function(&mut self, function: &Function) {
        self.in_function(|this| function.visit_children_with(this));
    }

    fn visit_arrow_expr(&mut self, arrow: &ArrowExpr) {
        self.in_function(|this| arrow.visit_children_with(this));
    }

    fn visit_constructor(&mut self, constructor: &Constructor) {
        self.in_function(|this| constructor.visit_children_with(this));
    }

    fn visit_getter_prop(&mut self, getter: &GetterProp) {
        self.in_function(|this| getter.visit_children_with(this));
    }

    fn visit_setter_prop(&mut self, setter: &SetterProp) {
        self.in_function(|this| setter.visit_children_with(this));
    }

    /// Fields and static blocks can't wait either.
    fn visit_class(&mut self, class: &Class) {
        class.super_class.visit_with(self);
        self.in_function(|this| class.body.visit_with(this));
    }
}
