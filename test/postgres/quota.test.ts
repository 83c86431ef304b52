import { beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/app.ts';
import type { Clock, Throttle } from '../../src/core/ports.ts';
import { createQuota, type QuotaOptions } from '../../src/postgres/coordination/quota.ts';
import { readQuota } from '../../src/postgres/queries/overview.ts';
import { createTestDatabase } from '../support/postgres.ts';

const { pool } = await createTestDatabase();
const OPERATION = 'GET /v5/{project_id}/cluster-protect/events';
const never = new AbortController().signal;
const MINUTE = 60_000;
/** A request is given up after the default `pageTimeout` of 60 s; its slot frees one window later. */
const GIVEN_UP_MS = MINUTE + 61_000;

beforeEach(async () => {
  await pool.query('truncate sync.api_quota');
});

/** A clock that jumps to the end of every sleep, and a quota on it. */
function virtual(options: QuotaOptions = {}) {
  let time = Date.parse('2026-01-01T00:00:00Z');
  const start = time;
  const clock: Clock = {
    now: () => time,
    async sleep(ms, signal) {
      signal?.throwIfAborted();
      time += ms;
    },
  };
  const quota = createQuota(pool, clock, { now: () => time, ...options });
  return {
    quota,
    now: () => time,
    elapsed: () => time - start,
    pass(ms: number) {
      time += ms;
    },
    take: (account = 'a', budget = 5) =>
      quota.acquire({ account: account, operation: OPERATION, requestsPerMinute: budget }, never),
    /** Another process at this clock, whose requests leave from the address of this name. */
    behind(egress: string) {
      const own = createQuota(pool, clock, { now: () => time, ...options, egress });
      const take = (account: string, budget = 5) =>
        own.acquire({ account, operation: OPERATION, requestsPerMinute: budget }, never);
      return { quota: own, take };
    },
  };
}

const THROTTLE: Throttle = { retryAfterMs: null, limit: null, windowMs: null, dimension: null };

describe('a budget of 5 a minute', () => {
  test('can be spent at once after a pause', async () => {
    const { take, elapsed } = virtual();
    for (let i = 0; i < 5; i++) await (await take()).done();
    expect(elapsed()).toBe(0);
  });

  test('gives the sixth request a slot 61 s after the first answer, not after its request', async () => {
    const { take, elapsed, pass } = virtual();
    const first = await take();
    pass(3_000);
    await first.done();
    for (let i = 0; i < 4; i++) await (await take()).done();
    await take();
    expect(elapsed()).toBe(3_000 + 61_000);
  });

  test('holds a slot for a request that is still under way', async () => {
    const { take, elapsed } = virtual();
    for (let i = 0; i < 5; i++) await take();
    await take();
    expect(elapsed()).toBe(GIVEN_UP_MS);
  });

  test('recovers the slots of a crashed process', async () => {
    const { take, elapsed, pass } = virtual();
    for (let i = 0; i < 5; i++) await take();
    pass(GIVEN_UP_MS);
    await take();
    expect(elapsed()).toBe(GIVEN_UP_MS);
  });

  test('is its own for every operation, and shared by the accounts behind one address', async () => {
    const { quota, take, elapsed } = virtual();
    for (let i = 0; i < 5; i++) await (await take()).done();
    await (await quota.acquire({ account: 'a', operation: 'another operation', requestsPerMinute: 5 }, never)).done();
    expect(elapsed()).toBe(0);
    await (await take('b')).done();
    expect(elapsed()).toBe(61_000);
  });

  test('is known to be used up until the address may send again, whichever account used it, and for that operation only', async () => {
    const { quota, take, pass } = virtual();
    for (let i = 0; i < 4; i++) await (await take(i < 2 ? 'a' : 'b')).done();
    expect(quota.waitMs(OPERATION)).toBe(0);
    pass(10_000);
    await (await take('b')).done();
    expect(quota.waitMs(OPERATION)).toBe(51_000);
    expect(quota.waitMs('another operation')).toBe(0);
    pass(51_000);
    expect(quota.waitMs(OPERATION)).toBe(0);
    await (await take('b')).done();
    expect(quota.waitMs(OPERATION)).toBe(0);
    for (let i = 0; i < 3; i++) await (await take('a')).done();
    expect(quota.waitMs(OPERATION)).toBe(10_000);
  });

  test('is taken from neither bucket when one of them is full', async () => {
    const { quota, take, pass, now } = virtual();
    for (let i = 0; i < 5; i++) await (await take('a')).done();
    const gone = new AbortController();
    const impatient: Clock = { now, sleep: async () => gone.abort(new Error('enough')) };
    const waiting = createQuota(pool, impatient, { now });
    await expect(
      waiting.acquire({ account: 'b', operation: OPERATION, requestsPerMinute: 5 }, gone.signal),
    ).rejects.toThrow('enough');
    const { rows } = await pool.query("select used from sync.api_quota where account = 'b'");
    expect(rows).toEqual([{ used: 0 }]);
    pass(61_000);
    await quota.acquire({ account: 'b', operation: OPERATION, requestsPerMinute: 5 }, never);
  });

  test('of one account does not hold back an account with a larger one', async () => {
    const { take, elapsed } = virtual();
    for (let i = 0; i < 5; i++) await (await take('a')).done();
    for (let i = 0; i < 15; i++) await (await take('b', 20)).done();
    expect(elapsed()).toBe(0);
    await (await take('b', 20)).done();
    expect(elapsed()).toBe(61_000);
  });
});

describe('services on one database', () => {
  test('that leave from different addresses have a budget for each address, and those with one name share it', async () => {
    const { behind, take, elapsed } = virtual();
    const [one, other, second] = [behind('nat-1'), behind('nat-1'), behind('nat-2')];
    for (let i = 0; i < 3; i++) await (await one.take('a')).done();
    for (let i = 0; i < 2; i++) await (await other.take('b')).done();
    for (let i = 0; i < 5; i++) await (await second.take('c')).done();
    for (let i = 0; i < 5; i++) await (await take('d')).done();
    expect(elapsed(), 'three addresses, five requests each').toBe(0);
    await (await other.take('e')).done();
    expect(elapsed(), 'the sixth request of an address').toBe(61_000);
    const { rows } = await pool.query(
      "select account, used from sync.api_quota where account like '*%' order by used, 1",
    );
    expect(rows).toEqual([
      { account: '*', used: 5 },
      { account: '*nat-2', used: 5 },
      { account: '*nat-1', used: 6 },
    ]);
  });

  test('count the requests of an account together, from whichever address they leave', async () => {
    const { behind, elapsed } = virtual();
    const [one, other] = [behind('nat-1'), behind('nat-2')];
    for (let i = 0; i < 3; i++) await (await one.take('a')).done();
    for (let i = 0; i < 2; i++) await (await other.take('a')).done();
    expect(other.quota.waitMs(OPERATION)).toBe(0);
    expect(other.quota.accountWaitMs('a', OPERATION)).toBe(61_000);
    expect(other.quota.accountWaitMs('b', OPERATION)).toBe(0);
    await (await other.take('a')).done();
    expect(elapsed()).toBe(61_000);
    expect(other.quota.accountWaitMs('a', OPERATION)).toBe(0);
  });

  test('do not raise the limit of an address for an account whose higher limit is used from another one', async () => {
    const { behind, elapsed } = virtual();
    const [one, other] = [behind('nat-1'), behind('nat-2')];
    for (let i = 0; i < 20; i++) await (await one.take('raised', 20)).done();
    for (let i = 0; i < 5; i++) await (await other.take(i < 3 ? 'a' : 'b')).done();
    expect(elapsed()).toBe(0);
    await (await other.take('b')).done();
    expect(elapsed()).toBe(61_000);
  });

  test('keep the budget of an address when the account with the highest one sends from another address', async () => {
    const { behind, elapsed } = virtual();
    const [one, other] = [behind('nat-1'), behind('nat-2')];
    for (let i = 0; i < 8; i++) await (await one.take('raised', 20)).done();
    await (await other.take('raised', 20)).done();
    for (let i = 0; i < 5; i++) await (await one.take('a')).done();
    expect(elapsed()).toBe(0);
  });

  test('pause all addresses after a refusal by API, and only its own after one by address', async () => {
    const { behind, take, elapsed } = virtual();
    const [one, other] = [behind('nat-1'), behind('nat-2')];
    await (await take('c')).done();
    await (await other.take('b')).done();
    await (await one.take('a')).done({ ...THROTTLE, retryAfterMs: 30_000, dimension: 'ip' });
    await (await other.take('b')).done();
    expect(elapsed()).toBe(0);
    await (await other.take('b')).done({ ...THROTTLE, retryAfterMs: 90_000, dimension: 'api' });
    await (await take('c')).done();
    expect(elapsed()).toBe(90_000);
  });
});

describe('a throttled answer', () => {
  test('holds the bucket for as long as the server asks', async () => {
    const { take, elapsed } = virtual();
    await (await take()).done({ ...THROTTLE, retryAfterMs: 90_000 });
    await take();
    expect(elapsed()).toBe(90_000);
  });

  test('holds it until the window has room again when the server names no time', async () => {
    const { take, elapsed, pass } = virtual();
    await (await take()).done();
    pass(20_000);
    await (await take()).done(THROTTLE);
    await take();
    expect(elapsed()).toBe(61_000);
  });

  test('costs one request a window, which comes back with every clean one', async () => {
    const { take, elapsed, pass } = virtual();
    await (await take()).done({ ...THROTTLE, retryAfterMs: 1_000 });
    await (await take()).done({ ...THROTTLE, retryAfterMs: 120_000 });
    const inOneWindow = async () => {
      const from = elapsed();
      let count = 0;
      for (; elapsed() < from + MINUTE; count++) await (await take()).done();
      return count - 1; // the last one had to wait
    };
    pass(120_000);
    expect(await inOneWindow()).toBe(3);
    expect(await inOneWindow()).toBeGreaterThanOrEqual(3);
    pass(4 * 61_000);
    expect(await inOneWindow()).toBe(5);
  });

  test('never leaves less than one request', async () => {
    const { take } = virtual();
    for (let i = 0; i < 12; i++) await (await take()).done({ ...THROTTLE, retryAfterMs: 1 });
    const { rows } = await pool.query("select reduced_limit, throttled from sync.api_quota where account = 'a'");
    expect(rows).toEqual([{ reduced_limit: 1, throttled: 12 }]);
  });

  test('sets limit and window for a day, even if more is configured', async () => {
    const { take, elapsed, pass } = virtual();
    const said = { retryAfterMs: 1_000, limit: 2, windowMs: 10 * MINUTE, dimension: 'user' } as const;
    await (await take('a', 100)).done(said);
    pass(20 * MINUTE);
    const from = elapsed();
    for (let i = 0; i < 3; i++) await (await take('a', 100)).done();
    expect(elapsed() - from).toBe(10 * MINUTE + 1_000);
    pass(25 * 60 * MINUTE);
    const later = elapsed();
    for (let i = 0; i < 100; i++) await (await take('a', 100)).done();
    expect(elapsed()).toBe(later);
  });

  test('by address holds every account, one by user only its own', async () => {
    const { take, elapsed } = virtual();
    await (await take('a')).done({ ...THROTTLE, retryAfterMs: 30_000, dimension: 'user' });
    await (await take('b')).done();
    expect(elapsed()).toBe(0);
    await (await take('b')).done({ ...THROTTLE, retryAfterMs: 50_000, dimension: 'ip' });
    await take('c');
    expect(elapsed()).toBe(50_000);
  });
});

test('6,000 a minute and more are not counted', async () => {
  const { take } = virtual();
  await (await take('a', 6_000)).done(THROTTLE);
  expect((await pool.query('select count(*) as n from sync.api_quota')).rows).toEqual([{ n: 0 }]);
});

test('waiting ends with the reason of the signal', async () => {
  const quota = createQuota(pool, systemClock);
  for (let i = 0; i < 5; i++) await quota.acquire({ account: 'a', operation: OPERATION, requestsPerMinute: 5 }, never);
  const stop = new AbortController();
  const waiting = quota.acquire({ account: 'a', operation: OPERATION, requestsPerMinute: 5 }, stop.signal);
  setTimeout(() => stop.abort(new Error('stopping')), 20);
  await expect(waiting).rejects.toThrow('stopping');
});

describe('what is shown of a budget', () => {
  const own = async (now: number) =>
    (await readQuota(pool, new Date(now))).find(({ account }) => account === 'a') ?? { left: -1, limit: -1 };

  test('is what would be granted, also under a window of 5 seconds that the API spoke of', async () => {
    const { take, pass, now } = virtual();
    const slot = await take();
    await slot.done({ ...THROTTLE, retryAfterMs: 1_000, limit: 2, windowMs: 5_000, dimension: 'user' });
    expect(await own(now())).toMatchObject({ left: 0, heldUntil: expect.any(Date) });
    pass(6_100);

    const before = await own(now());
    expect(before).toMatchObject({ heldUntil: null, throttled: 1 });
    let granted = 0;
    const started = now();
    while (granted < 10) {
      await (await take()).done();
      if (now() > started) break;
      granted += 1;
    }
    expect(granted).toBe(before.left);
    expect(await own(started)).toMatchObject({ left: 0 });
  });

  test('has the name of its address, if it is not that of an account', async () => {
    const { behind, take, now } = virtual();
    await (await behind('nat-1').take('a')).done();
    await (await take('b')).done();
    const shown = await readQuota(pool, new Date(now()));
    expect(new Map(shown.map(({ account, address }) => [account, address]))).toEqual(
      new Map([
        ['*', ''],
        ['*nat-1', 'nat-1'],
        ['a', null],
        ['b', null],
      ]),
    );
  });

  test('is none left when the budget is spent, and all of it 61 seconds later', async () => {
    const { take, pass, now } = virtual();
    for (let i = 0; i < 5; i++) await (await take()).done();
    expect(await own(now())).toMatchObject({ left: 0, limit: 5 });
    pass(61_001);
    expect(await own(now())).toMatchObject({ left: 5, limit: 5 });
  });
});
