import { test } from 'vitest';
import { simulateSeeds } from '../support/simulate-seeds.ts';

/** `SEEDS=20000 npm run test:long -- test/property/system.long.test.ts` for more. */
test('weeks of moving estates: no row is lost, no mark is false, no claim without its proof', async () => {
  await simulateSeeds(5000);
});
