import { expect, it } from 'vitest';
import { crashServer } from '../support/server-crash.ts';

it('no list is called complete whose pages Postgres lost in a crash; more crashes in server-crash.long.test.ts', async () => {
  const seed = Number(process.env.SEED ?? 1);
  const estate = { clusters: 3, events: 500, noisyCluster: false, vulnerabilities: 2, instances: 1 };
  expect(
    await crashServer({ seed, kills: 1, requests: 2, sandbox: estate, changes: 30 }),
    `SEED=${seed}`,
  ).toBeGreaterThan(0);
});
