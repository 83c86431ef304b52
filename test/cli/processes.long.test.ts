import { beforeEach, expect, test } from 'vitest';
import { createStore } from '../../src/postgres/run/store.ts';
import { hssProtectedClusters } from '../../src/streams/hss/protected-clusters.ts';
import { directoryFor, startCli, temporaryDirectory } from '../support/cli.ts';
import { scope } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { requests, sandboxWith } from '../support/small-sandbox.ts';
import { wipe } from '../support/world.ts';

/** More of what the command does as a process; lifecycle.test.ts has the rest. */

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
