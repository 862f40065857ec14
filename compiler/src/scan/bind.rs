//! What a module's names are worth: its bindings, in the order of the source, and what its functions are given.

use std::collections::HashMap;

use swc_ecma_ast::{
    AssignExpr, AssignOp, AssignTarget, CallExpr, Callee, Decl, DefaultDecl, ExportDecl, ExportDefaultDecl,
    ExportNamedSpecifier, Expr, FnDecl, FnExpr, ForHead, ForOfStmt, Function, Id, Ident, ImportDecl, ImportSpecifier,
    MemberExpr, ModuleExportName, ObjectPatProp, Pat, Program, Prop, PropName, SimpleAssignTarget, UpdateExpr,
    VarDeclarator,
};
use swc_ecma_visit::{Visit, VisitWith};

use super::Pattern;
use super::value::{Value, Values, builtin, imports};

impl Values<'_> {
    /// Reads all of a module's bindings.
    pub fn collect(&mut self, program: &Program) {
        let mut functions = Functions::default();
        program.visit_with(&mut functions);
        program.visit_with(self);
        if !functions.parameters.is_empty() {
            // Twice, for a function that passes on what it is given.
            for _ in 0..2 {
                self.open.clear();
                program.visit_with(&mut Calls { functions: &functions, values: self });
            }
        }
    }

    fn bind_choices(&mut self, pattern: &Pat, choices: Option<Vec<String>>) {
        if let (Pat::Ident(ident), Some(choices)) = (pattern, choices) {
            self.add_choices(ident.to_id(), choices);
        }
    }

    fn add_choices(&mut self, id: Id, choices: Vec<String>) {
        let list = self.lists.entry(id).or_default();
        for choice in choices {
            if !list.contains(&choice) {
                list.push(choice);
            }
        }
    }

    fn bind(&mut self, id: Id, value: Option<Value>) {
        let times = self.assigned.entry(id.clone()).or_default();
        *times += 1;
        let value = match (self.known.remove(&id), value) {
            (_, value) if *times == 1 => value,
            // A path that may be this or that is wanted either way, and one that the user may give is not ours.
            (Some(Value::Text(old)), Some(Value::Text(new))) if old.anchored && new.anchored => {
                Some(Value::Text(old.or(new)))
            }
            (old, new) => old.filter(Value::is_path).or(new.filter(Value::is_path)),
        };
        if let Some(value) = value {
            self.known.insert(id, value);
        }
    }

    fn bind_pattern(&mut self, pattern: &Pat, value: Option<Value>) {
        match pattern {
            Pat::Ident(ident) => self.bind(ident.to_id(), value),
            Pat::Object(object) => {
                for property in &object.props {
                    let member = |name: &str| match &value {
                        Some(Value::Builtin(module)) => Some(Value::Function(module.clone(), name.into())),
                        _ => None,
                    };
                    match property {
                        ObjectPatProp::Assign(assign) => {
                            let value = member(&assign.key.sym);
                            self.bind(assign.key.to_id(), value);
                        }
                        ObjectPatProp::KeyValue(pair) => {
                            let value = match &pair.key {
                                PropName::Ident(key) => member(&key.sym),
                                _ => None,
                            };
                            self.bind_pattern(&pair.value, value);
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
}

/// The functions that have a name, and their parameters.
#[derive(Default)]
struct Functions {
    parameters: HashMap<Id, Vec<Option<Id>>>,
}

impl Functions {
    fn add<'p>(&mut self, name: &Ident, parameters: impl Iterator<Item = &'p Pat>) {
        let parameters: Vec<_> = parameters.map(parameter).collect();
        if parameters.iter().any(Option::is_some) {
            self.parameters.insert(name.to_id(), parameters);
        }
    }
}

fn parameter(pattern: &Pat) -> Option<Id> {
    match pattern {
        Pat::Ident(ident) => Some(ident.to_id()),
        Pat::Assign(assign) => parameter(&assign.left),
        _ => None,
    }
}

fn parameters(function: &Function) -> impl Iterator<Item = &Pat> {
    function.params.iter().map(|parameter| &parameter.pat)
}

impl Visit for Functions {
    fn visit_fn_decl(&mut self, declaration: &FnDecl) {
        self.add(&declaration.ident, parameters(&declaration.function));
        declaration.visit_children_with(self);
    }

    fn visit_var_declarator(&mut self, declarator: &VarDeclarator) {
        if let (Pat::Ident(name), Some(init)) = (&declarator.name, &declarator.init) {
            match &**init {
                // A call of such a function is known for what it is.
                Expr::Arrow(arrow) if imports(arrow) => {}
                Expr::Arrow(arrow) => self.add(name, arrow.params.iter()),
                Expr::Fn(function) => self.add(name, parameters(&function.function)),
                _ => {}
            }
        }
        declarator.visit_children_with(self);
    }
}

/// What functions are called with: `const load = (name) => require(name); load("./a")`.
struct Calls<'c, 'v, 's> {
    functions: &'c Functions,
    values: &'v mut Values<'s>,
}

impl Calls<'_, '_, '_> {
    /// Others may call the function, with whatever they like.
    fn opens(&mut self, name: &Ident) {
        if let Some(parameters) = self.functions.parameters.get(&name.to_id()) {
            self.values.open.extend(parameters.iter().flatten().cloned());
        }
    }
}

impl Visit for Calls<'_, '_, '_> {
    fn visit_call_expr(&mut self, call: &CallExpr) {
        let name = match &call.callee {
            Callee::Expr(callee) => callee.as_ident(),
            _ => None,
        };
        let Some(parameters) = name.and_then(|name| self.functions.parameters.get(&name.to_id())) else {
            return call.visit_children_with(self);
        };
        for (position, parameter) in parameters.iter().enumerate() {
            let Some(parameter) = parameter else { continue };
            let given = call.args.get(position).filter(|_| call.args.iter().all(|arg| arg.spread.is_none()));
            match given.and_then(|given| self.values.choices(&given.expr)) {
                Some(choices) => self.values.add_choices(parameter.clone(), choices),
                None => {
                    self.values.open.insert(parameter.clone());
                }
            }
        }
        call.args.visit_with(self);
    }

    fn visit_expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Ident(name) => self.opens(name),
            expr => expr.visit_children_with(self),
        }
    }

    fn visit_prop(&mut self, property: &Prop) {
        match property {
            Prop::Shorthand(name) => self.opens(name),
            property => property.visit_children_with(self),
        }
    }

    fn visit_export_named_specifier(&mut self, specifier: &ExportNamedSpecifier) {
        if let ModuleExportName::Ident(name) = &specifier.orig {
            self.opens(name);
        }
    }

    fn visit_export_decl(&mut self, export: &ExportDecl) {
        match &export.decl {
            Decl::Fn(function) => self.opens(&function.ident),
            Decl::Var(variables) => {
                for declarator in &variables.decls {
                    declarator.name.as_ident().inspect(|name| self.opens(&name.id));
                }
            }
            _ => {}
        }
        export.visit_children_with(self);
    }

    fn visit_export_default_decl(&mut self, export: &ExportDefaultDecl) {
        if let DefaultDecl::Fn(FnExpr { ident: Some(name), .. }) = &export.decl {
            self.opens(name);
        }
        export.visit_children_with(self);
    }
}

