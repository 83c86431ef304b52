import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { intervalBefore, nextTick, previousTick, twoTicksMs } from '../../src/sync/cron.ts';
import { testNow } from '../support/clock.ts';

const at = (text: string) => new Date(`${text}Z`);

describe('the tick before an instant', () => {
  test.each([
    ['*/5 * * * *', '2026-11-21T09:04:59', '2026-11-21T09:00:00'],
    ['*/5 * * * *', '2026-11-21T09:05:00', '2026-11-21T09:05:00'],
    ['*/10 * * * * *', '2026-11-21T09:00:09.999', '2026-11-21T09:00:00'],
    ['30 23 * * *', '2026-11-21T09:00:00', '2026-11-20T23:30:00'],
    ['0 9 29 2 *', '2027-06-01T00:00:00', '2024-02-29T09:00:00'],
    ['0 0 L * *', '2026-11-21T09:00:00', '2026-10-31T00:00:00'],
    ['0 6 * * MON', '2026-11-21T09:00:00', '2026-11-16T06:00:00'],
    ['@hourly', '2026-11-21T09:59:59', '2026-11-21T09:00:00'],
  ])('%s at %s is %s', (expression, now, expected) => {
    expect(previousTick(expression, at(now))).toEqual(at(expected));
  });

  test('is the latest one: no minute between it and the instant fires', () => {
    const minute = fc.integer({ min: 0, max: 59 });
    const expressions = fc.oneof(
      fc.tuple(minute, fc.integer({ min: 0, max: 23 })).map(([m, h]) => `${m} ${h} * * *`),
      fc.integer({ min: 1, max: 59 }).map((n) => `*/${n} * * * *`),
      fc.tuple(minute, fc.integer({ min: 0, max: 6 })).map(([m, d]) => `${m} 3 * * ${d}`),
    );
    fc.assert(
      fc.property(
        expressions,
        fc.date({ min: at('2024-01-01'), max: at('2032-01-01'), noInvalidDate: true }),
        (expression, now) => {
          const tick = previousTick(expression, now);
          expect(tick).not.toBeNull();
          if (tick === null) return;
          expect(tick.getTime()).toBeLessThanOrEqual(now.getTime());
          // What the instant just before the tick answers is an earlier one, and the tick itself answers with itself.
          expect(previousTick(expression, tick)).toEqual(tick);
          expect(intervalBefore(expression, tick)).toBeGreaterThan(0);
          expect(previousTick(expression, new Date(now.getTime() + 1))?.getTime()).toBeGreaterThanOrEqual(
            tick.getTime(),
          );
        },
      ),
    );
  });

  test('and the next tick enclose now', () => {
    for (const expression of ['*/5 * * * *', '7 3 * * *', '*/10 * * * * *']) {
      const now = new Date(testNow());
      expect(previousTick(expression, now)?.getTime()).toBeLessThanOrEqual(now.getTime());
      expect(nextTick(expression)?.getTime()).toBeGreaterThan(now.getTime());
    }
  });
});

describe('two ticks', () => {
  const [minute, hour, day] = [60_000, 3_600_000, 86_400_000];

  test.each([
    ['* * * * *', 2 * minute],
    ['*/15 * * * * *', minute / 2],
    ['*/25 * * * *', 50 * minute],
    ['0 8,20 * * *', day],
    ['0 3 * * *', 2 * day],
    ['*/5 8-18 * * *', 13 * hour + 10 * minute],
    ['*/5 8-18 * * MON-FRI', 2 * day + 13 * hour + 10 * minute],
    ['0 6 * * MON', 14 * day],
    ['0 0 1 1 *', 731 * day],
    ['0 0 29 2 *', 0],
  ])('of %s are at most %d ms apart', (expression, expected) => {
    expect(twoTicksMs(expression)).toBe(expected);
  });
});
