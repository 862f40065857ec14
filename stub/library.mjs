// Run by the pinned `node` while the stub is built: writes its built-in sources and the facts that
// its native half hands to them into the folder given.

import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { internalBinding } = require('internal/test/binding');
const out = process.argv[2];

const { natives, builtinIds, config, builtinCategories } = internalBinding('builtins');
const sources = { ...process.binding('natives'), ...natives };
const ids = [...builtinIds].sort();
ids.forEach((id, index) => fs.writeFileSync(path.join(out, `${index}.js`), sources[id]));
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

const options = internalBinding('options');
const info = options.getCLIOptionsInfo();
const values = options.getCLIOptionsValues();
const plain = (map) => (map instanceof Map ? [...map] : Object.entries(map));
const withoutOurs = (entries) => entries.map(([name, value]) =>
  [name, name === '--expose-internals' || name === '--warnings' ? name === '--warnings' : value]);

const { privateSymbols } = internalBinding('util');
const facts = {
  bindings,
  builtinCategories,
  config,
  options: {
    values: withoutOurs(plain(values)),
    valuesIsMap: values instanceof Map,
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
fs.writeFileSync(path.join(out, 'facts.json'), JSON.stringify(facts));
