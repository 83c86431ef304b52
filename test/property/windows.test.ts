import { expect, test } from 'vitest';
import { claimsOfSeeds, costOfWindows, timesMinimal } from '../support/windows-simulation.ts';

/**
 * Lists that are read window by window while they move: rows come late within the margin, are handled, deleted and age out;
 * ends of windows are inclusive or exclusive, windows are capped, runs are cut short. `SEED=17` runs one of them alone,
 * `SEEDS=5000` more of them.
 */
test('time windows of changing lists certify nothing false', async () => {
  const { runs, complete, halved, marked } = await claimsOfSeeds(Number(process.env.SEEDS ?? 25));
  if (process.env.SEED !== undefined) return;
  expect(complete / runs).toBeGreaterThan(0.9);
  expect(halved).toBeGreaterThan(0);
  expect(marked).toBeGreaterThan(0);
});

test('ninety days of an append-only list are read once, and each poll takes one request', async () => {
  const { firstLoad, all } = timesMinimal(await costOfWindows({ appendOnly: true, pollDays: 2, tickMs: 30 * 60_000 }));
  expect(firstLoad).toBeLessThanOrEqual(1.1);
  expect(all).toBeLessThanOrEqual(1.1);
});
