import { z } from 'zod';
import { isMuchShorter } from '../certificate.ts';
import type { Checkpoint, Hint } from '../store.ts';
import { isCapped } from './capped.ts';
import type { WalkOptions } from './full-walk.ts';
import { endOf, KeyCoverage, type ObservedPage, offsetGrid, type PageGrid, type Step } from './observed-page.ts';
import type { Order } from './order.ts';
import { pass, requestPage } from './pass.ts';
import { checkpointOf, pageHash } from './result.ts';
import type { WalkState } from './walk-state.ts';

/** Options of a poll. */
export interface PollOptions extends WalkOptions {
  /** Left by the last certified walk or poll. */
  readonly checkpoint: Checkpoint;
  /** Null if it is unknown whether the list's update time is right. */
  readonly hint: Hint | null;
  /** The column that changes with every change of a row; null if there is none. */
  readonly version: string | null;
  /** The list only grows. Without a version column its rows never change either. */
  readonly appendOnly: boolean;
  /** The poll must find every change. An unchanged first page is not enough if changes can appear elsewhere. */
  readonly proveContent?: boolean;
}

/** Result of a poll. */
export type PollResult =
  /**
   * The first page shows no change: one request, and the stored certificate stands. `showsAll`: every change would have
   * been on that page. Otherwise rows elsewhere may have changed.
   */
  | { readonly kind: 'probe'; readonly hint: Hint | null; readonly showsAll: boolean }
  /** Everything that changed since the checkpoint was read from the newest end. */
  | { readonly kind: 'head'; readonly hint: Hint | null; readonly checkpoint: Checkpoint }
  /**
   * Only a full walk is enough; `first` is its first page. `distrustedHint` is the hint if distrust of it is the only
   * reason for the walk: a walk that finds no change then counts in favour of the hint.
   */
  | {
      readonly kind: 'full';
      readonly hint: Hint | null;
      readonly first: ObservedPage;
      readonly distrustedHint: Hint | null;
    };

/**
 * Checks a certified list with as few requests as possible (docs/decisions.md D2): one if nothing changed, the newest
 * end if every change appears there, otherwise the whole list. Only a full walk renews a certificate, so a wrong hint
 * delays changes until the next full walk but loses no rows.
 */
export function* poll(options: PollOptions, walkState: WalkState): Generator<Step, PollResult, ObservedPage> {
  const { checkpoint, grid: asked = offsetGrid(options.limit), hint } = options;
  const isCounted = checkpoint.countsPage !== true;
  if (!isCounted) walkState.count.noteCountOfPage();
  const first = yield* requestPage(walkState, asked, 0);
  const grid = walkState.gridAfter(first, asked);
  // A page that proves nothing updates nothing. The walk reports the reason, and the next tick polls again.
  if (first.suspect !== undefined) return { kind: 'probe', hint, showsAll: false };
  const hintMoved = first.lastUpdateTime !== checkpoint.lastUpdateTime;
  const hasOtherCount = isCounted && first.total !== checkpoint.total;
  const changed = pageHash(walkState) !== checkpoint.firstPage || hasOtherCount;
  const orders = newestFirst(options, walkState);
  walkState.lateness.compareWith(checkpoint, orders);
  walkState.lateness.observe(first);
  // An equal first page excludes changes only if every change appears there. If changes go to the end, or if the first
  // page does not reach below the newest certified keys, the hint has to confirm it. If changes can appear anywhere,
  // the hint is the only sign, and it counts unless it has stood still while rows changed.
  const showsAll = orders[0]?.direction === -1 && isBelowCertified(checkpoint, orders, first);
  const isTimed = orders.length > 0 || walkState.lateness.isBeyondPolls;
  // A count at the cap stays the same whatever changes, so the hint would be the only sign; and the end of an ascending
  // list is one request away. In both cases a hint counts only after it has moved with a change.
  const isAtCap = options.cap !== null && (first.total ?? 0) >= options.cap;
  const toldByHint =
    isTimed || isAtCap ? !hintMoved && first.lastUpdateTime !== null && wasRight(hint) : !hintMoved || isRestless(hint);
  // An equal first page does not prove that the hint moved without reason, unless every change would appear there. And a
  // page that differs from the one that an earlier version stored does not prove that anything changed.
  const tells = changed ? checkpoint.fingerprints !== undefined : showsAll;
  const learnt = checkpoint.lastUpdateTime !== null && tells ? judge(hint, hintMoved, changed) : hint;
  if (
    !walkState.endsList(first) &&
    !changed &&
    (showsAll || (options.proveContent !== true && toldByHint && !isSilent(hint)))
  ) {
    return { kind: 'probe', hint: learnt, showsAll };
  }
  // Rows can leave a list anywhere, and a lowered cap looks the same. The head shows neither.
  const needsFullWalk = walkState.lateness.isBeyondPolls || (isCounted && isMuchShorter(checkpoint.total, first.total));
  if (!walkState.endsList(first) && orders.length > 0 && !needsFullWalk) {
    const head = yield* readHead(options, walkState, { grid, first, orders });
    if (head !== null) return { kind: 'head', hint: learnt, checkpoint: head };
  }
  const isDistrusted = !changed && !hintMoved && first.lastUpdateTime !== null && isSilent(learnt);
  return { kind: 'full', hint: learnt, first, distrustedHint: isDistrusted ? learnt : null };
}

