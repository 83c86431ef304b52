import type { Doubt } from '../../core/sweep.ts';

/**
 * What `sync.listings.missing` holds. Earlier versions wrote the keys alone: they count as missed by one walk, at a time
 * unknown.
 */
export function readDoubts(stored: unknown): readonly Doubt[] {
  if (!Array.isArray(stored)) return [];
  const keys = stored.filter((one) => typeof one === 'string');
  const doubts = stored.filter(isDoubt);
  return keys.length === 0 ? doubts : [...doubts, { walks: 1, lastAt: 0, keys }];
}

function isDoubt(one: unknown): one is Doubt {
  return typeof one === 'object' && one !== null && 'walks' in one && 'lastAt' in one && 'keys' in one;
}
