// Writes start.txt: the functions that a start runs, for the linker to lay out side by side (see ../../build.rs).
//
//     node stub/link/start.mjs STUB EXECUTABLE...
//
// STUB is a release stub with its symbols. The executables were built with it (KILN_STUB=STUB kiln build hello.js): first
// the smallest program there is, then some that load many modules of either kind. Needs valgrind and nm. Run it when V8 changes; names that are gone do no harm. The names of Rust's functions change with
// every compiler and are left out.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [stub, ...executables] = process.argv.slice(2);

const functions = new Map();
for (const line of execFileSync('nm', ['-S', stub], { encoding: 'utf8', maxBuffer: 1 << 28 }).split('\n')) {
  const [address, size, kind, name] = line.split(' ');
  if (name && 'tTwW'.includes(kind) && !functions.has(parseInt(address, 16))) {
    functions.set(parseInt(address, 16), { end: parseInt(address, 16) + parseInt(size, 16), name });
  }
}
const starts = [...functions.keys()].sort((a, b) => a - b);

/** The function that an instruction belongs to. */
function at(address) {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (starts[middle] <= address) low = middle + 1;
    else high = middle;
  }
  const found = functions.get(starts[low - 1]);
  return found && address < found.end ? found.name : undefined;
}

/** The functions that an executable runs, by their names. */
function run(command) {
  const trace = join(mkdtempSync(join(tmpdir(), 'start-')), 'callgrind');
  const options = ['--tool=callgrind', '--dump-instr=yes', `--callgrind-out-file=${trace}`];
  execFileSync('valgrind', [...options, command, '--version'], { stdio: 'ignore' });
  const names = new Set();
  let address = 0;
  let call = false;
  for (const line of readFileSync(trace, 'utf8').split('\n')) {
    if (line.startsWith('calls=')) {
      call = true;
      continue;
    }
    const position = /^(0x[0-9a-f]+|[+-]\d+|\*) /.exec(line)?.[1];
    if (!position) continue;
    if (position.startsWith('0x')) address = parseInt(position, 16);
    else if (position !== '*') address += Number(position);
    // The line after `calls=` is the cost of what was called.
    if (!call) names.add(at(address));
    call = false;
  }
  names.delete(undefined);
  return names;
}

// What the first needs comes first, then what the others need besides.
const names = new Set();
for (const executable of executables) {
  const more = [...run(executable)].filter((name) => !/17h[0-9a-f]{16}E|^_R|^Builtins_|\.llvm\./.test(name));
  for (const name of more.sort()) names.add(name);
}
writeFileSync(new URL('start.txt', import.meta.url), [...names].join('\n') + '\n');
