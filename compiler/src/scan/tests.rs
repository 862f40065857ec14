use super::*;

/// Around a module there is the package `dep`.
pub struct Around;

impl Surroundings for Around {
    fn resolve(&self, specifier: &str, _: ReferenceKind) -> Option<PathBuf> {
        specifier.strip_prefix("dep/").map(|rest| Path::new("/p/node_modules/dep").join(rest))
    }

    fn declares(&self, package: &str) -> bool {
        package == "dep"
    }

    fn declared_with(&self, prefix: &str) -> Vec<String> {
        ["dep"].iter().filter(|name| name.starts_with(prefix)).map(|name| name.to_string()).collect()
    }

    fn package_folder(&self, package: &str) -> Option<PathBuf> {
        self.declares(package).then(|| Path::new("/p/node_modules").join(package))
    }
}

fn scanned(source: &str) -> (Format, Scan) {
    let (format, scan) = scan(source, Path::new("/p/lib/a.js"), Declared::Neither, &Around);
    (format, scan.unwrap_or_else(|error| panic!("{}: {source}", error.message)))
}

fn references(source: &str) -> Vec<(String, ReferenceKind, bool)> {
    let references = scanned(source).1.references;
    for reference in &references {
        assert!(source.get(reference.span.clone()).is_some_and(|text| !text.is_empty()));
    }
    references.into_iter().map(|found| (found.specifier, found.kind, found.guarded)).collect()
}

/// Paths as text, with `*` for what is not known.
fn paths(source: &str) -> Vec<String> {
    let shown = |pattern: Pattern| match pattern.tail {
        Some(tail) => format!("{}*{tail}", pattern.prefix),
        None => pattern.prefix,
    };
    scanned(source).1.paths.into_iter().map(|used| shown(used.pattern)).collect()
}

#[test]
fn finds_references() {
    use ReferenceKind::*;
    let is = |specifier: &str, kind| vec![(specifier.to_string(), kind, false)];
    for (source, specifier, kind) in [
        ("import 'a'", "a", Import),
        ("import b, { c as d } from 'a'", "a", Import),
        ("import j from './a.json' with { type: 'json' }", "./a.json", Import),
        ("export * from 'a'", "a", Import),
        ("export * as n from 'a'", "a", Import),
        ("export { b } from 'a'", "a", Import),
        ("import('a')", "a", DynamicImport),
        ("import(`a`)", "a", DynamicImport),
        ("import('a', { with: { type: 'json' } })", "a", DynamicImport),
        ("import.meta.resolve('a')", "a", ImportResolve),
        ("const f = new Function('s', 'return import(s)'); f('a')", "a", DynamicImport),
        ("const f = s => import(s); f('a')", "a", DynamicImport),
        ("require('a')", "a", Require),
        ("require(`a`)", "a", Require),
        ("require('a' + '/b')", "a/b", Require),
        ("const name = 'a'; require(name)", "a", Require),
        ("module.require('a')", "a", Require),
        ("require.resolve('a')", "a", RequireResolve),
        ("function f() { if (x) return () => require('a').b }", "a", Require),
        (
            "import { createRequire } from 'm'; import { createRequire as c } from 'node:module'; c(import.meta.url)('a')",
            "a",
            Require,
        ),
        ("const r = require('module').createRequire(__filename); r('a')", "a", Require),
    ] {
        let mut found = references(source);
        found.retain(|(specifier, ..)| !["m", "module", "node:module"].contains(&specifier.as_str()));
        assert_eq!(found, is(specifier, kind), "{source}");
    }
}

#[test]
fn another_require_does_not_count() {
    for source in [
        "(function (require) { require('a') })",
        "function f() { var require = g; require('a') }",
        "var require = g; require('a')",
        "function require() {} require('a')",
        "require(a)",
        "require()",
        "export {}; typeof require && require('a')",
        "x.require('a')",
    ] {
        assert_eq!(references(source), [], "{source}");
    }
}

#[test]
fn knows_what_the_program_is_prepared_for() {
    for (source, guarded) in [
        ("try { require('a') } catch {}", true),
        ("try { require('a') } finally {}", false),
        ("try {} catch { require('a') }", false),
        ("import('a').catch(f)", true),
        ("import('a').then(f).catch(g)", true),
        ("import('a').then(f, g)", true),
        ("import('a').then(f)", false),
        ("x.catch(() => require('a'))", false),
    ] {
        assert_eq!(references(source)[0].2, guarded, "{source}");
    }
}

#[test]
fn tells_formats_apart() {
    for source in [
        "",
        "x",
        "return 1",
        "await(x)",
        "with (a) b",
        "var a = 010",
        "<!-- c\n",
        "new.target",
        "var require, await",
        "import('a')",
        "#!/usr/bin/env node\nx",
        "if (a) function f() {}",
        "delete x",
        "arguments.length",
        "let async; async\n()",
    ] {
        assert_eq!(scanned(source).0, Format::CommonJs, "{source}");
    }
    for source in [
        "import 'a'",
        "export {}",
        "import.meta.url",
        "await x",
        "const require = 1",
        "let { module } = x",
        "class exports {}",
        "for await (const x of y) ;",
        "#!/usr/bin/env node\nexport default 1",
        "using a = b; await 0",
    ] {
        assert_eq!(scanned(source).0, Format::Module, "{source}");
    }
}

