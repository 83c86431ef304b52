import { describe, expect, it } from 'vitest';
import type { Fault } from '../../src/sandbox/server/server.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { hssImageVulnerabilities } from '../../src/streams/hss/image-vulnerabilities.ts';
import { EVENTS, faultyWorlds, MID_WALK } from '../support/faults.ts';
import { requestsSaid } from '../support/order.ts';
import { letPass } from '../support/passing-time.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { HOUR } from '../support/tombstones.ts';
import { storedOf, truthOf } from '../support/truth.ts';

/** Pages that come late, broken or never. */

const database = await createTestDatabase({ max: 20 });
const { fresh, expectHealed } = faultyWorlds(database);

// Other broken answers, at the first page: wrong-answers.test.ts.
describe('a page is requested again, and the run succeeds, after', () => {
  it.each<[string, Omit<Fault, 'operation' | 'when'>]>([
    ['a reset connection', { kind: 'reset' }],
    ['garbage', { kind: 'reply', body: '\u0000\u0001{{garbage' }],
    ['an empty body', { kind: 'reply', body: '' }],
    ['a 429', { kind: 'throttled' }],
    ['a 429 with Retry-After', { kind: 'throttled', retryAfterSeconds: 90 }],
    ['a 500', { kind: 'server-error' }],
    ['a slow body', { kind: 'slow', delayMs: 150 }],
    ['a late answer', { kind: 'late', delayMs: 150 }],
  ])('%s', async (_name, fault) => {
    const world = await fresh();
    world.sandbox.faults.add({ ...MID_WALK, ...fault, times: 2 });
    const report = await world.run(hssClusterEvents);
    expect(report).toMatchObject({ status: 'succeeded', certificate: 'complete', inserted: 600, error: null });
    expect(report.throttled).toBe(fault.kind === 'throttled' ? 2 : 0);
    // What was asked for again counts as well.
    expect(report.requests).toBe(world.sandbox.requests.count('ListClusterEvents'));
    const good = world.sandbox.requests
      .entries()
      .filter(({ operation, status }) => operation === 'ListClusterEvents' && status === 200);
    if (report.throttled > 0) expect(report.requests).toBe(good.length + 2);
    await expectHealed(world, EVENTS);
  });
});

describe('a run fails, keeps its pages and sweeps nothing, if a page cannot be read because of', () => {
  it.each<[string, Omit<Fault, 'operation' | 'when'>, RegExp]>([
    ['resets', { kind: 'reset' }, /gave no answer/],
    ['truncated JSON', { kind: 'truncated' }, /no usable answer/],
    ['garbage', { kind: 'reply', body: 'garbage' }, /no usable answer/],
    ['an HTML 502', { kind: 'bad-gateway' }, /502/],
    ['throttling', { kind: 'throttled' }, /429/],
    ['a 500', { kind: 'server-error' }, /500/],
    ['a body that never ends', { kind: 'slow', delayMs: 60_000 }, /no complete response/],
  ])('%s', async (_name, fault, message) => {
    const world = await fresh({ pageTimeoutMs: fault.kind === 'slow' ? 300 : 20_000 });
    world.sandbox.faults.add({ ...MID_WALK, ...fault, times: Number.POSITIVE_INFINITY });
    const report = await world.run(hssClusterEvents);
    expect(report).toMatchObject({ status: 'failed', certificate: 'incomplete', reason: 'interrupted', deleted: 0 });
    expect(report.error).toMatch(message);
    expect(report.inserted).toBe(395);
    expect(report.requests).toBe(world.sandbox.requests.count('ListClusterEvents'));
    const { rows } = await database.pool.query<{ certificate: string | null }>('select certificate from sync.listings');
    expect(rows).toEqual([{ certificate: null }]);
    await expectHealed(world, EVENTS);
  });

  it('a 500 for a minute, and the run after that minute succeeds', async () => {
    const world = await fresh();
    world.sandbox.faults.add({ kind: 'server-error', forMs: 60_000 });
    const failed = await world.runAll();
    const within = failed.filter(({ status }) => status === 'failed');
    expect(within.length, 'the minute is over before the last streams begin').toBeGreaterThan(3);
    for (const report of within) expect(report).toMatchObject({ certified_at: null, deleted: 0, inserted: 0 });
    world.clock.advance(60_000);
    await expectHealed(world);
  });

  it('throttling for which the shared budget has to wait', async () => {
    const world = await fresh({ account: { requestsPerMinute: 300 }, sandbox: { quota: 3, retryAfter: true } });
    const before = world.clock.now();
    const report = await world.run(hssClusterEvents);
    // The server allows three a minute, we were told three hundred: it is learnt from what the throttle says.
    expect(report).toMatchObject({ status: 'succeeded', inserted: 600 });
    expect(report.throttled).toBeGreaterThan(0);
    expect(world.clock.now() - before).toBeGreaterThan(60_000);
    await expectHealed(world, EVENTS);
  });
});

describe('a complete stream stays as it was when a later run fails', () => {
  it('in the tables, in the certificates and in the tombstones', async () => {
    const world = await fresh();
    await world.runAll();
    await letPass(database.pool, HOUR);
    const certified = await certificates();
    world.sandbox.estate.step(40);
    // Among the changes is a vulnerability that is handled for the first time, and so leaves the list of the unhandled ones.
    const stored = [...(await storedOf(database.pool, hssImageVulnerabilities)).keys()];
    const allListed = () => {
      const listed = truthOf(world.sandbox, hssImageVulnerabilities);
      return stored.every((key) => listed?.has(key) === true);
    };
    while (allListed()) world.sandbox.estate.step(1, 'operation');
    world.sandbox.faults.add({ kind: 'reset', times: Number.POSITIVE_INFINITY });
    for (const report of await world.runAll()) expect(report.status).not.toBe('succeeded');
    expect(await certificates()).toEqual(certified);
    world.sandbox.faults.clear();
    await world.runAll();
    // The list of the handled ones may be read after the other one, whose next walk then finds the reason.
    await letPass(database.pool, 12 * HOUR);
    await expectHealed(world);
  });
});

async function certificates(): Promise<readonly unknown[]> {
  const { rows } = await database.pool.query(
    'select stream, listing, certificate, certified_at, certified from sync.listings order by stream, listing',
  );
  return rows;
}

it('counts requests correctly, whatever fails in between', async () => {
  const world = await fresh();
  world.sandbox.faults.add({ ...MID_WALK, kind: 'reset', times: 3 });
  world.sandbox.faults.add({ operation: 'ListGeneralImageVuls', kind: 'server-error', times: 4 });
  world.sandbox.faults.add({ operation: 'ListAuditReports', kind: 'forbidden' });
  await world.runAll();
  expect(await requestsSaid(database.pool)).toBe(world.sandbox.requests.count());
  world.sandbox.estate.step(2_000, 'event');
  const stop = new AbortController();
  const stopped = await world.run(hssClusterEvents, {
    full: true,
    signal: stop.signal,
    onPage: ({ offset }) => {
      if (offset > 0) stop.abort(new Error('stopping'));
    },
  });
  expect(stopped).toMatchObject({ status: 'incomplete', reason: 'interrupted', error: null });
  // A request that was under way when everything stopped may not have been counted.
  const uncounted = world.sandbox.requests.count() - (await requestsSaid(database.pool));
  expect([0, 1]).toContain(uncounted);
});
