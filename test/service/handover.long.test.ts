import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { type Sandbox, type SandboxOptions, startSandbox } from '../../src/sandbox/server/server.ts';
import { createTestDatabase, EMPTIED_TABLES } from '../support/postgres.ts';
import { readyOf, startReplica, writeConfig } from '../support/replica.ts';

const { pool, url: databaseUrl } = await createTestDatabase();

const SMALL = {
  hosts: 6,
  clusters: 6,
  events: 300,
  vulnerabilities: 12,
  instances: 2,
  reports: 30,
} satisfies SandboxOptions;

async function sandboxOf(options: SandboxOptions = {}): Promise<Sandbox> {
  const sandbox = await startSandbox({ ...SMALL, ...options });
  onTestFinished(() => sandbox.close());
  return sandbox;
}

beforeEach(async () => {
  const tables = await pool.query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from ${EMPTIED_TABLES}`,
  );
  await pool.query(`truncate ${tables.rows.map(({ name }) => name).join(', ')}`);
  await pool.query('drop schema if exists security_sync_queue cascade');
});

const runCounts = async () =>
  Object.fromEntries(
    (
      await pool.query<{ stream: string; runs: number }>(
        'select stream, sum(looks)::int as runs from sync.runs group by 1',
      )
    ).rows.map(({ stream, runs }) => [stream, runs]),
  );

test('a stop in the middle of a walk ends the run and gives the lane back, and another replica goes on with it', async () => {
  const sandbox = await sandboxOf({ latencyMs: 500, events: 1_200 });
  const configFile = await writeConfig({ databaseUrl, sandbox, streams: ['hss_cluster_events'] });
  const replica = await startReplica(configFile);
  await expect.poll(() => sandbox.requests.count('ListClusterEvents')).toBeGreaterThan(1);
  const began = performance.now();
  expect(await replica.stop()).toBe(0);
  expect(performance.now() - began).toBeLessThan(10_000);
  const stopped = await pool.query("select status, reason from sync.runs where stream = 'hss_cluster_events'");
  expect(stopped.rows).toEqual([{ status: 'incomplete', reason: 'interrupted' }]);
  expect(
    (
      await pool.query(
        "select state::text from security_sync_queue.job where name like 'lanes-%' and state < 'completed'",
      )
    ).rows,
  ).toEqual([{ state: 'retry' }]);

  const other = await startReplica(configFile);
  await expect.poll(() => readyOf(other)).toBe('ready');
  await expect.poll(async () => (await runCounts()).hss_cluster_events).toBe(2);
  expect(await other.stop()).toBe(0);
});
