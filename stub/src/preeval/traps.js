// Run in the isolates that look what can be evaluated at build time: whatever could tell a run from another becomes a
// trap. Nothing of them goes into a snapshot, so it does not matter that the traps can be told from the real thing.
//
// Called with `process`, `require`, `missing`, `late`, and the natives `trap(name[, key])`, which says whether to go on, and
// `assume(kind, what)`, `isProgram()`, whether the program itself is asking; `lazy` is a map of properties, `reached` has
// the names of modules of the library, `keep` is to be told of objects that must not outlive an evaluation.

const { BuiltinModule } = require('internal/bootstrap/realm');

const define = (object, key, descriptor) =>
  Object.defineProperty(object, key, { configurable: true, ...descriptor });

// A property that exists only at run time, or whose value is known only then.
const property = (object, key, name, isTyped = true) => {
  const { value, get = () => value } = Object.getOwnPropertyDescriptor(object, key) ?? {};
  define(object, key, {
    enumerable: true,
    get() { return trap(name, isTyped ? key : undefined) ? Reflect.apply(get, this, []) : undefined; },
    set() { trap(name); },
  });
};

// A function that must not be called.
const method = (object, key, name) => {
  const original = object?.[key];
  if (typeof original !== 'function') return;
  const { enumerable } = Object.getOwnPropertyDescriptor(object, key) ?? { enumerable: true };
  const value = { [key](...rest) { trap(name); return Reflect.apply(original, this, rest); } }[key];
  define(value, 'length', { value: original.length });
  define(object, key, { writable: true, enumerable, value });
};

// A property that may be read but not written.
const constant = (object, key, name, value = object[key]) => {
  define(object, key, { enumerable: true, get() { return value; }, set() { trap(name); } });
};

// The arguments are an array that the start fills. Rarely given ones can be taken for absent.
const isAbsent = (argument, ...rest) => {
  if (typeof argument !== 'string' || rest.length > 0 || !assume('argument', argument)) trap('process.argv');
};
const given = process.argv;
const absences = {
  indexOf(...rest) { isAbsent(...rest); return given.indexOf(...rest); },
  includes(...rest) { isAbsent(...rest); return given.includes(...rest); },
};
const argv = new Proxy(given, Object.fromEntries(
  Object.getOwnPropertyNames(Reflect).filter((key) => !['apply', 'construct'].includes(key)).map((key) => [
    key, (target, property, ...rest) => {
      if (key === 'get' && Object.hasOwn(absences, property)) return absences[property];
      trap('process.argv');
      return Reflect[key](target, property, ...rest);
    },
  ])));
define(process, 'argv', { enumerable: true, get() { return argv; }, set() { trap('process.argv'); } });

for (const key of [
  'argv0', 'execArgv', 'execPath', 'pid', 'ppid', 'title', 'debugPort', 'report', 'finalization',
]) {
  property(process, key, `process.${key}`);
}
for (const key of ['cwd', 'nextTick', 'emitWarning', 'exit', 'abort', 'kill', 'setUncaughtExceptionCaptureCallback']) {
  method(process, key, `process.${key}`);
}
// A start of Node's own listens too, and is to be the first to do so.
for (const key of ['on', 'addListener', 'once', 'prependListener', 'prependOnceListener']) {
  const original = process[key];
  let value = { [key](type, ...rest) {
    if (type === 'warning' || type === 'newListener') trap(`process.${key}('${type}')`);
    return Reflect.apply(original, this, [type, ...rest]);
  } }[key];
  define(process, key, { get() { return value; }, set() { trap(`process.${key}`); } });
}
for (const key of ['emit', 'off', 'removeListener', 'removeAllListeners']) constant(process, key, `process.${key}`);

