// Where the imports of embedded modules lead is looked up when the snapshot is taken.
//
// Called with `require` of Node's library, `modules`, an array of a module's URL and of what it imports, for each module,
// `root`, how URLs of embedded files begin, and `textOf(url)`, the text of an embedded module on the main thread.

const { ResolveCache } = require('internal/modules/esm/module_map');
const { defaultResolve } = require('internal/modules/esm/resolve');
const { getDefaultConditions } = require('internal/modules/esm/utils');
const { loadHooks } = require('internal/modules/customization_hooks');
const { loaderMethods } = require('internal/modules/helpers');
const { getOptionValue } = require('internal/options');

// What Node takes if nobody asks for more.
const conditions = Object.freeze(['node', 'import', 'module-sync', 'node-addons']);

const results = new Map();
const known = new Map();
for (const [parentURL, specifiers] of modules) {
  const imports = { __proto__: null };
  for (const specifier of specifiers) {
    try {
      const result = defaultResolve(specifier, { __proto__: null, parentURL, importAttributes: {}, conditions });
      if (!result.url.startsWith(root) && !result.url.startsWith('node:')) continue;
      const key = `${result.url} ${result.format}`;
      if (!results.has(key)) results.set(key, result);
      imports[`${specifier}::`] = results.get(key);
    } catch {
      // It throws again when the program comes to it.
    }
  }
  known.set(parentURL, imports);
}

let usual;
const isUsual = () => usual ??= getDefaultConditions().join() === conditions.join() &&
  !getOptionValue('--preserve-symlinks') && !getOptionValue('--preserve-symlinks-main');

const { get } = ResolveCache.prototype;
Object.defineProperty(ResolveCache.prototype, 'get', { value(key, parentURL) {
  const found = Reflect.apply(get, this, [key, parentURL]);
  return found === undefined && isUsual() ? known.get(parentURL)?.[key] : found;
} });

// A text needs not become bytes and then a text again. Hooks are to see bytes.
const { readFileSync } = loaderMethods;
loaderMethods.readFileSync = (file, ...rest) => {
  const text = loadHooks.length === 0 && rest.length === 0 && typeof file === 'object' ? textOf(file.href) : undefined;
  return text ?? readFileSync(file, ...rest);
};
