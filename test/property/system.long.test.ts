import { test } from 'vitest';
import { simulateSeeds } from '../support/simulate-seeds.ts';

/** `FIRST=10001 SEEDS=20000 npm run test:long -- test/property/system.long.test.ts` for others. */
test('10,000 moving estates, with all that servers do: no claim and no mark is false, and no request uncounted', async () => {
  await simulateSeeds(10_000);
});
