import { expect, test } from 'vitest';
import { NO_EVIDENCE } from '../../src/core/certificate.ts';
import { type ContentPolicy, contentEveryMs, type DuePolicy, dueListings, forecast } from '../../src/core/due.ts';
import type { ListingState } from '../../src/core/store.ts';
import { listing } from '../../src/core/stream/endpoint.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const NOW = Date.UTC(2026, 0, 5, 10);

/** A certified list whose content was last read `ageMs` ago by a walk of `requests`, and looked at a minute ago. */
function certified(ageMs: number, requests: number): ListingState {
  return {
    certificate: 'complete',
    reason: null,
    certifiedAt: new Date(NOW - ageMs),
    certifiedSince: new Date(NOW - ageMs - 1),
    proof: 'order',
    contentAt: new Date(NOW - ageMs),
    evidence: { ...NO_EVIDENCE, requests },
    checkpoint: { total: 500, lastUpdateTime: null, firstPage: 'p', orders: [] },
    enterpriseProjectId: '0',
    certifiedUnder: '0',
    walkedAt: new Date(NOW - MINUTE),
    failedAt: null,
    changedAt: null,
    hint: null,
  };
}

/** Five requests a minute, of which half may go into full readings. */
const POLICY: ContentPolicy = { everyMs: 15 * MINUTE, tickMs: 10 * MINUTE, requestsPerMinute: 2.5, scopes: 1 };

/** The lists of a run in their order: those whose poll has to show all of the content with an exclamation mark. */
function planned(
  states: Readonly<Record<string, ListingState>>,
  content: ContentPolicy | null,
  more: Partial<DuePolicy> = {},
): readonly string[] {
  const lists = Object.keys(states).map((name) => listing({ name }, { hot: true }));
  const { planned: plans } = dueListings(
    lists,
    new Map(lists.map((one) => [one.key, states[one.params.name ?? ''] ?? certified(0, 1)])),
    {
      now: NOW,
      reconcileEveryMs: 12 * HOUR,
      full: false,
      editedAt: null,
      skipCertifiedSince: null,
      skipWalkedSince: null,
      enterpriseProjectId: '0',
      content,
      isSplit: false,
      ...more,
    },
  );
  return plans.map((plan) => `${plan.listing.params.name}${plan.proveContent === true ? '!' : ''}`);
}

test('a list whose content would be too old at the next tick is read to its end, after the polls of the others', () => {
  const policy = { ...POLICY, tickMs: 5 * MINUTE };
  const states = { old: certified(9 * MINUTE, 3), older: certified(14 * MINUTE, 3), young: certified(6 * MINUTE, 3) };
  expect(planned(states, policy)).toEqual(['young', 'older!', 'old!']);
  expect(contentEveryMs(9, policy)).toBe(10 * MINUTE);
});

test('without `fullReads` a list is read to its end only every `reconcileEvery`', () => {
  expect(planned({ old: certified(11 * HOUR, 3) }, null)).toEqual(['old']);
});

test('a list without a response counts as unread in the run that continues a stopped one, and goes behind the others', () => {
  const began = new Date(NOW - 5 * MINUTE);
  const old = { ...certified(HOUR, 1), walkedAt: new Date(NOW - HOUR) };
  const unproven = { ...old, certificate: 'incomplete', reason: 'moving' } as const;
  const failed = { failedAt: new Date(NOW - MINUTE) };
  const states = {
    failed: { ...old, ...failed },
    unproven: { ...unproven, ...failed },
    walked: certified(HOUR, 1),
    waits: old,
  };
  expect(planned(states, null, { skipCertifiedSince: began, skipWalkedSince: began })).toEqual([
    'waits',
    'failed',
    'unproven',
  ]);
});

test('full walks take no more than their share of the quota: a list of 100 requests is read again after 40 minutes', () => {
  expect(planned({ long: certified(39 * MINUTE, 100) }, POLICY)).toEqual(['long']);
  expect(planned({ long: certified(41 * MINUTE, 100) }, POLICY)).toEqual(['long!']);
});

test('a run begins only as many full walks as its share of the quota allows until the next tick, oldest content first', () => {
  const states = { a: certified(10 * MINUTE, 12), b: certified(30 * MINUTE, 12), c: certified(20 * MINUTE, 12) };
  expect(planned(states, POLICY)).toEqual(['a', 'b!', 'c!']);
  // One that costs more than a run's share does not keep the others from it until it is its turn.
  expect(planned({ long: certified(40 * MINUTE, 100), short: certified(15 * MINUTE, 5) }, POLICY)).toEqual([
    'long',
    'short!',
  ]);
  expect(planned({ long: certified(43 * MINUTE, 100), short: certified(15 * MINUTE, 5) }, POLICY)).toEqual([
    'short',
    'long!',
  ]);
});

test('all scopes of an account share the quota for full walks', () => {
  expect(planned({ one: certified(39 * MINUTE, 10) }, { ...POLICY, scopes: 10 })).toEqual(['one']);
  expect(planned({ one: certified(41 * MINUTE, 10) }, { ...POLICY, scopes: 10 })).toEqual(['one!']);
});

test('with a share of 0, lists are read in full only by reconciling', () => {
  expect(planned({ old: certified(11 * HOUR, 1) }, { ...POLICY, requestsPerMinute: 0 })).toEqual(['old']);
  expect(contentEveryMs(1, { ...POLICY, requestsPerMinute: 0 })).toBe(Number.POSITIVE_INFINITY);
});