// Whether a stream is a terminal can be guessed. No more than that is there at build time, so it must not be kept.
for (const [fd, key] of ['stdin', 'stdout', 'stderr'].entries()) {
  const { get } = Object.getOwnPropertyDescriptor(process, key);
  define(process, key, {
    enumerable: true,
    get() {
      return new Proxy(Reflect.apply(get, this, []), Object.fromEntries(
        Object.getOwnPropertyNames(Reflect).filter((name) => !['apply', 'construct'].includes(name)).map((name) => [
          name, (target, property, ...rest) => {
            if (name !== 'get' || !['fd', 'isTTY', 'columns', 'rows', 'getColorDepth', 'hasColors'].includes(property) ||
                property !== 'fd' && !assume('terminal', fd)) trap(`process.${key}.${String(property)}`);
            const value = Reflect[name](target, property, ...rest);
            return typeof value === 'function' ? value.bind(target) : value;
          },
        ])));
    },
    set() { trap(`process.${key}`); },
  });
}

// Which globals there are.
for (const [object, key] of [
  ...['assign', 'entries', 'getOwnPropertyDescriptors', 'getOwnPropertyNames', 'getOwnPropertySymbols', 'keys', 'values']
    .map((name) => [Object, name]),
  [Reflect, 'ownKeys'],
]) {
  const original = object[key];
  define(object, key, {
    writable: true,
    value: { [key](...rest) {
      if (rest.includes(globalThis)) trap('the names of all globals');
      return Reflect.apply(original, this, rest);
    } }[key],
  });
}

