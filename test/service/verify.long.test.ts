import { expect, it } from 'vitest';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { hssProtectedClusters } from '../../src/streams/hss/protected-clusters.ts';
import { directoryFor } from '../support/cli.ts';
import { startEngine } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { verify } from '../support/verify.ts';

const database = await createTestDatabase();

it('verifies a capped list through its parts, and exits 1 when a list cannot be proven', async () => {
  const { sandbox, run } = await startEngine(database, {
    events: 10_100,
    clusters: 4,
    noisyCluster: false,
  });
  await run(hssProtectedClusters);
  await run(hssClusterEvents);
  const cwd = await directoryFor({ sandbox, databaseUrl: database.url });
  await database.pool.query(
    `insert into hss.cluster_events select (jsonb_populate_record(e, '{"event_id": "surplus"}')).* from hss.cluster_events e limit 1`,
  );
  expect(await verify(cwd, 'hss_cluster_events')).toMatchObject({
    code: 1,
    answer: { streams: [{}, { certificate: 'complete', compared: 10_100, differences: [{ kind: 'extra' }] }] },
  });

  sandbox.faults.add({ kind: 'forbidden', operation: 'ListClusterEvents', times: Number.POSITIVE_INFINITY });
  const refused = await verify(cwd, 'hss_cluster_events');
  expect(refused).toMatchObject({
    code: 1,
    answer: { streams: [{ certificate: 'complete' }, { reason: 'refused', extra: 0 }] },
  });
});
