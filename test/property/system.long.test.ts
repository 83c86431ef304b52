import { expect, test } from 'vitest';
import { simulate } from '../support/simulation.ts';

/** `SEED=238 npm run test:long -- test/property/system.long.test.ts` for one seed, `SEEDS=5000` for more. */
const FILE = 'test/property/system.long.test.ts';
const only = process.env.SEED;
const seeds = Number(process.env.SEEDS ?? 1000);

test('days of a moving estate: no row is lost, no mark is false, no claim without its proof', async () => {
  for (let seed = Number(only ?? 1); seed <= Number(only ?? seeds); seed += 1) {
    const { broken } = await simulate(seed);
    expect(broken, `replay: SEED=${seed} npm run test:long -- ${FILE}`).toEqual([]);
  }
});
