//! Reading a module's facts from its syntax tree.

mod visit;

use std::collections::BTreeSet;
use std::ops::Range;
use std::panic::catch_unwind;

use kiln_payload::Format;
use swc_atoms::Atom;
use swc_common::{GLOBALS, Globals, Mark, Spanned, SyntaxContext};
use swc_ecma_ast::{
    Decl, DefaultDecl, ExportSpecifier, Expr, Ident, ImportPhase, ImportSpecifier, MetaPropKind, Module, ModuleDecl,
    ModuleExportName, ModuleItem, ObjectLit, Program, Stmt, Str,
};
use swc_ecma_transforms_base::resolver;
use swc_ecma_utils::{DestructuringFinder, find_pat_ids};
use swc_ecma_visit::VisitWith;

use super::facts::{DEFAULT, Export, Facts, Fit, Item, Request, Selected, Shape, Use};
use super::pure::Known;
use crate::scan::{Declared, parse, range};

/// Reads a module, if it can be read.
pub fn read(source: &str) -> Option<Facts> {
    // A fault of the parser is no reason not to build.
    catch_unwind(|| read_now(source)).ok().flatten()
}

fn read_now(source: &str) -> Option<Facts> {
    GLOBALS.set(&Globals::new(), || {
        let (Format::Module, Ok(mut program)) = parse(source, Declared::Module) else { return None };
        let (unresolved, top_level) = (Mark::new(), Mark::new());
        program.mutate(&mut resolver(unresolved, top_level, false));
        let Program::Module(module) = program else { return None };
        let context = |mark| SyntaxContext::empty().apply_mark(mark);
        let mut reader = Reader {
            source,
            unresolved: context(unresolved),
            top_level: context(top_level),
            facts: Facts { is_read: true, ..Facts::default() },
            item: 0,
            functions: 0,
            declares: Vec::new(),
        };
        reader.module(&module);
        Some(reader.facts)
    })
}

struct Reader<'a> {
    source: &'a str,
    unresolved: SyntaxContext,
    top_level: SyntaxContext,
    facts: Facts,
    item: usize,
    /// How many functions are around.
    functions: usize,
    /// What `var` declares in the item.
    declares: Vec<Atom>,
}

