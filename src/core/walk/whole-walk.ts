import type { WalkOptions } from './full-walk.ts';
import type { ObservedPage, Step } from './observed-page.ts';
import { gridOf } from './page-grid.ts';
import { take } from './pass.ts';
import { proven, provenAtOnce, unproven, type WalkResult } from './result.ts';
import type { WalkState } from './walk-state.ts';

/**
 * Reads a list without pages: one answer has all of it. An answer with fewer rows than its own count says is
 * asked for once more; a count that is too low is contradicted by the rows themselves.
 */
export function* wholeWalk(
  { limit, first }: WalkOptions,
  walkState: WalkState,
): Generator<Step, WalkResult, ObservedPage> {
  const grid = gridOf({ kind: 'whole', limit });
  const lacksRows = (observed: ObservedPage) => (observed.total ?? 0) > observed.records.length;
  let observed = first ?? (yield* take(walkState, grid, 0));
  if (lacksRows(observed)) observed = yield* take(walkState, grid, 0);
  if (lacksRows(observed)) return unproven(walkState, 'count');
  if (observed.records.length === 0) return proven(walkState, 'atomic');
  if (observed.total !== null && observed.total < observed.records.length) walkState.totalContradicted = true;
  return provenAtOnce(walkState, observed);
}
