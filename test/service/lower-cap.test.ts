import { expect, it } from 'vitest';
import type { Stream } from '../../src/core/stream/stream.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { hssProtectedClusters } from '../../src/streams/hss/protected-clusters.ts';
import { letPass } from '../support/passing-time.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { HOUR, smallWorlds } from '../support/tombstones.ts';
import type { World } from '../support/world.ts';

/** Lists that the API cuts off, through the real engine, HTTP and Postgres. The rows are made here: 2.5 minutes apart, in order. */

const database = await createTestDatabase();
const { pool } = database;
const { fresh } = smallWorlds(database);

/** A tenth of the documented cap, here and in what is served: all else is the same, and rows take time. */
const CAP = 1_000;
const events: Stream = { ...hssClusterEvents, paging: { ...hssClusterEvents.paging, cap: CAP } };

interface Served {
  clusters: string[];
  /** Rows of each cluster. */
  readonly rows: number;
  /** Rows that the API shows of any list, and that its count says at most. */
  cap: number;
}

/** Answers for clusters and their events, newest first. */
function serve({ sandbox, clock }: World, served: Served): void {
  const newest = clock.now() - HOUR;
  const page = (records: readonly object[], { offset, limit }: Readonly<Record<string, string | undefined>>) => {
    const shown = records.slice(0, served.cap);
    const start = Number(offset ?? 0);
    return JSON.stringify({ total_num: shown.length, data_list: shown.slice(start, start + Number(limit ?? 10)) });
  };
  sandbox.override('ListClusterProtectionInfo', ({ query }) =>
    page(
      served.clusters.map((cluster_id) => ({ cluster_id, cluster_name: cluster_id, protect_status: 'protected' })),
      query,
    ),
  );
  const all = Array.from({ length: served.rows * served.clusters.length }, (_, index) => {
    const time = newest - index * 150_000;
    const cluster_id = served.clusters[index % served.clusters.length] ?? '';
    return { event_id: `e${index}`, cluster_id, create_time: time, update_time: time };
  });
  sandbox.override('ListClusterEvents', ({ query }) => {
    const isAsked = (cluster: string) => query.cluster_id === undefined || cluster === query.cluster_id;
    const listed = new Set(served.clusters.filter(isAsked));
    return page(
      all.filter(({ cluster_id }) => listed.has(cluster_id)),
      query,
    );
  });
}

async function live(): Promise<number> {
  const { rows } = await pool.query<{ n: number }>(
    'select count(*)::int as n from hss.cluster_events where _deleted_at is null',
  );
  return rows[0]?.n ?? 0;
}

async function wholeList(): Promise<unknown> {
  const { rows } = await pool.query(
    `select certificate, reason, (evidence->>'outOfSight')::int as "outOfSight" from sync.listings
     where stream = 'hss_cluster_events' and listing = ''`,
  );
  return rows[0];
}

it('if the API shows and counts only about 500 of 700 events, none is marked, and the others are out of sight', async () => {
  const world = await fresh();
  const served: Served = { clusters: ['c1'], rows: 700, cap: CAP };
  serve(world, served);
  expect(await world.run(events)).toMatchObject({ certificate: 'complete', inserted: 700 });
  for (const [walk, cap] of [500, 503, 497, 497, 506].entries()) {
    served.cap = cap;
    const report = await world.run(events, { full: walk > 0 });
    expect(report, `walk ${walk}`).toMatchObject({ status: 'incomplete', reason: 'capped', deleted: 0 });
    expect(await wholeList(), `walk ${walk}`).toEqual({
      certificate: 'incomplete',
      reason: 'capped',
      outOfSight: 700 - cap,
    });
    await letPass(pool, 5 * HOUR);
  }
  expect(await live()).toBe(700);
  served.cap = CAP;
  expect(await world.run(events)).toMatchObject({ certificate: 'complete', deleted: 0 });
});

it('rows behind a lower cap are read cluster by cluster if the clusters are known, and the list stays complete', async () => {
  const world = await fresh();
  const served: Served = { clusters: ['c1', 'c2', 'c3', 'c4'], rows: 200, cap: CAP };
  serve(world, served);
  await world.run(hssProtectedClusters);
  await world.run(events);
  served.cap = 500;
  expect(await world.run(events)).toMatchObject({ certificate: 'complete', deleted: 0 });
  expect(await live()).toBe(800);
});

it('if a cluster is deleted while the list is read in parts, the list stays complete, and the events are marked with the cluster', async () => {
  const world = await fresh();
  const served: Served = { clusters: ['c1', 'c2', 'c3', 'c4', 'c5'], rows: 220, cap: CAP };
  serve(world, served);
  await world.run(hssProtectedClusters);
  expect(await world.run(events)).toMatchObject({ certificate: 'complete', inserted: 1_100 });
  await letPass(pool, HOUR);
  served.clusters = served.clusters.filter((id) => id !== 'c3');
  // 880 rows: no longer beyond the cap, and a fifth shorter, so the parts are the second opinion.
  const reports = [];
  for (let look = 0; look < 4; look += 1) {
    await world.run(hssProtectedClusters, { full: true });
    reports.push(await world.run(events, { full: true }));
    await letPass(pool, 2 * HOUR);
  }
  expect(reports.map(({ certificate }) => certificate)).toEqual(Array(4).fill('complete'));
  expect(reports[0]).toMatchObject({ deleted: 0 });
  expect(reports.reduce((sum, { deleted }) => sum + deleted, 0)).toBe(220);
  expect(await live()).toBe(880);
});

it('events of a cluster that no list names, in the middle of a list beyond the cap, leave the list unproven', async () => {
  const world = await fresh();
  serve(world, { clusters: ['c1'], rows: 0, cap: CAP });
  const newest = world.clock.now() - HOUR;
  const rows = Array.from({ length: 1_040 }, (_, index) => {
    const time = newest - index * 150_000;
    const cluster_id = index >= 500 && index < 550 ? 'unlisted' : 'c1';
    return { event_id: `e${index}`, cluster_id, create_time: time, update_time: time };
  });
  world.sandbox.override('ListClusterEvents', ({ query }) => {
    const listed = rows.filter((row) => query.cluster_id === undefined || row.cluster_id === query.cluster_id);
    const start = Number(query.offset ?? 0);
    const shown = listed.slice(0, CAP).slice(start, start + Number(query.limit ?? 10));
    return JSON.stringify({ total_num: listed.length, data_list: shown });
  });
  await world.run(hssProtectedClusters);
  expect(await world.run(events)).toMatchObject({ status: 'incomplete', reason: 'count', deleted: 0 });
  expect(await live()).toBeGreaterThanOrEqual(990);
});
