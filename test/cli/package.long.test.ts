import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryDirectory } from '../support/cli.ts';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '..', '..');

/** A stream of a user's own, and a sandbox in a test of theirs. */
const OWN = `
import { defineStream, fixed, hss, instant, offsetPaging, text } from 'huaweicloud-security-sync/stream';
import { startSandbox } from 'huaweicloud-security-sync/sandbox';
import { main } from 'huaweicloud-security-sync';

const stream = defineStream({
  name: 'hss_own', about: 'A list of mine.', document: 'https://example.com', group: 'hosts',
  endpoint: { service: 'hss', method: 'GET', paths: ['/v5/{project_id}/own'], enterpriseProjects: true },
  paging: offsetPaging({ list: 'data_list' }), order: [fixed('made_at')], schedule: '* * * * *', targetMs: 3_600_000, reconcileEveryMs: 86_400_000,
  table: { schema: hss, name: 'own', key: ['id'], fields: { id: text('Id.'), made_at: instant('When it was made.') } },
});
const sandbox = await startSandbox();
console.log(stream.name, new URL(sandbox.url).hostname, typeof main);
await sandbox.close();
`;

/** Counts the files that a process loads. */
const COUNT = `
import { registerHooks } from 'node:module';
let files = 0;
registerHooks({ load(url, context, next) {
  if (url.startsWith('file:')) files += 1;
  return next(url, context);
} });
process.on('exit', () => console.error('files', files));
`;

test('the packed package is well formed, installs into an empty folder and runs the demo to its first rows', async () => {
  const folder = await temporaryDirectory();
  // The pinned Node of the clone is on PATH below npm; an installed package gets the one that its user has.
  const env = { ...process.env, NODE_OPTIONS: '' };
  await run('npm', ['pack', '--pack-destination', folder], { cwd: ROOT, env });
  const [tarball] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'));
  if (tarball === undefined) throw new Error(`npm pack left no tarball in ${folder}`);

  const { messages, pkg } = await publint({ pkgDir: ROOT, strict: true });
  // The owner has chosen no licence yet.
  const faults = messages.filter(({ code }) => code !== 'USE_LICENSE');
  expect(faults.map((message) => formatMessage(message, pkg))).toEqual([]);

  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'mine', private: true, type: 'module' }));
  await run('npm', ['install', '--no-audit', '--no-fund', join(folder, tarball)], { cwd: folder, env });
  const bin = join(folder, 'node_modules', '.bin', 'security-sync');
  expect((await run(bin, ['--version'], { cwd: folder, env })).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);

  await writeFile(join(folder, 'count.mjs'), COUNT);
  const { stderr } = await run(process.execPath, ['--import', './count.mjs', bin, 'streams'], { cwd: folder, env });
  expect(
    Number(/^files (\d+)$/m.exec(stderr)?.[1]),
    'files that a command loads: each costs a millisecond',
  ).toBeLessThan(30);

  await writeFile(join(folder, 'own.ts'), OWN);
  const tsc = join(ROOT, 'node_modules', '.bin', 'tsc');
  const strict = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2024'];
  await run(tsc, [...strict, '--types', 'node', '--typeRoots', join(ROOT, 'node_modules/@types'), 'own.ts'], {
    cwd: folder,
  });
  expect((await run(process.execPath, ['own.ts'], { cwd: folder, env })).stdout).toBe('hss_own 127.0.0.1 function\n');

  const demo = spawn(bin, ['demo'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void demo.kill('SIGKILL'));
  let text = '';
  for (const stream of [demo.stdout, demo.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  await expect.poll(() => text, { timeout: 300_000 }).toMatch(/^Polling every/m);
  demo.kill('SIGINT');
  expect(await once(demo, 'close'), text).toEqual([0, null]);
});
