#!/usr/bin/env -S MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=131072 node --min-semi-space-size=8 --v8-pool-size=1
import { enableCompileCache } from 'node:module';
import { setFlagsFromString } from 'node:v8';
import { compileCache, stopSignal } from './startup.ts';

const stop = stopSignal({ process, now: () => performance.now(), exit: (code) => process.exit(code) });

// Stripping types and compiling is half of the start time, so the result is cached.
const cache = compileCache();
if (cache !== null) enableCompileCache(cache);
// V8 prefers growing the heap over collecting garbage; these two flags halve the peak memory of a first load, for no
// more CPU time. Rejected: less growth, which saves little more memory for a fifth more CPU time, and
// `--optimize-for-size`, which doubles it. The size of the young generation can only be set in the first line of this
// file: 8 MB, because in a smaller one most objects of a page outlive a collection, which costs CPU time. That line
// also gives V8 one helper thread and glibc one arena that returns freed memory: with four helpers, each keeps an arena
// of its own. Figures: docs/performance.md, "Single measurements".
setFlagsFromString('--semi-space-growth-factor=1');
setFlagsFromString('--heap-growing-percent=125');

const { main } = await import('./cli/program.ts');
process.exitCode = await main(process.argv, stop, process);
