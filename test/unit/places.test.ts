import { expect, test } from 'vitest';
import { LANES_AT_ONCE } from '../../src/core/ports.ts';
import { streams } from '../../src/streams/index.ts';
import { isFrequent, keptPlaces, priorityOf } from '../../src/sync/service/cron.ts';

const MINUTE = 60_000;
const NOON = Date.UTC(2026, 10, 21, 12);

test('with all groups, every list that is read each minute or two has a place that no other list can take', () => {
  const schedules = streams.map(({ schedule }) => schedule);
  const kept = keptPlaces(schedules, LANES_AT_ONCE);
  expect(kept.frequent).toBe(schedules.filter(isFrequent).length);
  expect(kept.others).toBeGreaterThan(0);
  expect(LANES_AT_ONCE - kept.frequent - kept.others).toBeGreaterThan(0);
});

test('no place is kept for a kind of lists that a configuration does not have', () => {
  expect(keptPlaces(['*/10 * * * *', '0 * * * *'], LANES_AT_ONCE).frequent).toBe(0);
  expect(keptPlaces(['* * * * *', '*/2 * * * *'], LANES_AT_ONCE).others).toBe(0);
  expect(keptPlaces(['* * * * *'], 1)).toEqual({ frequent: 0, others: 0 });
});

test('the lane that is more overdue by its own schedule goes first, even if another one was read longer ago', () => {
  const byMinutes = (servedAgo: number, every: number) =>
    priorityOf({ servedAtMs: NOON - servedAgo * MINUTE, everyMs: every * MINUTE });
  expect(byMinutes(11, 5)).toBeGreaterThan(byMinutes(31, 30));
  expect(byMinutes(33, 30)).toBeGreaterThan(byMinutes(6, 5));
  expect(byMinutes(130, 24 * 60)).toBeGreaterThan(byMinutes(31, 30));
});
