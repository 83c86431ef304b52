#!/usr/bin/env -S node --min-semi-space-size=4
import { enableCompileCache } from 'node:module';
import { setFlagsFromString } from 'node:v8';
import { compileCache, stopSignal } from './startup.ts';

const stop = stopSignal({ process, now: () => performance.now(), exit: (code) => process.exit(code) });

// Half of a start was taking types out of files and compiling them (1.1 against 0.6 s, and 25 MB).
const cache = compileCache();
if (cache !== null) enableCompileCache(cache);
// V8 would rather grow than collect: a first load of 50,000 events peaks at 350 MB without these two, and at 160 with them for
// a tenth more CPU time. `--optimize-for-size` instead took 145 MB, and twice the CPU time. The size its young generation then
// keeps can be set in the first line only: 4 MB, because at 1 MB most of a page outlives it (a fifth of the CPU time of an unchanged walk).
setFlagsFromString('--semi-space-growth-factor=1');
setFlagsFromString('--heap-growing-percent=50');

const { main } = await import('./cli/program.ts');
process.exitCode = await main(process.argv, stop, process);
