import { beforeAll, expect, test } from 'vitest';
import type { Table } from '../../src/core/stream/table.ts';
import { prune } from '../../src/postgres/maintenance/retention.ts';
import { hssClusterEvents as events } from '../../src/streams/hss/cluster-events.ts';
import { scope } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { expectTruthIn } from '../support/truth.ts';
import { startWorld } from '../support/world.ts';

/** Tables of the data that an operator partitioned by project, as docs/scale.md says. */

const database = await createTestDatabase();
const { pool } = database;
const OTHER = { ...scope, projectId: '0a1b2c3d4e5f60718293a4b5c6d7e8f9' };
const DAY = 86_400_000;

async function partition({ schema, name }: Table): Promise<void> {
  const own = `${schema}.${name}`;
  const { rows } = await pool.query<{ sql: string }>(
    'select pg_get_triggerdef(oid) as sql from pg_trigger where tgrelid = $1::regclass and not tgisinternal',
    [own],
  );
  await pool.query(`alter table ${own} rename to ${name}_before`);
  await pool.query(`create table ${own} (like ${own}_before including all) partition by list (project_id)`);
  await pool.query(`create table ${own}_one partition of ${own} for values in ('${scope.projectId}')`);
  await pool.query(`create table ${own}_rest partition of ${own} default`);
  for (const { sql } of rows) await pool.query(sql);
}

beforeAll(async () => {
  await partition(events.table);
  if (events.history !== null) await partition(events.history);
});

test('rows of partitioned tables are written, changed, left alone and kept in the history as those of others', async () => {
  const projects = [scope, OTHER].map(({ projectId, region }) => ({ id: projectId, region }));
  const { sandbox, run } = await startWorld(database, { sandbox: { projects, clusters: 2, events: 60 } });
  for (const one of [scope, OTHER])
    expect(await run(events, { scope: one })).toMatchObject({ certificate: 'complete', inserted: 60 });
  for (const estate of sandbox.estates.values()) estate.step(60, 'handled');
  for (const one of [scope, OTHER]) {
    const changed = await run(events, { scope: one, full: true, acceptShrink: true });
    expect(changed).toMatchObject({ status: 'succeeded', certificate: 'complete' });
    expect(changed.updated).toBeGreaterThan(0);
    await expectTruthIn(one.projectId, { pool, sandbox, streams: [events] });
    expect(await run(events, { scope: one, full: true })).toMatchObject({ inserted: 0, updated: 0, deleted: 0 });
  }
  const { rows } = await pool.query(
    'select count(distinct tableoid)::int as partitions, count(*) > 0 as some from hss.cluster_events_history',
  );
  expect(rows).toEqual([{ partitions: 2, some: true }]);
});

test('of a partitioned history only the versions past their time are deleted, not those at the same place of another partition', async () => {
  await pool.query('delete from hss.cluster_events_history');
  await pool.query('vacuum full hss.cluster_events_history');
  for (const [projectId, days] of [
    [scope.projectId, 20],
    [OTHER.projectId, 1],
  ] as const)
    await pool.query(
      `insert into hss.cluster_events_history (project_id, region, account, event_id, _valid_from, _valid_to)
       select $1, 'r', 'a', n::text, now() - interval '1 year', now() - make_interval(days => $2) from generate_series(1, 100) n`,
      [projectId, days],
    );
  const periods = { runsMs: 90 * DAY, rejectsMs: 30 * DAY, historyMs: 10 * DAY };
  expect(await prune(pool, { periods, streams: [events], configuration: 'own' })).toMatchObject({ versions: 100 });
  const { rows } = await pool.query(
    'select project_id as id, count(*)::int as versions from hss.cluster_events_history group by 1',
  );
  expect(rows).toEqual([{ id: OTHER.projectId, versions: 100 }]);
});
