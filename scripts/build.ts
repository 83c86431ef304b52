/** `npm run build`: compiles `src` into `dist` for the package. Runs before `npm pack`. */
import { execFileSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const DIST = join(ROOT, 'dist');

rmSync(DIST, { recursive: true, force: true });
execFileSync(
  process.execPath,
  [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', join(ROOT, 'tsconfig.build.json')],
  {
    stdio: 'inherit',
  },
);
// Data files that the sources read relative to their own path.
cpSync(join(ROOT, 'src/facts'), join(DIST, 'facts'), { recursive: true, filter: (file) => !file.endsWith('.ts') });
