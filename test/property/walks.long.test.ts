import { expect, test } from 'vitest';
import { eachSeed } from '../support/drive-walk.ts';
import {
  type Cost,
  claimsNothingFalse,
  costOfOrdered,
  pagedClaimsNothingFalse,
  pollsLoseNothing,
} from '../support/walk-checks.ts';

const SEEDS = Number(process.env.SEEDS ?? 20_000);
/** A seed that fails here fails in the short file as well. */
const FILE = 'test/property/walks.test.ts';

test('tens of thousands of walks over changing lists certify nothing false', () => {
  const outcomes = new Map<string, number>();
  eachSeed('a walk that claims', { file: FILE, seeds: SEEDS }, (seed) => {
    const outcome = claimsNothingFalse(seed);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  });
  console.log('walks', Object.fromEntries(outcomes));
});

test('walks over numbered pages certify nothing false', () => {
  eachSeed('a certified walk over numbered pages', { file: FILE, seeds: SEEDS / 2 }, pagedClaimsNothingFalse);
});

test('polls miss no change', () => {
  eachSeed('polls of a certified', { file: FILE, seeds: SEEDS / 2 }, pollsLoseNothing);
});

test('ordered lists are certified in time', () => {
  const costs: Cost[] = [];
  eachSeed('ordered lists are', { file: FILE, seeds: SEEDS / 10 }, (seed) => costs.push(costOfOrdered(seed)));
  const claimed = costs.filter((cost) => cost.claimed).length / costs.length;
  const ratio = costs.reduce((sum, cost) => sum + cost.ratio, 0) / costs.length;
  console.log({ claimed, ratio });
  expect(claimed).toBeGreaterThan(0.99);
  expect(ratio).toBeLessThan(1.25);
});
