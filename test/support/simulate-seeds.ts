import { expect } from 'vitest';
import { random as seeded } from './random.ts';
import { DIMENSIONS, type Dimension, type Honesty } from './simulated-dimensions.ts';
import type { Fault, Finding } from './simulated-observer.ts';
import { type Simulating, simulate } from './simulation.ts';

/** Faults that a world must not show, by what is expected of it. */
const EXCLUDED: Readonly<Record<Honesty | 'sound', readonly Fault[]>> = {
  sound: ['uncertified', 'outdated', 'unread', 'stale', 'marked', 'older', 'left', 'unclaimed', 'books'],
  exact: ['uncertified', 'outdated', 'unread', 'stale', 'marked', 'books'],
  walks: ['uncertified', 'outdated', 'marked', 'books'],
  marks: ['marked', 'books'],
  rate: ['books'],
};

/** Looks at lists that show their changes anywhere promise nothing. */
export function isExcluded(honesty: Honesty | 'sound', { fault, isDecided }: Finding): boolean {
  return EXCLUDED[honesty].includes(fault) && (isDecided || (fault !== 'unread' && fault !== 'stale'));
}

interface SeededWorld extends Simulating {
  readonly name: string;
  readonly honesty: Honesty | 'sound';
}

/** A quarter of the worlds have every passing trouble, the others one of the dimensions. */
export function worldOf(seed: number): SeededWorld {
  const random = seeded(seed * 31);
  if (random.chance(0.25)) return { name: 'troubled', honesty: 'sound', dimensions: [], troubled: true };
  const all: readonly (readonly [string, Dimension])[] = Object.entries(DIMENSIONS);
  const [name, dimension] = all[seed % all.length] ?? ['', { honesty: 'rate' }];
  return { name, honesty: dimension.honesty, dimensions: [dimension], troubled: false };
}

/**
 * Runs `SEEDS` seeds from `FIRST` on, or `SEED` alone. The first one that breaks a promise says how to run it again.
 */
export async function simulateSeeds(seeds: number): Promise<void> {
  const only = process.env.SEED;
  const first = Number(only ?? process.env.FIRST ?? 1);
  const last = only === undefined ? first + Number(process.env.SEEDS ?? seeds) - 1 : first;
  for (let seed = first; seed <= last; seed += 1) await simulateSeed(seed);
}

export async function simulateSeed(seed: number): Promise<void> {
  const { name, honesty, ...options } = worldOf(seed);
  const { findings } = await simulate(seed, options);
  const broken = findings.filter((finding) => isExcluded(honesty, finding));
  expect(broken, `${name}: SEED=${seed} npx vitest run test/property/system.test.ts`).toEqual([]);
}
