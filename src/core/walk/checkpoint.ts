import type { Checkpoint } from '../store.ts';
import { shortHash } from '../stream/hash.ts';
import type { Order } from './order.ts';
import type { WalkState } from './walk-state.ts';

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
    total: before === null ? countOfRead(walkState) : walkState.totalLast,
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
function countOfRead({ totalFirst, totalLast, surplus }: WalkState): number | null {
  if (totalLast === null) return null;
  return totalLast - Math.min(surplus, Math.max(0, totalLast - (totalFirst ?? totalLast)));
}
