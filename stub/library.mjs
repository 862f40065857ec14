// Run by the pinned `node` while the stub is built: writes its built-in sources and the facts that
// its native half hands to them into the folder given.

import os from 'node:os';
import fs from 'node:fs';
import path from 'node:path';
import util from 'node:util';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { internalBinding } = require('internal/test/binding');
const out = process.argv[2];

const { natives, builtinIds, config, builtinCategories } = internalBinding('builtins');
const sources = { ...process.binding('natives'), ...natives };

// Where the library asks what the whole runtime can do but Kiln has only a part: `node:inspector` loads although there
// is no debugger's port, since programs import it for what they seldom use. Lines stay where they are.
const patches = {
  inspector: [['if (!hasInspector)\n  throw new ERR_INSPECTOR_NOT_AVAILABLE();\n', '\n\n']],
  v8: [["if (internalBinding('config').hasInspector) {\n  profiler", '{\n  profiler']],
};
// What can be known only at run time is asked for when it is wanted, not when the module is loaded: that happens at
// build time. And nobody asks for the folder of a cache that Kiln does not have.
patches.os = [
  ['const {\n  0: type,\n  1: version,\n  2: release,\n  3: machine,\n} = _getOSInformation();',
    'let information;\nconst getInformation = (index) =>\n  (information ??= _getOSInformation())[index];\n\n\n'],
  ...['Version', 'Release'].map((name, index) =>
    [`const getOS${name} = () => ${name.toLowerCase()};`, `const getOS${name} = () => getInformation(${index + 1});`]),
  // It is that of the target, which is this machine's own.
  ['const getOSType = () => type;', `const getOSType = () => ${JSON.stringify(os.type())};`],
  ['const getMachine = () => machine;', 'const getMachine = () => getInformation(3);'],
];
// What is loaded at build time is forgotten by the loader, in all of its caches.
patches['internal/modules/cjs/loader'] = [['module.exports = {\n', 'module.exports = { get relativeResolveCache() { return relativeResolveCache; },\n']];
patches['internal/modules/helpers'] = [
  ['function enableCompileCache(options) {\n  let portable;',
    'function enableCompileCache(options) {\n  return { status: _enableCompileCache()[0] }; let portable;'],
];
for (const [id, replacements] of Object.entries(patches)) {
  for (const [from, to] of replacements) {
    if (!sources[id].includes(from)) throw new Error(`${id} has no ${JSON.stringify(from)}`);
    sources[id] = sources[id].replace(from, to);
  }
}
const ids = [...builtinIds].sort();

