//! One module through `swc_ecma_minifier`.
//!
//! Errors show the places and the functions that the author wrote: a source map leads back to the places, functions and
//! classes keep their names.

mod calls;
mod names;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use kiln_payload::Format;
use swc_atoms::Atom;
use swc_common::comments::SingleThreadedComments;
use swc_common::sync::Lrc;
use swc_common::{FileName, GLOBALS, Globals, Mark, SourceMap};
use swc_ecma_ast::{EsVersion, Program};
use swc_ecma_minifier::option::{ExtraOptions, MangleOptions, MinifyOptions};
use swc_ecma_parser::lexer::Lexer;
use swc_ecma_parser::{EsSyntax, Parser, StringInput, Syntax};
use swc_ecma_transforms_base::fixer::{fixer, paren_remover};
use swc_ecma_transforms_base::resolver;
use swc_sourcemap::SourceMapBuilder;

use crate::graph::Module;
use crate::transform::{self, emit};

/// The module's text made small, and where it comes from.
pub fn minify(path: &Path, module: &Module) -> Option<(String, transform::SourceMap)> {
    if module.format == Format::Json {
        return None;
    }
    // What it can't do is no reason not to build.
    catch_unwind(AssertUnwindSafe(|| GLOBALS.set(&Globals::new(), || minified(path, module)))).ok().flatten()
}

fn minified(path: &Path, module: &Module) -> Option<(String, transform::SourceMap)> {
    let files = Lrc::<SourceMap>::default();
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let file = files.new_source_file(FileName::Custom(name).into(), module.source.to_string());
    let comments = SingleThreadedComments::default();
    let syntax =
        Syntax::Es(EsSyntax { import_attributes: true, explicit_resource_management: true, ..EsSyntax::default() });
    let lexer = Lexer::new(syntax, EsVersion::EsNext, StringInput::from(&*file), Some(&comments));
    let mut parser = Parser::new_from(lexer);
    let is_module = module.format == Format::Module;
    let mut program = match is_module {
        true => parser.parse_module().map(Program::Module).ok()?,
        false => parser.parse_commonjs().map(Program::Script).ok()?,
    };
    let (unresolved_mark, top_level_mark) = (Mark::new(), Mark::new());
    program.mutate(&mut resolver(unresolved_mark, top_level_mark, false));
    program.mutate(&mut paren_remover(Some(&comments)));
    let extra = ExtraOptions { unresolved_mark, top_level_mark, mangle_name_cache: None };
    let options = options(names::given(&program));
    let mut program = swc_ecma_minifier::optimize(program, files.clone(), Some(&comments), None, &options, &extra);
    program.mutate(&mut fixer(Some(&comments)));
    match &module.map {
        Some(before) if module.is_merged => {
            let (code, map) = emit::emit(&files, &program, None, None).ok()?;
            let map = calls::noted(&code, map, &module.source);
            Some((code, through(&map, before)))
        }
        None => {
            let (code, map) = emit::emit(&files, &program, None, None).ok()?;
            let map = calls::noted(&code, map, &module.source);
            Some((code, map))
        }
        before => emit::emit(&files, &program, None, before.as_ref()).ok(),
    }
}

/// Where what `map` leads to comes from, by a map whose stretches go on.
fn through(map: &transform::SourceMap, before: &transform::SourceMap) -> transform::SourceMap {
    let mut builder = SourceMapBuilder::new(None);
    for id in 0..before.get_source_count() {
        let source = before.get_source(id).cloned().unwrap_or_default();
        let id = builder.add_source(source);
        builder.set_source_contents(id, before.get_source_contents(id).cloned());
    }
    for token in map.tokens() {
        let (line, column) = token.get_src();
        let Some(origin) = before.lookup_token(line, column).filter(|origin| origin.get_dst_line() == line) else {
            continue;
        };
        let (to, from) = (token.get_dst(), origin.get_src());
        builder.add_raw(to.0, to.1, from.0, from.1, Some(origin.get_src_id()), None, false);
    }
    builder.into_sourcemap()
}

/// Names of variables in functions get short, and blanks and comments go. The minifier could do more, but no value is
/// moved, and no import or function goes away: a program that counts on any of it behaves as before, and CommonJS keeps
/// the shapes by which Node finds what it exports. Names that errors tell stay: those of functions, classes and private
/// methods, and of what a module declares, which is named when it is used too early.
fn options(reserved: Vec<Atom>) -> MinifyOptions {
    let mangle = MangleOptions {
        top_level: Some(false),
        keep_fn_names: true,
        keep_class_names: true,
        keep_private_props: true,
        reserved,
        ..Default::default()
    };
    MinifyOptions { rename: true, compress: None, mangle: Some(mangle), ..MinifyOptions::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minified(source: &str, format: Format) -> String {
        let module = Module {
            format,
            bytes: source.into(),
            source: source.into(),
            transformed: false,
            is_typescript: false,
            map: None,
            is_merged: false,
            edges: Default::default(),
        };
        minify(Path::new("a.js"), &module).unwrap().0
    }

    #[test]
    fn names_that_errors_tell_stay() {
        let source = "import { early } from 'x'; class A { #own(value) { const Local = class {}; return early(value, Local); } }";
        let expected = "import{early}from\"x\";let A=class A{#own(a){const Local=class{};return early(a,Local);}};";
        assert_eq!(minified(source, Format::Module), expected);
    }

    #[test]
    fn small_but_the_same() {
        assert_eq!(
            minified("export const helper = (shape)      => shape.n * 2;", Format::Module),
            "export const helper=e=>e.n*2;"
        );
        let announcing = "Object.defineProperty(exports, 'a', { enumerable: true, get: function () { return b; } });\n0 && (module.exports = { a, b });";
        assert_eq!(
            minified(announcing, Format::CommonJs),
            "Object.defineProperty(exports,\"a\",{enumerable:true,get:function(){return b;}});0&&(module.exports={a,b});"
        );
        let common_js = "const path = require('path');\nfunction unused() {}\nmodule.exports = function named(value) { return path.join(value); };";
        assert_eq!(
            minified(common_js, Format::CommonJs),
            "const path=require(\"path\");function unused(){}module.exports=function named(n){return path.join(n);};"
        );
    }
}