/**
 * The orders under which every change since the checkpoint is at the newest end. The certified walk proved them, they
 * still fit, and every change moves the row (or rows never change, and every new row is there). Empty if another proven
 * order fits that does not move changed rows: until a page refutes one of them, it is unknown which one the server
 * uses.
 */
function newestFirst({ checkpoint, version, appendOnly }: PollOptions, walkState: WalkState): readonly Order[] {
  if (checkpoint.bounded !== true || walkState.lateness.isBeyondPolls) return [];
  const proven = walkState.fitting().filter(({ name }) => checkpoint.orders.some((order) => order.name === name));
  const shows = (order: Order) => order.column === version || (appendOnly && version === null);
  const timed = (order: Order) => checkpoint.orders.some(({ name, newest }) => name === order.name && newest !== null);
  return proven.every((order) => shows(order) && timed(order) && order.direction === proven[0]?.direction)
    ? proven
    : [];
}

/** The page ends strictly below every key that can have been assigned since the checkpoint. */
function isBelowCertified(checkpoint: Checkpoint, orders: readonly Order[], observed: ObservedPage): boolean {
  const certifiedKeys = new Map(checkpoint.orders.map(({ name, newest }) => [name, newest]));
  return orders.every((order) => order.isBelow(order.last(observed), certifiedKeys.get(order.name) ?? null));
}

/** What a head read starts from. */
interface HeadStart {
  readonly grid: PageGrid;
  /** The first page, already taken. */
  readonly first: ObservedPage;
  /** Of `newestFirst`, at least one. */
  readonly orders: readonly Order[];
}

