// Where `require` in embedded modules leads is looked up when the snapshot is taken.
//
// Called with `require` of Node's library, and `modules`, an array of a module's path and of what it requires, for each.

const { Module } = require('internal/modules/cjs/loader');
const { resolveHooks } = require('internal/modules/customization_hooks');
const { getCjsConditions, initializeCjsConditions } = require('internal/modules/helpers');
const { getOptionValue } = require('internal/options');
const { dirname } = require('path');

initializeCjsConditions();
const conditions = [...getCjsConditions()].join();
const extensions = Object.keys(Module._extensions);

// By the request and the first folder that is looked into: the beginning of the key under which the loader keeps what it
// has found, and that.
const known = new Map();
for (const [path, requests] of modules) {
  const parent = new Module(path, null);
  parent.filename = path;
  parent.paths = Module._nodeModulePaths(dirname(path));
  for (const request of requests) {
    const isRelative = /^\.\.?(?:\/|$)/.test(request);
    if (!isRelative && /^[./#]/.test(request)) continue;
    const folders = isRelative ? [dirname(path)] : parent.paths;
    const key = `${request}\0${folders[0]}`;
    if (known.has(key)) continue;
    try {
      const found = Module._findPath(request, folders, false);
      if (found) known.set(key, [`${request}\0${folders.join('\0')}`, found]);
    } catch {
      // It throws again when the program comes to it.
    }
  }
}
for (const key of Object.keys(Module._pathCache)) delete Module._pathCache[key];

let usual;
const isUsual = () => {
  usual ??= [...getCjsConditions()].join() === conditions && !getOptionValue('--preserve-symlinks');
  if (!usual || resolveHooks.length > 0) return false;
  const now = Object.keys(Module._extensions);
  return extensions.every((extension, i) => extension === now[i]);
};

// What the loader does not find among what it has found before, it finds here.
Object.setPrototypeOf(Module._pathCache, new Proxy({ __proto__: null }, {
  get(target, key) {
    if (typeof key !== 'string') return undefined;
    const end = key.indexOf('\0', key.indexOf('\0') + 1);
    const [whole, found] = known.get(end < 0 ? key : key.slice(0, end)) ?? [];
    if (whole === undefined || !key.startsWith(whole) || ![undefined, '\0'].includes(key[whole.length])) return undefined;
    return isUsual() ? found : undefined;
  },
}));
