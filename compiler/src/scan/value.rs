//! What an expression is worth, as far as a reader can tell: paths made from a module's own place, and the
//! functions that make them.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::path::Path;

use kiln_payload::Format;
use percent_encoding::percent_decode_str;
use swc_common::SyntaxContext;
use swc_ecma_ast::{
    ArrowExpr, ArrowFunctionBody, BinaryOp, CallExpr, Callee, Expr, ExprOrSpread, Id, Ident, Lit, MemberExpr,
    MemberProp, MetaPropKind, NewExpr, Pat, Tpl,
};

use super::{Pattern, ReferenceKind, Surroundings};

/// What an expression is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A string, or a file's URL, which counts as its path.
    Text(Pattern),
    /// One of Node's modules, without `node:`.
    Builtin(String),
    /// A function of one of Node's modules.
    Function(String, String),
    /// A `require` for this module.
    Require,
    /// A `require` for the module at a path.
    RequireFrom(Pattern),
    /// A function that imports what it is given.
    Import,
}

impl Value {
    /// Whether it is a path that begins at a known place.
    pub fn is_path(&self) -> bool {
        matches!(self, Value::Text(pattern) if pattern.anchored)
    }
}

/// The bindings of a module whose worth is known.
pub struct Values<'a> {
    pub(super) known: HashMap<Id, Value>,
    /// Arrays of strings, what iterates over them, and parameters with what they are given.
    pub(super) lists: HashMap<Id, Vec<String>>,
    /// Parameters that may be given something else, too.
    pub(super) open: HashSet<Id>,
    pub(super) assigned: HashMap<Id, u32>,
    /// How many calls and members are being looked into.
    links: Cell<u32>,
    unresolved: SyntaxContext,
    format: Format,
    file: String,
    surroundings: &'a dyn Surroundings,
}

impl<'a> Values<'a> {
    pub fn new(path: &Path, format: Format, unresolved: SyntaxContext, surroundings: &'a dyn Surroundings) -> Self {
        let file = path.to_string_lossy().into_owned();
        let (known, lists, assigned) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self {
            known,
            lists,
            open: HashSet::new(),
            assigned,
            links: Cell::new(0),
            unresolved,
            format,
            file,
            surroundings,
        }
    }

    /// Whether the name stands for a path that is known wherever it is used.
    pub fn is_path(&self, id: &Id) -> bool {
        matches!(self.known.get(id), Some(Value::Text(pattern)) if pattern.anchored)
    }

    fn here(&self) -> Pattern {
        Pattern { prefix: self.file.clone(), tail: None, anchored: true }
    }

    /// Whether `ident` is the global, or the parameter of CommonJS, of that name.
    pub fn is_free(&self, ident: &Ident, name: &str) -> bool {
        ident.ctxt == self.unresolved && ident.sym == name
    }

    /// What `expr` is worth.
    pub fn of(&self, expr: &Expr) -> Option<Value> {
        match expr {
            Expr::Lit(Lit::Str(text)) => Some(Value::Text(Pattern::text(text.value.to_string_lossy()))),
            Expr::Ident(ident) => self.of_ident(ident),
            Expr::Paren(paren) => self.of(&paren.expr),
            // `(0, path_1.join)(…)`
            Expr::Seq(sequence) => self.of(sequence.exprs.last()?),
            Expr::Tpl(template) => Some(Value::Text(self.of_template(template))),
            Expr::Bin(binary) if binary.op == BinaryOp::Add => {
                let left = self.text(&binary.left).unwrap_or_else(Pattern::anything);
                let right = self.text(&binary.right).unwrap_or_else(Pattern::anything);
                Some(Value::Text(left.then(right)))
            }
            Expr::Bin(binary) if is_choice(binary.op) => either(self.of(&binary.left), self.of(&binary.right)),
            Expr::Cond(cond) => either(self.of(&cond.cons), self.of(&cond.alt)),
            Expr::Member(member) => self.linked(|| self.of_member(member)),
            Expr::Call(call) => self.linked(|| self.of_call(call)),
            Expr::New(new) => self.of_new(new),
            Expr::Arrow(arrow) => imports(arrow).then_some(Value::Import),
            Expr::Await(wait) => self.of(&wait.arg),
            _ => None,
        }
    }

