import type { Certificate, Proof, Reason, Suspicion } from '../certificate.ts';
import type { Checkpoint } from '../store.ts';
import { shortHash } from '../stream/json.ts';
import { identityOf, type ObservedPage } from './observed-page.ts';
import type { Order } from './order.ts';
import type { WalkState } from './walk-state.ts';

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

/** With a page that proves nothing, `suspect` says why, and the walk proves nothing either. */
export function proven(walkState: WalkState, proof: Proof, suspect: Suspicion | null = walkState.suspect): WalkResult {
  if (suspect !== null) return unproven(walkState, suspect);
  if (walkState.isKeyBroken) return unproven(walkState, 'key');
  return { certificate: { kind: 'complete', proof, evidence: walkState.evidence() }, capped: null };
}

/**
 * One page had the whole list. Where rows that were shown before are not in it, the list moved meanwhile, and a sweep has
 * to wait for another walk.
 */
export function provenAtOnce(walkState: WalkState, observed: ObservedPage): WalkResult {
  const distinct = new Set(observed.records.map(identityOf)).size;
  if (walkState.seen.size + walkState.unreadable > distinct) walkState.noteMoved();
  return proven(walkState, 'atomic', observed.suspect ?? null);
}

/** Looks that prove nothing are the reason for whatever they made of the walk. */
export function unproven(walkState: WalkState, otherwise: Reason): WalkResult {
  const reason = walkState.suspect ?? otherwise;
  return { certificate: { kind: 'incomplete', reason, evidence: walkState.evidence() }, capped: null };
}

/**
 * The API shows `cap` rows of the list and no more. Rows known to be out of sight are those that its count has beyond what was
 * read, or had `before` the count was cut off as well.
 */
export function beyondCap(walkState: WalkState, capped: Capped, before: number | null = null): WalkResult {
  const { cap } = capped;
  const length = Math.max(walkState.count.last ?? 0, before ?? 0);
  const outOfSight = Math.max(0, length - walkState.seen.size - walkState.unreadable);
  const evidence = walkState.evidence({ cap, ...(outOfSight > 0 ? { outOfSight } : {}) });
  return { certificate: { kind: 'incomplete', reason: 'capped', evidence }, capped };
}

/** The first page in a few bytes; null when it was not looked at. */
export function pageHash(walkState: WalkState): string | null {
  return walkState.firstPage === null ? null : shortHash(walkState.firstPage);
}

/**
 * What a walk leaves for the next one. `newest` holds the newest key that was known before the newest end was last read
 * began, `before` the checkpoint it started from: a newest key never goes back, even when its row is deleted.
 */
export function checkpointOf(
  walkState: WalkState,
  newest: ReadonlyMap<Order, number> = walkState.newest(),
  before: Checkpoint | null = null,
): Checkpoint {
  const lateByMs = walkState.lateness.remembered(before === null);
  const known = new Map(before?.orders.map(({ name, newest: key }) => [name, key]));
  // Equal keys hide gaps from a proof by order, but the list is sorted by them all the same.
  const orders = walkState.orders.filter(({ fits, name }) => fits && (before === null || known.has(name)));
  return {
    total: before === null ? countOfRead(walkState) : walkState.count.last,
    lastUpdateTime: walkState.lastUpdateTime,
    firstPage: pageHash(walkState),
    bounded: true,
    ...(lateByMs === 0 ? {} : { lateByMs }),
    orders: orders.map((order) => {
      const keys = [newest.get(order) ?? null, known.get(order.name) ?? null].filter((key) => key !== null);
      return { name: order.name, newest: keys.length === 0 ? null : Math.max(...keys) };
    }),
  };
}

/**
 * The list's count without the rows that it grew by while it was read and that no page showed: they came up behind the reader
 * of an ascending list, and the next poll has to notice them.
 */
function countOfRead({ count: { first, last }, surplus }: WalkState): number | null {
  if (last === null) return null;
  return last - Math.min(surplus, Math.max(0, last - (first ?? last)));
}
