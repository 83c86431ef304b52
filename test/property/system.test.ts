import { test } from 'vitest';
import { simulateSeeds } from '../support/simulate-seeds.ts';

/** `SEED=238` for one seed, `FIRST=301 SEEDS=300` for others; more of them in system.long.test.ts. */
test('days of a moving estate, with all that servers do: no claim and no mark is false, and no request uncounted', async () => {
  await simulateSeeds(80);
}, 300_000);
