import { expect, test } from 'vitest';
import { claimsOfSeeds, costOfWindows, timesMinimal } from '../support/windows-simulation.ts';

test('thousands of changing lists read in time windows are certified for no more than they showed', async () => {
  const { runs, complete } = await claimsOfSeeds(Number(process.env.SEEDS ?? 5_000));
  expect(complete / runs).toBeGreaterThan(0.9);
}, 7_200_000);

test.each([
  ['that only grows is read once', true],
  ['whose rows change is read again when its certificates are due', false],
])(
  'a list of ninety days %s, and a poll every five minutes takes one request',
  async (_, appendOnly) => {
    const cost = await costOfWindows({ appendOnly, pollDays: 2, tickMs: 5 * 60_000 });
    const { firstLoad, all } = timesMinimal(cost);
    console.log(cost, { firstLoad, all });
    expect(firstLoad).toBeLessThanOrEqual(1.1);
    expect(all).toBeLessThanOrEqual(1.1);
  },
  600_000,
);
