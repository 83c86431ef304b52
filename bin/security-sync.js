#!/usr/bin/env -S MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=4194304 MALLOC_MMAP_THRESHOLD_=1048576 node --min-semi-space-size=8 --v8-pool-size=1
import { existsSync } from 'node:fs';

// A clone runs its sources. The package holds them compiled, because Node strips no types below node_modules.
await import(existsSync(new URL('../src/main.ts', import.meta.url)) ? '../src/main.ts' : '../dist/main.js');
