//! Parsing, and telling CommonJS from ES modules as Node does.

use kiln_payload::Format;
use swc_common::input::StringInput;
use swc_common::{BytePos, Span, Spanned};
use swc_ecma_ast::{Decl, EsVersion, Pat, Program, Script, Stmt, VarDeclKind};
use swc_ecma_parser::error::{Error, SyntaxError as Kind};
use swc_ecma_parser::lexer::Lexer;
use swc_ecma_parser::{EsSyntax, Parser, Syntax};

use super::{Declared, SyntaxError};

/// Where the parser counts from; 0 is taken for "nowhere".
pub const BASE: u32 = 1;

/// Parses `source`, and decides what kind of module it is where nothing else does.
pub fn parse(source: &str, declared: Declared) -> (Format, Result<Program, SyntaxError>) {
    let readable = |result: Result<Program, Error>| result.map_err(|error| describe(&error));
    match declared {
        Declared::Module => (Format::Module, readable(module(source))),
        Declared::CommonJs => (Format::CommonJs, readable(common_js(source))),
        // Node runs such a file as CommonJS, unless only an ES module can mean what stands there.
        Declared::Neither => match common_js(source) {
            Ok(Program::Script(script)) if redeclares_wrapper(&script) => match module(source) {
                Ok(program) => (Format::Module, Ok(program)),
                Err(_) => (Format::CommonJs, Ok(Program::Script(script))),
            },
            Ok(program) => (Format::CommonJs, Ok(program)),
            Err(error) => match (module(source), error.kind()) {
                (Ok(program), _) => (Format::Module, Ok(program)),
                (Err(error), Kind::ImportExportInScript | Kind::ImportMetaInScript) => {
                    (Format::Module, Err(describe(&error)))
                }
                _ => (Format::CommonJs, Err(describe(&error))),
            },
        },
    }
}

fn module(source: &str) -> Result<Program, Error> {
    with_parser(source, |parser| parser.parse_module().map(Program::Module))
}

fn common_js(source: &str) -> Result<Program, Error> {
    with_parser(source, |parser| parser.parse_commonjs().map(Program::Script))
}

fn with_parser<T>(source: &str, parse: impl FnOnce(&mut Parser<Lexer>) -> Result<T, Error>) -> Result<T, Error> {
    let syntax =
        Syntax::Es(EsSyntax { import_attributes: true, explicit_resource_management: true, ..EsSyntax::default() });
    let input = StringInput::new(source, BytePos(BASE), BytePos(BASE + source.len() as u32));
    let mut parser = Parser::new_from(Lexer::new(syntax, EsVersion::EsNext, input, None));
    let parsed = parse(&mut parser)?;
    // What the parser could step over is still an error to V8, but for what the web made legal: functions as the
    // branches of an `if`, and assignments to calls, which only fail when they are reached.
    let is_legal = |error: &Error| matches!(error.kind(), Kind::DeclNotAllowed | Kind::NotSimpleAssign | Kind::TS2406);
    let errors = parser.take_errors().into_iter().filter(|error| !is_legal(error));
    match errors.min_by_key(|error| error.span().lo) {
        Some(error) => Err(error),
        None => Ok(parsed),
    }
}

/// Whether a script declares what CommonJS passes to it, which V8 only accepts in an ES module.
fn redeclares_wrapper(script: &Script) -> bool {
    let is_wrapper = |name: &str| ["require", "module", "exports", "__filename", "__dirname"].contains(&name);
    script.body.iter().any(|statement| match statement {
        Stmt::Decl(Decl::Class(class)) => is_wrapper(&class.ident.sym),
        Stmt::Decl(Decl::Var(variables)) if variables.kind != VarDeclKind::Var => {
            let mut names = Vec::new();
            variables.decls.iter().for_each(|declarator| bound(&declarator.name, &mut names));
            names.iter().any(|name| is_wrapper(name))
        }
        _ => false,
    })
}

/// The names that a pattern binds.
fn bound(pattern: &Pat, names: &mut Vec<String>) {
    names.extend(
        swc_ecma_utils::find_pat_ids::<_, swc_ecma_ast::Id>(pattern).into_iter().map(|(name, _)| name.to_string()),
    );
}

fn describe(error: &Error) -> SyntaxError {
    SyntaxError::new(&error.kind().msg(), error.span(), BytePos(BASE))
}

impl SyntaxError {
    /// What a parser says of a place in a source that begins at `start`.
    pub fn new(message: &str, span: Span, start: BytePos) -> Self {
        let offset = |position: BytePos| position.0.saturating_sub(start.0) as usize;
        Self { message: format!("syntax error: {}", lower_first(message)), span: offset(span.lo)..offset(span.hi) }
    }
}

/// Where a span lies in the source.
pub fn range(span: Span) -> std::ops::Range<usize> {
    let offset = |position: BytePos| position.0.saturating_sub(BASE) as usize;
    offset(span.lo)..offset(span.hi)
}

fn lower_first(message: &str) -> String {
    let mut chars = message.chars();
    match (chars.next(), chars.next()) {
        // "EOF" and "JSX" keep their capitals.
        (Some(first), Some(second)) if second.is_lowercase() => {
            first.to_lowercase().chain([second]).chain(chars).collect()
        }
        _ => message.to_string(),
    }
}
