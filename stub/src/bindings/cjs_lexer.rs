//! `internalBinding('cjs_lexer')`: the export names of CommonJS modules, by the lexer that Node uses too.

use v8::{Array, FunctionCallbackArguments, Local, PinScope, ReturnValue, Set, Value};

use crate::{imports, js};

crate::room! {
    name: "cjs_lexer",
    functions: {
        pure "parse" => parse,
    },
}

/// `parse(source)`: `[a set of export names, an array of the modules whose exports are passed on]`. A source
/// that is no CommonJS module has none.
fn parse<'s>(scope: &mut PinScope<'s, '_>, args: FunctionCallbackArguments<'s>, mut rv: ReturnValue<'s, Value>) {
    let names = Set::new(scope);
    let mut passed_on = Array::new(scope, 0);
    if let Ok(text) = Local::<v8::String>::try_from(args.get(0)) {
        let [exported, targets] = imports::lexed(scope, text).unwrap_or_else(|| {
            let (names, passed_on) = lex(text.to_rust_string_lossy(scope));
            [js::strings(scope, names), js::strings(scope, passed_on)]
        });
        for index in 0..exported.length() {
            if let Some(name) = exported.get_index(scope, index) {
                names.add(scope, name);
            }
        }
        passed_on = targets;
    }
    rv.set(Array::new_with_elements(scope, &[names.into(), passed_on.into()]).into());
}

/// The export names of a CommonJS module, and the modules whose exports it passes on.
pub fn lex(mut text: String) -> (Vec<String>, Vec<String>) {
    // The lexer looks at the byte behind its input, and what it sees there can make it fail.
    let length = text.len();
    text.push('\0');
    let Ok(analysis) = merve::parse_commonjs(&text[..length]) else { return Default::default() };
    let exports = analysis.exports().map(|export| export.name.to_owned()).collect();
    (exports, analysis.reexports().map(|export| export.name.to_owned()).collect())
}
