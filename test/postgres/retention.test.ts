import { beforeEach, expect, test } from 'vitest';
import { prune } from '../../src/postgres/maintenance/retention.ts';
import { streams } from '../../src/streams/index.ts';
import { createTestDatabase } from '../support/postgres.ts';

const { pool } = await createTestDatabase();
const DAY = 86_400_000;
const KEEP = { runsMs: 90 * DAY, rejectsMs: 30 * DAY, historyMs: null };
const OWN = { periods: KEEP, streams, configuration: 'own' };

beforeEach(async () => {
  await pool.query('truncate sync.runs, sync.rejected_records, sync.projects, hss.cluster_events_history');
});

async function addRun(days: number, certificate: 'complete' | 'incomplete' = 'incomplete', projectId = 'p1') {
  await pool.query(
    `insert into sync.runs (stream, account, region, project_id, status, certificate, started_at, beat_at, owner)
     values ('hss_cluster_events', 'a', 'r', $1, 'succeeded', $2, now() - make_interval(days => $3), now(), 'test')`,
    [projectId, certificate, days],
  );
}

const ages = async (table: string, column: string) =>
  (
    await pool.query<{ days: number }>(
      `select extract(day from now() - ${column})::int as days from ${table} order by 1`,
    )
  ).rows.map(({ days }) => days);

test('old runs are deleted, except the last one and the last proof', async () => {
  for (const days of [1, 89, 91, 200]) await addRun(days);
  await addRun(120, 'complete');
  await addRun(300, 'complete');
  await addRun(400, 'incomplete', 'p2');
  expect(await prune(pool, OWN)).toEqual({ runs: 3, rejects: 0, versions: 0, drift: 0, folded: 0 });
  expect(await ages('sync.runs', 'started_at')).toEqual([1, 89, 120, 400]);
});

test('rejects are deleted by the time they were last seen', async () => {
  for (const days of [1, 29, 31]) {
    await pool.query(
      `insert into sync.rejected_records (project_id, stream, fingerprint, account, region, listing, params, issues, payload, first_seen_at, last_seen_at)
       values ('p1', 's', $1::int::text, 'a', 'r', '', '{}', '[]', '{}', now() - interval '1 year', now() - make_interval(days => $1))`,
      [days],
    );
  }
  expect(await prune(pool, OWN)).toMatchObject({ rejects: 1 });
  expect(await ages('sync.rejected_records', 'last_seen_at')).toEqual([1, 29]);
});

test('history is kept unless a period is set, and is then deleted in batches', async () => {
  await pool.query(
    `insert into hss.cluster_events_history (project_id, region, account, event_id, _valid_from, _valid_to)
     select 'p1', 'r', 'a', n::text, now() - interval '3 years', now() - make_interval(hours => n) from generate_series(1, 12000) n`,
  );
  expect(await prune(pool, OWN)).toMatchObject({ versions: 0 });
  expect(await prune(pool, { ...OWN, periods: { ...KEEP, historyMs: 10 * DAY } })).toMatchObject({
    versions: 12_000 - 239,
  });
});

test('one replica at a time', async () => {
  const client = await pool.connect();
  await client.query('select pg_advisory_lock(4242003)');
  expect(await prune(pool, OWN)).toBeNull();
  await client.query('select pg_advisory_unlock(4242003)');
  client.release();
  expect(await prune(pool, OWN)).not.toBeNull();
});

test('what a service of another configuration reads is kept as long as that service says', async () => {
  await pool.query(
    `insert into sync.projects (project_id, account, region, targets, configuration, seen_at)
     values ('own', 'a', 'r', '{}', 'own', now()), ('theirs', 'b', 'r', '{}', 'other', now() - interval '29 days'),
       ('left', 'c', 'r', '{}', 'gone', now() - interval '31 days')`,
  );
  for (const project of ['own', 'theirs', 'left', 'unknown']) {
    await addRun(200, 'incomplete', project);
    await addRun(1, 'incomplete', project);
    await pool.query(
      `insert into sync.rejected_records (project_id, stream, fingerprint, account, region, listing, params, issues, payload, first_seen_at, last_seen_at)
       values ($1, 's', 'f', 'a', 'r', '', '{}', '[]', '{}', now() - interval '1 year', now() - interval '1 year')`,
      [project],
    );
    await pool.query(
      `insert into hss.cluster_events_history (project_id, region, account, event_id, _valid_from, _valid_to)
       values ($1, 'r', 'a', 'e', now() - interval '3 years', now() - interval '2 years')`,
      [project],
    );
  }
  const periods = { ...KEEP, historyMs: DAY };
  expect(await prune(pool, { ...OWN, periods })).toMatchObject({ runs: 3, rejects: 3, versions: 3 });
  expect((await pool.query('select project_id from hss.cluster_events_history')).rows).toEqual([
    { project_id: 'theirs' },
  ]);
  expect(await prune(pool, { ...OWN, periods, configuration: 'other' })).toMatchObject({
    runs: 1,
    rejects: 1,
    versions: 1,
  });
});
