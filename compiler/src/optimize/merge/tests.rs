//! What becomes of small projects.

use std::collections::BTreeMap;

use super::merge;
use crate::graph::choices::Choices;
use crate::graph::testing::project;
use crate::graph::{build, entry};
use crate::progress::Progress;

/// The text of each module that is left, by its path in the project.
fn merged(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    let project = project(files);
    let root = project.path().canonicalize().unwrap();
    let entry = entry::find(&root.join(files[0].0)).unwrap();
    let mut graph = build(&entry, &Choices::default(), &Progress::default()).unwrap();
    merge(&mut graph, root.clone());
    let relative = |path: &std::path::Path| path.strip_prefix(&root).unwrap().to_str().unwrap().to_string();
    graph.modules.iter().map(|(path, module)| (relative(path), module.source.to_string())).collect()
}

fn paths(files: &[(&str, &str)]) -> Vec<String> {
    merged(files).into_keys().collect()
}

#[test]
fn one_module_without_what_is_unused() {
    let left = merged(&[
        ("main.mjs", "import { used } from './lib.mjs';\nconsole.log(used());\n"),
        (
            "lib.mjs",
            "import './effect.mjs';\nexport const used = () => helper();\nfunction helper() {}\nexport class Unused { #x = 1; static y = 2; }\nexport default [1, { a: helper }];\nexport const called = helper();\n",
        ),
        ("effect.mjs", "let unused = 1;\nglobalThis.x = 1;"),
    ]);
    let text = "globalThis.x = 1;\nconst used = () => helper();\nfunction helper() {};\nconst called = helper();\nconsole.log(used());\nexport {  };\n";
    assert_eq!(left, BTreeMap::from([("main.mjs".into(), text.into())]));
}

#[test]
fn what_happens_between_parts_them() {
    let between = |first: &'static str| {
        merged(&[
            ("main.mjs", "import './a.mjs'; import './b.cjs'; import './c.mjs';"),
            ("a.mjs", first),
            ("b.cjs", ""),
            ("c.mjs", "globalThis.c = 1;"),
        ])
    };
    let left = between("globalThis.a = 1;");
    assert_eq!(left["main.mjs"], "import \"./a.mjs\";\nimport \"./b.cjs\";\nglobalThis.c = 1;\nexport {  };\n");
    assert_eq!(left.keys().collect::<Vec<_>>(), ["a.mjs", "b.cjs", "main.mjs"]);
    let left = between("export const a = 1;");
    assert_eq!(left.keys().collect::<Vec<_>>(), ["b.cjs", "main.mjs"]);
}

#[test]
fn what_is_loaded_later_stays_apart() {
    let files = [
        ("main.mjs", "import { a } from './a.mjs'; import('./later.mjs'); console.log(a);"),
        ("a.mjs", "export const a = 1, more = 2;"),
        ("later.mjs", "import { more } from './a.mjs'; import { own } from './own.mjs'; export default [more, own];"),
        ("own.mjs", "export const own = Math.random();"),
    ];
    let left = merged(&files);
    assert_eq!(left.keys().collect::<Vec<_>>(), ["later.mjs", "main.mjs"]);
    assert!(left["later.mjs"].starts_with("import { more } from \"./main.mjs\";\nconst own ="));
    assert!(left["main.mjs"].ends_with("export { more as more };\n"));
}

#[test]
fn stand_ins() {
    let left = merged(&[
        ("main.mjs", "import * as a from './a.mjs'; import { b } from './b.mjs'; console.log(a, b);"),
        ("a.mjs", "export let a = 1; export { a as 'x y', b as default } from './b.mjs';"),
        ("b.mjs", "export const b = 2, a = 3;"),
    ]);
    assert_eq!(left.keys().collect::<Vec<_>>(), ["a.mjs", "main.mjs"]);
    let stand_in = "import \"./main.mjs\";\nexport { a as a } from \"./main.mjs\";\nexport { b as default } from \"./main.mjs\";\nexport { a$1 as \"x y\" } from \"./main.mjs\";\n";
    assert_eq!(left["a.mjs"], stand_in);
}

#[test]
fn a_place_of_its_own() {
    let left = merged(&[
        ("main.cjs", "import('./root.mjs'); import('./part.mjs');"),
        ("root.mjs", "import { part } from './part.mjs'; import { b } from './b.mjs'; console.log(part, b);"),
        ("part.mjs", "export const part = Date.now(); export * from './b.mjs'; import './c.mjs';"),
        ("b.mjs", "export const b = Date.now();"),
        ("c.mjs", "Date.now();"),
    ]);
    let expected = ["b.mjs", "main.cjs", "part.mjs", "part.merged.mjs", "root.mjs"];
    let mut expected = expected.map(String::from);
    expected.sort();
    assert_eq!(left.into_keys().collect::<Vec<_>>(), expected);
}

#[test]
fn what_is_not_merged() {
    let all = ["a.mjs", "main.mjs"];
    let with = |main: &'static str, a: &'static str| paths(&[("main.mjs", main), ("a.mjs", a)]);
    assert_eq!(with("import './a.mjs'; x;", "y;"), ["main.mjs"]);
    for main in [
        "import './a.mjs?x'; x;",
        "import './a.mjs'; await x;",
        "import './a.mjs'; for await (const x of y);",
        "import './a.mjs'; import 'data:text/javascript,1';",
        "import * as a from './a.mjs'; eval('a');",
        "import './a.mjs'; import { registerHooks } from 'node:module'; registerHooks({});",
        "import './a.mjs'; import fs from 'node:fs'; fs.readFileSync(new URL('./a.mjs', import.meta.url));",
    ] {
        assert_eq!(with(main, "y;"), all, "{main}");
    }
    for a in [
        "import.meta.resolve('x')",
        "import(x)",
        "await x",
        "export const x = 1; import { x as y } from './a.mjs'; y = 2;",
    ] {
        assert_eq!(with("import './a.mjs'; x;", a), all, "{a}");
    }
    // What has no `type` is found to be a module when it is loaded, and Node says so.
    assert_eq!(paths(&[("main.js", "import './a.js'; x;"), ("a.js", "export {}; y;")]), ["a.js", "main.js"]);
}
