import { randomBytes } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import type { PageSource } from '../../src/core/ports.ts';
import type { StreamRun } from '../../src/core/store.ts';
import { listing } from '../../src/core/stream/endpoint.ts';
import { toJson } from '../../src/core/stream/json.ts';
import { WalkState } from '../../src/core/walk/walk-state.ts';
import { createStore } from '../../src/postgres/run/store.ts';
import { hssClusterEvents as stream } from '../../src/streams/hss/cluster-events.ts';
import type { PageFlow } from '../../src/sync/run/page-flow.ts';
import { PageReader } from '../../src/sync/run/page-reader.ts';
import { openFlow } from '../../src/sync/run/walk-listing.ts';
import { scope } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';

/** The pages of a walk on their way into the tables, over an API whose answers are written out. */

const { pool } = await createTestDatabase();
const { signal } = new AbortController();
const LIMIT = 200;
/** For an index, that is: what cannot be compressed. */
const TOO_LONG = randomBytes(5_000).toString('hex');

type Event = Readonly<Record<string, unknown>>;

const event = (id: string, more: Event = {}): Event => ({
  event_id: id,
  cluster_id: 'c1',
  update_time: 1_700_000_000_000,
  ...more,
});
const page = (...events: readonly Event[]) => toJson({ total_num: 3, data_list: events });

interface Flowing {
  readonly flow: PageFlow;
  readonly run: StreamRun;
  readonly take: (offset: number) => ReturnType<PageFlow['take']>;
  readonly counters: () => Promise<Record<string, number> | undefined>;
}

let projects = 0;

interface Setting {
  readonly plentiful?: boolean;
  readonly params?: Readonly<Record<string, string>>;
  /** The `Date` of one answer after the other. */
  readonly serverTimes?: readonly number[];
  /** Numbers of the answers, from 0, that were generated before their request. */
  readonly old?: readonly number[];
}

async function flowOver(
  answers: readonly string[],
  { plentiful = false, params = {}, serverTimes = [], old = [] }: Setting = {},
): Promise<Flowing> {
  projects += 1;
  const where = { ...scope, projectId: `flow${projects}` };
  const run = await createStore(pool, { timeZone: 'UTC' }).open(stream, where);
  if (run === 'busy') throw new Error('another process holds the lock');
  onTestFinished(() => run.close());
  const left = [...answers];
  const times = [...serverTimes];
  const source: PageSource = {
    async read(_scope, _call, { parse }) {
      const isOld = old.includes(answers.length - left.length);
      const value = parse(left.shift() ?? 'no more answers');
      return {
        isOld,
        value,
        requestId: null,
        serverTime: times.shift() ?? null,
        attempts: 1,
        throttled: 0,
        durationMs: 0,
      };
    },
    isPlentiful: () => plentiful,
  };
  const dialect = { generation: 0, spellings: {} };
  const reader = new PageReader({ source, stream, scope: where, dialect, signal });
  const origin = { projectId: where.projectId, region: where.region, params, timeZone: 'UTC' };
  const list = listing(params);
  const walkState = new WalkState(stream.order);
  const none = () => {};
  const parts = { stream, listing: list, origin, sink: run, reader, signal, walkState, onPage: none, onDrift: none };
  const flow = openFlow({ ...parts, refuseOlder: false });
  return {
    flow,
    run,
    take: (offset) => flow.take({ at: { offset, limit: LIMIT }, mayRefuse: false }),
    async counters() {
      const { rows } = await pool.query<Record<string, number>>(
        'select requests, records, inserted, updated, unchanged, rejected from sync.runs where project_id = $1',
        [where.projectId],
      );
      return rows[0];
    },
  };
}

async function actions(): Promise<Readonly<Record<string, unknown>>> {
  const { rows } = await pool.query<{ event_id: string; action: string | null }>(
    'select event_id, action from hss.cluster_events where project_id = $1',
    [`flow${projects}`],
  );
  return Object.fromEntries(rows.map(({ event_id, action }) => [event_id, action]));
}

