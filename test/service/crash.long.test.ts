import { expect, it } from 'vitest';
import { crashLoad } from '../support/crash.ts';
import { OF_EVERY_KIND } from '../support/engine.ts';
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

it(`ends with what an undisturbed run has, after 2 kills (SEED=${SEED} npx vitest run --config vitest.long.config.ts test/service/crash.long.test.ts -t undisturbed)`, async () => {
  const { killed } = await crashLoad(database, calm, {
    seed: SEED,
    kills: 2,
    streams: OF_EVERY_KIND,
    sandbox: {
      clusters: 5,
      events: 800,
      vulnerabilities: 6,
      instances: 2,
      reports: 30,
      eventCap: Number.POSITIVE_INFINITY,
    },
    // As many rows as one certified walk marks (docs/decisions.md D3): the sync after the kills is that one walk.
    changes: { events: 150, handled: 60, removed: 12 },
  });
  expect(killed).toBe(2);
});
