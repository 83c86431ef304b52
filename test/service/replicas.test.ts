import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { DEMO_PROJECT, type Sandbox, type SandboxOptions, startSandbox } from '../../src/sandbox/server/server.ts';
import { testNow } from '../support/clock.ts';
import { READ_BY_DEFAULT as streams } from '../support/engine.ts';
import { doubleVersions, overlappingRuns, quotaBreaches } from '../support/order.ts';
import { createTestDatabase, EMPTIED_TABLES } from '../support/postgres.ts';
import { readyOf, startReplica, writeConfig } from '../support/replica.ts';
import { COMPARED_WHILE_CHANGING, untruths } from '../support/truth.ts';

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

test('the service fills every table, says so, and leaves within ten seconds', async () => {
  const sandbox = await sandboxOf();
  const replica = await startReplica(await writeConfig({ databaseUrl, sandbox }));
  await expect.poll(() => readyOf(replica)).toBe('ready');
  await expect.poll(runCounts).toEqual(Object.fromEntries(streams.map(({ name }) => [name, 1])));
  await expect.poll(() => untruths(pool, sandbox)).toEqual([]);
  const began = performance.now();
  expect(await replica.stop()).toBe(0);
  expect(performance.now() - began).toBeLessThan(10_000);
  const { rows } = await pool.query("select count(*)::int as open from sync.runs where status = 'running'");
  expect(rows).toEqual([{ open: 0 }]);
});

test('a stop in the middle of a walk ends the run and gives the lane back, and another replica goes on with it', async () => {
  const sandbox = await sandboxOf({ latencyMs: 1_500, events: 3_000 });
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

test('every lane runs once after three days of downtime', async () => {
  const sandbox = await sandboxOf();
  // Daily, twelve hours from now: no tick comes in between.
  const hour = (new Date(testNow()).getUTCHours() + 12) % 24;
  const configFile = await writeConfig({ databaseUrl, sandbox, schedule: `0 ${hour} * * *` });
  const first = await startReplica(configFile);
  const once = Object.fromEntries(streams.map(({ name }) => [name, 1]));
  await expect.poll(runCounts).toEqual(once);
  await expect
    .poll(async () => (await pool.query("select 1 from sync.runs where status = 'running'")).rowCount)
    .toBe(0);
  await first.stop();
  await pool.query(
    "update sync.runs set started_at = started_at - interval '3 days', finished_at = finished_at - interval '3 days', certified_at = certified_at - interval '3 days'",
  );
  const replicas = await Promise.all([startReplica(configFile), startReplica(configFile)]);
  await expect.poll(runCounts).toEqual(Object.fromEntries(streams.map(({ name }) => [name, 2])));
  await sleep(4_000);
  expect(await runCounts()).toEqual(Object.fromEntries(streams.map(({ name }) => [name, 2])));
  await Promise.all(replicas.map((replica) => replica.stop()));
});

test('three replicas share the work of two projects; one that is killed is replaced', async () => {
  const projects = [DEMO_PROJECT, { id: 'c0ffee00c0ffee00c0ffee00c0ffee00', region: 'cn-north-4' }];
  const sandbox = await sandboxOf({ projects, quota: 300, latencyMs: 40 });
  const churn = setInterval(() => {
    for (const estate of sandbox.estates.values()) estate.step(3);
  }, 500);
  onTestFinished(() => clearInterval(churn));
  const configFile = await writeConfig({
    databaseUrl,
    sandbox,
    projects,
    streams: COMPARED_WHILE_CHANGING.map(({ name }) => name),
    schedule: '*/3 * * * * *',
    requestsPerMinute: 300,
  });
  const replicas = await Promise.all([1, 2, 3].map(() => startReplica(configFile)));
  await expect.poll(() => Promise.all(replicas.map(readyOf))).toEqual(['ready', 'ready', 'ready']);
  await expect.poll(async () => (await pool.query('select distinct owner from sync.runs')).rowCount).toBe(3);
  await sleep(3_000);
  replicas[0]?.signal('SIGKILL');
  const { rows: kill } = await pool.query<{ at: Date }>('select now() as at');
  // Another one reads again whatever it was reading. A run that waits for rows to be confirmed as gone has read its lists as well.
  const pairs = COMPARED_WHILE_CHANGING.length * projects.length;
  await expect
    .poll(
      async () =>
        (
          await pool.query(
            `select distinct stream, project_id from sync.runs where status in ('succeeded', 'incomplete')
               and reason is distinct from 'interrupted' and started_at > $1 and stream = any($2)`,
            [kill[0]?.at, COMPARED_WHILE_CHANGING.map(({ name }) => name)],
          )
        ).rowCount,
    )
    .toBe(pairs);
  clearInterval(churn);
  // A row that left a list a moment ago waits for later walks to confirm it (docs/decisions.md D3).
  const wrong = async () =>
    (await untruths(pool, sandbox, COMPARED_WHILE_CHANGING)).filter(
      (text) => !/ 0 missing, \d+ extra, 0 different/.test(text),
    );
  await expect.poll(wrong, { interval: 500 }).toEqual([]);
  expect(await Promise.all(replicas.slice(1).map((replica) => replica.stop()))).toEqual([0, 0]);
  expect(await overlappingRuns(pool)).toEqual([]);
  expect(await doubleVersions(pool)).toEqual([]);
  expect(quotaBreaches(sandbox, 300)).toEqual([]);
  const { rows } = await pool.query("select error from sync.runs where status = 'failed'");
  expect(rows).toEqual([]);
});