/// Collects bindings in the order of the source, so that one can be made of those before it.
impl Visit for Values<'_> {
    fn visit_import_decl(&mut self, import: &ImportDecl) {
        let Some(Value::Builtin(module)) = builtin(&Pattern::text(import.src.value.to_string_lossy())) else { return };
        for specifier in &import.specifiers {
            let value = match specifier {
                ImportSpecifier::Named(named) => match &named.imported {
                    Some(ModuleExportName::Ident(name)) if name.sym == "default" => Value::Builtin(module.clone()),
                    Some(ModuleExportName::Ident(name)) => Value::Function(module.clone(), name.sym.to_string()),
                    None if matches!(&*named.local.sym, "posix" | "promises") => Value::Builtin(module.clone()),
                    None => Value::Function(module.clone(), named.local.sym.to_string()),
                    _ => continue,
                },
                _ => Value::Builtin(module.clone()),
            };
            self.bind(specifier.local().to_id(), Some(value));
        }
    }

    fn visit_var_declarator(&mut self, declarator: &VarDeclarator) {
        declarator.visit_children_with(self);
        if let Some(init) = &declarator.init {
            let value = self.of(init);
            self.bind_pattern(&declarator.name, value);
            if matches!(&**init, Expr::Array(_) | Expr::Cond(_)) {
                let choices = self.choices(init);
                self.bind_choices(&declarator.name, choices);
            }
        }
    }

    /// `for (const name of ["a", "b"])`
    fn visit_for_of_stmt(&mut self, statement: &ForOfStmt) {
        if let ForHead::VarDecl(variables) = &statement.left
            && let [declarator] = &variables.decls[..]
            && matches!(&*statement.right, Expr::Array(_) | Expr::Ident(_))
        {
            let choices = self.choices(&statement.right);
            self.bind_choices(&declarator.name, choices);
        }
        statement.visit_children_with(self);
    }

    /// `["a", "b"].map((name) => …)`
    fn visit_call_expr(&mut self, call: &CallExpr) {
        if let Callee::Expr(callee) = &call.callee
            && let Expr::Member(MemberExpr { obj, .. }) = &**callee
            && matches!(&**obj, Expr::Array(_) | Expr::Ident(_))
            && let Some(function) = call.args.first()
        {
            let parameter = match &*function.expr {
                Expr::Arrow(arrow) => arrow.params.first(),
                Expr::Fn(function) => function.function.params.first().map(|parameter| &parameter.pat),
                _ => None,
            };
            let choices = parameter.and_then(|_| self.choices(obj));
            if let Some(parameter) = parameter {
                self.bind_choices(parameter, choices);
            }
        }
        call.visit_children_with(self);
    }

    fn visit_assign_expr(&mut self, assign: &AssignExpr) {
        assign.visit_children_with(self);
        if let AssignTarget::Simple(SimpleAssignTarget::Ident(target)) = &assign.left {
            let value = if assign.op == AssignOp::Assign { self.of(&assign.right) } else { None };
            self.bind(target.to_id(), value);
        }
    }

    fn visit_update_expr(&mut self, update: &UpdateExpr) {
        if let Expr::Ident(target) = &*update.arg {
            self.bind(target.to_id(), None);
        }
    }
}