for (const plentiful of [false, true]) {
  const name = plentiful ? 'with plenty of requests' : 'under a quota';

  test(`an unchanged first page is read, counted, and not written again, ${name}`, async () => {
    const top = page(event('a'), event('b'));
    const { flow, take, counters } = await flowOver([top, page(event('b'), event('c')), top], { plentiful });
    const first = await take(0);
    await take(1);
    const again = await take(0);
    await flow.settle();
    const written = { inserted: 0, changed: new Map() };
    expect({ ...again, ...written }).toEqual({ ...first, ...written });
    expect(await counters()).toMatchObject({ requests: 3, records: 4, inserted: 3, updated: 0 });
  });

  test(`an unchanged first page is written again if one of its rows had another content in between, ${name}`, async () => {
    const top = page(event('a', { action: 'warn' }), event('b'));
    const moved = page(event('a', { action: 'deny' }), event('c'));
    const { flow, take, counters } = await flowOver([top, moved, top], { plentiful });
    await take(0);
    await take(1);
    await take(0);
    await flow.settle();
    expect(await actions()).toEqual({ a: 'warn', b: null, c: null });
    expect(await counters()).toMatchObject({ requests: 3, records: 6 });
  });
}

const YOUNG = 1_700_000_000_000;
const upTo = (total: number, ...events: readonly Event[]) =>
  page(...events).replace('"total_num":3', `"total_num":${total}`);
const long = (...events: readonly Event[]) => upTo(900, ...events);
const newest = [
  long(event('a'), event('b')),
  long(event('c', { update_time: YOUNG - 60_000 }), event('d', { update_time: YOUNG - 600_000 })),
];
const older = long(event('e', { update_time: YOUNG - 600_001 }));

test('unchanged pages of the newest ten minutes are read, counted, and not written again', async () => {
  const { take, run, counters } = await flowOver([...newest, older, ...newest, older]);
  const before = [await take(0), await take(2), await take(4)];
  const again = [await take(0), await take(2), await take(4)];
  expect(again.map(({ records }) => records)).toEqual(before.map(({ records }) => records));
  expect(again.map(({ total }) => total)).toEqual([900, 900, 900]);
  await run.countRequests(1, 0);
  // The older page is validated and compared again.
  expect(await counters()).toMatchObject({ requests: 7, records: 6, inserted: 5 });
});

test('a page at another position, or of a part of a list, is validated again', async () => {
  const elsewhere = await flowOver([...newest, ...newest]);
  for (const offset of [0, 2, 0, 3]) await elsewhere.take(offset);
  await elsewhere.run.countRequests(1, 0);
  expect(await elsewhere.counters()).toMatchObject({ requests: 5, records: 6 });

  const part = await flowOver([...newest, ...newest], { params: { cluster_id: 'c1' } });
  for (const offset of [0, 2, 0, 2]) await part.take(offset);
  await part.run.countRequests(1, 0);
  expect(await part.counters()).toMatchObject({ requests: 5, records: 6 });
});

test('all of the newest pages are written again if one of their rows had another content in between', async () => {
  const moved = long(event('d', { action: 'deny', update_time: YOUNG - 600_000 }));
  const { take, run, counters } = await flowOver([...newest, moved, ...newest]);
  for (const offset of [0, 2, 4, 0, 2]) await take(offset);
  await run.countRequests(1, 0);
  expect(await actions()).toMatchObject({ a: null, d: null });
  expect(await counters()).toMatchObject({ requests: 6, records: 9 });
});

test('a prefetched page that is known no more is validated, with what the page before has changed', async () => {
  const numbered = (from: number, changed: number | null = null) =>
    Array.from({ length: LIMIT }, (_, index) =>
      event(`n${from + index}`, {
        update_time: YOUNG - from - index,
        ...(from + index === changed ? { action: 'x' } : {}),
      }),
    );
  const whole = [upTo(590, ...numbered(0)), upTo(590, ...numbered(195)), upTo(590, ...numbered(390))];
  const answers = [...whole, whole[0] ?? '', upTo(590, ...numbered(195, 250)), whole[2] ?? ''];
  const { take, flow, run, counters } = await flowOver(answers, { plentiful: true });
  const pages = [];
  for (const offset of [0, 195, 390, 0, 195, 390]) pages.push(await take(offset));
  await flow.settle();
  await run.countRequests(1, 0);
  expect(pages.map(({ records, rejects }) => [records.length, rejects])).toEqual(pages.map(() => [LIMIT, 0]));
  expect(pages[5]?.records).toEqual(pages[2]?.records);
  // The first page was known; of the others one had changed, and that made the last one unknown.
  expect(await counters()).toMatchObject({ requests: 7, records: 5 * LIMIT, updated: 1, rejected: 0 });
});

test('records without a key do not make known pages unknown', async () => {
  const keyless = (name: string) => long(event(`k${name}`), { cluster_id: name, update_time: YOUNG });
  const both = [keyless('a'), keyless('b')];
  const { take, flow, counters } = await flowOver([...both, ...both]);
  const before = [await take(0), await take(2)];
  const again = [await take(0), await take(2)];
  expect(again.map(({ records }) => records)).toEqual(before.map(({ records }) => records));
  await flow.settle();
  expect(await counters()).toMatchObject({ requests: 4, records: 4, rejected: 2 });
});

