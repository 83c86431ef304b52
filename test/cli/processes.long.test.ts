import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { createStore } from '../../src/postgres/run/store.ts';
import { hssProtectedClusters } from '../../src/streams/hss/protected-clusters.ts';
import { directoryFor, startCli, temporaryDirectory } from '../support/cli.ts';
import { scope } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { requests, sandboxWith } from '../support/small-sandbox.ts';
import { wipe } from '../support/world.ts';

/** More of what the command does as a process; lifecycle.test.ts has the rest. */

const PROJECT = join(import.meta.dirname, '..', '..');

const database = await createTestDatabase();
beforeEach(() => wipe(database));
test('Ctrl-C ends a sync that waits for quota at once', async () => {
  const sandbox = await sandboxWith({ events: 2_000 });
  const cwd = await directoryFor({ sandbox, databaseUrl: database.url, requestsPerMinute: 2 });
  const running = startCli(['sync', '--json', 'hss_cluster_events'], { cwd });
  await requests(sandbox, 'ListClusterEvents', 1);
  const from = performance.now();
  running.child.kill('SIGTERM');
  expect((await running.result).code).toBe(1);
  expect(performance.now() - from).toBeLessThan(5_000);
});

test('a sync waits for a stream that another process is reading, then reads it itself', async () => {
  const sandbox = await sandboxWith();
  const store = createStore(database.pool, { timeZone: 'UTC' });
  const holder = await store.open(hssProtectedClusters, scope);
  expect(holder).not.toBe('busy');
  if (holder === 'busy') return;
  const cwd = await directoryFor({ sandbox, databaseUrl: database.url });
  const waiting = startCli(['sync', '--json', 'hss_protected_clusters', 'hss_cluster_security_reports'], { cwd });
  await requests(sandbox, 'ListSecurityCheckClusterReports', 1);
  expect(sandbox.requests.count('ListClusterProtectionInfo')).toBe(0);
  expect(waiting.child.exitCode).toBeNull();
  await holder.close();
  const { code, stdout } = await waiting.result;
  expect(code).toBe(0);
  expect(JSON.parse(stdout).runs).toHaveLength(2);
  expect(sandbox.requests.count('ListClusterProtectionInfo')).toBe(1);
});

test('output that is only partly read is not an error', async () => {
  const { child, result } = startCli(['streams'], { cwd: await temporaryDirectory() });
  child.stdout?.destroy();
  expect(await result).toMatchObject({ code: 0, stderr: '' });
});

test('a killed sync leaves a run that the next one closes as abandoned', async () => {
  const sandbox = await sandboxWith({ events: 2_000, latencyMs: 60, seed: 3 });
  const cwd = await directoryFor({ sandbox, databaseUrl: database.url });
  const running = startCli(['sync', 'hss_cluster_events'], { cwd });
  await requests(sandbox, 'ListClusterEvents', 2);
  running.child.kill('SIGKILL');
  await running.result;
  const { code } = await startCli(['sync', '--json', 'hss_cluster_events'], { cwd }).result;
  expect(code).toBe(0);
  const { rows } = await database.pool.query(
    "select status from sync.runs where stream = 'hss_cluster_events' order by id",
  );
  expect(rows).toEqual([{ status: 'abandoned' }, { status: 'succeeded' }]);
});

/** Says on stderr that the program itself begins to be loaded, which takes most of a start. */
const WATCH_LOADING = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module';
  registerHooks({
    load(url, context, next) {
      if (url.endsWith('/cli/program.ts')) process.stderr.write('loading\\n');
      return next(url, context);
    },
  });`)}`;

test('Ctrl-C in the first second of a start is a clean stop', async () => {
  const cwd = await temporaryDirectory();
  const env = { NODE_OPTIONS: `--import=${WATCH_LOADING}` };
  const running = startCli(['sandbox', '--events', '5', '--port', '0'], { cwd, env });
  running.child.stderr?.on('data', (text: string) => {
    if (text.includes('loading')) running.child.kill('SIGINT');
  });
  const { code, stderr } = await running.result;
  expect([code, running.child.signalCode, stderr]).toEqual([0, null, 'loading\n']);
});

test('output that cannot be written is a failure', async () => {
  const cwd = await temporaryDirectory();
  const [main, node] = [join(PROJECT, 'src', 'main.ts'), process.execPath];
  for (const args of ['--json streams', 'streams --markdown']) {
    const shell = spawn('sh', ['-c', `'${node}' '${main}' ${args} > /dev/full`], {
      cwd,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    for await (const text of shell.stderr.setEncoding('utf8')) said += text;
    if (shell.exitCode === null) await once(shell, 'exit');
    expect([args, shell.exitCode, said]).toEqual([
      args,
      1,
      expect.stringMatching(/^security-sync: the output cannot be written: .*ENOSPC.*\n$/),
    ]);
  }
});
