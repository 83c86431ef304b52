import { expect, it } from 'vitest';
import type { Stream } from '../../src/core/stream/stream.ts';
import type { SandboxOptions } from '../../src/sandbox/server/server.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { hssProtectedClusters } from '../../src/streams/hss/protected-clusters.ts';
import { startEngine } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { editList } from '../support/world.ts';

const database = await createTestDatabase();

/** A tenth of the documented cap, on both sides: splitting is the same, and rows take time. `crash.long.test.ts` has the whole one. */
const CAP = 1_000;
const events: Stream = { ...hssClusterEvents, paging: { ...hssClusterEvents.paging, cap: CAP } };

const startCapped = (options: SandboxOptions) =>
  startEngine(database, { eventCap: CAP, noisyCluster: false, ...options });

async function fresh(): Promise<void> {
  await database.pool.query(
    'truncate hss.cluster_events, hss.cluster_events_history, hss.protected_clusters, sync.listings, sync.runs',
  );
}

async function count(): Promise<number> {
  const { rows } = await database.pool.query<{ n: number }>(
    'select count(*)::int as n from hss.cluster_events where _deleted_at is null',
  );
  return rows[0]?.n ?? 0;
}

it('reads 3,700 events behind a cap of 1,000 through the clusters they belong to', async () => {
  await fresh();
  const { run } = await startCapped({ events: 3_700, clusters: 12 });
  await run(hssProtectedClusters);
  const report = await run(events);
  expect(report).toMatchObject({ status: 'succeeded', certificate: 'complete', rejected: 0, inserted: 3_700 });
  expect(await count()).toBe(3_700);
  const { rows } = await database.pool.query(
    `select evidence from sync.runs where stream = 'hss_cluster_events' order by id desc limit 1`,
  );
  expect(rows[0]).toMatchObject({ evidence: { parts: 12, cap: 1_000, distinct: 3_700 } });
});

it('stores the visible rows of clusters beyond the cap, counts the rest, and then only polls', async () => {
  await fresh();
  const { run, sandbox } = await startCapped({ events: 3_700, clusters: 2 });
  // The list says how long it is, though it shows 1,000 rows of it at most.
  sandbox.override('ListClusterEvents', ({ query }, normal) => {
    const reply = normal();
    const { total_num: count, ...body } = JSON.parse(String(reply.body));
    const whole = query.cluster_id === undefined ? 3_700 : 1_850;
    return { ...reply, body: JSON.stringify({ total_num: count < 1_000 ? count : whole, ...body }) };
  });
  await run(hssProtectedClusters);
  const report = await run(events);
  expect(report).toMatchObject({ status: 'incomplete', reason: 'capped', certified_at: null });
  const stored = await count();
  expect(stored).toBeGreaterThanOrEqual(2_000);
  const { rows } = await database.pool.query(
    "select (evidence->>'outOfSight')::int as hidden from sync.listings where stream = 'hss_cluster_events' and listing = ''",
  );
  expect(rows).toEqual([{ hidden: 3_700 - stored }]);
  sandbox.estate.step(3, 'event');
  sandbox.estate.step(2, 'handled');
  const again = await run(events);
  expect(again).toMatchObject({ status: 'incomplete', reason: 'capped' });
  // A row that was out of sight comes into it when it is handled, so it is new to the table.
  expect(again.inserted + again.updated).toBe(5);
  expect(again.requests).toBeLessThanOrEqual(12);
}, 60_000);

it('reads a cluster beyond the cap again when its certificate would be due', async () => {
  await fresh();
  const { run } = await startCapped({ events: 1_200, clusters: 1, noisyCluster: true });
  await run(hssProtectedClusters);
  await run(events);
  const { rowCount } = await database.pool.query(
    `update sync.listings set certified = certified || '{"readAtMs": 0}' where certified ? 'readAtMs'`,
  );
  expect(rowCount).toBe(1);
  const report = await run(events);
  expect(report).toMatchObject({ status: 'incomplete', reason: 'capped', inserted: 0 });
  expect(report.requests).toBeGreaterThan(CAP / 200);
}, 60_000);

it('does not split by clusters if the list of clusters is not proven complete', async () => {
  await fresh();
  const { run, sandbox } = await startCapped({ events: 1_200, clusters: 4 });
  const report = await run(events);
  expect(report).toMatchObject({ status: 'incomplete', reason: 'capped' });
  await run(hssProtectedClusters);
  expect(await run(events)).toMatchObject({ status: 'succeeded', certificate: 'complete' });
  expect(await count()).toBe(1_200);
  expect(await run(events)).toMatchObject({ walk: 'probe', certificate: 'complete', requests: 1 });
  sandbox.estate.step(2, 'event');
  sandbox.estate.step(2, 'handled');
  const moved = await run(events);
  expect(moved).toMatchObject({ certificate: 'complete', updated: 2, inserted: 2 });
  expect(moved.requests).toBeLessThanOrEqual(2);
});

it('does not certify a split if an unknown cluster appears at either end of the list', async () => {
  await fresh();
  const { run } = await startCapped({ events: 1_200, clusters: 3, retiredClusters: 9 });
  await run(hssProtectedClusters);
  const first = await run(events);
  expect(first).toMatchObject({ status: 'incomplete', reason: 'capped' });
});

it('reads the list of clusters again, so that rows of a new cluster are read too', async () => {
  await fresh();
  const { run, sandbox } = await startCapped({ events: 1_200, clusters: 4 });
  let hidden: unknown = null;
  sandbox.override('ListClusterProtectionInfo', (_request, normal) => {
    const reply = normal();
    const body = editList(reply.body, (record) => {
      hidden ??= record.cluster_id;
      return record.cluster_id === hidden ? null : record;
    });
    return { ...reply, body };
  });
  await run(hssProtectedClusters);
  sandbox.override('ListClusterProtectionInfo', undefined);
  expect(await run(events)).toMatchObject({ status: 'succeeded', certificate: 'complete' });
  expect(await count()).toBe(1_200);
});

it('does not certify a split by an old certificate of the clusters if they cannot be read now', async () => {
  await fresh();
  const { run, sandbox } = await startCapped({ events: 1_200, clusters: 4 });
  await run(hssProtectedClusters);
  sandbox.faults.add({ kind: 'forbidden', operation: 'ListClusterProtectionInfo', times: 2 });
  expect(await run(events)).toMatchObject({ status: 'incomplete', reason: 'capped' });
});

it('finishes a part even if a concurrent part fails', async () => {
  await fresh();
  const { run, sandbox } = await startCapped({ events: 1_200, clusters: 4 });
  await run(hssProtectedClusters);
  const [first, second] = [...sandbox.estate.clusterIds()].sort();
  sandbox.faults.add({
    kind: 'forbidden',
    operation: 'ListClusterEvents',
    when: ({ query }) => query.cluster_id === second,
    times: 100,
  });
  expect(await run(events)).toMatchObject({ status: 'failed', reason: 'refused' });
  const { rows } = await database.pool.query(
    "select listing, certificate from sync.listings where stream = 'hss_cluster_events' and listing like '%cluster_id%' order by 1",
  );
  expect(rows).toEqual([{ listing: `cluster_id=${first}`, certificate: 'complete' }]);
});
