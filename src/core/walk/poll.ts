import { isMuchShorter } from '../certificate.ts';
import type { Checkpoint, Hint } from '../store.ts';
import { isCapped } from './capped.ts';
import type { WalkOptions } from './full-walk.ts';
import { endOf, KeyCoverage, type ObservedPage, offsetGrid, type PageGrid, type Step } from './observed-page.ts';
import type { Order } from './order.ts';
import { pass, take } from './pass.ts';
import { checkpointOf, pageHash } from './result.ts';
import type { WalkState } from './walk-state.ts';

export interface PollOptions extends WalkOptions {
  /** What the last certified walk left. */
  readonly checkpoint: Checkpoint;
  readonly hint: Hint | null;
  /** The column that moves with every change of a row, if there is one. */
  readonly version: string | null;
  /** The list only grows; without a version its rows never change either. */
  readonly appendOnly: boolean;
  /** The page has to show every change: an unchanged first page of a list that may change elsewhere is not enough. */
  readonly proveContent?: boolean;
}

export type PollResult =
  /**
   * The first page says that nothing moved: one request, the standing certificate holds. `showsAll` where every change
   * would have been on that page; else rows elsewhere may have changed.
   */
  | { readonly kind: 'probe'; readonly hint: Hint | null; readonly showsAll: boolean }
  /** Everything that changed since the checkpoint was read from the newest end. */
  | { readonly kind: 'head'; readonly hint: Hint | null; readonly checkpoint: Checkpoint }
  /**
   * Nothing less than a full walk will do; its first page is taken. `doubted` is the hint where only the distrust of it
   * asks for the walk: one that finds nothing changed speaks for the hint.
   */
  | { readonly kind: 'full'; readonly hint: Hint | null; readonly first: ObservedPage; readonly doubted: Hint | null };

/**
 * Looks at a certified list again with as few requests as it takes (docs/decisions.md D2): one when nothing moved, the
 * newest end when the list is known to show every change there, else all of it. Never renews a certificate but by a full
 * walk, so a hint that lies costs freshness until the next one, not rows.
 */
export function* poll(options: PollOptions, walkState: WalkState): Generator<Step, PollResult, ObservedPage> {
  const { checkpoint, grid = offsetGrid(options.limit), hint } = options;
  const first = yield* take(walkState, grid, 0);
  // Nothing is learnt from a page that proves nothing: the walk says so, and the next poll is the next tick's.
  if (first.suspect !== undefined) return { kind: 'probe', hint, showsAll: false };
  const hintMoved = first.lastUpdateTime !== checkpoint.lastUpdateTime;
  const changed = pageHash(walkState) !== checkpoint.firstPage || first.total !== checkpoint.total;
  const orders = newestFirst(options, walkState);
  walkState.lateness.compareWith(checkpoint, orders);
  walkState.lateness.observe(first);
  // An equal first page says that there was no change only where every change comes to it. Where changes go to the end, or
  // the first page does not reach below the latest certified keys, the hint has to say so too; where they can be anywhere,
  // it is all there is, as long as it has not been caught standing still while rows changed.
  const showsAll = orders[0]?.direction === -1 && isBelowCertified(checkpoint, orders, first);
  const isTimed = orders.length > 0 || walkState.lateness.isBeyondPolls;
  // A count at the cap stays there whatever changes, so the hint would be the only word; and the end of a list that grows at its
  // end is one request away. A hint that has not yet moved with a change is not enough there.
  const isAtCap = options.cap !== null && (first.total ?? 0) >= options.cap;
  const toldByHint =
    isTimed || isAtCap ? !hintMoved && first.lastUpdateTime !== null && wasRight(hint) : !hintMoved || isRestless(hint);
  // A first page that stayed as it was is no proof that the hint moved for nothing, unless every change shows there.
  const learnt = checkpoint.lastUpdateTime !== null && (changed || showsAll) ? judge(hint, hintMoved, changed) : hint;
  if (
    !walkState.endsList(first) &&
    !changed &&
    (showsAll || (options.proveContent !== true && toldByHint && !isSilent(hint)))
  ) {
    return { kind: 'probe', hint: learnt, showsAll };
  }
  // Rows leave a list anywhere, and a cap that went down looks the same: the head shows neither.
  const isDoubtful = walkState.lateness.isBeyondPolls || isMuchShorter(checkpoint.total, first.total);
  if (!walkState.endsList(first) && orders.length > 0 && !isDoubtful) {
    const head = yield* readHead(options, walkState, grid, first, orders);
    if (head !== null) return { kind: 'head', hint: learnt, checkpoint: head };
  }
  const isDoubted = !changed && !hintMoved && first.lastUpdateTime !== null && isSilent(learnt);
  return { kind: 'full', hint: learnt, first, doubted: isDoubted ? learnt : null };
}