impl Reader<'_> {
    fn module(&mut self, module: &Module) {
        let imports: BTreeSet<Atom> = module.body.iter().flat_map(imported_names).collect();
        // A function is there before anything runs.
        let mut ready: BTreeSet<Atom> = module.body.iter().filter_map(function_name).collect();
        for item in &module.body {
            let (top_level, unresolved) = (self.top_level, self.unresolved);
            let mut known = Known { top_level, unresolved, ready: &ready, imports: &imports, reads: Vec::new() };
            let is_pure = match item {
                ModuleItem::Stmt(statement) => known.statement(statement),
                ModuleItem::ModuleDecl(ModuleDecl::ExportDecl(export)) => known.declaration(&export.decl),
                ModuleItem::ModuleDecl(ModuleDecl::ExportDefaultExpr(export)) => known.value(&export.expr),
                ModuleItem::ModuleDecl(ModuleDecl::ExportDefaultDecl(export)) => match &export.decl {
                    DefaultDecl::Class(class) => known.class(&class.class),
                    _ => true,
                },
                ModuleItem::ModuleDecl(_) => true,
            };
            let reads = known.reads;
            let (shape, declares) = self.shape(item);
            self.declares = declares;
            if shape != Shape::Link {
                item.visit_with(self);
            }
            let declares = std::mem::take(&mut self.declares);
            self.facts.locals.extend(declares.iter().cloned());
            ready.extend(declares.iter().cloned());
            self.facts.items.push(Item { range: range(item.span()), shape, declares, is_pure, reads });
            self.item += 1;
        }
        let Facts { imports, locals, uses, assigned, .. } = &self.facts;
        // Names that the resolver takes for others than we do, and those that are written with escapes.
        let is_strange = |used: &Use| {
            !(imports.contains_key(&used.name) || locals.contains(&used.name))
                || self.source.get(used.range.clone()) != Some(&*used.name)
                || used.name == "__proto__"
        };
        if uses.iter().any(is_strange) || assigned.iter().any(|name| imports.contains_key(name)) {
            self.facts.limit(Fit::Never);
        }
        self.facts.uses.sort_by_key(|used| used.range.start);
    }

    fn request(&mut self, specifier: &Str, with: Option<&ObjectLit>) -> usize {
        let attributes = with.map(|with| self.source[range(with.span)].to_owned()).unwrap_or_default();
        let specifier = text(specifier);
        let known = |request: &Request| request.specifier == specifier && request.attributes == attributes;
        if let Some(known) = self.facts.requests.iter().position(known) {
            return known;
        }
        self.facts.requests.push(Request { specifier, attributes });
        self.facts.requests.len() - 1
    }

    /// What an item is, and what it declares.
    fn shape(&mut self, item: &ModuleItem) -> (Shape, Vec<Atom>) {
        let declaration = match item {
            ModuleItem::Stmt(Stmt::Decl(declaration)) => return self.declaration(declaration),
            ModuleItem::Stmt(statement) => return (Shape::Plain(range(statement.span()).start), Vec::new()),
            ModuleItem::ModuleDecl(declaration) => declaration,
        };
        match declaration {
            ModuleDecl::Import(import) => {
                if import.phase != ImportPhase::Evaluation {
                    self.facts.limit(Fit::Never);
                }
                let request = self.request(&import.src, import.with.as_deref());
                for specifier in &import.specifiers {
                    let (local, selected) = imported(specifier);
                    self.facts.imports.insert(local, (request, selected));
                }
                (Shape::Link, Vec::new())
            }
            ModuleDecl::ExportAll(export) => {
                let request = self.request(&export.src, export.with.as_deref());
                self.facts.stars.push(request);
                (Shape::Link, Vec::new())
            }
            ModuleDecl::ExportNamed(export) => {
                let request = export.src.as_ref().map(|source| self.request(source, export.with.as_deref()));
                for specifier in &export.specifiers {
                    match specifier {
                        ExportSpecifier::Named(named) => {
                            let original = name(&named.orig);
                            let exported = named.exported.as_ref().map(name).unwrap_or_else(|| original.clone());
                            let export = match request {
                                Some(request) => Export::From(request, Selected::Name(original)),
                                None => Export::Local(original),
                            };
                            self.facts.exports.insert(exported, export);
                        }
                        ExportSpecifier::Namespace(namespace) => {
                            let from = Export::From(request.unwrap_or_default(), Selected::Namespace);
                            self.facts.exports.insert(name(&namespace.name), from);
                        }
                        ExportSpecifier::Default(_) => self.facts.limit(Fit::Never),
                    }
                }
                (Shape::Link, Vec::new())
            }
            ModuleDecl::ExportDecl(export) => {
                let (shape, names) = self.declaration(&export.decl);
                for name in &names {
                    self.facts.exports.insert(name.clone(), Export::Local(name.clone()));
                }
                (shape, names)
            }
            ModuleDecl::ExportDefaultExpr(export) => {
                let shape = Shape::Default(range(export.expr.span()), is_anonymous(&export.expr));
                (shape, vec![self.default(None)])
            }
            ModuleDecl::ExportDefaultDecl(export) => match &export.decl {
                DefaultDecl::Fn(function) => {
                    let shape = Shape::Function(range(function.function.span).start, place(function.ident.as_ref()));
                    (shape, vec![self.default(function.ident.as_ref())])
                }
                DefaultDecl::Class(class) => {
                    let shape = Shape::Class(range(class.class.span).start, class.ident.is_some());
                    (shape, vec![self.default(class.ident.as_ref())])
                }
                DefaultDecl::TsInterfaceDecl(_) => (Shape::Link, Vec::new()),
            },
            _ => {
                self.facts.limit(Fit::Never);
                (Shape::Link, Vec::new())
            }
        }
    }

    fn default(&mut self, ident: Option<&Ident>) -> Atom {
        let local = ident.map_or_else(|| DEFAULT.into(), |ident| ident.sym.clone());
        self.facts.exports.insert("default".into(), Export::Local(local.clone()));
        local
    }

    fn declaration(&mut self, declaration: &Decl) -> (Shape, Vec<Atom>) {
        let start = range(declaration.span()).start;
        match declaration {
            Decl::Fn(function) => {
                (Shape::Function(start, place(Some(&function.ident))), vec![function.ident.sym.clone()])
            }
            Decl::Class(class) => (Shape::Class(start, true), vec![class.ident.sym.clone()]),
            Decl::Var(variables) => {
                let names = variables.decls.iter().flat_map(|variable| find_pat_ids::<_, Ident>(&variable.name));
                (Shape::Plain(start), names.map(|name| name.sym).collect())
            }
            _ => {
                self.facts.limit(Fit::Never);
                (Shape::Plain(start), Vec::new())
            }
        }
    }

    fn used(&mut self, ident: &Ident, is_shorthand: bool) {
        if ident.ctxt == self.unresolved {
            self.facts.globals.insert(ident.sym.clone());
        } else if ident.ctxt == self.top_level {
            let (name, range, item) = (ident.sym.clone(), range(ident.span), self.item);
            self.facts.uses.push(Use { name, range, is_shorthand, item });
        } else {
            self.facts.inner.insert(ident.sym.clone());
        }
    }

    /// Notes that `value` gets its name from `ident`, if that is so.
    fn names(&mut self, ident: &Ident, value: &Expr) {
        if ident.ctxt == self.top_level && is_anonymous(value) {
            self.facts.named_by.push((ident.sym.clone(), range(value.span())));
        }
    }

    fn assigned(&mut self, pattern: &impl VisitWith<DestructuringFinder<Ident>>) {
        let names: Vec<Ident> = find_pat_ids(pattern);
        self.assigned_names(names);
    }

    fn assigned_names(&mut self, names: impl IntoIterator<Item = Ident>) {
        let names = names.into_iter().filter(|ident| ident.ctxt == self.top_level);
        self.facts.assigned.extend(names.map(|ident| ident.sym));
    }

    fn within(&mut self, node: &(impl VisitWith<Self> + ?Sized)) {
        self.functions += 1;
        node.visit_children_with(self);
        self.functions -= 1;
    }

    fn value_within(&mut self, value: &Option<Box<Expr>>) {
        self.functions += 1;
        value.visit_with(self);
        self.functions -= 1;
    }

    /// Who changes `import.meta` wants the object itself.
    fn changed(&mut self, member: &Expr) {
        if matches!(member, Expr::Member(member) if is_import_meta(&member.obj)) {
            self.facts.limit(Fit::Last);
        }
    }
}

