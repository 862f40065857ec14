// Evaluates the program's CommonJS modules at build time, and hands them to the program at run time.
//
// Called with `process`, `require` of Node's library, `root`, the path below which embedded files are, the names
// `missing` of globals that V8 installs only where a snapshot was restored, `late` properties that come then too, a map of
// `lazy` properties, `reached`, the library's modules that the program asks for, and natives: `count()` of the traps
// touched so far, `holds(guards)`, `record(objects, samples)` and `isSame(objects)` of watched.rs, `trace(text)`.

const loader = require('internal/modules/cjs/loader');
const { BuiltinModule } = require('internal/bootstrap/realm');
const { loadHooks, resolveHooks } = require('internal/modules/customization_hooks');
const { Module } = loader;
const { _load: plainLoad } = Module;
const { ownKeys, getOwnPropertyDescriptor } = Reflect;
const on = process.on.bind(process);
const setUncaughtExceptionCaptureCallback = process.setUncaughtExceptionCaptureCallback.bind(process);
const { defineProperty, keys: keysOf, hasOwn, getPrototypeOf, groupBy } = Object;

const cache = Module._cache;

// The main module as the program's modules see it, made before there is one, and its path.
let main;
let mainPath;

// What process.argv is.
let args;

// What is shared by all of a program, and could have been changed by whoever ran before.
let watched;

// Of these at run time: the objects, those that have to be looked at in any case, and objects of known kinds.
let objects;
let unsure;
const samples = [];

// What V8 adds to the language's objects when it restores a snapshot, by object.
const added = new Map(late.map(([path, ...keys]) => [
  path.split('.').reduce((object, key) => object[key], globalThis),
  keys,
]));

// Standard streams as they are at run time, and what stands for them until then.
const streamKeys = ['stdin', 'stdout', 'stderr'];
const standard = [];
const standIns = [];
// What else has to be gone when an evaluation is over.
const kept = [];

// While a program is rehearsed, it may write.
let isRehearsal = false;

function standIn(fd) {
  if (!isRehearsal) return { fd };
  const { Duplex } = require('stream');
  return Object.assign(new Duplex({ write(data, encoding, done) { done(); }, read() { this.push(null); } }), { fd });
}

// By the path of its first module, what was evaluated for it.
const units = new Map();

// Builtins and what a program can reach of Node's library, each with the values of its properties.
//
// While modules are evaluated, also what others only notice when they read it.
function watch(isEvaluating) {
  const holders = new Map();
  const add = (object, leaveOut) => {
    if ((typeof object !== 'object' && typeof object !== 'function') || object === null || holders.has(object)) return;
    const keys = [];
    const values = [];
    const all = ownKeys(object);
    const hidden = lazy.get(object);
    const late = added.get(object) ?? [];
    let hasNumber = false;
    for (const key of all) {
      if (leaveOut?.has(key) || hidden && hasOwn(hidden, key) && !(object === globalThis && seen.has(key))) continue;
      const property = getOwnPropertyDescriptor(object, key);
      if (!hasOwn(property, 'value')) continue;
      keys.push(key);
      values.push(property.value);
      hasNumber ||= typeof property.value === 'number' && property.writable;
    }
    const count = isEvaluating ? all.length : all.length + late.length;
    holders.set(object, { object, keys, values, count, hasNumber, isOpen: leaveOut !== undefined });
  };
  const addWithPrototypes = (value) => {
    if (typeof value !== 'function' && typeof value !== 'object' || value === null) return;
    add(value);
    const { prototype } = value;
    for (let it = typeof prototype === 'object' ? prototype : null; it; it = getPrototypeOf(it)) add(it);
  };
  add(globalThis, new Set(['DOMException']));
  // Few ask, and many set them.
  add(Error, new Set(stackKeys));
  for (const name of intrinsics) addWithPrototypes(getOwnPropertyDescriptor(globalThis, name)?.value);
  for (const it of [
    function* () {}, async function* () {}, async () => {}, [][Symbol.iterator](), new Map()[Symbol.iterator](),
    new Set()[Symbol.iterator](), ''[Symbol.iterator](), ''.matchAll(/./g), new Int8Array(),
  ]) {
    for (let each = getPrototypeOf(it); each; each = getPrototypeOf(each)) {
      add(each);
      if (typeof each.prototype === 'object') add(each.prototype);
    }
  }
  if (isEvaluating) {
    add(process, new Set(known));
    add(getPrototypeOf(process));
  }
  add(Module, new Set(['_cache', '_pathCache', 'globalPaths', '_preloadModules', 'builtinModules']));
  add(Module.prototype);
  add(Module._extensions);
  for (const id of reached) {
    const { loaded, exports: it } = BuiltinModule.map.get(id) ?? {};
    if (!loaded || id === 'process' || id === 'module') continue;
    if (isEvaluating || typeof it !== 'object') add(it);
    for (const key of ownKeys(it)) {
      // To ask each function for its prototype would make one for most of them.
      if (typeof key === 'string' && /^[A-Z]/.test(key)) addWithPrototypes(getOwnPropertyDescriptor(it, key)?.value);
    }
  }
  holders.delete(cache);
  holders.delete(process.env);
  return [...holders.values()];
}

