import pg from 'pg';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { createStore } from '../../src/postgres/store.ts';
import { type SandboxOptions, startSandbox } from '../../src/sandbox/server.ts';
import { hssProtectedClusters } from '../../src/streams/hss/protected-clusters.ts';
import { streams } from '../../src/streams/index.ts';
import { directoryFor, runCli, startCli, temporaryDirectory } from '../support/cli.ts';
import { scope } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { wipe } from '../support/world.ts';

/** The command as it lives: interrupted, killed, run twice, and next to another one. */

const database = await createTestDatabase();
beforeEach(() => wipe(database));
const SMALL: SandboxOptions = { clusters: 3, events: 60, vulnerabilities: 6, instances: 1, reports: 5 };

async function sandboxWith(options: SandboxOptions = {}) {
  const sandbox = await startSandbox({ ...SMALL, ...options });
  onTestFinished(() => sandbox.close());
  return sandbox;
}

/** Waits until the sandbox has seen so many requests. */
async function requests(sandbox: Awaited<ReturnType<typeof sandboxWith>>, operation: string, count: number) {
  await expect.poll(() => sandbox.requests.count(operation), { interval: 10 }).toBeGreaterThanOrEqual(count);
}

async function countIn(url: string, table: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ n: number }>(`select count(*)::int as n from ${table}`);
    return rows[0]?.n ?? -1;
  } finally {
    await client.end();
  }
}

describe('the embedded database', () => {
  test('is the same for two syncs, one killed between them, a demo beside a status, and a start after kill -9', {
    timeout: 120_000,
  }, async () => {
    const sandbox = await sandboxWith({ events: 400, latencyMs: 20 });
    const cwd = await directoryFor({ sandbox });
    const sync = async () => {
      const { code, stdout } = await runCli(['sync', 'hss_cluster_events', '--json'], { cwd });
      const runs: { stream: string; inserted: number; certificate: string }[] = JSON.parse(stdout).runs;
      return { code, ...runs.find(({ stream }) => stream === 'hss_cluster_events') };
    };
    expect(await sync()).toMatchObject({ code: 0, inserted: 400, certificate: 'complete' });
    sandbox.requests.clear();
    const killed = startCli(['sync', 'hss_cluster_events', '--full'], { cwd });
    await requests(sandbox, 'ListClusterEvents', 1);
    killed.child.kill('SIGKILL');
    await killed.result;
    expect(await sync()).toMatchObject({ code: 0, inserted: 0, certificate: 'complete' });

    const demo = startCli(['demo', '--json'], { cwd });
    const { database: url, ok, queries } = JSON.parse(await demo.until(/\n}\n/));
    expect(ok).toBe(true);
    expect(queries).toHaveLength(3);
    for (const { rows } of queries) expect(rows.length).toBeGreaterThan(0);
    const events = await countIn(url, 'hss.cluster_events');
    expect(events).toBeGreaterThan(400);
    const operations = await countIn(url, 'hss.image_vulnerability_operations');
    const status = () => runCli(['status', '--json'], { cwd });
    const beside = await status();
    expect(beside.code).toBe(0);
    expect(JSON.parse(beside.stdout).streams).toHaveLength(streams.length);

    demo.child.kill('SIGKILL');
    await demo.result;
    const after = await status();
    expect(after.code).toBe(0);
    const row = JSON.parse(after.stdout).streams.find(
      ({ stream }: { stream: string }) => stream === 'hss_cluster_events',
    );
    expect(row.rows, 'what was there before is still there').toBeGreaterThan(400);

    const again = startCli(['demo', '--json'], { cwd });
    const second = JSON.parse(await again.until(/\n}\n/));
    expect(second.ok).toBe(true);
    const isNew = await countIn(second.database, 'hss.image_vulnerability_operations');
    expect(isNew, 'one estate, not two').toBeLessThan(operations * 1.5);
    const impossible = 'bi.event_response_times where handled_at < create_time';
    expect(await countIn(second.database, impossible)).toBe(0);
  });
});

describe('Ctrl-C', () => {
  test('ends a sync cleanly, and the next one goes on where it was', async () => {
    const sandbox = await sandboxWith({ events: 2_000, latencyMs: 60 });
    const cwd = await directoryFor({ sandbox, databaseUrl: database.url });
    const running = startCli(['sync', '--json', 'hss_cluster_events'], { cwd });
    await requests(sandbox, 'ListClusterEvents', 3);
    running.child.kill('SIGINT');
    const { code, stdout, stderr } = await running.result;
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ ok: false });
    const events = JSON.parse(stdout).runs.find(({ stream }: { stream: string }) => stream === 'hss_cluster_events');
    expect(events).toMatchObject({ status: 'incomplete', reason: 'interrupted', error: null });
    expect(events.inserted).toBeGreaterThan(0);
    expect(events.inserted).toBeLessThan(2_000);
    expect(stderr).not.toMatch(/^\s+at |uncaught/im);
    const next = await runCli(['sync', '--json', 'hss_cluster_events'], { cwd });
    expect(next.code).toBe(0);
    expect(await countIn(database.url, 'hss.cluster_events')).toBe(2_000);
    expect(await countIn(database.url, "sync.runs where status = 'running'")).toBe(0);
  });

  test('ends a sync that waits for quota at once', async () => {
    const sandbox = await sandboxWith({ events: 2_000 });
    const cwd = await directoryFor({ sandbox, databaseUrl: database.url, requestsPerMinute: 2 });
    const running = startCli(['sync', '--json', 'hss_cluster_events'], { cwd });
    await requests(sandbox, 'ListClusterEvents', 1);
    const from = performance.now();
    running.child.kill('SIGTERM');
    expect((await running.result).code).toBe(1);
    expect(performance.now() - from).toBeLessThan(5_000);
  });
});

test('a killed sync leaves a run that the next one closes as abandoned', async () => {
  const sandbox = await sandboxWith({ events: 2_000, latencyMs: 60, seed: 3 });
  const cwd = await directoryFor({ sandbox, databaseUrl: database.url });
  const running = startCli(['sync', 'hss_cluster_events'], { cwd });
  await requests(sandbox, 'ListClusterEvents', 2);
  running.child.kill('SIGKILL');
  await running.result;
  const { code } = await runCli(['sync', '--json', 'hss_cluster_events'], { cwd });
  expect(code).toBe(0);
  expect(await countIn(database.url, "sync.runs where status = 'abandoned'")).toBe(1);
  expect(await countIn(database.url, "sync.runs where status = 'running'")).toBe(0);
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

test('output that nobody reads to its end is no fault', async () => {
  const { child, result } = startCli(['streams'], { cwd: await temporaryDirectory() });
  child.stdout?.destroy();
  expect(await result).toMatchObject({ code: 0, stderr: '' });
});
