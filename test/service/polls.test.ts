import { expect, it } from 'vitest';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { startEngine } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';

const database = await createTestDatabase();
const EVENTS = 2_000;

it('a poll sends one request for an unchanged list, and at most two for new rows at its head', async () => {
  const { run, sandbox } = await startEngine(database, { events: EVENTS });
  expect(await run(hssClusterEvents)).toMatchObject({ walk: 'full', certificate: 'complete', inserted: EVENTS });

  const quiet = await run(hssClusterEvents);
  expect(quiet).toMatchObject({ walk: 'probe', certificate: 'complete', requests: 1, inserted: 0, updated: 0 });

  sandbox.estate.step(3, 'event');
  sandbox.estate.step(2, 'handled');
  const head = await run(hssClusterEvents);
  expect(head).toMatchObject({ walk: 'head', certificate: 'complete', inserted: 3, updated: 2 });
  expect(head.requests).toBeLessThanOrEqual(2);
  expect(await run(hssClusterEvents)).toMatchObject({ walk: 'probe', requests: 1 });
});

it('a poll does not mark rows that disappear below the first page; the next full walk does', async () => {
  const { run, sandbox, engine } = await startEngine(database, { events: EVENTS });
  await database.pool.query('truncate hss.cluster_events, hss.cluster_events_history, sync.listings, sync.runs');
  await run(hssClusterEvents);
  sandbox.estate.step(1, 'removed');
  const after = await run(hssClusterEvents);
  expect(after.deleted).toBe(0);
  await database.pool.query("update sync.listings set certified_at = certified_at - interval '7 hours'");
  const reconciled = await run(hssClusterEvents);
  expect(reconciled).toMatchObject({ walk: 'full', certificate: 'complete' });
  expect(engine.reconcileEveryMs(hssClusterEvents)).toBe(6 * 3_600_000);
  const { rows } = await database.pool.query(
    'select count(*)::int as n from hss.cluster_events where _deleted_at is not null',
  );
  expect(rows[0]).toEqual({ n: sandbox.estate.counts().events < EVENTS ? 1 : 0 });
});
