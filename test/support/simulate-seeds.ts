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

/** Runs this many seeds, or those that the environment names: `SEED` alone, or `SEEDS` of them from `FIRST` on. */
export async function simulateSeeds(count: number): Promise<void> {
  const { first, last } = seedsNamed() ?? { first: 1, last: count };
  for (let seed = first; seed <= last; seed += 1) await simulateSeed(seed);
}

/** Runs one seed of each dimension and `troubled` of troubled worlds, from `first` on, or the seeds that the environment names. */
export async function simulateEach({
  troubled,
  first,
}: {
  readonly troubled: number;
  readonly first: number;
}): Promise<void> {
  const named = seedsNamed();
  if (named !== null) return simulateSeeds(named.last);
  const wanted = new Set(Object.keys(DIMENSIONS));
  let left = troubled;
  for (let seed = first; wanted.size > 0 || left > 0; seed += 1) {
    const { name } = worldOf(seed);
    const isTroubled = name === 'troubled' && left > 0;
    if (isTroubled) left -= 1;
    if (isTroubled || wanted.delete(name)) await simulateSeed(seed);
  }
}

function seedsNamed(): { readonly first: number; readonly last: number } | null {
  const { SEED, FIRST, SEEDS } = process.env;
  if (SEED !== undefined) return { first: Number(SEED), last: Number(SEED) };
  if (FIRST === undefined && SEEDS === undefined) return null;
  const first = Number(FIRST ?? 1);
  return { first, last: first + Number(SEEDS ?? 1) - 1 };
}

export async function simulateSeed(seed: number): Promise<void> {
  const { name, honesty, ...options } = worldOf(seed);
  const { findings } = await simulate(seed, options);
  const broken = findings.filter((finding) => isExcluded(honesty, finding));
  expect(broken, `${name}: SEED=${seed} npx vitest run test/property/system.test.ts`).toEqual([]);
}
