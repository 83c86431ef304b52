import { test } from 'vitest';
import { simulateSeeds } from '../support/simulate-seeds.ts';

/** `FIRST=10001 SEEDS=20000 npm run test:long -- test/property/system.long.test.ts` for others. */
test('10,000 changing estates with every kind of server fault: no false certificate, no false tombstone, no uncounted request', async () => {
  await simulateSeeds(10_000);
});