    /// What a link of a chain such as `a.b().c()` is worth. A chain is looked at from each of its links, and nothing
    /// that has a worth is long.
    fn linked(&self, of: impl FnOnce() -> Option<Value>) -> Option<Value> {
        const LONGEST: u32 = 32;
        if self.links.get() == LONGEST {
            return None;
        }
        self.links.set(self.links.get() + 1);
        let value = of();
        self.links.set(self.links.get() - 1);
        value
    }

    /// The string that `expr` is worth.
    pub fn text(&self, expr: &Expr) -> Option<Pattern> {
        match self.of(expr)? {
            Value::Text(pattern) => Some(pattern),
            _ => None,
        }
    }

    /// The path from the module's own place that `expr` is worth.
    pub fn path(&self, expr: &Expr) -> Option<Pattern> {
        // Most expressions are none. A long concatenation is looked at once for each of its parts, so look only at
        // how it begins before putting it together.
        let mut first = expr;
        loop {
            first = match first {
                Expr::Bin(binary) if binary.op == BinaryOp::Add => &binary.left,
                Expr::Bin(binary) if is_choice(binary.op) => break,
                Expr::Tpl(template) => template.exprs.first()?,
                Expr::Paren(paren) => &paren.expr,
                Expr::Ident(_) | Expr::Member(_) | Expr::Call(_) | Expr::New(_) | Expr::Await(_) => break,
                Expr::Cond(_) => break,
                _ => return None,
            }
        }
        if !std::ptr::eq(first, expr) {
            self.text(first).filter(|pattern| pattern.anchored)?;
        }
        self.text(expr).filter(|pattern| pattern.anchored)
    }

    fn of_ident(&self, ident: &Ident) -> Option<Value> {
        if ident.ctxt != self.unresolved {
            return self.known.get(&ident.to_id()).cloned();
        }
        match (&*ident.sym, self.format) {
            ("__filename", Format::CommonJs) => Some(Value::Text(self.here())),
            ("__dirname", Format::CommonJs) => self.here().parent().map(Value::Text),
            ("require", Format::CommonJs) => Some(Value::Require),
            ("process", _) => Some(Value::Builtin("process".into())),
            _ => None,
        }
    }

    fn of_template(&self, template: &Tpl) -> Pattern {
        let mut pattern = Pattern::default();
        for (position, quasi) in template.quasis.iter().enumerate() {
            let text = quasi.cooked.as_ref().map(|text| text.to_string_lossy().into_owned()).unwrap_or_default();
            let anchored = pattern.anchored;
            pattern = pattern.then(Pattern::text(text));
            pattern.anchored = anchored;
            if let Some(expr) = template.exprs.get(position) {
                let next = self.text(expr).unwrap_or_else(Pattern::anything);
                if next.anchored && ["file:", "file://"].contains(&pattern.prefix.as_str()) {
                    pattern.prefix.clear();
                }
                let anchored = pattern.anchored || (pattern.prefix.is_empty() && position == 0 && next.anchored);
                pattern = pattern.then(next);
                pattern.anchored = anchored;
            }
        }
        pattern
    }

    fn of_member(&self, member: &MemberExpr) -> Option<Value> {
        let MemberProp::Ident(property) = &member.prop else { return None };
        let name = &*property.sym;
        if let Expr::MetaProp(meta) = &*member.obj {
            if meta.kind != MetaPropKind::ImportMeta {
                return None;
            }
            return match name {
                "url" | "filename" => Some(Value::Text(self.here())),
                "dirname" => self.here().parent().map(Value::Text),
                _ => None,
            };
        }
        if let Expr::Ident(object) = &*member.obj
            && self.is_free(object, "module")
            && self.format == Format::CommonJs
        {
            return match name {
                "require" => Some(Value::Require),
                "filename" => Some(Value::Text(self.here())),
                "path" => self.here().parent().map(Value::Text),
                _ => None,
            };
        }
        match self.of(&member.obj)? {
            Value::Builtin(module) => Some(match name {
                // An interop helper's namespace, and the variants that are the same thing here.
                "default" | "posix" => Value::Builtin(module),
                "promises" if module == "fs" => Value::Builtin(module),
                _ => Value::Function(module, name.into()),
            }),
            Value::Text(text) if text.anchored && matches!(name, "pathname" | "href") => Some(Value::Text(text)),
            Value::Function(module, function) if module == "fs" && function == "realpathSync" && name == "native" => {
                Some(Value::Function(module, function))
            }
            _ => None,
        }
    }