// Node compiles its library whole, and functions that are compiled with what is around them have no inferred names.
// Some of these show in nearly every stack trace; they lose theirs as well, by the parentheses that make V8 compile
// them at once or by being passed through a call.
function replaceIn(id, pattern, replacement) {
  const changed = sources[id].replace(pattern, replacement);
  if (changed === sources[id]) throw new Error(`${id} is not as expected: ${pattern}`);
  sources[id] = changed;
}
// What Node's own snapshot holds because any program may want it: Kiln's holds what this program reaches.
replaceIn('internal/bootstrap/switches/is_main_thread',
  /if \(isBuildingSnapshot\(\)\) \{(?=\n {2}\/\/ Preloaded so that they are part of the snapshot)/, 'if (false) {');
replaceIn('internal/modules/cjs/loader',
  /(Module\._extensions\['\.\w+'\] = )(function\(module, filename\) \{.*?\n\})(?=;\n)/gs, '$1($2)');
replaceIn('internal/modules/cjs/loader',
  /(Module\.(?:_load|_resolveFilename|prototype\.load|prototype\.require) = )(function\(.*?\n\})(?=;\n)/gs, '$1($2)');
replaceIn('internal/modules/esm/loader',
  /(return onImport\.tracePromise\()(async \(\) => \{.*?\n {4}\})(?=, \{\n)/s, '$1((it) => it)($2)');

// Kiln compiles `.tsx` and `.jsx` as well, and TypeScript in `node_modules`; to Node these are no modules.
for (const id of ['internal/modules/cjs/loader', 'internal/modules/esm/get_format']) {
  replaceIn(id, /(?<=\()(StringPrototypeEndsWith\(filename, )'\.ts'\)|ext === '\.ts'(?= && getOptionValue)/,
    (found, ends) => (ends === undefined ?
      "(ext === '.ts' || ext === '.tsx' || ext === '.jsx')" :
      `(${['.ts', '.tsx', '.jsx'].map((it) => `${ends}'${it}')`).join(' || ')})`));
}
replaceIn('internal/modules/typescript', /if \((?=isUnderNodeModules\(filename\)\) \{)/,
  'if (!getCompileCacheEntry(source, filename, kStrippedTypeScript) && ');

// Comments on lines of their own are a quarter of what the stub would carry. All code stays at its line and column, and
// the lines that errors show stay as they are.
const acorn = require('internal/deps/acorn/acorn/dist/acorn');
function withoutComments(source) {
  const comments = [];
  const options = { ecmaVersion: 'latest', allowReturnOutsideFunction: true, onComment: comments };
  try {
    acorn.parse(source, options);
  } catch {
    // Syntax that the parser does not know yet: such a module keeps its comments.
    return source;
  }
  let result = '';
  let position = 0;
  for (const { start, end } of comments) {
    const before = source.slice(source.lastIndexOf('\n', start - 1) + 1, start);
    const after = source.slice(end, (source.indexOf('\n', end) + 1 || source.length + 1) - 1);
    if (before.trim() !== '' || after.trim() !== '') continue;
    result += source.slice(position, start - before.length) + source.slice(start, end).replace(/[^\n]/g, '');
    position = end;
  }
  return result + source.slice(position);
}

ids.forEach((id, index) => fs.writeFileSync(path.join(out, `${index}.js`), withoutComments(sources[id])));
fs.writeFileSync(path.join(out, 'ids.txt'), ids.join('\n'));

// Everything of a binding that is plain data, down to any depth.
const isData = (value) => ['number', 'string', 'boolean'].includes(typeof value);
function data(value, depth = 0) {
  if (isData(value) || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => data(item, depth + 1));
  if (typeof value !== 'object' || ArrayBuffer.isView(value) || depth > 4) return undefined;
  return Object.fromEntries(
    Reflect.ownKeys(value)
      .filter((key) => typeof key === 'string')
      .map((key) => [key, data(value[key], depth + 1)])
      .filter(([, item]) => item !== undefined));
}

// All string keys of a binding: its data, and null for each function.
function surface(binding) {
  return Object.fromEntries(
    Object.keys(binding)
      .filter((key) => !['natives', 'config', 'builtinIds'].includes(key))
      .map((key) => [key, typeof binding[key] === 'function' ? null : data(binding[key])])
      .filter(([, value]) => value !== undefined));
}

// What a class of a binding has besides its constructor: methods and accessors of its prototype, and data of its own.
function shape(value) {
  const descriptors = Object.entries(Object.getOwnPropertyDescriptors(value.prototype ?? {}));
  const named = (test) => descriptors.filter(([key, it]) => key !== 'constructor' && test(it)).map(([key]) => key);
  const shape = {
    methods: named((it) => typeof it.value === 'function'),
    accessors: named((it) => it.get !== undefined),
    data: Object.fromEntries(Object.entries(value).filter(([, item]) => isData(item))),
  };
  const isPlain = shape.methods.length + shape.accessors.length + Object.keys(shape.data).length === 0;
  return isPlain ? undefined : shape;
}
const shapes = (binding) => Object.fromEntries(
  Object.entries(binding)
    .map(([key, value]) => [key, typeof value === 'function' ? shape(value) : undefined])
    .filter(([, value]) => value !== undefined));

// Every binding that the library asks for by name.
const named = ids.flatMap((id) => [...sources[id].matchAll(/internalBinding\('(\w+)'\)/g)].map((match) => match[1]));
const names = [...new Set(named)].sort().filter((name) => {
  try {
    return internalBinding(name);
  } catch {
    // Not on this platform.
  }
});
const bindings = Object.fromEntries(names.map((name) => [name, surface(internalBinding(name))]));
const classes = Object.fromEntries(names.map((name) => [name, shapes(internalBinding(name))]));

const options = internalBinding('options');
const info = options.getCLIOptionsInfo();
const values = options.getCLIOptionsValues();
// These maps have a prototype of the library's own.
const plain = (map) => (util.types.isMap(map) ? [...Map.prototype.entries.call(map)] : Object.entries(map));
const ours = { '--expose-internals': false, '--no-expose-internals': true, '--warnings': true, '--no-warnings': false };
const withoutOurs = (entries) => entries.map(([name, value]) => [name, ours[name] ?? value]);

const { privateSymbols } = internalBinding('util');
const facts = {
  bindings,
  classes,
  builtinCategories,
  config,
  options: {
    values: withoutOurs(plain(values)),
    info: plain(info.options),
    aliases: plain(info.aliases),
    embedder: { ...options.getEmbedderOptions() },
  },
  privateSymbols: Object.keys(privateSymbols),
  symbols: Object.entries(internalBinding('symbols')).map(([name, symbol]) => [name, symbol.description]),
  errorMap: [...internalBinding('uv').getErrorMap()],
  httpMethods: internalBinding('http_parser').methods,
  process: {
    version: process.version,
    versions: { ...process.versions },
    release: { ...process.release },
    arch: process.arch,
    platform: process.platform,
    features: { ...process.features },
  },
};
// JSON has no name for infinity, but a number that is read as that.
const text = JSON.stringify(facts, (key, value) => (value === Infinity ? '∞' : value)).replaceAll('"∞"', '1e999');
fs.writeFileSync(path.join(out, 'facts.json'), text);
