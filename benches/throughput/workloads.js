// Workloads by name: each is run again and again for a while, and the program prints how often it ran in a second.
'use strict';

const { Buffer } = require('node:buffer');
const { spawn, spawnSync } = require('node:child_process');
const crypto = require('node:crypto');
const { EventEmitter, once } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { PassThrough, Readable } = require('node:stream');
const { pipeline } = require('node:stream/promises');
const util = require('node:util');
const zlib = require('node:zlib');

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'throughput-'));
const small = path.join(folder, 'small');
const large = path.join(folder, 'large');
const text = 'The quick brown fox jumps over the lazy dog, żółw. '.repeat(2000);
const bytes = Buffer.from(text);
fs.writeFileSync(small, bytes.subarray(0, 1000));
fs.writeFileSync(large, Buffer.alloc(4 << 20, 'x'));
const hex = bytes.toString('hex');
const base64 = bytes.toString('base64');
const nested = Object.fromEntries(Array.from({ length: 200 }, (_, index) =>
  [`key${index}`, { index, list: [1, 'two', { three: 3 }], map: new Map([[index, new Set([index])]]), date: new Date(index) }]));
const deflated = zlib.deflateSync(bytes);
const compressed = zlib.brotliCompressSync(bytes);
const even = Buffer.from(bytes.subarray(0, bytes.length & ~1));
const short = Buffer.from('forty-two bytes of text, which is not long');

const emitter = new EventEmitter();