// What the start itself sets.
const known = [
  'argv', 'argv0', 'execArgv', 'execPath', 'pid', 'ppid', 'title', 'debugPort', 'mainModule', 'env', 'exitCode',
  '_events', '_eventsCount', 'chdir', 'report', 'stdin', 'stdout', 'stderr', 'channel', 'connected', 'send', 'disconnect',
  '_channel', '_disconnect', '_handleQueue', '_pendingMessage',
];

const intrinsics = [
  'AggregateError', 'Array', 'ArrayBuffer', 'AsyncDisposableStack', 'Atomics', 'BigInt', 'BigInt64Array',
  'BigUint64Array', 'Boolean', 'Buffer', 'DataView', 'Date', 'DisposableStack', 'Error', 'EvalError', 'Event',
  'EventTarget', 'FinalizationRegistry', 'Float32Array', 'Float64Array', 'Function', 'Int16Array', 'Int32Array',
  'Int8Array', 'Intl', 'Iterator', 'JSON', 'Map', 'Math', 'Number', 'Object', 'Promise', 'Proxy', 'RangeError',
  'ReferenceError', 'Reflect', 'RegExp', 'Set', 'String', 'SuppressedError', 'Symbol', 'SyntaxError', 'TypeError',
  'URIError', 'Uint16Array', 'Uint32Array', 'Uint8Array', 'Uint8ClampedArray', 'WeakMap', 'WeakRef', 'WeakSet', 'console',
];

// Whether nobody has changed what is watched.
function isUntouched() {
  if (unsure !== undefined && isSame(objects)) return unsure.every(isAsItWas);
  if (!watched.every(isAsItWas)) return false;
  if (unsure !== undefined) recordWatched();
  return true;
}

// Whether an object has the properties that it had.
function isAsItWas({ object, keys, values, isOpen, count }) {
  if (!isOpen && ownKeys(object).length !== count) return changed(object);
  for (let i = 0; i < keys.length; i++) {
    const value = object[keys[i]];
    if (value !== values[i] && (value === value || values[i] === values[i])) return changed(object, keys[i]);
  }
  return true;
}

function recordWatched() {
  const untold = new Set(record(objects, samples));
  unsure = watched.filter(({ object, hasNumber }) => untold.has(object) || hasNumber);
}

// Globals that were not there.
function newGlobals(late) {
  // V8 adds some when it restores a context.
  return ownKeys(globalThis).filter((key) => !globals.has(key) && !late.has(key));
}

function changed(object, key) {
  trace(`${typeof object === 'function' ? object.name : Object.prototype.toString.call(object)}${
    key === undefined ? '' : `.${String(key)}`} has changed`);
  return false;
}

const stackKeys = ['prepareStackTrace', 'stackTraceLimit'];
let stackValues;

// What a rehearsal has found.
function report(loads, uses, failure) {
  for (const it of loads) {
    it.last ??= loads.length;
    it.isClean = it.lastTrap === it.traps;
    it.isClosed = it.isClean && uses.slice(it.uses, it.lastUse).every((used) => used >= it.id && used < it.last);
  }
  return JSON.stringify({ failure: failure && String(failure.stack ?? failure), loads });
}

let globals;
// Lazy ones that units have looked at.
const seen = new Set();
const lateGlobals = new Set(missing);
const noGlobals = new Set();