#[test]
fn newest_syntax() {
    for source in [
        "/(?<a>x)|(?<a>y)/v",
        "class A { static #x = 1; static { } accessor = 1; #y() { return #y in this } }",
        "a ??= b?.c ?? 1_000n",
        "import defer * as x from 'a'",
        "import source x from 'a'",
        "export { x as 'a b' }; const x = 1",
        "using a = b",
        "await using a = b",
        "import x, * as y from 'z' with {}",
    ] {
        scanned(source);
    }
}

#[test]
fn a_syntax_error_says_where() {
    for (source, declared, format, at) in [
        ("let a = ;", Declared::Neither, Format::CommonJs, 8),
        ("import 'a'; let b = ;", Declared::Neither, Format::Module, 20),
        ("let c = ;", Declared::Module, Format::Module, 8),
        ("import 'a'", Declared::CommonJs, Format::CommonJs, 0),
    ] {
        let (found, result) = scan(source, Path::new("/a.js"), declared, &Around);
        let error = result.unwrap_err();
        assert_eq!((found, error.span.start), (format, at), "{source}: {}", error.message);
        assert!(error.message.starts_with("syntax error: "), "{}", error.message);
    }
}

#[test]
fn finds_paths() {
    let path = "const path = require('path');";
    for (source, expected) in [
        ("path.join(__dirname, '../cows')", "/p/cows"),
        ("path.join(__dirname, 'a', '..', './b.txt')", "/p/lib/b.txt"),
        ("path.resolve(__dirname, '..', 'x')", "/p/x"),
        ("path.resolve(__dirname, '..', '/etc')", "/p/lib"),
        ("__dirname + '/x'", "/p/lib/x"),
        ("`${__dirname}/x/${y}.txt`", "/p/lib/x/*.txt"),
        ("path.join(__dirname, 'x', y)", "/p/lib/x/*"),
        ("path.join(__dirname, 'x', y, '..', 'z')", "/p/lib/x/*"),
        ("path.join(__dirname, 'x', y + '.cow')", "/p/lib/x/*.cow"),
        ("path.join(y, __dirname)", "/p/lib"),
        ("const root = path.join(__dirname, '..'); path.join(root, 'cows')", "/p/cows"),
        ("let root = __dirname; root = 1; path.join(root, 'cows')", "/p/lib/cows"),
        ("const a = x ? __dirname : y; path.join(a, 'z')", "/p/lib/z"),
        ("const a = path.join(__dirname, x ? 'b' : 'c')", ""),
        ("f(x ? __dirname + '/a/b.txt' : __dirname + '/ab/c.txt')", "/p/lib/a*.txt"),
        ("const a = opts.dir || __dirname + '/views'; use(a)", "/p/lib/views"),
        ("let a; if (x) a = __dirname + '/views'; use({ a })", "/p/lib/views"),
        ("__filename === x; typeof __dirname; __dirname.includes('y')", ""),
        ("path.join(path.dirname(require.resolve('dep/main.js')), 'x')", "/p/node_modules/dep/x"),
        ("f(`file://${__dirname}/x`)", "/p/lib/x"),
        ("eval('require')(__dirname + '/x')", "/p/lib/x"),
        ("path.dirname(__filename)", "/p/lib"),
        ("path.join(path.dirname(module.filename), 'x')", "/p/lib/x"),
        ("(0, path.join)(__dirname, 'x')", "/p/lib/x"),
        ("const { join: j } = require('node:path'); j(__dirname, 'x')", "/p/lib/x"),
        ("const p = __importDefault(require('path')); p.default.join(__dirname, 'x')", "/p/lib/x"),
        ("path.posix.join(__dirname, 'x')", "/p/lib/x"),
        ("path.join(process.cwd(), 'x')", ""),
        ("path.join('x', 'y')", ""),
        ("function f(__dirname) { return path.join(__dirname, 'x') }", ""),
        ("require('./locale/' + name)", "/p/lib/locale/*"),
        ("require(`../${name}.js`)", "/p/*.js"),
        ("require(path.join(__dirname, 'x'))", "/p/lib/x"),
        ("require(name + '/x')", ""),
        ("path.relative(x, require.resolve('./y', { paths: [path.join(__dirname, 'z')] }))", ""),
        ("path.relative(x, require.resolve(y, { paths: [path.join(__dirname, 'z')] }))", "/p/lib/z"),
    ] {
        assert_eq!(paths(&format!("{path}{source}")).join(" "), expected, "{source}");
    }
    let url = "import { fileURLToPath } from 'node:url'; import * as path from 'path';";
    for (source, expected) in [
        ("new URL('./x%20y.txt?q', import.meta.url)", "/p/lib/x y.txt"),
        ("new URL('../x', import.meta.url).pathname", "/p/x"),
        ("new URL(`./x/${y}`, import.meta.url)", "/p/lib/x/*"),
        ("new URL('https://a.b', import.meta.url)", "/p/lib/a.js"),
        ("fileURLToPath(new URL('.', import.meta.url))", "/p/lib"),
        ("path.join(import.meta.dirname, 'x')", "/p/lib/x"),
        ("const d = path.dirname(fileURLToPath(import.meta.url)); path.join(d, 'x')", "/p/lib/x"),
        ("export const d = path.join(import.meta.dirname, 'x')", "/p/lib/x"),
        ("const d = path.join(import.meta.dirname, 'x'); export { d }", "/p/lib/x"),
        ("path.dirname(fileURLToPath(import.meta.resolve('dep/a.js'))) + '/x'", "/p/node_modules/dep/x"),
    ] {
        assert_eq!(paths(&format!("{url}{source}")).join(" "), expected, "{source}");
    }
}