fn is_import_meta(expression: &Expr) -> bool {
    matches!(expression, Expr::MetaProp(meta) if meta.kind == MetaPropKind::ImportMeta)
}

fn unwrapped(expression: &Expr) -> &Expr {
    match expression {
        Expr::Paren(inner) => unwrapped(&inner.expr),
        expression => expression,
    }
}

/// Whether an expression is a function or class that takes its name from where it is put.
fn is_anonymous(value: &Expr) -> bool {
    match value {
        Expr::Arrow(_) => true,
        Expr::Fn(function) => function.ident.is_none(),
        Expr::Class(class) => class.ident.is_none(),
        Expr::Paren(inner) => is_anonymous(&inner.expr),
        _ => false,
    }
}

fn function_name(item: &ModuleItem) -> Option<Atom> {
    match item {
        ModuleItem::Stmt(Stmt::Decl(Decl::Fn(function))) => Some(function.ident.sym.clone()),
        ModuleItem::ModuleDecl(ModuleDecl::ExportDecl(export)) => match &export.decl {
            Decl::Fn(function) => Some(function.ident.sym.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// The name that a specifier binds, and what to.
fn imported(specifier: &ImportSpecifier) -> (Atom, Selected) {
    match specifier {
        ImportSpecifier::Named(named) => {
            let imported = named.imported.as_ref().map(name).unwrap_or_else(|| named.local.sym.clone());
            (named.local.sym.clone(), Selected::Name(imported))
        }
        ImportSpecifier::Default(default) => (default.local.sym.clone(), Selected::Name("default".into())),
        ImportSpecifier::Namespace(namespace) => (namespace.local.sym.clone(), Selected::Namespace),
    }
}

fn imported_names(item: &ModuleItem) -> Vec<Atom> {
    match item {
        ModuleItem::ModuleDecl(ModuleDecl::Import(import)) => {
            import.specifiers.iter().map(|specifier| imported(specifier).0).collect()
        }
        _ => Vec::new(),
    }
}

fn name(name: &ModuleExportName) -> Atom {
    name.atom().into_owned()
}

fn place(ident: Option<&Ident>) -> Option<Range<usize>> {
    ident.map(|ident| range(ident.span))
}

fn text(specifier: &Str) -> String {
    specifier.value.to_string_lossy().into_owned()
}
