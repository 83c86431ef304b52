import { z } from 'zod';
import type { Certificate, Proof, Reason, Suspicion } from '../certificate.ts';
import type { Checkpoint } from '../store.ts';
import { shortHash } from '../stream/json.ts';
import { identityOf, type ObservedPage } from './observed-page.ts';
import type { Order } from './order.ts';
import type { WalkState } from './walk-state.ts';

/** Result of a full walk. */
export interface WalkResult {
  readonly certificate: Certificate;
  /** The list is, or may be, longer than the API shows, so it has to be split. Null if it is not. */
  readonly capped: Capped | null;
  /** The API refused a page as long as the whole list. Do not try it again. */
  readonly wholeRefused?: boolean;
}

/** Where a list was cut off. */
export interface Capped {
  /** Rows that the API shows. */
  readonly cap: number;
  /** The documents name this cap. Otherwise it is suspected from where the list ended. */
  readonly isDeclared: boolean;
}

/** A complete certificate, or an incomplete one if a page was suspect or a key is not unique. */
export function proven(walkState: WalkState, proof: Proof, suspect: Suspicion | null = walkState.suspect): WalkResult {
  if (suspect !== null || walkState.isKeyBroken) return unproven(walkState, suspect ?? 'key');
  return { certificate: { kind: 'complete', proof, evidence: walkState.evidence() }, capped: null };
}

/**
 * One page contained the whole list. If rows shown on earlier pages are missing from it, the list moved meanwhile, and
 * the sweep has to wait for another walk.
 */
export function provenAtOnce(walkState: WalkState, observed: ObservedPage): WalkResult {
  const distinct = new Set(observed.records.map(identityOf)).size;
  if (walkState.seen.size + walkState.unreadable > distinct) walkState.noteMoved();
  return proven(walkState, 'atomic', observed.suspect ?? null);
}

/**
 * An incomplete certificate. A suspect page and a key that is not unique are better reasons than `otherwise`, which may only
 * follow from them.
 */
export function unproven(walkState: WalkState, otherwise: Reason): WalkResult {
  const reason = walkState.suspect ?? (walkState.isKeyBroken ? 'key' : otherwise);
  return { certificate: { kind: 'incomplete', reason, evidence: walkState.evidence() }, capped: null };
}

/**
 * The API shows only the first `cap` rows. `outOfSight` is the number of rows by which the length of the list exceeds
 * the rows read. The length is its count or `before` (its length before the server also limited the count; null if
 * unknown), whichever is greater.
 */
export function beyondCap(walkState: WalkState, capped: Capped, before: number | null = null): WalkResult {
  const { cap } = capped;
  const length = Math.max(walkState.count.last ?? 0, before ?? 0);
  const outOfSight = Math.max(0, length - walkState.seen.size - walkState.unreadable);
  const evidence = walkState.evidence({ cap, ...(outOfSight > 0 ? { outOfSight } : {}) });
  return { certificate: { kind: 'incomplete', reason: 'capped', evidence }, capped };
}

/** Short hash of the first page; null if it was not read. */
export function pageHash(walkState: WalkState): string | null {
  return walkState.firstPage === null ? null : shortHash(walkState.firstPage);
}

/** A checkpoint as stored; earlier versions lack some members. */
export const checkpointSchema: z.ZodType<Checkpoint> = z.looseObject({
  total: z.number().nullable().default(null),
  lastUpdateTime: z.number().nullable().default(null),
  firstPage: z.string().nullable().default(null),
  orders: z.array(z.object({ name: z.string(), newest: z.number().nullable() })).default([]),
  wholeRefused: z.exactOptional(z.boolean()),
  bounded: z.exactOptional(z.literal(true)),
  fingerprints: z.exactOptional(z.literal(3)),
  doubled: z.exactOptional(z.record(z.string(), z.string())),
  ceiling: z.exactOptional(z.number()),
  beforeCeiling: z.exactOptional(z.number()),
  arrived: z.exactOptional(z.number()),
  surplus: z.exactOptional(z.number()),
  countsPage: z.exactOptional(z.literal(true)),
  readAtMs: z.exactOptional(z.number()),
  lateByMs: z.exactOptional(z.number()),
});

/**
 * The checkpoint for the next walk. `newest`: newest keys known before the newest end was last read. `before`: the
 * checkpoint that a poll started from; newest keys never go back, even if the row with that key is deleted.
 */
export function checkpointOf(
  walkState: WalkState,
  newest: ReadonlyMap<Order, number> = walkState.newest(),
  before: Checkpoint | null = null,
): Checkpoint {
  const lateByMs = walkState.lateness.remembered(before === null);
  const known = new Map(before?.orders.map(({ name, newest: key }) => [name, key]));
  // Equal keys make a proof by order impossible, but the list is still sorted by them.
  const orders = walkState.orders.filter(({ fits, name }) => fits && (before === null || known.has(name)));
  return {
    total: before === null ? countOfRead(walkState) : before.countsPage ? before.total : walkState.count.last,
    lastUpdateTime: walkState.lastUpdateTime,
    firstPage: pageHash(walkState),
    bounded: true,
    fingerprints: 3,
    ...(walkState.count.isOfPage ? { countsPage: true } : {}),
    ...(lateByMs === 0 ? {} : { lateByMs }),
    orders: orders.map((order) => {
      const keys = [newest.get(order) ?? null, known.get(order.name) ?? null].filter((key) => key !== null);
      return { name: order.name, newest: keys.length === 0 ? null : Math.max(...keys) };
    }),
  };
}

/**
 * The list's count without the rows that were added during the walk and shown on no page. They were appended to an
 * ascending list behind the reader, and the next poll has to find them.
 */
function countOfRead({ count: { first, last, isOfPage }, seen, unreadable, surplus }: WalkState): number | null {
  if (isOfPage) return seen.size + unreadable;
  if (last === null) return null;
  return last - Math.min(surplus, Math.max(0, last - (first ?? last)));
}
