import type { Paging } from '../stream/paging.ts';
import { fullWalk } from './full-walk.ts';
import type { Look, Step } from './look.ts';
import { type PagedOptions, pagedWalk } from './paged-walk.ts';
import type { WalkResult } from './result.ts';
import { wholeWalk } from './whole-walk.ts';
import type { Witness } from './witness.ts';

/** The full walk that suits how a list is paged. */
export function walkFor(
  kind: Paging['kind'],
  options: PagedOptions,
  witness: Witness,
): Generator<Step, WalkResult, Look> {
  if (kind === 'whole') return wholeWalk(options, witness);
  return kind === 'page' ? pagedWalk(options, witness) : fullWalk(options, witness);
}
