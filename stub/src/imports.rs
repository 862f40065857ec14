//! What Node's loader of ES modules asks about embedded modules, answered when the snapshot is taken.
//!
//! To find where an import leads, the loader looks at folders, links and package.json files: a third of the time that a
//! program of ES modules takes to start. Under the virtual root the answer never changes, so imports.js has the loader's own
//! resolver give it beforehand. The export names of CommonJS modules, which a lexer finds in their texts, are kept in
//! the same way.

use kiln_payload::ArchivedFormat;
use v8::{Array, FunctionCallbackArguments, Local, Map, PinScope, ReturnValue, Value};

use crate::bindings::{cjs_lexer, contextify};
use crate::realm::{Program, Realm};
use crate::source::{self, Source};
use crate::{js, preeval, trap, vfs};

const PREPARE: &str = include_str!("imports.js");

/// The slot of a map from the ids of CommonJS modules to what the lexer says of them.
const LEXED: &str = "imports.lexed";

/// Prepares for imports of the modules whose ids are `wanted`.
pub fn prepare(scope: &mut PinScope, program: &'static Program, wanted: impl Fn(u32) -> bool) -> Result<(), String> {
    let index = program.image.index().map_err(|damage| damage.to_string())?;
    let importing: Vec<_> =
        (0..).zip(index.modules.iter()).filter(|(id, module)| !module.imports.is_empty() && wanted(*id)).collect();
    if importing.is_empty() {
        return Ok(());
    }
    let mut modules: Vec<Local<Value>> = Vec::new();
    let mut common: Vec<u32> = Vec::new();
    for (_, module) in &importing {
        let url = js::string(scope, &contextify::file_url(&module.path)).into();
        let specifiers = js::strings(scope, module.imports.keys().map(|specifier| specifier.as_str())).into();
        modules.push(Array::new_with_elements(scope, &[url, specifiers]).into());
        common.extend(module.imports.values().filter_map(|target| vfs::module(target.as_str())));
    }
    let modules = Array::new_with_elements(scope, &modules);
    let root = js::string(scope, &contextify::file_url(kiln_payload::VIRTUAL_ROOT));
    let text_of = v8::Function::new(scope, text_of).ok_or("no function")?;
    let more = [("modules", modules.into()), ("root", root.into()), ("textOf", text_of.into())];
    trap::arm(true);
    let prepared = preeval::call(scope, PREPARE, &more, v8::script_compiler::CompileOptions::EagerCompile);
    trap::arm(false);
    prepared?;
    lex(scope, program, common);
    Ok(())
}

/// Finds the export names of modules, given by their ids, and of those whose exports they pass on.
fn lex(scope: &mut PinScope, program: &'static Program, mut ids: Vec<u32>) {
    let Ok(index) = program.image.index() else { return };
    let map = Realm::current().map(scope, LEXED);
    while let Some(id) = ids.pop() {
        let (Some(module), Some(source)) = (index.modules.get(id as usize), program.sources.get(id as usize)) else {
            continue;
        };
        let key = js::number(scope, f64::from(id));
        if !matches!(module.format, ArchivedFormat::CommonJs) || map.has(scope, key) == Some(true) {
            continue;
        }
        let text = source.string(scope).to_rust_string_lossy(scope);
        let (names, passed_on) = cjs_lexer::lex(text);
        let targets = passed_on.iter().filter_map(|specifier| module.requires.get(specifier.as_str()));
        ids.extend(targets.filter_map(|target| vfs::module(target.as_str())));
        let lists = [js::strings(scope, names).into(), js::strings(scope, passed_on).into()];
        let lists = Array::new_with_elements(scope, &lists);
        map.set(scope, key, lists.into());
    }
}

/// What the lexer has said of `text`, if that is an embedded module's: export names, and whose exports are passed on.
pub fn lexed<'s>(scope: &mut PinScope<'s, '_>, text: Local<'s, v8::String>) -> Option<[Local<'s, Array>; 2]> {
    let realm = Realm::current();
    let (resource, _) = text.get_external_string_resource_base();
    let id = source::position(&realm.program.sources, resource?.as_ptr().cast())?;
    let map: Local<Map> = realm.slot(scope, LEXED)?.try_into().ok()?;
    let key = js::number(scope, id as f64);
    let lists: Local<Array> = map.get(scope, key)?.try_into().ok()?;
    let list = |index| Local::<Array>::try_from(lists.get_index(scope, index)?).ok();
    Some([list(0)?, list(1)?])
}

/// `textOf(url)` of imports.js.
fn text_of<'s>(scope: &mut PinScope<'s, '_>, args: FunctionCallbackArguments<'s>, mut rv: ReturnValue<'s, Value>) {
    // A worker may have hooks that look at what is loaded.
    if Realm::current().thread.worker.is_some() {
        return;
    }
    let url = args.get(0).to_rust_string_lossy(scope);
    // What is escaped, or has a query, is left to Node.
    let path = url.strip_prefix("file://").filter(|path| !path.contains(['%', '?', '#']));
    let Some(module) = path.and_then(vfs::module) else { return };
    // A decoder drops a byte order mark.
    if Realm::current().program.sources.get(module as usize).is_some_and(Source::begins_with_mark) {
        return;
    }
    if let Some(text) = path.and_then(|path| vfs::text(scope, path)) {
        rv.set(text.into());
    }
}

/// The callbacks of this file, for the table of external references.
pub fn references() -> Vec<v8::ExternalReference> {
    use v8::MapFnTo as _;
    vec![v8::ExternalReference { function: text_of.map_fn_to() }]
}
