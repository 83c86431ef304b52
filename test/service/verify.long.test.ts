import { expect, it } from 'vitest';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { hssProtectedClusters } from '../../src/streams/hss/protected-clusters.ts';
import { directoryFor } from '../support/cli.ts';
import { OF_EVERY_KIND, startEngine } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { storedOf, truthOf } from '../support/truth.ts';
import { type Answer, verify } from '../support/verify.ts';
import { wipe } from '../support/world.ts';

/** Streams whose rows a mixed change of the estate leaves in their lists. */
const KEPT = [
  'hss_protected_clusters',
  'hss_cluster_events',
  'hss_cluster_security_reports',
  'hss_image_vulnerability_operations',
  'dbss_audit_instances',
  'dbss_audit_reports',
];

const sum = ({ streams }: Answer, name: 'missing' | 'extra' | 'changed' | 'excused') =>
  streams.reduce((total, one) => total + one[name], 0);

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
    `insert into hss.cluster_events select (jsonb_populate_record(e, '{"event_id": "extra"}')).* from hss.cluster_events e limit 1`,
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

it('excuses only changes after the last certificate', async () => {
  await wipe(database);
  const { sandbox, runAll } = await startEngine(database, {
    events: 600,
    clusters: 6,
    vulnerabilities: 8,
    instances: 2,
    reports: 40,
  });
  await runAll(OF_EVERY_KIND);
  const cwd = await directoryFor({ sandbox, databaseUrl: database.url });
  sandbox.estate.step(150);
  // Changes of the other lists take rows out of them as well: a vulnerability that is fixed is not listed any more.
  const changed = await verify(cwd, ...KEPT);
  expect(changed.answer.streams.flatMap(({ differences }) => differences.filter(({ excused }) => !excused))).toEqual(
    [],
  );
  expect(changed).toMatchObject({ code: 0, answer: { ok: true } });
  expect(sum(changed.answer, 'excused')).toBeGreaterThan(100);

  // Altered by hand, although the API changed the row as well; and gone from the table, although others are new.
  await database.pool.query(
    `delete from hss.cluster_events where event_id = (select event_id from hss.cluster_events order by update_time, event_id limit 1)`,
  );
  await database.pool.query(
    `update dbss.audit_reports set name = 'x' where id = (select min(id) from dbss.audit_reports)`,
  );
  const altered = await verify(cwd, ...KEPT);
  expect(altered.code).toBe(1);
  expect(altered.answer).toMatchObject({ ok: false });
  expect(sum(altered.answer, 'missing')).toBe(1);
  expect(sum(altered.answer, 'changed')).toBe(1);
  expect(sum(altered.answer, 'extra')).toBe(0);

  // A row that came after the sync and goes again before this was never stored: three that are stored have to go.
  const stored = [...(await storedOf(database.pool, hssClusterEvents)).keys()];
  const gone = () => {
    const listed = truthOf(sandbox, hssClusterEvents);
    return stored.filter((key) => listed?.has(key) === false).length;
  };
  expect(gone()).toBe(0);
  while (gone() < 3) sandbox.estate.step(1, 'removed');
  expect(sum((await verify(cwd, 'hss_cluster_events')).answer, 'extra')).toBe(3);

  await database.pool.query('truncate sync.listings');
  const forgotten = await verify(cwd, 'hss_protected_clusters');
  expect(forgotten).toMatchObject({ code: 1, answer: { ok: false, streams: [{ state: 'never read', compared: 0 }] } });
});
