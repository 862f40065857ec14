//! Writing a program as text, with a source map.

use swc_common::comments::{Comments, SingleThreadedComments};
use swc_common::source_map::SourceMapGenConfig;
use swc_common::sync::Lrc;
use swc_common::{FileName, SourceMap};
use swc_ecma_ast::Program;
use swc_ecma_codegen::text_writer::JsWriter;
use swc_ecma_codegen::{Config, Emitter};

/// Writes `program`: with its comments for people to read, or without them as small as it gets. `before` says where
/// the text comes from that was parsed.
pub fn emit(
    files: &Lrc<SourceMap>,
    program: &Program,
    comments: Option<&SingleThreadedComments>,
    before: Option<&swc_sourcemap::SourceMap>,
) -> std::io::Result<(String, swc_sourcemap::SourceMap)> {
    let mut code = Vec::new();
    let mut mappings = Vec::new();
    let mut emitter = Emitter {
        cfg: Config::default().with_minify(comments.is_none()),
        cm: files.clone(),
        comments: comments.map(|comments| comments as &dyn Comments),
        wr: JsWriter::new(files.clone(), "\n", &mut code, Some(&mut mappings)),
    };
    emitter.emit_program(program)?;
    let map = files.build_source_map(&mappings, before.cloned(), WithSources);
    let code = String::from_utf8(code).map_err(std::io::Error::other)?;
    Ok((code, map))
}

/// A map that holds its sources, which are in the executable nowhere else.
struct WithSources;

impl SourceMapGenConfig for WithSources {
    fn file_name_to_source(&self, file: &FileName) -> String {
        file.to_string()
    }

    fn inline_sources_content(&self, _: &FileName) -> bool {
        true
    }
}