test('an old answer with the text of a known page proves nothing, and its rows are looked at', async () => {
  // An answer that proves nothing is asked for again.
  const { take, run, counters } = await flowOver([...newest, newest[1] ?? '', newest[1] ?? ''], { old: [2, 3] });
  const [, before] = [await take(0), await take(2)];
  const again = await take(2);
  expect(again).toMatchObject({ suspect: 'old-answer', records: before.records, rejects: 0 });
  await run.countRequests(1, 0);
  expect(await counters()).toMatchObject({ requests: 5, records: 6, rejected: 0 });
});

test('a row that was shown again keeps its version, so an older one from a lagging server is not written', async () => {
  const rows = (from: number, count: number) =>
    page(...Array.from({ length: count }, (_, index) => event(`x${from + index}`, { update_time: YOUNG - 3_600_000 })));
  const top = page(event('a', { action: 'deny' }));
  const late = page(event('a', { action: 'warn', update_time: YOUNG - 1 }));
  // 4,000 other rows are read between the first page and the second, and between the second and the late one.
  const answers = [top, rows(0, 2_001), rows(2_001, 1_500), top, rows(4_000, 2_001), late];
  const { take, flow } = await flowOver(answers, { plentiful: true });
  for (const offset of [0, 1, 2_002, 0, 3_502, 5_503]) await take(offset);
  await flow.settle();
  expect(await actions()).toMatchObject({ a: 'deny' });
});

test('a row that is listed twice is inserted once into an empty table, with its last content', async () => {
  const answers = [page(event('a', { action: 'warn' })), page(event('a', { action: 'deny' }), event('b'))];
  const { flow, take, counters } = await flowOver(answers);
  await take(0);
  await take(1);
  await flow.settle();
  expect(await actions()).toEqual({ a: 'deny', b: null });
  expect(await counters()).toMatchObject({ inserted: 2, updated: 1 });
});

test.each<[string, readonly Event[], boolean]>([
  ['rows of the list', [event('a'), event('b')], true],
  ['a row that names another list', [event('a'), event('b', { cluster_id: 'c2' })], false],
  ['a record that is no row', [event('a'), { event_id: 'b', update_time: 'soon' }], false],
  ['a row that Postgres cannot take', [event('a'), event(TOO_LONG)], false],
])('%s: the walk knows how many live rows are in the table after it: %#', async (_name, events, expected) => {
  for (const plentiful of [false, true]) {
    // An answer with rows of another list is asked for twice.
    const { flow, take } = await flowOver([page(...events), page(...events)], {
      plentiful,
      params: { cluster_id: 'c1' },
    });
    await take(0);
    await flow.settle();
    expect(flow.isPlain).toBe(expected);
  }
});

test('rows of a prefetched page that the walk did not need are stored, counted, and count as listed', async () => {
  const rows = (from: number) => Array.from({ length: LIMIT }, (_, index) => event(`e${from + index}`));
  const total = (text: string) => text.replace('"total_num":3', '"total_num":900');
  const answers = [total(page(...rows(0))), total(page(event('guess'))), total(page(event('other')))];
  const { flow, take, counters } = await flowOver(answers, { plentiful: true });
  await take(0);
  await take(100);
  await flow.settle();
  expect([flow.wasPrefetched('guess'), flow.wasPrefetched('other')]).toEqual([true, false]);
  expect(await counters()).toMatchObject({ requests: 3, inserted: LIMIT + 2 });
});

test('failed requests are counted, and pages read before them are stored', async () => {
  const { flow, take, counters } = await flowOver([page(event('a'))], { plentiful: true });
  await take(0);
  await expect(take(1)).rejects.toThrow(SyntaxError);
  await flow.abandon();
  expect(await actions()).toEqual({ a: null });
  expect(await counters()).toMatchObject({ requests: 1, inserted: 1 });
});

test('a poll states the time of the response by the clock of the server, also for an unchanged page', async () => {
  const top = page(event('a'));
  const { flow, take } = await flowOver([top, page(event('b')), top], { serverTimes: [1_000, 2_000, 3_000] });
  const observedPages = [await take(0), await take(1), await take(0)];
  await flow.settle();
  expect(observedPages.map(({ serverTime }) => serverTime)).toEqual([1_000, 2_000, 3_000]);
});
