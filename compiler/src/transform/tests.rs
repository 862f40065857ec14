use super::*;

fn input<'a>(source: &'a str, name: &'a str, options: &'a Options) -> Input<'a> {
    let path = Path::new(name);
    let declared = match path.extension().and_then(|extension| extension.to_str()) {
        Some("mts") => Declared::Module,
        Some("cts") => Declared::CommonJs,
        _ => Declared::Neither,
    };
    let language = Language::of(path).unwrap();
    Input { source, path, language, declared, options, rewrite: &rewritten, provides: &provided }
}

/// As if there were a file `x.ts`, and an alias for it.
fn rewritten(specifier: &str, _: EdgeKind) -> Option<String> {
    ["./x", "./x.js", "@/x"].contains(&specifier).then(|| "./x.ts".into())
}

/// As if types had names that begin with `T`.
fn provided(_: &str, name: &str) -> bool {
    !name.starts_with('T')
}

fn run(source: &str, name: &str, options: &Options) -> Output {
    transform(&input(source, name, options)).unwrap_or_else(|error| panic!("{}: {source}", error.message))
}

#[test]
fn types_become_blanks() {
    for (source, expected) in [
        ("let x: number = 1;", "let x         = 1;"),
        (
            "import {A, b, C} from './x'; export const x: A = b;",
            "import {   b,  } from './x.ts'; export const x    = b;",
        ),
        ("foo()\nimport {A} from './x'\n[1].map(a)", "foo()\n;                    \n[1].map(a)"),
        ("import A, { b } from 'm'; b();", "import    { b } from 'm'; b();"),
        ("export { A, b }; type A = 1; const b = 2;", "export {    b };             const b = 2;"),
        ("export { a, T } from 'm';", "export { a,   } from 'm';"),
        ("import { T, b } from 'm'; export { T, b };", "import {    b } from 'm'; export {    b };"),
        ("import './a'; import('./x')", "import './a'; import('./x.ts')"),
        ("const { é } = a as Ü, b = c;", "const { é } = a     , b = c;"),
    ] {
        let output = run(source, "a.ts", &Options::default());
        assert_eq!((output.code.as_str(), output.map.is_none()), (expected, true));
    }
    let verbatim = Options { verbatim_imports: true, ..Options::default() };
    assert_eq!(run("import { A, type B } from 'm';", "a.ts", &verbatim).code, "import { A,        } from 'm';");
}

#[test]
fn formats() {
    use Format::{CommonJs as C, Module as M};
    let common_js = Options { is_common_js: true, ..Options::default() };
    for (source, name, by_default, by_option) in [
        ("let x: number;", "a.ts", C, C),
        ("export const x = 1;", "a.ts", M, C),
        ("import { A } from 'm'; let x: A;", "a.ts", C, C),
        ("import a from 'm'; a(__dirname);", "a.ts", C, C),
        ("import a from 'm'; a(await b);", "a.ts", M, M),
        ("import a from 'm'; const f = async () => { await a }", "a.ts", M, C),
        ("export = 1", "a.ts", C, C),
        ("import a = require('m'); a(); export default a;", "a.ts", C, C),
        ("let x;", "a.mts", M, M),
        ("export default 1", "a.cts", C, C),
        ("export default <a />", "a.tsx", M, C),
        ("export default <a />", "a.jsx", M, C),
    ] {
        assert_eq!(run(source, name, &Options::default()).format, by_default, "{source}");
        assert_eq!(run(source, name, &common_js).format, by_option, "{source}");
    }
}

#[test]
fn json_is_said_to_be_json() {
    let source = "import a from './a.json'; export { a }; import('./b.json');";
    let code = run(source, "a.mts", &Options::default()).code;
    assert!(code.contains("from './a.json' with { type: \"json\" };"), "{code}");
    assert!(code.contains("import('./b.json', { with: { type: \"json\" } })"), "{code}");
}

#[test]
fn fields_are_assigned() {
    let options = Options { assign_fields: true, ..Options::default() };
    let source =
        "class A extends B { a = 1; b: T; static c = 2; #d = this.a; constructor(public e) { super(); f(); } }";
    let code = run(source, "a.ts", &options).code.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(
        code,
        "class A extends B { static{ this.c = 2; } #d; constructor(e){ super(), this.e = e, this.a = 1, \
         this.#d = this.a; f(); } }"
    );
}

#[test]
fn maps_lead_back() {
    let source = "enum E { A }\nfunction f(a: string) {\n  fail(a);\n}";
    let output = run(source, "a.ts", &Options::default());
    let at = output.code.find("fail").unwrap();
    let range = origin(&output.code, source, output.map.as_ref(), at..at + 4);
    assert_eq!(&source[range], "fail");
}

#[test]
fn errors_have_a_place() {
    let error = transform(&input("let x: = 1;", "a.ts", &Options::default())).err().unwrap();
    assert_eq!(error.span.start, 7);
}
