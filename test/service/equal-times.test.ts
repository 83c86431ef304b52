import { expect, it } from 'vitest';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { hssProtectedClusters } from '../../src/streams/hss/protected-clusters.ts';
import { startEngine } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { editList } from '../support/world.ts';

const database = await createTestDatabase();
const { pool } = database;

it('reads a list with a thousand events of one millisecond in parts, while it moves', async () => {
  const options = { events: 3000, clusters: 24, noisyCluster: false };
  const { run, sandbox } = await startEngine(database, options);
  await run(hssProtectedClusters);
  await run(hssClusterEvents);
  const { rows: found } = await pool.query<{ oldest: number }>(
    `select (extract(epoch from update_time) * 1000)::float8 as oldest
     from hss.cluster_events order by update_time desc offset 2000 limit 1`,
  );
  const oldest = found[0]?.oldest ?? 0;
  await pool.query('truncate hss.cluster_events, hss.cluster_events_history');
  await pool.query("delete from sync.listings where stream = 'hss_cluster_events'");
  // All but the newest 2,000 were handled in bulk, and new ones come up with every request.
  sandbox.override('ListClusterEvents', (_request, normal) => {
    sandbox.estate.step(1, 'event');
    const reply = normal();
    const inBulk = (record: Readonly<Record<string, unknown>>) =>
      Number(record.update_time) < oldest ? { ...record, update_time: oldest - 1 } : record;
    return { ...reply, body: editList(reply.body, inBulk) };
  });
  expect(await run(hssClusterEvents)).toMatchObject({ status: 'succeeded', reason: null });
  const { rows } = await pool.query<{ proof: string; ties: number }>(
    `select proof, (select max(n)::int from (select count(*) as n from hss.cluster_events group by update_time) t) as ties
     from sync.listings where stream = 'hss_cluster_events' and listing = ''`,
  );
  expect(rows[0]?.proof).toBe('split');
  expect(rows[0]?.ties).toBeGreaterThanOrEqual(990);
}, 60_000);
