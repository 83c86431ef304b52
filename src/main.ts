#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8';

// Loading the modules leaves 200 MB of garbage behind, most of it drizzle's, and V8 would rather grow than collect it:
// without these a first load of 9,900 events peaks at 350 MB instead of 145.
setFlagsFromString('--optimize-for-size');
setFlagsFromString('--semi-space-growth-factor=1');

const { main } = await import('./cli/program.ts');
process.exitCode = await main(process.argv);
