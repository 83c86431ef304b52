import { expect, onTestFinished, test } from 'vitest';
import { NO_EVIDENCE } from '../../src/core/certificate.ts';
import { listing } from '../../src/core/stream/endpoint.ts';
import { validate } from '../../src/core/stream/validate.ts';
import { PageBookings } from '../../src/postgres/rows/page-bookings.ts';
import { NO_COUNTS } from '../../src/postgres/run/bookkeeping.ts';
import { createStore } from '../../src/postgres/run/store.ts';
import { hssClusterEvents as events } from '../../src/streams/hss/cluster-events.ts';
import { scope } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';

const { pool } = await createTestDatabase();

let projects = 0;
const newScope = () => {
  projects += 1;
  return { ...scope, projectId: `project${projects}` };
};

async function stored({ projectId }: typeof scope) {
  const { rows } = await pool.query(
    `select r.requests, r.unchanged, l.listing, l.progress->>'offset' as read from sync.runs r
     left join sync.listings l using (project_id) where r.project_id = $1 order by l.listing`,
    [projectId],
  );
  return rows;
}

test('pages without changes share a statement: the first one, and the first one after a quarter of a second', async () => {
  const where = newScope();
  const client = await pool.connect();
  onTestFinished(() => client.release());
  const { rows } = await client.query<{ id: number }>(
    `insert into sync.runs (stream, account, region, project_id, status, started_at, beat_at, owner)
     values ('s', 'a', 'r', $1, 'running', now(), now(), 'o') returning id::int`,
    [where.projectId],
  );
  let now = 1_000;
  const bookings = new PageBookings({ client, stream: events, scope: where, runId: rows[0]?.id ?? 0 }, () => now);
  const page = (of: string, offset: number) => ({
    listing: { key: of, params: {} },
    counts: { ...NO_COUNTS, requests: 1, unchanged: 200 },
    columns: { progress: JSON.stringify({ offset }) },
  });
  await bookings.later(page('a', 200));
  expect(await stored(where)).toEqual([{ requests: 1, unchanged: 200, listing: 'a', read: '200' }]);
  now += 249;
  await bookings.enter({ key: 'a', params: {} });
  await bookings.later(page('a', 400));
  expect(await stored(where)).toEqual([{ requests: 1, unchanged: 200, listing: 'a', read: '200' }]);
  now += 1;
  await bookings.later(page('a', 600));
  expect(await stored(where)).toEqual([{ requests: 3, unchanged: 600, listing: 'a', read: '600' }]);

  // What waits is part of the next statement, and lost with nothing if that fails.
  await bookings.later(page('a', 800));
  const { text, values } = bookings.statementOf(page('a', 1_000));
  await client.query('begin');
  await client.query(text, values);
  await client.query('rollback');
  await bookings.enter({ key: 'b', params: {} });
  expect(await stored(where)).toEqual([{ requests: 4, unchanged: 800, listing: 'a', read: '800' }]);
  await bookings.later(page('b', 200));
  await bookings.flush();
  await bookings.flush();
  expect(await stored(where)).toEqual([
    { requests: 5, unchanged: 1_000, listing: 'a', read: '800' },
    { requests: 5, unchanged: 1_000, listing: 'b', read: '200' },
  ]);
});

test('whatever follows the pages of a run stores what waits before, also its end without a result', async () => {
  const store = createStore(pool, { timeZone: 'UTC' });
  const of = listing();
  const origin = { projectId: scope.projectId, region: scope.region, params: {}, timeZone: 'UTC' };
  const { rows } = validate(events, [{ event_id: 'a', update_time: 1_700_000_001_000 }], { origin, listingKey: '' });
  for (const end of ['countRequests', 'recordFailure', 'close'] as const) {
    const where = newScope();
    const run = await store.open(events, where);
    if (run === 'busy') throw new Error('another process holds the lock');
    for (let offset = 1; offset <= 20; offset += 1) {
      const progress = { offset, total: 20 };
      await run.page({ listing: of, rows, rejects: [], requests: 1, throttled: 0, progress, refuseOlder: false });
    }
    if (end === 'countRequests') await run.countRequests(1, 0);
    if (end === 'recordFailure') await run.recordFailure(of);
    if (end === 'close') await run.close();
    const requests = end === 'countRequests' ? 21 : 20;
    expect(await stored(where), end).toEqual([
      { requests, unchanged: 19, listing: '', read: end === 'recordFailure' ? null : '20' },
    ]);
    await run.close();
  }
});

test('a run whose counters cannot be stored ends with its failure', async () => {
  const store = createStore(pool, { timeZone: 'UTC' });
  const where = newScope();
  const run = await store.open(events, where);
  if (run === 'busy') throw new Error('another process holds the lock');
  const page = { listing: listing(), rows: [], rejects: [], requests: 1, throttled: 0, refuseOlder: false };
  for (const offset of [1, 2, 3]) await run.page({ ...page, progress: { offset, total: 3 } });
  await pool.query(`create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
    create trigger refuse before insert or update on sync.listings for each row execute function refuse()`);
  onTestFinished(async () => {
    await pool.query('drop function refuse cascade');
  });
  await expect(run.recordFailure(listing())).rejects.toThrow('no');
  const failed = { walk: null, certificate: 'incomplete', certifiedAt: null, contentAt: null, proof: null } as const;
  const error = new Error('the reason');
  await run.finish({ status: 'failed', ...failed, reason: 'interrupted', evidence: NO_EVIDENCE, error });
  await run.close();
  const { rows } = await pool.query('select status, error from sync.runs where project_id = $1', [where.projectId]);
  expect(rows).toEqual([{ status: 'failed', error: 'the reason' }]);
});

test('what keeps the connection busy does not store what waits, so an error is not lost', async () => {
  const where = newScope();
  const run = await createStore(pool, { timeZone: 'UTC', heartbeat: { beatMs: 5, staleMs: 60_000 } }).open(
    events,
    where,
  );
  if (run === 'busy') throw new Error('another process holds the lock');
  const page = { listing: listing(), rows: [], rejects: [], requests: 1, throttled: 0, refuseOlder: false };
  for (let offset = 1; offset <= 20; offset += 1) await run.page({ ...page, progress: { offset, total: 20 } });
  const before = await stored(where);
  const beats = () =>
    pool.query<{ at: string }>('select beat_at::text as at from sync.runs where project_id = $1', [where.projectId]);
  const { rows } = await beats();
  await expect.poll(async () => (await beats()).rows[0]?.at, { interval: 5 }).not.toBe(rows[0]?.at);
  expect(await stored(where)).toEqual(before);
  await run.countRequests(1, 0);
  expect(await stored(where)).toEqual([{ requests: 21, unchanged: 0, listing: '', read: '20' }]);
  await run.close();
});
