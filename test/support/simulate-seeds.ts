import { expect } from 'vitest';
import { simulate } from './simulation.ts';

/** Runs seeds 1 to `SEEDS`, or `SEED` alone; the first one that breaks a promise says how to run it again. */
export async function simulateSeeds(seeds: number): Promise<void> {
  const only = process.env.SEED;
  const last = Number(only ?? process.env.SEEDS ?? seeds);
  for (let seed = Number(only ?? 1); seed <= last; seed += 1) {
    const { broken } = await simulate(seed);
    expect(broken, `replay: SEED=${seed} npx vitest run test/property/system.test.ts`).toEqual([]);
  }
}
