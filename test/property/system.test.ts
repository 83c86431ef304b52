import { test } from 'vitest';
import { simulateSeeds } from '../support/simulate-seeds.ts';

/** `SEED=238` for one seed; more of them in system.long.test.ts. */
test('days of a moving estate: no row is lost, no mark is false, no claim without its proof', async () => {
  await simulateSeeds(150);
}, 300_000);
