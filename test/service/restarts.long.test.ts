import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { type Sandbox, type SandboxOptions, startSandbox } from '../../src/sandbox/server/server.ts';
import { testNow } from '../support/clock.ts';
import { READ_BY_DEFAULT } from '../support/engine.ts';
import { createTestDatabase, EMPTIED_TABLES } from '../support/postgres.ts';
import { readyOf, startReplica, writeConfig } from '../support/replica.ts';
import { untruths } from '../support/truth.ts';

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

test('every lane runs once after three days of downtime', async () => {
  const sandbox = await sandboxOf();
  // Daily, twelve hours from now: no tick comes in between.
  const hour = (new Date(testNow()).getUTCHours() + 12) % 24;
  const names = ['hss_protected_clusters', 'hss_cluster_events', 'dbss_audit_instances'];
  const each = (runs: number) => Object.fromEntries(names.map((name) => [name, runs]));
  const configFile = await writeConfig({ databaseUrl, sandbox, streams: names, schedule: `0 ${hour} * * *` });
  const first = await startReplica(configFile);
  await expect.poll(runCounts).toEqual(each(1));
  await expect
    .poll(async () => (await pool.query("select 1 from sync.runs where status = 'running'")).rowCount)
    .toBe(0);
  await first.stop();
  await pool.query(
    "update sync.runs set started_at = started_at - interval '3 days', finished_at = finished_at - interval '3 days', certified_at = certified_at - interval '3 days'",
  );
  const replicas = await Promise.all([startReplica(configFile), startReplica(configFile)]);
  await expect.poll(runCounts).toEqual(each(2));
  await sleep(2_000);
  expect(await runCounts()).toEqual(each(2));
  await Promise.all(replicas.map((replica) => replica.stop()));
});

test('the service fills every table, says so, and leaves within ten seconds', async () => {
  const sandbox = await sandboxOf({ vulnerabilities: 4 });
  const streams = READ_BY_DEFAULT.map(({ name }) => name);
  const replica = await startReplica(await writeConfig({ databaseUrl, sandbox, streams }));
  await expect.poll(() => readyOf(replica)).toBe('ready');
  await expect.poll(runCounts).toEqual(Object.fromEntries(streams.map((name) => [name, 1])));
  await expect.poll(() => untruths(pool, sandbox, READ_BY_DEFAULT)).toEqual([]);
  const began = performance.now();
  expect(await replica.stop()).toBe(0);
  expect(performance.now() - began).toBeLessThan(10_000);
  const { rows } = await pool.query("select count(*)::int as open from sync.runs where status = 'running'");
  expect(rows).toEqual([{ open: 0 }]);
});

test('a stop in the middle of a walk ends the run and returns the lane, and another replica continues it', async () => {
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
