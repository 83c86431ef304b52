import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  cronProblem,
  intervalBefore,
  nextTick,
  onTicks,
  previousTick,
  tickEveryMs,
  twoTicksMs,
} from '../../src/sync/service/cron.ts';
import { testNow } from '../support/clock.ts';

const at = (text: string) => new Date(`${text}Z`);
/** What the clock of the machine shows, while a test sets it. */
const mockedNow = () => vi.getMockedSystemTime()?.getTime() ?? 0;

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
    ['@weekly', '2026-11-28T09:59:59', '2026-11-22T00:00:00'],
    ['0 22-2 * * *', '2026-11-28T09:00:00', '2026-11-28T02:00:00'],
    ['0 6 ? * FRI-MON', '2026-11-27T05:00:00', '2026-11-23T06:00:00'],
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

  test('is at or before now, and the next tick is after it', () => {
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

/** crontab(5): "If both fields are restricted, the command will be run when either field matches the current time." */
describe('a day of the month and a day of the week', () => {
  const SATURDAY = at('2026-11-28T08:00:00');

  test('are alternatives: 0 3 1 * 1 fires on the first of a month and on every Monday', () => {
    const ticks: Date[] = [];
    for (let from: Date | null = SATURDAY; from !== null && ticks.length < 3; ) {
      from = nextTick('0 3 1 * 1', from);
      if (from !== null) ticks.push(from);
    }
    expect(ticks).toEqual([at('2026-11-30T03:00:00'), at('2026-12-01T03:00:00'), at('2026-12-07T03:00:00')]);
    expect(previousTick('0 3 1 * 1', SATURDAY)).toEqual(at('2026-11-23T03:00:00'));
    expect(previousTick('0 3 15 * 7', SATURDAY)).toEqual(at('2026-11-22T03:00:00'));
    expect(tickEveryMs('0 3 1 * 1')).toBeLessThan(7 * 86_400_000);
    expect(twoTicksMs('0 3 1 * 1')).toBe(14 * 86_400_000);
  });

  test('narrow each other only where one of them is a star', () => {
    expect(nextTick('0 3 1 * *', SATURDAY)).toEqual(at('2026-12-01T03:00:00'));
    expect(nextTick('0 3 * * 3', SATURDAY)).toEqual(at('2026-12-02T03:00:00'));
    expect(nextTick('0 3 */2 * 1', SATURDAY), 'a step contains a star').toEqual(at('2026-12-07T03:00:00'));
    expect(nextTick('0 3 1 2 1', SATURDAY)).toEqual(at('2027-02-01T03:00:00'));
    expect(nextTick('0 3 2 2 1', at('2027-02-01T12:00:00'))).toEqual(at('2027-02-02T03:00:00'));
  });

  test('start runs on each of these days and on no other', async () => {
    vi.useFakeTimers({ now: SATURDAY });
    onTestFinished(() => void vi.useRealTimers());
    const ticks: string[] = [];
    const stop = onTicks('0 3 1 * 1', { now: mockedNow }, () =>
      ticks.push(new Date(mockedNow()).toISOString().slice(0, 16)),
    );
    await vi.advanceTimersByTimeAsync(10 * 86_400_000);
    stop();
    expect(ticks).toEqual(['2026-11-30T03:00', '2026-12-01T03:00', '2026-12-07T03:00']);
  });
});

describe('the wake-ups of a process whose own clock is wrong', () => {
  /** Ticks every six hours for a day by a clock that differs from the machine's, and is corrected after 14 hours. */
  async function ticksOf(aheadMs: number): Promise<readonly string[]> {
    vi.useFakeTimers({ now: at('2026-11-28T00:30:00').getTime() + aheadMs });
    onTestFinished(() => void vi.useRealTimers());
    let difference = aheadMs;
    const clock = { now: () => mockedNow() - difference };
    const ticks: string[] = [];
    const stop = onTicks('0 */6 * * *', clock, () => ticks.push(new Date(clock.now()).toISOString().slice(0, 16)));
    await vi.advanceTimersByTimeAsync(14 * 3_600_000);
    vi.setSystemTime(mockedNow() - difference);
    difference = 0;
    await vi.advanceTimersByTimeAsync(10 * 3_600_000);
    stop();
    return ticks;
  }

  test.each([7 * 60_000, -7 * 60_000, 5 * 3_600_000, 0])(
    'come at the ticks of the database when it is %d ms ahead',
    async (aheadMs) => {
      expect(await ticksOf(aheadMs)).toEqual([
        '2026-11-28T06:00',
        '2026-11-28T12:00',
        '2026-11-28T18:00',
        '2026-11-29T00:00',
      ]);
    },
  );

  test('happen in time after the database clock is set back by hours', async () => {
    vi.useFakeTimers({ now: at('2026-11-28T20:30:00') });
    onTestFinished(() => void vi.useRealTimers());
    const ticks: string[] = [];
    const stop = onTicks('0 */6 * * *', { now: mockedNow }, () =>
      ticks.push(new Date(mockedNow()).toISOString().slice(0, 16)),
    );
    await vi.advanceTimersByTimeAsync(60_000);
    vi.setSystemTime(at('2026-11-28T05:00:00'));
    await vi.advanceTimersByTimeAsync(2 * 3_600_000);
    stop();
    expect(ticks).toEqual(['2026-11-28T06:00']);
  });
});

test.each([
  ['*/5 * * * *', null],
  ['0 3 L * MON#1', null],
  ['@daily', null],
  ['0 22-2 * * FRI-MON', null],
  ['0 3 * January Monday', null],
  ['0 0 31 2 *', /31 2/],
  ['* * * *', /./],
  ['2026-01-01T00:00:00', /./],
  ['* * * * * * 2027', /./],
])('%s is a schedule, or it is said why not', (expression, problem) => {
  if (problem === null) expect(cronProblem(expression)).toBeNull();
  else expect(cronProblem(expression)).toMatch(problem);
});
