//! `internalBinding('cjs_lexer')`: the export names of CommonJS modules, by the lexer that Node uses too.

use v8::{Array, FunctionCallbackArguments, Local, PinScope, ReturnValue, Set, Value};

use crate::js;

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
    let mut passed_on: Vec<Local<Value>> = Vec::new();
    if args.get(0).is_string() {
        let mut source = args.get(0).to_rust_string_lossy(scope);
        // The lexer looks at the byte behind its input, and what it sees there can make it fail.
        let length = source.len();
        source.push('\0');
        if let Ok(analysis) = merve::parse_commonjs(&source[..length]) {
            for export in analysis.exports() {
                let name = js::name(scope, export.name);
                names.add(scope, name.into());
            }
            passed_on
                .extend(analysis.reexports().map(|export| -> Local<Value> { js::name(scope, export.name).into() }));
        }
    }
    let passed_on = Array::new_with_elements(scope, &passed_on);
    rv.set(Array::new_with_elements(scope, &[names.into(), passed_on.into()]).into());
}