/** Reads from the newest end to strictly below the newest keys of the checkpoint. Null if that proves nothing. */
function* readHead(
  { checkpoint, cap }: PollOptions,
  walkState: WalkState,
  { grid, first, orders }: HeadStart,
): Generator<Step, Checkpoint | null, ObservedPage> {
  const certifiedKeys = new Map(checkpoint.orders.map(({ name, newest }) => [name, newest]));
  const isBelow = (order: Order, key: ReturnType<Order['first']>) =>
    order.isBelow(key, certifiedKeys.get(order.name) ?? null);
  const coverages = orders.map((order) => new KeyCoverage(order));
  let start = first;
  let newest = walkState.newest();
  if (orders[0]?.direction === 1) {
    // In an ascending list, the newest rows are the first ones that a cap hides.
    if (cap !== null && (first.total ?? 0) >= cap) return null;
    // The newest end is the last page. Step back until a page begins below the checkpoint's keys, then read to the end.
    start = yield* requestPage(walkState, grid, (first.total ?? 0) - Math.floor(grid.limit * 0.9));
    newest = walkState.newest();
    while (
      start.at.offset > 0 &&
      !(start.records.length > 0 && orders.every((order) => isBelow(order, order.first(start))))
    ) {
      if (walkState.exhausted(grid.limit) || start.refused) return null;
      start = yield* requestPage(walkState, grid, start.at.offset - Math.floor(grid.limit * 0.75));
    }
    for (const coverage of coverages) coverage.startAt(start);
  }
  const stop = (observed: ObservedPage) =>
    orders.every(({ direction }) => direction === -1) && isBelowCertified(checkpoint, orders, observed);
  const { outcome, pages, last } = yield* pass({ walkState, grid, coverages, start, stop });
  // The pages ended before the list did, so changed rows can lie behind them.
  const isCutOff = isCapped(walkState, cap, endOf(last)) || endOf(last) + (checkpoint.surplus ?? 0) < (last.total ?? 0);
  if (outcome === 'end' && isCutOff) return null;
  const seenByPass = walkState.seen.size;
  // Rows moved up past the reader. An unread one is at the top now. If it is not there, it can be anywhere.
  if (pages > 1 && walkState.downward > 0) {
    yield* requestPage(walkState, grid, 0);
    if (walkState.downward > walkState.seen.size - seenByPass) return null;
  }
  const reached = outcome === 'end' || outcome === 'stopped';
  if (!reached || walkState.ties || orders.some(({ fits }) => !fits) || walkState.lateness.isBeyondPolls) return null;
  // The count grew by more than the new rows: rows arrived where no page was read.
  const explained = (checkpoint.total ?? 0) + walkState.inserted;
  if (!walkState.count.isOfPage && checkpoint.total !== null && (walkState.count.last ?? 0) > explained) return null;
  // Rows that change during this walk get keys above the newest one at its start, so that one goes into the checkpoint.
  return checkpointOf(walkState, newest, checkpoint);
}

/**
 * A hint as stored: whether a list's own "latest update time" is reliable. It may be the time of the server's internal
 * synchronization. It is silent if it stood still although rows changed, restless if it moved although nothing changed.
 */
export const hintSchema: z.ZodType<Hint> = z.object({ silent: z.number(), restless: z.number(), right: z.number() });

const NONE: Hint = { silent: 0, restless: 0, right: 0 };

/** Errors of one kind before the hint counts as unreliable in that way. */
const BELIEVED = 3;
/** Correct results needed for each time the hint was silent, before it is trusted again. */
const TRUSTED_AGAIN = 10;

/** Adds one poll: whether the hint moved since the last poll, and whether anything in the list changed. */
export function judge(hint: Hint | null, hintMoved: boolean, changed: boolean): Hint | null {
  const before = hint ?? NONE;
  if (changed) return hintMoved ? { ...before, right: before.right + 1 } : { ...before, silent: before.silent + 1 };
  return hintMoved ? { ...before, restless: before.restless + 1 } : hint;
}

/** The hint moves without reason, so a moved hint does not require reading on. */
export function isRestless(hint: Hint | null): boolean {
  return hint !== null && hint.restless >= BELIEVED && hint.restless > hint.right;
}

/**
 * The hint stood still while rows changed, so an unchanged hint proves nothing. One such case is enough, and ten
 * correct results make up for it. Otherwise one update time that was written late would cost a full walk at every poll.
 */
export function isSilent(hint: Hint | null): boolean {
  return hint !== null && hint.right < TRUSTED_AGAIN * hint.silent;
}

/** The hint moved at least once when rows had changed, so it is not a constant. */
export function wasRight(hint: Hint | null): boolean {
  return hint !== null && hint.right > 0;
}

/** A full walk that was made because the hint was not trusted found no change: the hint was correct. */
export function confirm(hint: Hint): Hint {
  return { ...hint, right: hint.right + 1 };
}
