#!/usr/bin/env -S MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=4194304 MALLOC_MMAP_THRESHOLD_=1048576 node --min-semi-space-size=8 --v8-pool-size=1
import { enableCompileCache, getCompileCacheDir } from 'node:module';
import { setFlagsFromString } from 'node:v8';
import { compileCache, stopSignal } from './startup.ts';

const NODE_MODULES = [
  'child_process',
  'crypto',
  'dns',
  'fs/promises',
  'net',
  'perf_hooks',
  'timers/promises',
  'worker_threads',
];

const stop = stopSignal({ process, now: () => performance.now(), exit: (code) => process.exit(code) });

// Stripping types and compiling is half of the start time, so the result is cached.
const cache = compileCache();
if (cache !== null) enableCompileCache(cache);
// Not for the service, which starts once and runs for weeks: functions that it does not call would take its memory.
if (getCompileCacheDir() !== undefined && !process.argv.includes('run')) {
  // V8 rejects the compiled code that Node ships with its modules once a flag has changed. So modules that every command
  // needs are loaded first.
  for (const name of NODE_MODULES) process.getBuiltinModule(name);
  // Node stores what is compiled when a module is loaded. Usually that is not the functions, which V8 compiles at their
  // first call, in each process again; with this flag they are stored as well.
  setFlagsFromString('--no-lazy');
}
// V8 prefers growing the heap over collecting garbage; these two flags halve the peak memory of a first load, for no
// more CPU time. Rejected: less growth, which saves little more memory for a fifth more CPU time, and
// `--optimize-for-size`, which doubles it. The size of the young generation can only be set in the first line of this
// file: 8 MB, because in a smaller one most objects of a page outlive a collection, which costs CPU time. That line
// also gives V8 one helper thread and glibc one arena that returns freed memory: with four helpers, each keeps an arena
// of its own. It returns only what exceeds 4 MB, or is a block of more than 1 MB, because the buffers of the next page
// would have to be mapped again. Figures: docs/performance.md, "Single measurements".
setFlagsFromString('--semi-space-growth-factor=1');
setFlagsFromString('--heap-growing-percent=125');
// undici parses HTTP headers in WebAssembly. After some pages V8 would compile that small parser again, optimized, which
// takes more CPU time than it ever saves. Only both flags together prevent it.
setFlagsFromString('--no-wasm-tier-up');
setFlagsFromString('--no-wasm-dynamic-tiering');

const { main } = await import('./cli/program.ts');
process.exitCode = await main(process.argv, stop, process);
