import { expect, it } from 'vitest';
import { crashServer } from '../support/server-crash.ts';

const SEED = Number(process.env.SEED ?? 1);
const KILLS = Number(process.env.KILLS ?? 50);

it(`no list is certified if Postgres lost its pages in ${KILLS} crashes (SEED=${SEED} KILLS=${KILLS})`, async () => {
  const estate = {
    clusters: 8,
    events: 20_000,
    eventCap: 10_000,
    noisyCluster: false,
    vulnerabilities: 2,
    instances: 1,
  };
  const cutShort = await crashServer({ seed: SEED, kills: KILLS, sandbox: estate, changes: 500 });
  console.log({ kills: KILLS, cutShort });
  expect(cutShort).toBeGreaterThan(KILLS / 2);
});

it('no list of a small estate is certified if Postgres lost its pages in one crash', async () => {
  const estate = { clusters: 3, events: 500, noisyCluster: false, vulnerabilities: 2, instances: 1 };
  expect(await crashServer({ seed: SEED, kills: 1, requests: 2, sandbox: estate, changes: 30 })).toBe(1);
});
