import { expect, it } from 'vitest';
import { crashLoad } from '../support/crash.ts';
import { createTestDatabase } from '../support/postgres.ts';

const database = await createTestDatabase();
const calm = await createTestDatabase();

const SEED = Number(process.env.SEED ?? 1);
const KILLS = Number(process.env.KILLS ?? 200);

it(`a load of 50,000 rows over eight clusters behind the cap ends the same after ${KILLS} kills (SEED=${SEED} KILLS=${KILLS} npm run test:long -- test/service/crash.long.test.ts)`, async () => {
  const result = await crashLoad(database, calm, {
    seed: SEED,
    kills: KILLS,
    sandbox: { clusters: 8, noisyCluster: false, events: 50_000, vulnerabilities: 12, instances: 3, reports: 60 },
    changes: { events: 2_000, handled: 3_000, removed: 500 },
  });
  console.log(result);
  expect(result.killed).toBe(KILLS);
});
