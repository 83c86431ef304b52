import { beforeEach, expect, test } from 'vitest';
import { DatabaseError } from '../../src/core/errors.ts';
import { offsetPaging } from '../../src/core/stream/endpoint.ts';
import { instant, text } from '../../src/core/stream/fields.ts';
import { defineStream } from '../../src/core/stream/stream.ts';
import { hss } from '../../src/core/stream/table.ts';
import { timeWindow } from '../../src/core/stream/time.ts';
import { fixed } from '../../src/core/walk/order.ts';
import { nthRequest } from '../support/faults.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { createTables } from '../support/stream-table.ts';
import { killBackends, startWorld, wipe } from '../support/world.ts';

/** A list that is read window by window, on real Postgres and over HTTP. */

const database = await createTestDatabase();
const { pool } = database;
const [MINUTE, HOUR, DAY] = [60_000, 3_600_000, 24 * 3_600_000];
const CAP = 20;

const events = defineStream({
  name: 'test_windowed_events',
  group: 'hosts',
  about: 'Events.',
  document: 'https://example.com',
  endpoint: { service: 'hss', method: 'GET', paths: ['/v5/{project_id}/event/events'], enterpriseProjects: false },
  paging: offsetPaging({ list: 'data_list', limit: 10, cap: CAP }),
  window: timeWindow({ begin: 'begin_time', end: 'end_time', unit: 'ms-text', column: 'occur_time', maxDays: 30 }),
  order: [fixed('occur_time')],
  appendOnly: true,
  schedule: '* * * * *',
  reconcileEveryMs: DAY,
  targetMs: HOUR,
  table: {
    schema: hss,
    name: 'test_windowed_events',
    key: ['event_id'],
    fields: { event_id: text('Id.'), occur_time: instant('When it happened.') },
  },
});
await createTables(pool, events);
beforeEach(async () => {
  await wipe(database);
  await pool.query(`delete from hss.test_windowed_events`);
});

interface Window {
  readonly begin: number;
  readonly end: number;
}

/** The list of the API: times of its events, and the windows that were requested. */
async function startList(times: (now: number) => readonly number[]) {
  const world = await startWorld(database);
  const { sandbox, clock } = world;
  const list = [...times(clock.now())];
  const asked: Window[] = [];
  sandbox.override('ListSecurityEvents', ({ query }) => {
    const [begin, end, offset, limit] = [query.begin_time, query.end_time, query.offset, query.limit].map(Number);
    asked.push({ begin: begin ?? 0, end: end ?? 0 });
    const found = list.filter((at) => at >= (begin ?? 0) && at < (end ?? 0)).sort((a, b) => b - a);
    const shown = found.slice(0, CAP).slice(offset, (offset ?? 0) + (limit ?? 0));
    return JSON.stringify({
      total_num: Math.min(CAP, found.length),
      data_list: shown.map((at) => ({ event_id: `e${at}`, occur_time: at })),
    });
  });
  const stored = async () =>
    (await pool.query<{ id: string }>('select event_id as id from hss.test_windowed_events order by 1')).rows.map(
      ({ id }) => id,
    );
  return {
    clock,
    list,
    asked,
    stored,
    ids: () => list.map((at) => `e${at}`).sort(),
    run: (signal?: AbortSignal) => world.run(events, signal === undefined ? {} : { signal }),
    faults: sandbox.faults,
  };
}

/** One event a day for ninety days, and 30 within ten hours of one day: more than the cap shows. */
const usual = (now: number) => [
  ...Array.from({ length: 88 }, (_, day) => now - (day + 1) * DAY),
  ...Array.from({ length: 30 }, (_, index) => now - 40 * DAY - (index + 1) * 20 * MINUTE - 7),
];

test('a first load reads ninety days in windows, halves those above the cap, and later polls take one request', async () => {
  const api = await startList(usual);
  expect(await api.run()).toMatchObject({ status: 'succeeded', certificate: 'complete', inserted: 118 });
  expect(await api.stored()).toEqual(api.ids());
  for (const { begin, end } of api.asked) expect(end - begin).toBeLessThanOrEqual(30 * DAY);
  const widths = api.asked.map(({ begin, end }) => end - begin);
  expect(Math.min(...widths), 'half of half of a window').toBeLessThan(8 * DAY);
  const { rows } = await pool.query<{ certificate: string; reason: string | null }>(
    'select distinct certificate, reason from sync.listings where stream = $1 order by 1',
    [events.name],
  );
  expect(rows, 'a halved window stays known as capped').toEqual([
    { certificate: 'complete', reason: null },
    { certificate: 'incomplete', reason: 'capped' },
  ]);

  api.asked.length = 0;
  api.clock.advance(MINUTE);
  expect(await api.run()).toMatchObject({ certificate: 'complete', requests: 1, inserted: 0 });
  expect(api.asked).toHaveLength(1);
});

test('a first load that lost its database continues with the remaining windows', async () => {
  const api = await startList(usual);
  api.faults.add({
    kind: 'late',
    when: nthRequest(15, 'ListSecurityEvents'),
    meanwhile: () => killBackends(database.url),
  });
  await expect(api.run()).rejects.toThrow(DatabaseError);
  const { rows } = await pool.query<{ listing: string }>(
    `select listing from sync.listings where stream = $1 and certificate = 'complete'`,
    [events.name],
  );
  const certified = rows.flatMap(({ listing }) => /^window=([^/]+)\/(.+)$/.exec(listing)?.slice(1, 3) ?? []);
  expect(certified.length, 'begin and end of a closed window').toBeGreaterThan(0);
  const ends = certified.filter((_, index) => index % 2 === 1).map((text) => Date.parse(text));

  api.asked.length = 0;
  expect(await api.run()).toMatchObject({ certificate: 'complete' });
  expect(await api.stored()).toEqual(api.ids());
  // A request reaches at most a second beyond the bounds of its window.
  const again = api.asked.filter((one) => ends.some((end) => Math.abs(one.end - end) <= 1_000));
  expect(again, 'requests for windows that were certified').toEqual([]);
});

test('an event that arrives an hour late is found by the next poll, and a later one by the last walk of its window', async () => {
  const api = await startList(usual);
  await api.run();
  const isLate = api.clock.now() - 50 * MINUTE;
  api.clock.advance(MINUTE);
  api.list.push(isLate, api.clock.now() - 30_000);
  expect(await api.run()).toMatchObject({ certificate: 'complete', inserted: 2 });
  expect(await api.stored()).toEqual(api.ids());

  // A day later the newest window is closed; it is read once more, so that what came late is in it.
  api.clock.advance(DAY + 2 * HOUR);
  api.list.push(api.clock.now() - DAY);
  expect(await api.run()).toMatchObject({ certificate: 'complete', inserted: 1 });
  expect(await api.stored()).toEqual(api.ids());
});