const workloads = {
  'fs.readFileSync small': () => fs.readFileSync(small),
  'fs.readFileSync text': () => fs.readFileSync(small, 'utf8'),
  'fs.readFileSync large': () => fs.readFileSync(large),
  'fs.writeFileSync': () => fs.writeFileSync(path.join(folder, 'out'), bytes),
  'fs.statSync': () => fs.statSync(small),
  'fs.existsSync': () => fs.existsSync(small),
  'fs.readdirSync': () => fs.readdirSync(folder),
  'fs.promises.readFile': () => fs.promises.readFile(small),
  'fs.promises.writeFile': () => fs.promises.writeFile(path.join(folder, 'out'), bytes),
  'fs.promises.stat': () => fs.promises.stat(small),
  'fs.readFile': () => util.promisify(fs.readFile)(small),
  'fs streams': () => pipeline(fs.createReadStream(large), fs.createWriteStream(path.join(folder, 'copy'))),
  'Buffer.from utf8': () => Buffer.from(text),
  'Buffer.from short': () => Buffer.from('forty-two bytes of text'),
  'Buffer.from base64': () => Buffer.from(base64, 'base64'),
  'Buffer.from hex': () => Buffer.from(hex, 'hex'),
  'buffer.toString utf8': () => bytes.toString(),
  'buffer.toString short': () => short.toString(),
  'buffer.toString latin1': () => bytes.toString('latin1'),
  'buffer.toString base64': () => bytes.toString('base64'),
  'buffer.toString hex': () => bytes.toString('hex'),
  'buffer.write short': () => short.write('some text', 3),
  'buffer.copy': () => bytes.copy(short, 0, 10, 30),
  'buffer.indexOf': () => bytes.indexOf('no such text'),
  'buffer.equals': () => short.equals(short),
  'buffer.fill': () => short.fill('ab'),
  'buffer.swap16': () => even.swap16(),
  'buffer.indexOf short': () => short.indexOf('long'),
  'buffer.toString mixed': () => bytes.toString('utf8', 30, 70),
  'Buffer.concat': () => Buffer.concat([short, short, short]),
  'Buffer.byteLength': () => Buffer.byteLength(text),
  'TextEncoder': () => new TextEncoder().encode(text),
  'TextDecoder': () => new TextDecoder().decode(bytes),
  'util.inspect': () => util.inspect(nested, { depth: 5 }),
  'util.format': () => util.format('%s %d %j %o', 'a', 1, { b: 2 }, [3]),
  'structuredClone': () => structuredClone(nested),
  'Error': () => new Error('message'),
  'readFileSync of nothing': () => { try { fs.readFileSync('/no/such/file'); } catch (error) { return error; } },
  'URL': () => new URL('https://user:pass@example.com:8080/a/b/../c?d=e#f').href,
  'spawnSync': () => spawnSync('/bin/true'),
  'spawn': () => once(spawn('/bin/true'), 'close'),
  'setTimeout': () => new Promise((done) => {
    let left = 1000;
    for (let index = 0; index < 1000; index++) setTimeout(() => --left || done(), 1);
  }),
  'setImmediate': () => new Promise((done) => {
    let left = 1000;
    (function next() { --left ? setImmediate(next) : done(); })();
  }),
  'nextTick': () => new Promise((done) => {
    let left = 1000;
    (function next() { --left ? process.nextTick(next) : done(); })();
  }),
  'once': () => { emitter.once('other', () => {}); emitter.emit('other'); },
  'streams': () => pipeline(Readable.from(Array(50).fill(short)), new PassThrough(), new PassThrough().resume()),
  'EventEmitter': (() => {
    const emitter = new EventEmitter();
    let sum = 0;
    emitter.on('event', (value) => { sum += value; });
    return () => { for (let index = 0; index < 1000; index++) emitter.emit('event', index); return sum; };
  })(),
  'zlib.deflateSync': () => zlib.deflateSync(bytes),
  'zlib.deflateSync short': () => zlib.deflateSync(short),
  'zlib.inflateSync': () => zlib.inflateSync(deflated),
  'zlib.gzip': () => util.promisify(zlib.gzip)(bytes),
  'zlib.brotliDecompressSync': () => zlib.brotliDecompressSync(compressed),
  'zlib stream': () => pipeline(Readable.from([bytes, bytes]), zlib.createGzip(), zlib.createGunzip(), new PassThrough().resume()),
  'zlib.crc32': () => zlib.crc32(bytes),
  'hash sha256': () => crypto.createHash('sha256').update(bytes).digest('hex'),
  'hash sha256 short': () => crypto.createHash('sha256').update(short).digest('hex'),
  'hash sha1': () => crypto.createHash('sha1').update(bytes).digest('hex'),
  'hash md5': () => crypto.createHash('md5').update(bytes).digest('hex'),
  'hash sha512': () => crypto.createHash('sha512').update(bytes).digest('hex'),
  'hmac sha256': () => crypto.createHmac('sha256', 'key').update(short).digest('hex'),
  'pbkdf2Sync': () => crypto.pbkdf2Sync('password', 'salt', 1000, 32, 'sha256'),
  'randomBytes': () => crypto.randomBytes(32),
  'randomUUID': () => crypto.randomUUID(),
  'process.env': () => process.env.PATH,
  'process.hrtime': () => process.hrtime.bigint(),
  'performance.now': () => performance.now(),
};

/** The processor's time that this process has used, in milliseconds: what else the machine does matters little to it. */
const own = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const clock = () => Number(process.hrtime.bigint()) / 1e6;

/** Runs `work` for so many milliseconds of `time`; says how often it could have run in a second. */
async function measure(work, milliseconds, time) {
  let count = 0;
  let batch = 1;
  const start = time();
  for (;;) {
    for (let index = 0; index < batch; index++) {
      const result = work();
      if (result instanceof Promise) await result;
    }
    count += batch;
    const elapsed = time() - start;
    if (elapsed >= milliseconds) return count / elapsed * 1000;
    // To look at the clock must not count.
    if (elapsed < milliseconds / 10) batch *= 2;
  }
}

(async () => {
  const [only = '', milliseconds = '200'] = process.argv.slice(2);
  for (const [name, work] of Object.entries(workloads)) {
    if (!name.includes(only)) continue;
    // Most of what it takes to start a child is not this process's time.
    const time = name.startsWith('spawn') ? clock : own;
    await measure(work, milliseconds / 4, time);
    console.log(`${name}\t${(await measure(work, Number(milliseconds), time)).toFixed(1)}`);
  }
  fs.rmSync(folder, { recursive: true });
})();