// Whose names match nothing is as good as an empty environment.
const { keys } = Object;
const opening = /^(?:\(?([\w$]+)\)?\s*=>\s*(?:\{\s*return\s+)?|function\s*\(([\w$]+)\)\s*\{\s*return\s+)/;
const test = /(\/(?:[^\/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*)\.test\(([\w$]+)\)\s*;?\s*\}?$/;
const filter = new RegExp(opening.source + test.source);
define(Object, 'keys', {
  writable: true,
  value: { keys(object) {
    if (object !== process.env) return keys(object);
    const names = [];
    define(names, 'filter', { value(callback, ...rest) {
      const [, first, second, pattern, tested] = filter.exec(Function.prototype.toString.call(callback)) ?? [];
      const [, source, flags] = /^\/(.*)\/(\w*)$/.exec(pattern ?? '') ?? [];
      const isTest = rest.length === 0 && source !== undefined && tested === (first ?? second) && !/[gy]/.test(flags);
      if (!isTest || !assume('name', `${flags}/${source}`)) trap('process.env');
      return [];
    } });
    return new Proxy(names, {
      get(target, property) {
        if (property !== 'filter') trap('process.env');
        return Reflect.get(target, property);
      },
      has() { trap('process.env'); },
      ownKeys() { trap('process.env'); },
      getOwnPropertyDescriptor() { trap('process.env'); },
    });
  } }.keys,
});

// The clock and the time zone.
const isLocal = (text) => typeof text === 'string' && !/Z$/.test(text);
const RealDate = Date;
const TrapDate = new Proxy(RealDate, {
  apply(...rest) { trap('Date()'); return Reflect.apply(...rest); },
  construct(target, parts, newTarget) {
    if (parts.length === 0) trap('new Date()');
    if (parts.length > 1 || isLocal(parts[0])) trap('new Date(local time)');
    return Reflect.construct(target, parts, newTarget);
  },
});
method(RealDate, 'now', 'Date.now()');
method(RealDate, 'parse', 'Date.parse()');
define(globalThis, 'Date', { writable: true, value: TrapDate });
define(RealDate.prototype, 'constructor', { writable: true, value: TrapDate });
for (const key of Object.getOwnPropertyNames(RealDate.prototype)) {
  if (/^(get|set)(?!UTC|Time$)|^to(?!ISOString|JSON|UTCString|GMTString)/.test(key)) {
    method(RealDate.prototype, key, `Date.prototype.${key}()`);
  }
}
method(RealDate.prototype, Symbol.toPrimitive, 'Date.prototype[Symbol.toPrimitive]()');

method(Math, 'random', 'Math.random()');

// What depends on the user's language, or can't go into a snapshot.
const constructor = (object, key, name) => {
  const original = object[key];
  if (typeof original !== 'function') return;
  const value = new Proxy(original, {
    apply(...rest) { trap(`${name}()`); return Reflect.apply(...rest); },
    construct(...rest) { trap(`new ${name}()`); return Reflect.construct(...rest); },
  });
  define(object, key, { writable: true, value });
};
for (const key of Object.getOwnPropertyNames(Intl)) {
  if (/^[A-Z]/.test(key)) constructor(Intl, key, `Intl.${key}`);
  else method(Intl, key, `Intl.${key}()`);
}
for (const { prototype } of [String, Number, BigInt, Array, Object.getPrototypeOf(Int8Array)]) {
  for (const key of Object.getOwnPropertyNames(prototype)) {
    if (/[lL]ocale/.test(key)) method(prototype, key, `${prototype.constructor.name}.prototype.${key}()`);
  }
}
for (const key of ['WeakRef', 'FinalizationRegistry', 'BroadcastChannel', 'MessageChannel', 'Worker']) {
  if (Object.hasOwn(globalThis, key)) constructor(globalThis, key, key);
}

// What V8 installs only where a snapshot was restored.
{
  const all = new Map([[globalThis, missing]]);
  for (const [path, ...keys] of late) {
    const object = path.split('.').reduce((object, key) => object[key], globalThis);
    all.set(object, keys);
  }
  for (const [object, keys] of all) {
    for (const key of keys) {
      const { enumerable } = Object.getOwnPropertyDescriptor(object, key);
      property(object, key, String(key), false);
      define(object, key, { enumerable });
    }
  }
  for (const [object, key] of [
    [Object, 'getOwnPropertyDescriptor'], [Object, 'getOwnPropertyDescriptors'], [Reflect, 'getOwnPropertyDescriptor'],
  ]) {
    const original = object[key];
    define(object, key, { writable: true, value: { [key](target, name) {
      const keys = all.get(target);
      if (keys !== undefined && (arguments.length < 2 || keys.includes(name))) trap(`${key}() of ${String(name ?? keys[0])}`);
      return Reflect.apply(original, this, arguments);
    } }[key] });
  }
}

// What the program reads of Node's library, where others may put something else.
for (const id of reached) {
  const module = BuiltinModule.map.get(id);
  if (id === 'process' || id === 'module' || !module?.loaded || typeof module.exports !== 'object') continue;
  const read = (key) => {
    if (isProgram() && (typeof key !== 'string' || !assume('member', `${id}/${key}`))) trap(`${id}[${String(key)}]`);
  };
  module.exports = new Proxy(module.exports, {
    get(target, key) { read(key); return Reflect.get(target, key); },
    has(target, key) { read(key); return Reflect.has(target, key); },
    getOwnPropertyDescriptor(target, key) { read(key); return Reflect.getOwnPropertyDescriptor(target, key); },
    ownKeys(target) {
      if (isProgram()) for (const key of Reflect.ownKeys(target)) read(key);
      return Reflect.ownKeys(target);
    },
  });
}
for (let object = process; object !== Object.prototype; object = Object.getPrototypeOf(object)) {
  for (const key of Reflect.ownKeys(object)) {
    const { value, configurable } = Object.getOwnPropertyDescriptor(object, key);
    if (typeof value !== 'function' || typeof key !== 'string' || !configurable || key === 'constructor') continue;
    let current = value;
    define(object, key, {
      enumerable: true,
      get() {
        if (isProgram() && !assume('member', `process/${key}`)) trap(`process.${key}`);
        return current;
      },
      set(value) { trap(`process.${key}`); current = value; },
    });
  }
}

// Node's library loads them when they are first looked at.
for (const [key, id] of Object.entries(lazy.get(globalThis) ?? {})) {
  define(globalThis, key, {
    get() {
      if (!assume('global', key)) trap(key);
      const value = require(id)[key];
      define(globalThis, key, { writable: true, value });
      return value;
    },
    set() { trap(key); },
  });
}
for (const key of ['queueMicrotask', 'setTimeout', 'setInterval', 'setImmediate', 'fetch', 'structuredClone', 'gc']) {
  method(globalThis, key, `${key}()`);
}
for (const key of ['localStorage', 'sessionStorage']) {
  if (Object.hasOwn(globalThis, key)) property(globalThis, key, key);
}
for (const key of ['language', 'languages', 'hardwareConcurrency']) {
  property(Navigator.prototype, key, `navigator.${key}`);
}
for (const key of ['timeOrigin', 'nodeTiming', 'toJSON', 'eventLoopUtilization']) {
  property(Performance.prototype, key, `performance.${key}`);
}

// A second start would overwrite these, or go another way.
const { Module } = require('internal/modules/cjs/loader');
for (const key of ['_load', '_resolveFilename', '_findPath', '_nodeModulePaths', '_initPaths', 'runMain', '_extensions']) {
  constant(Module, key, `Module.${key}`);
}
for (const key of ['require', '_compile']) constant(Module.prototype, key, `Module.prototype.${key}`);
for (const key of Object.keys(Module._extensions)) constant(Module._extensions, key, `Module._extensions['${key}']`);
for (const key of ['register', 'registerHooks', 'setSourceMapsSupport']) {
  method(Module, key, `module.${key}()`);
}

// Who loads a module, and what else is loaded, depends on the program's way there.
const { load } = Module.prototype;
constant(Module.prototype, 'load', 'Module.prototype.load', function(...rest) {
  const { parent } = this;
  define(this, 'parent', {
    get() { if (parent === undefined || !assume('parents', '')) trap('module.parent'); return parent; },
    set() { trap('module.parent'); },
  });
  return Reflect.apply(load, this, rest);
});
if (process.mainModule) {
  for (const key of ['exports', 'children', 'loaded', 'filename', 'paths']) {
    property(process.mainModule, key, `require.main.${key}`);
  }
}
const requires = new WeakSet();
define(Function.prototype, 'cache', {
  get() { if (requires.has(this)) trap('require.cache'); return undefined; },
  set(value) {
    if (value === Module._cache) requires.add(this);
    else define(this, 'cache', { enumerable: true, writable: true, value });
  },
});

// Stacks are told as these say.
for (const key of ['prepareStackTrace', 'stackTraceLimit']) {
  let value = Error[key];
  define(Error, key, {
    enumerable: true,
    get() { return assume('stacks', '') ? value : trap(`Error.${key}`); },
    set(next) { assume('stacks', ''); value = next; },
  });
}

// A stack says who loaded the module, and V8 takes none while it makes a snapshot.
{
  const noted = (object) => {
    if (!isProgram()) return object;
    let stack = `${object.name}: ${object.message}`;
    define(object, 'stack', {
      get() { trap('error.stack'); return stack; },
      set(value) { define(this, 'stack', { writable: true, value }); },
    });
    keep(object);
    return object;
  };
  const { captureStackTrace } = Error;
  define(Error, 'captureStackTrace', {
    writable: true,
    value: { captureStackTrace(object, ...rest) { captureStackTrace(object, ...rest); noted(object); } }.captureStackTrace,
  });
  for (const key of [
    'Error', 'AggregateError', 'EvalError', 'RangeError', 'ReferenceError', 'SyntaxError', 'TypeError', 'URIError',
  ]) {
    const own = globalThis[key];
    const value = new Proxy(own, {
      apply(target, self, rest) { return noted(Reflect.apply(target, self, rest)); },
      construct(target, rest, derived) { return noted(Reflect.construct(target, rest, derived)); },
    });
    define(own.prototype, 'constructor', { writable: true, value });
    define(globalThis, key, { writable: true, value });
    if (key !== 'Error') Object.setPrototypeOf(own, Error);
  }
}

// Which globals are looked for that are not there.
{
  const own = Object.getPrototypeOf(globalThis);
  const miss = (key) => {
    if (Reflect.has(own, key) || !isProgram()) return;
    const name = typeof key === 'string' ? key : Symbol.keyFor(key) && `@@${Symbol.keyFor(key)}`;
    if (!name || !assume('absent', name)) trap(`the global ${String(key)}`);
  };
  Object.setPrototypeOf(globalThis, new Proxy(own, {
    get(target, key, receiver) { miss(key); return Reflect.get(target, key, receiver); },
    has(target, key) { miss(key); return Reflect.has(target, key); },
  }));
}