    /// What a call is worth.
    pub fn of_call(&self, call: &CallExpr) -> Option<Value> {
        let first = call.args.first().filter(|arg| arg.spread.is_none()).map(|arg| &*arg.expr);
        let callee = match &call.callee {
            Callee::Expr(callee) => callee,
            Callee::Import(_) => return builtin(&self.text(first?)?),
            _ => return None,
        };
        // `__importDefault(require("path"))` and its many cousins
        if let Expr::Ident(helper) = &**callee
            && ["interop", "import", "toESM", "toModule"].iter().any(|part| helper.sym.contains(part))
            && let Some(Value::Builtin(module)) = first.and_then(|first| self.of(first))
        {
            return Some(Value::Builtin(module));
        }
        if let Expr::Member(MemberExpr { obj, prop: MemberProp::Ident(name), .. }) = &**callee {
            match &*name.sym {
                "resolve" => {
                    let kind = match &**obj {
                        Expr::MetaProp(meta) if meta.kind == MetaPropKind::ImportMeta => ReferenceKind::ImportResolve,
                        object if self.of(object) == Some(Value::Require) => ReferenceKind::RequireResolve,
                        _ => return self.of_function(callee, call),
                    };
                    return self.found(&self.whole(first?)?, kind);
                }
                "toString" if call.args.is_empty() => return self.of(obj).filter(|value| value.is_path()),
                _ => {}
            }
        }
        if let Expr::Ident(eval) = &**callee
            && self.is_free(eval, "eval")
            && self.whole(first?)? == "require"
        {
            return Some(Value::Require);
        }
        self.of_function(callee, call)
    }

    /// The file that a specifier leads to.
    fn found(&self, specifier: &str, kind: ReferenceKind) -> Option<Value> {
        let path = self.surroundings.resolve(specifier, kind)?;
        Some(Value::Text(Pattern { prefix: path.to_str()?.to_owned(), tail: None, anchored: true }))
    }

    /// What a call of a function that is known is worth.
    fn of_function(&self, callee: &Expr, call: &CallExpr) -> Option<Value> {
        let first = call.args.first().filter(|arg| arg.spread.is_none()).map(|arg| &*arg.expr);
        match self.of(callee)? {
            Value::Require => builtin(&self.text(first?)?),
            Value::Function(module, function) => match (module.as_str(), function.as_str()) {
                ("path", "join" | "resolve") => self.joined(&call.args, function == "resolve"),
                ("path", "normalize") => self.text(first?).map(Pattern::normalize).map(Value::Text),
                ("path", "dirname") => self.text(first?)?.parent().map(Value::Text),
                ("url", "fileURLToPath" | "pathToFileURL") | ("fs", "realpathSync" | "realpath") => self.of(first?),
                ("module", "createRequire") => match self.text(first?)? {
                    from if from == self.here() => Some(Value::Require),
                    from => (from.anchored && from.tail.is_none()).then_some(Value::RequireFrom(from)),
                },
                ("process", "getBuiltinModule") => builtin(&self.text(first?)?),
                _ => None,
            },
            _ => None,
        }
    }

    /// The strings that `expr` may be worth: one of several, or each of an array's.
    pub fn choices(&self, expr: &Expr) -> Option<Vec<String>> {
        match expr {
            Expr::Paren(paren) => self.choices(&paren.expr),
            Expr::Cond(cond) => {
                let (then, other) = (self.choices(&cond.cons), self.choices(&cond.alt));
                (then.is_some() || other.is_some()).then(|| [then, other].into_iter().flatten().flatten().collect())
            }
            Expr::Ident(ident) if self.lists.contains_key(&ident.to_id()) => self.lists.get(&ident.to_id()).cloned(),
            Expr::Array(array) => {
                let elements = array.elems.iter().flatten().filter(|element| element.spread.is_none());
                Some(elements.filter_map(|element| self.whole(&element.expr)).collect())
            }
            expr => self.whole(expr).map(|text| vec![text]),
        }
    }

    fn whole(&self, expr: &Expr) -> Option<String> {
        self.text(expr).filter(|text| text.tail.is_none() && !text.anchored).map(|text| text.prefix)
    }