#[test]
fn knows_what_paths_are_for() {
    for (source, purpose) in [
        ("fs.readdirSync(__dirname)", Purpose::List),
        ("f(__dirname)", Purpose::Unknown),
        ("require('./a/' + b)", Purpose::Require),
        ("import('./a/' + b)", Purpose::Import),
        ("require.resolve(__dirname + '/x')", Purpose::Require),
    ] {
        assert_eq!(scanned(source).1.paths[0].purpose, purpose, "{source}");
    }
}

#[test]
fn knows_when_a_place_goes_out_of_sight() {
    let path = "const path = require('path'); const fs = require('fs');";
    for (source, escapes) in [
        ("f(__dirname)", true),
        ("exports.root = path.join(__dirname, '..')", true),
        ("module.exports = { __dirname }", true),
        ("function f() { return __filename }", true),
        ("f(path.join(__dirname, name))", true),
        ("fs.readFileSync(path.join(__dirname, name))", true),
        ("const root = path.dirname(__dirname); f(root)", true),
        ("const root = __dirname; fs.existsSync(root)", false),
        ("fs.readFileSync(path.join(__dirname, 'a', name))", false),
        ("if (require.main === module || process.argv[1] === __filename) main()", false),
        ("f(path.basename(__filename), path.relative(x, __dirname))", false),
        ("f(path.join(__dirname, 'views'))", false),
        ("require('module').createRequire(__filename)('./x')", false),
        ("require(path.join(__dirname, name))", false),
    ] {
        assert_eq!(scanned(&format!("{path}{source}")).1.escape.is_some(), escapes, "{source}");
    }
}

#[test]
fn follows_what_functions_are_given() {
    for (source, specifiers, unsure) in [
        ("function load(name) { return require(name) } load('a'); load('b')", "a b", false),
        ("const load = async (name) => { return await import(name) }; load('a')", "a", false),
        ("const outer = (name) => load(name); function load(name) { return require(name) } outer('a')", "a", false),
        ("function load(name) { return require(name) } load('a'); exports.load = load", "a", true),
        ("export function load(name) { return import(name) } load('a')", "a", true),
        ("function load(name) { return require(name) } load('a'); load(b)", "a", true),
        ("require(a)", "", true),
    ] {
        let scan = scanned(source).1;
        let found: Vec<_> = scan.references.iter().map(|reference| reference.specifier.as_str()).collect();
        assert_eq!((found.join(" ").as_str(), !scan.unsure.is_empty()), (specifiers, unsure), "{source}");
    }
}

#[test]
fn long_and_deep_sources() {
    let run = |source: String| {
        let thread = std::thread::Builder::new().stack_size(256 << 20);
        thread.spawn(move || scanned(&source).1.references.len()).unwrap().join().unwrap()
    };
    let words = vec!["'word'"; 5000].join("+");
    assert_eq!(run(format!("x = {words} + require('a')")), 1);
    assert_eq!(run(format!("{}require('a'){}", "[".repeat(3000), "]".repeat(3000))), 1);
    assert_eq!(run(format!("x{}; require('a')", ".y()".repeat(20_000))), 1);
}

#[test]
fn sloppy_mode() {
    for source in [
        "if (a) function f() {} else function g() {}",
        "f()++",
        "for (f() of []) ;",
        "foo: function bar() {}",
        "let = 1",
        "var yield = 1, static, implements, let, await",
        "arguments = 1; eval = 1; undefined = 1",
        "function f(a, a) {}",
        "for (var i = 0 in {}) ;",
        "x = '\\01'",
        "0, 08.5, 010",
        "x = [/\\c/, /a{/, /]/, /\\8/]",
        "try {} catch (e) { var e }",
        "let\nfoo",
        "async = 1; for (async of => 1;;) break",
        "{ function a() {} function a() {} }",
        "for (let in {}) ;",
        "for (let of = 0; ;) break",
        "var \\u0061bc",
        "tag`\\unicode`",
        "await: 1; yield: 2",
        "x\n--> y",
    ] {
        let (_, result) = scan(source, Path::new("/a.js"), Declared::CommonJs, &Around);
        result.unwrap_or_else(|error| panic!("{}: {source}", error.message));
    }
}
