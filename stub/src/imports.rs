//! What Node's loaders ask about embedded modules, answered when the snapshot is taken.
//!
//! To find where an import or a `require` leads, they look at folders, links and package.json files: a third of the time
//! that a large program takes to start. Under the virtual root the answer never changes, so imports.js and requires.js have
//! the loaders' own resolvers give it beforehand. The export names of CommonJS modules, which a lexer finds in their texts, are kept in
//! the same way.

use kiln_payload::ArchivedFormat;
use v8::{Array, FunctionCallbackArguments, Local, Map, PinScope, ReturnValue, Value};

use crate::bindings::{cjs_lexer, contextify};
use crate::realm::{Program, Realm};
use crate::source::{self, Source};
use crate::{js, preeval, trap, vfs};

const IMPORTS: &str = include_str!("imports.js");
const REQUIRES: &str = include_str!("requires.js");

/// The slot of a map from the ids of CommonJS modules to what the lexer says of them.
const LEXED: &str = "imports.lexed";

/// Prepares for what the modules whose ids are `wanted` import and require.
pub fn prepare(scope: &mut PinScope, program: &'static Program, wanted: impl Fn(u32) -> bool) -> Result<(), String> {
    let index = program.image.index().map_err(|damage| damage.to_string())?;
    let mut importing: Vec<Local<Value>> = Vec::new();
    let mut requiring: Vec<Local<Value>> = Vec::new();
    let mut common: Vec<u32> = Vec::new();
    for (_, module) in (0..).zip(index.modules.iter()).filter(|(id, _)| wanted(*id)) {
        if !module.imports.is_empty() {
            importing.push(asking(scope, &contextify::file_url(&module.path), module.imports.keys()));
            common.extend(module.imports.values().filter_map(|target| vfs::module(target.as_str())));
        }
        if !module.requires.is_empty() {
            requiring.push(asking(scope, &module.path, module.requires.keys()));
        }
    }
    if !requiring.is_empty() {
        let modules = Array::new_with_elements(scope, &requiring);
        run(scope, REQUIRES, &[("modules", modules.into())])?;
    }
    if importing.is_empty() {
        return Ok(());
    }
    let modules = Array::new_with_elements(scope, &importing);
    let root = js::string(scope, &contextify::file_url(kiln_payload::VIRTUAL_ROOT));
    let text_of = v8::Function::new(scope, text_of).ok_or("no function")?;
    let more = [("modules", modules.into()), ("root", root.into()), ("textOf", text_of.into())];
    run(scope, IMPORTS, &more)?;
    lex(scope, program, common);
    Ok(())
}

/// Who asks, and for what.
fn asking<'s>(
    scope: &mut PinScope<'s, '_>,
    who: &str,
    what: impl Iterator<Item = impl AsRef<str>>,
) -> Local<'s, Value> {
    let pair = [js::string(scope, who).into(), js::strings(scope, what).into()];
    Array::new_with_elements(scope, &pair).into()
}

fn run<'s>(scope: &mut PinScope<'s, '_>, script: &str, more: &[(&str, Local<'s, Value>)]) -> Result<(), String> {
    trap::arm(true);
    let result = preeval::call(scope, script, more, v8::script_compiler::CompileOptions::EagerCompile);
    trap::arm(false);
    result.map(drop)
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