    fn joined(&self, args: &[ExprOrSpread], resolve: bool) -> Option<Value> {
        let mut joined = Pattern::default();
        for (position, arg) in args.iter().enumerate() {
            let text = if arg.spread.is_some() { None } else { self.text(&arg.expr) };
            let text = text.unwrap_or_else(Pattern::anything);
            if position == 0 || (resolve && text.prefix.starts_with('/')) {
                joined = text;
            } else {
                let anchored = joined.anchored;
                joined = joined.then(Pattern::text("/")).then(text);
                joined.anchored = anchored;
            }
        }
        joined.anchored.then(|| Value::Text(joined.normalize()))
    }

    /// `new URL("./x", import.meta.url)`, and how CommonJS hides `import()` from old compilers.
    fn of_new(&self, new: &NewExpr) -> Option<Value> {
        let Expr::Ident(class) = &*new.callee else { return None };
        if self.is_free(class, "Function") {
            let [parameter, body] = new.args.as_deref()? else { return None };
            let (parameter, body) = (self.text(&parameter.expr)?, self.text(&body.expr)?);
            let is_import = body.prefix.trim_end_matches(';') == format!("return import({})", parameter.prefix);
            return is_import.then_some(Value::Import);
        }
        let is_url = self.is_free(class, "URL")
            || matches!(self.of_ident(class), Some(Value::Function(module, name)) if module == "url" && name == "URL");
        let args = new.args.as_deref().unwrap_or_default();
        if let [url] = args {
            return self.of(&url.expr).filter(|value| is_url && value.is_path());
        }
        let [relative, base] = args else { return None };
        let base = self.text(&base.expr).filter(|base| is_url && base.anchored && base.tail.is_none())?;
        let mut relative = self.text(&relative.expr).unwrap_or_else(Pattern::anything);
        if relative.prefix.contains(':') || relative.prefix.starts_with('/') {
            return None;
        }
        if relative.tail.is_none() {
            let path = relative.prefix.split(['?', '#']).next().unwrap_or_default();
            relative.prefix = percent_decode_str(path).decode_utf8_lossy().into_owned();
        }
        let folder = match base.prefix.rsplit_once('/') {
            Some((folder, _)) => Pattern { prefix: format!("{folder}/"), ..base.clone() },
            None => return None,
        };
        Some(Value::Text(Pattern { anchored: true, ..folder.then(relative).normalize() }))
    }
}

/// Whether an operator gives one of its operands.
fn is_choice(operator: BinaryOp) -> bool {
    matches!(operator, BinaryOp::LogicalOr | BinaryOp::LogicalAnd | BinaryOp::NullishCoalescing)
}

/// What is worth one or the other: a path if either is one.
fn either(one: Option<Value>, other: Option<Value>) -> Option<Value> {
    match (one, other) {
        (Some(Value::Text(one)), Some(Value::Text(other))) => match (one.anchored, other.anchored) {
            (true, true) => Some(Value::Text(one.or(other))),
            (true, false) => Some(Value::Text(one)),
            (false, true) => Some(Value::Text(other)),
            (false, false) => None,
        },
        (Some(Value::Text(one)), Some(other)) | (Some(other), Some(Value::Text(one))) => {
            Some(if one.anchored { Value::Text(one) } else { other })
        }
        (one, other) => one.or(other).filter(|value| !matches!(value, Value::Text(text) if !text.anchored)),
    }
}

/// `specifier => import(specifier)`
pub fn imports(arrow: &ArrowExpr) -> bool {
    let [Pat::Ident(parameter)] = &arrow.params[..] else { return false };
    let ArrowFunctionBody::Expr(body) = &*arrow.body else { return false };
    matches!(&**body, Expr::Call(CallExpr { callee: Callee::Import(_), args, .. })
        if matches!(&args[..], [ExprOrSpread { expr, .. }] if matches!(&**expr, Expr::Ident(given) if given.to_id() == parameter.to_id())))
}

/// The one of Node's modules that a specifier names.
pub fn builtin(specifier: &Pattern) -> Option<Value> {
    if specifier.tail.is_some() || specifier.anchored {
        return None;
    }
    let name = specifier.prefix.strip_prefix("node:").unwrap_or(&specifier.prefix);
    let name = match name {
        "fs" | "fs/promises" => "fs",
        "path" | "path/posix" => "path",
        "url" | "module" | "process" => name,
        _ => return None,
    };
    Some(Value::Builtin(name.into()))
}
