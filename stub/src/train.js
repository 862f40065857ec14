// Run while a program is built, in an isolate of its own, to learn which functions of Node's library a start needs:
// sets the process up, loads a module of either kind from `folder` and prints an empty line to a pipe and to a file.

const { prepareMainThreadExecution, markBootstrapComplete } = require('internal/process/pre_execution');
prepareMainThreadExecution(true);
markBootstrapComplete();
process.argv[1] = `${folder}/main.js`;
require('internal/modules/cjs/loader').Module.runMain(process.argv[1]);
const SyncWriteStream = require('internal/fs/sync_write_stream');
const { Console } = require('internal/console/global');
const out = new SyncWriteStream(require('fs').openSync('/dev/null', 'w'));
new Console(out, out).log('%s', 'text', 1, { an: ['object'] });
