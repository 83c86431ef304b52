import type { Certificate, Proof, Reason, Suspicion } from '../certificate.ts';
import { identityOf, type Look } from './look.ts';
import type { Witness } from './witness.ts';

export interface WalkResult {
  readonly certificate: Certificate;
  /** The list is longer than the API shows of it, or may be: it has to be split. Null where it is not. */
  readonly capped: Capped | null;
  /** The API refused a page as long as the whole list: not to be tried again. */
  readonly wholeRefused?: boolean;
}

/** Where a list was cut off. */
export interface Capped {
  /** Rows that the API shows. */
  readonly cap: number;
  /** The documents name this cap; otherwise the list's end gave rise to the suspicion. */
  readonly isDeclared: boolean;
}

/** With a look that proves nothing, `suspect` says why, and the walk proves nothing either. */
export function proven(witness: Witness, proof: Proof, suspect: Suspicion | null = witness.suspect): WalkResult {
  if (suspect !== null) return unproven(witness, suspect);
  if (witness.isKeyBroken) return unproven(witness, 'key');
  return { certificate: { kind: 'complete', proof, evidence: witness.evidence() }, capped: null };
}

/**
 * One look had the whole list. Where rows that were shown before are not in it, the list moved meanwhile, and a sweep has
 * to wait for another walk.
 */
export function provenAtOnce(witness: Witness, look: Look): WalkResult {
  const distinct = new Set(look.records.map(identityOf)).size;
  if (witness.seen.size + witness.unreadable > distinct) witness.moved = true;
  return proven(witness, 'atomic', look.suspect ?? null);
}

/** Looks that prove nothing are the reason for whatever they made of the walk. */
export function unproven(witness: Witness, otherwise: Reason): WalkResult {
  const reason = witness.suspect ?? otherwise;
  return { certificate: { kind: 'incomplete', reason, evidence: witness.evidence() }, capped: null };
}

/**
 * The API shows `cap` rows of the list and no more. Rows known to be out of sight are those that its count has beyond what was
 * read, or had `before` the count was cut off as well.
 */
export function beyondCap(witness: Witness, capped: Capped, before: number | null = null): WalkResult {
  const { cap } = capped;
  const length = Math.max(witness.totalLast ?? 0, before ?? 0);
  const outOfSight = Math.max(0, length - witness.seen.size - witness.unreadable);
  const evidence = witness.evidence({ cap, ...(outOfSight > 0 ? { outOfSight } : {}) });
  return { certificate: { kind: 'incomplete', reason: 'capped', evidence }, capped };
}