const LANE = {
  hot: [141],
  cold: 0,
  limit: 100,
  scheduleEveryMs: 10 * MINUTE,
  reconcileEveryMs: HOUR,
  requestsPerMinute: 5,
  pollsShowAll: false,
  content: POLICY,
};

test('the forecast names the age of content that polls do not show', () => {
  // 141 rows at 100 a page are three requests: read with every tick.
  expect(forecast(LANE)).toMatchObject({ ageMs: 10 * MINUTE });
  expect(forecast(LANE).contentAgeMs).toBeCloseTo(10.6 * MINUTE, -3);
  // 20,000 rows at 200 a page are 103 requests: 41 minutes at half of the quota, and 21 to read.
  const long = forecast({ ...LANE, hot: [20_000], limit: 200, reconcileEveryMs: 12 * HOUR });
  expect(long.contentAgeMs ?? 0).toBeGreaterThan(60 * MINUTE);
  expect(long.contentAgeMs ?? 0).toBeLessThan(63 * MINUTE);
  expect(long.perHour).toBeCloseTo(150 + 6, 0);
});

test('the forecast of a list whose polls show every change, or that fits one page, has one age', () => {
  for (const lane of [
    { ...LANE, pollsShowAll: true },
    { ...LANE, hot: [99] },
  ]) {
    expect(forecast(lane).contentAgeMs).toBe(forecast(lane).ageMs);
  }
  const nothing = { ...LANE, content: { ...POLICY, requestsPerMinute: 0 } };
  expect(forecast(nothing).contentAgeMs ?? 0).toBeGreaterThanOrEqual(HOUR);
});

test('a list that stays unproven is read in full only after five times the time that a full walk costs, and only its first page until then', () => {
  const mode = (reason: ListingState['reason'], minutes: number, content: ContentPolicy | null = POLICY) => {
    const walkedAt = new Date(NOW - minutes * MINUTE);
    const state = { ...certified(12 * HOUR, 10), certificate: 'incomplete', reason, walkedAt } as const;
    const one = listing({ name: 'one' }, { hot: true });
    const policy = {
      now: NOW,
      reconcileEveryMs: 12 * HOUR,
      full: false,
      editedAt: null,
      skipCertifiedSince: null,
      skipWalkedSince: null,
      enterpriseProjectId: '0',
      content,
      isSplit: false,
    };
    return dueListings([one], new Map([[one.key, state]]), policy).planned.map((plan) => plan.mode);
  };
  // Ten requests at 2.5 a minute take four minutes.
  for (const reason of ['ties', 'unordered', 'count'] as const) {
    expect(mode(reason, 19), reason).toEqual(['first-page']);
    expect(mode(reason, 21), reason).toEqual(['full']);
    expect(mode(reason, 19, { ...POLICY, requestsPerMinute: 0 }), reason).toEqual(['first-page']);
    expect(mode(reason, 31, { ...POLICY, scopes: 2 }), reason).toEqual(['first-page']);
  }
  // What passes by itself is tried again at once, and so is everything where there is no share to spare.
  expect(mode('moving', 1)).toEqual(['full']);
  expect(mode('ties', 1, null)).toEqual(['full']);
});

test('interrupted runs read none of 20,000 lists twice before each was read once, the longest unread first', () => {
  const lists = Array.from({ length: 20_000 }, (_, index) =>
    listing({ host_id: `${index}` }, { hot: index % 2 === 0 }),
  );
  // Read in another order than they are listed, an hour apart from the last run.
  const states = new Map(
    lists.map(({ key }, index) => [
      key,
      { ...certified(HOUR, 1), walkedAt: new Date(NOW - 30 * 24 * HOUR + ((index * 7919) % 20_000)) },
    ]),
  );
  const read = new Map<string, number>();
  let now = NOW;
  for (let run = 0; run < 7; run += 1) {
    const { planned: plans } = dueListings(lists, states, {
      now,
      reconcileEveryMs: 7 * 24 * HOUR,
      full: false,
      editedAt: null,
      skipCertifiedSince: run === 0 ? null : new Date(NOW),
      skipWalkedSince: run === 0 ? null : new Date(NOW),
      enterpriseProjectId: '0',
      content: null,
      isSplit: false,
    });
    const ages = plans
      .filter(({ listing: one }) => one.hot === true)
      .map(({ state }) => state?.walkedAt?.getTime() ?? 0);
    expect(ages).toEqual(ages.toSorted((a, b) => a - b));
    for (const { listing: one, state } of plans.slice(0, 3_000)) {
      now += 12_000;
      read.set(one.key, (read.get(one.key) ?? 0) + 1);
      states.set(one.key, { ...(state ?? certified(0, 1)), walkedAt: new Date(now), certifiedAt: new Date(now) });
    }
  }
  expect(new Set(read.values())).toEqual(new Set([1]));
  expect(read.size).toBeGreaterThanOrEqual(10_000);
});

test('the forecast states the time in which all lists that are read in turn are read once, even if the quota is too small', () => {
  const lane = { ...LANE, hot: Array.from({ length: 4_000 }, () => 0), cold: 1_000, reconcileEveryMs: 7 * 24 * HOUR };
  expect(forecast(lane).cycleMs).toBe(1_000 * MINUTE);
  expect(forecast({ ...lane, reconcileEveryMs: HOUR })).toMatchObject({ ageMs: null, cycleMs: 1_000 * MINUTE });
});
