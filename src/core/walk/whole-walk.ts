import { cutOf } from './cut.ts';
import type { WalkOptions } from './full-walk.ts';
import type { Look, Step } from './look.ts';
import { take } from './pass.ts';
import { proven, provenAtOnce, unproven, type WalkResult } from './result.ts';
import type { Witness } from './witness.ts';

/**
 * Reads a list without pages: one answer is one look at all of it. An answer with fewer rows than its own count says is
 * asked for once more; a count that is too low is contradicted by the rows themselves.
 */
export function* wholeWalk({ limit, first }: WalkOptions, witness: Witness): Generator<Step, WalkResult, Look> {
  const cut = cutOf({ kind: 'whole', limit });
  const lacksRows = (look: Look) => (look.total ?? 0) > look.records.length;
  let look = first ?? (yield* take(witness, cut, 0));
  if (lacksRows(look)) look = yield* take(witness, cut, 0);
  if (lacksRows(look)) return unproven(witness, 'count');
  if (look.records.length === 0) return proven(witness, 'atomic');
  if (look.total !== null && look.total < look.records.length) witness.totalContradicted = true;
  return provenAtOnce(witness, look);
}