/**
 * The orders under which every change since the checkpoint is at the newest end: proven by the certified walk, still
 * fitting, and moved by every change or, where rows never change, by every new row. None while another proven order fits
 * that would leave changed rows where they are: then it is unknown which of the two the server sorts by, until a page
 * breaks one of them.
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

/** The page ends strictly below everything that can have been assigned since the checkpoint. */
function isBelowCertified(checkpoint: Checkpoint, orders: readonly Order[], observed: ObservedPage): boolean {
  const bar = new Map(checkpoint.orders.map(({ name, newest }) => [name, newest]));
  return orders.every((order) => order.isBelow(order.last(observed), bar.get(order.name) ?? null));
}

/** Reads from the newest end until strictly below what was newest at the checkpoint. Null when that proves nothing. */
function* readHead(
  { checkpoint, cap }: PollOptions,
  walkState: WalkState,
  grid: PageGrid,
  first: ObservedPage,
  orders: readonly Order[],
): Generator<Step, Checkpoint | null, ObservedPage> {
  const bar = new Map(checkpoint.orders.map(({ name, newest }) => [name, newest]));
  const isBelow = (order: Order, key: ReturnType<Order['first']>) => order.isBelow(key, bar.get(order.name) ?? null);
  const coverages = orders.map((order) => new KeyCoverage(order));
  let start = first;
  let newest = walkState.newest();
  if (orders[0]?.direction === 1) {
    // The newest rows of a list that grows at its end are the first that a cap hides.
    if (cap !== null && (first.total ?? 0) >= cap) return null;
    // The newest end is the last page: look back from there until a page begins below the bar, then read on to the end.
    start = yield* take(walkState, grid, (first.total ?? 0) - Math.floor(grid.limit * 0.9));
    newest = walkState.newest();
    while (
      start.at.offset > 0 &&
      !(start.records.length > 0 && orders.every((order) => isBelow(order, order.first(start))))
    ) {
      if (walkState.exhausted(grid.limit) || start.refused) return null;
      start = yield* take(walkState, grid, start.at.offset - Math.floor(grid.limit * 0.75));
    }
    for (const coverage of coverages) coverage.startAt(start);
  }
  const stop = (observed: ObservedPage) =>
    orders.every(({ direction }) => direction === -1) && isBelowCertified(checkpoint, orders, observed);
  const { outcome, pages, last } = yield* pass({ walkState, grid, coverages, start, stop });
  // The end of what is shown, but not of the list: what changed can lie behind it.
  const isCutOff = isCapped(walkState, cap, endOf(last)) || endOf(last) + (checkpoint.surplus ?? 0) < (last.total ?? 0);
  if (outcome === 'end' && isCutOff) return null;
  const seenByPass = walkState.seen.size;
  // Something went up past the reader. A row that was still to be read is at the top now; one that is not there can be anywhere.
  if (pages > 1 && walkState.downward > 0) {
    yield* take(walkState, grid, 0);
    if (walkState.downward > walkState.seen.size - seenByPass) return null;
  }
  const reached = outcome === 'end' || outcome === 'stopped';
  if (!reached || walkState.ties || orders.some(({ fits }) => !fits) || walkState.lateness.isBeyondPolls) return null;
  // More rows than the new ones explain: something arrived where no page was read.
  const explained = (checkpoint.total ?? 0) + walkState.inserted;
  if (checkpoint.total !== null && (walkState.count.last ?? 0) > explained) return null;
  // Rows that change while this is read go beyond what was newest when it began.
  return checkpointOf(walkState, newest, checkpoint);
}

/**
 * Whether a list's own "latest update time" is worth anything. It may be the time of the server's own synchronization: it
 * is silent when it stood still although rows changed, restless when it moved although nothing did.
 */

const NONE: Hint = { silent: 0, restless: 0, right: 0 };

/** Times it has to be wrong in one way before that is believed. */
const BELIEVED = 3;
/** Times it has to be right for each time that it stood still while rows changed, before it is trusted again. */
const TRUSTED_AGAIN = 10;

/** What one poll adds: whether the hint moved since the last one, and whether anything in the list did. */
export function judge(hint: Hint | null, hintMoved: boolean, changed: boolean): Hint | null {
  const before = hint ?? NONE;
  if (changed) return hintMoved ? { ...before, right: before.right + 1 } : { ...before, silent: before.silent + 1 };
  return hintMoved ? { ...before, restless: before.restless + 1 } : hint;
}

/** It moves without reason, so its moving is no reason to read on. */
export function isRestless(hint: Hint | null): boolean {
  return hint !== null && hint.restless >= BELIEVED && hint.restless > hint.right;
}

/**
 * It stood still while rows changed, so its standing still is no proof. One proven case is enough, and ten cases in which it
 * was right make up for it: a time that was written late once does not cost a full walk at every poll from then on.
 */
export function isSilent(hint: Hint | null): boolean {
  return hint !== null && hint.right < TRUSTED_AGAIN * hint.silent;
}

/** It moved at least once when rows had changed, so it is more than a constant. */
export function wasRight(hint: Hint | null): boolean {
  return hint !== null && hint.right > 0;
}

/** A full walk, made because the hint was not trusted, found nothing changed: the hint stood still for good reason. */
export function confirm(hint: Hint): Hint {
  return { ...hint, right: hint.right + 1 };
}