return {
  // What a start does before the program's first line. It is done again at run time.
  prepare(entry) {
    require('internal/process/pre_execution').prepareMainThreadExecution(false);
    args = process.argv;
    args.length = 0;
    // Who looks whether they are there finds them; who looks at them meets a trap before it comes to this.
    const unset = { configurable: true, get() { return undefined; } };
    for (const key of missing) defineProperty(globalThis, key, unset);
    for (const [object, keys] of added) for (const key of keys) defineProperty(object, key, unset);
    for (const [fd, key] of streamKeys.entries()) {
      standard.push(getOwnPropertyDescriptor(process, key));
      defineProperty(process, key, { configurable: true, enumerable: true, get() {
        return standIns[fd] ??= standIn(fd);
      } });
    }
    if (entry !== undefined) {
      mainPath = entry;
      main = new Module(entry, null);
      main.id = '.';
      process.mainModule = main;
    }
  },

  // What must not outlive an evaluation that was made since this was asked before.
  kept() {
    return [...standIns.splice(0).filter((stream) => stream !== undefined), ...kept.splice(0)];
  },

  keep(object) {
    kept.push(object);
  },

  // From now on it is seen what is changed.
  watch() {
    stackValues = Object.fromEntries(stackKeys.map((key) => [key, Error[key]]));
    watched = watch(true);
    // A start listens too, so the program can't be held to this.
    const listeners = process._events;
    watched.push({
      object: listeners, keys: ownKeys(listeners), values: Object.values(listeners),
      count: ownKeys(listeners).length, isOpen: false,
    });
    globals = new Set(ownKeys(globalThis));
  },

  // Loads the program as a start would, and notes for each module which ones it loads and whether a trap is touched.
  //
  // Returns a function that does so, and one that says what was found.
  rehearse(entry, url, argument) {
    isRehearsal = true;
    args.push('/usr/bin/node', entry, ...argument === '' ? [] : [argument]);
    standIns.length = 0;
    // Nothing that it does ends it.
    setUncaughtExceptionCaptureCallback(() => {});
    on('unhandledRejection', () => {});
    const loads = [];
    const byPath = new Map();
    const uses = [];
    const stack = [];
    const current = () => stack[stack.length - 1];
    const replace = (object, key, value) => {
      defineProperty(object, key, { configurable: true, writable: true, value });
    };
    const { prototype: { load } } = Module;
    replace(Module.prototype, 'load', function(filename) {
      const it = {
        path: filename, parent: current()?.id ?? -1, id: loads.length, uses: uses.length, traps: count(), ok: false,
      };
      loads.push(it);
      if (!byPath.has(filename)) byPath.set(filename, it);
      stack.push(it);
      try {
        Reflect.apply(load, this, [filename]);
        it.ok = true;
      } finally {
        it.last = loads.length;
        it.lastUse = uses.length;
        it.lastTrap = count();
        stack.pop();
      }
    });
    replace(Module, '_load', function(request, parent, isMain, options) {
      let filename;
      try {
        filename = Module._resolveFilename(request, parent, isMain);
      } catch {
        // It will throw again.
      }
      if (filename?.startsWith(root)) uses.push(byPath.get(filename)?.id ?? loads.length);
      return Reflect.apply(plainLoad, this, [request, parent, isMain, options]);
    });
    let failure;
    const run = () => {
      try {
        Module._load(entry, undefined, false);
      } catch (error) {
        failure = error;
      }
      if (failure?.code === 'ERR_REQUIRE_ASYNC_MODULE') {
        failure = undefined;
        const { getOrInitializeCascadedLoader } = require('internal/modules/esm/loader');
        getOrInitializeCascadedLoader().import(url, undefined, { __proto__: null }).catch((error) => { failure = error; });
      }
    };
    return [run, () => report(loads, uses, failure)];
  },

  // Evaluates what `path` loads, and takes it out of the program's sight. Returns the modules' paths.
  evaluate(path) {
    Module._load(path, undefined, false);
    const members = Object.values(cache);
    this.clear();
    if (members.length === 0 || members.some((member) => !member.loaded)) throw new Error('a module is not loaded');
    if (process.exitCode !== undefined) throw new Error('process.exitCode is set');
    if (!isUntouched() || newGlobals(noGlobals).length > 0) throw new Error('it changes what others can see');
    units.set(path, { members, reads: [] });
    return members.map((member) => member.filename);
  },

  // What has to hold for the unit at `path`.
  guard(path, guards) {
    const unit = units.get(path);
    for (const guard of guards) if (guard.startsWith('g')) seen.add(guard.slice(1));
    const kind = (guard) => 'bgmnps'.includes(guard[0]) ? guard[0] : 'native';
    const { native = [], n: patterns = [], s: stacks, b: absent = [], p: parents } = groupBy(guards, kind);
    Object.assign(unit, {
      native,
      patterns: patterns.map((guard) => {
        const at = guard.indexOf('/');
        return [guard.slice(at + 1), guard.slice(1, at)];
      }),
      absent: absent.map((guard) => guard.slice(1)),
      hasStacks: stacks !== undefined,
      hasParents: parents !== undefined,
    });
    for (const guard of guards) {
      if (!guard.startsWith('m')) continue;
      const at = guard.lastIndexOf('/');
      const [id, key] = [guard.slice(1, at), guard.slice(at + 1)];
      const object = id === 'process' ? process : BuiltinModule.map.get(id).exports;
      // What is only made when it is first read is compared by nobody.
      const property = getOwnPropertyDescriptor(object, key) ?? getOwnPropertyDescriptor(getPrototypeOf(object) ?? {}, key);
      if (hasOwn(lazy.get(object) ?? {}, key) || property && !hasOwn(property, 'value')) continue;
      unit.reads.push(object, key, property?.value);
    }
  },

  // Takes modules out of the loader's caches.
  clear() {
    for (const map of [cache, Module._pathCache, loader.relativeResolveCache]) {
      for (const key of keysOf(map)) delete map[key];
    }
  },

  // Before the snapshot is taken.
  finish() {
    this.clear();
    for (const key of missing) delete globalThis[key];
    for (const [object, keys] of added) for (const key of keys.toReversed()) delete object[key];
    if (main !== undefined) delete process.mainModule;
    for (const [fd, key] of streamKeys.entries()) defineProperty(process, key, standard[fd]);
    standIns.length = 0;
    // The program can reach more of the library by now.
    watched = watch(false);
    objects = watched.map(({ object }) => object);
    const large = { samples };
    for (let i = 0; i < 8; i++) large[`key${i}`] = i;
    const dictionary = Object.create(null);
    dictionary.samples = samples;
    const array = [];
    array.push(samples);
    samples.push(large, dictionary, array);
    // At run time, the loader wants to be the first to run a module.
    const helpers = require('internal/modules/helpers');
    helpers.hasStartedUserCJSExecution = () => false;
    helpers.hasStartedUserESMExecution = () => false;
  },

  // At run time, before the entry runs.
  begin() {
    recordWatched();
    if (main === undefined) return;
    // As the loader does with a main module that it makes itself.
    for (const [object, key] of [[process, 'mainModule'], [Module.prototype.require, 'main']]) {
      defineProperty(object, key, { configurable: true, enumerable: true, writable: true, value: main });
    }
    main[loader.kIsMainSymbol] = true;
    cache[mainPath] = main;
    main[loader.kIsCachedByESMLoader] = true;
  },

  // Gives the loader what was evaluated for `module`, if that is still what an evaluation would make, and says whether
  // it is.
  adopt(module, path) {
    const unit = units.get(path);
    units.delete(path);
    if (unit === undefined || module.filename !== path || cache[path] !== module) return false;
    // Hooks want to hear of every module.
    if (loadHooks.length > 0 || resolveHooks.length > 0) return false;
    const { members, native, patterns, absent, hasStacks, hasParents, reads } = unit;
    const begun = [];
    for (let i = 1; i < members.length; i++) {
      const other = cache[members[i].filename];
      if (other === undefined) continue;
      // What re-exports has been looked through for its names by the loader of ES modules, which gives it no parent.
      if (other.loaded || !other[loader.kIsCachedByESMLoader] || other[loader.kModuleCircularVisited] ||
          hasParents) {
        trace(`${members[i].filename} is loaded already`);
        return false;
      }
      begun.push([members[i], other]);
    }
    if (native.length > 0 && !holds(native) || !isUntouched()) return false;
    if (absent.length > 0) {
      for (const key of newGlobals(lateGlobals)) {
        const name = typeof key === 'string' ? key : `@@${Symbol.keyFor(key)}`;
        if (absent.includes(name)) return changed(globalThis, key);
      }
    }
    for (let i = 0; i < reads.length; i += 3) {
      if (reads[i][reads[i + 1]] !== reads[i + 2]) return changed(reads[i], reads[i + 1]);
    }
    if (hasStacks) {
      for (const key of stackKeys) if (Error[key] !== stackValues[key]) return changed(Error, key);
    }
    if (patterns.length > 0) {
      const names = keysOf(process.env);
      for (const pattern of patterns) if (names.some((name) => new RegExp(...pattern).test(name))) return false;
    }
    const own = members[0];
    const { parent } = module;
    own.parent = parent;
    const at = parent?.children?.indexOf(module) ?? -1;
    if (at >= 0) parent.children[at] = own;
    for (let i = 0; i < members.length; i++) cache[members[i].filename] = members[i];
    for (const [member, other] of begun) {
      member.parent = undefined;
      // An `import` of the same module holds it.
      other.exports = member.exports;
      other.loaded = true;
    }
    module.exports = own.exports;
    trace(`${members.length} modules of ${path} are evaluated`);
    return true;
  },
};
