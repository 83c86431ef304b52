import { isCapped, isRefusedByCap, type KnownLength, readCapped, suspectedCap } from './capped.ts';
import { endOf, KeyCoverage, type ObservedPage, offsetGrid, type PageGrid, type Step } from './observed-page.ts';
import type { Order, OrderColumn } from './order.ts';
import { closeHead, closeTail, type PassResult, pass, requestPage } from './pass.ts';
import { beyondCap, proven, provenAtOnce, unproven, type WalkResult } from './result.ts';
import { RowDigest, SeenKeys } from './row-digest.ts';
import type { WalkState } from './walk-state.ts';

/** Options of a walk. */
export interface WalkOptions {
  /** Maximum number of rows of a page. */
  readonly limit: number;
  /** Maximum number of rows that the API shows of any list; null if none is documented. */
  readonly cap: number | null;
  readonly orders: readonly OrderColumn[];
  /** The offsets at which pages can start; any offset if absent. */
  readonly grid?: PageGrid;
  /** The first page, if the walk state has already recorded it. */
  readonly first?: ObservedPage;
  /** What earlier walks learned about the length; absent if nothing is known. */
  readonly before?: KnownLength;
  /** The first page is the one that an earlier full walk found to be the whole list. */
  readonly isUnchanged?: boolean;
  /** Read a capped list up to its cap. Otherwise read only its first and last page, because it will be split. */
  readonly readsToCap?: boolean;
}

/** For a list that was never walked. */
export const UNKNOWN_LENGTH: KnownLength = { total: null, ceiling: null, beforeCeiling: null, surplus: null };

/**
 * Reads a list to its end and returns what this proves (docs/decisions.md D2). Yields the pages it needs and receives
 * them. Uses no clock, no network and no database.
 */
export function* fullWalk(options: WalkOptions, walkState: WalkState): Generator<Step, WalkResult, ObservedPage> {
  const { limit, grid: asked = offsetGrid(limit), before = UNKNOWN_LENGTH, readsToCap = false } = options;
  const first = yield* firstPage(walkState, asked, options.first);
  if (first.records.length === 0 && !walkState.endsList(first)) {
    return first.total === null ? proven(walkState, 'atomic') : beyondCap(walkState, { cap: 0, isDeclared: false });
  }
  let { cap } = options;
  if (cap !== null && isCapped(walkState, cap, endOf(first))) {
    const capped = yield* readCapped({ walkState, grid: asked, readsToCap }, cap, first);
    if (capped !== 'no-cap') return capped;
    cap = null;
  }
  const grid = options.isUnchanged === true ? asked : yield* checkSize(walkState, asked, first);
  if (walkState.endsList(first)) return provenAtOnce(walkState, first);

  const walk = { walkState, grid, cap, before };
  const result = yield* readAndProve({ ...walk, isFirst: true }, first);
  if (result !== 'unexplained') return result;
  walkState.forgetDownward();
  const again = yield* readAndProve({ ...walk, isFirst: false }, yield* requestPage(walkState, grid, 0));
  return again === 'unexplained' ? unproven(walkState, 'moving') : again;
}

/** Sizes to which servers cut pages down. Shorter lists are common, and would take a second request each. */
const SERVER_SIZES: readonly number[] = [50, 100];

/**
 * The count may say that the first page is the whole list although the server has a smaller page size and counts only
 * the rows of the page. One request for the rows after it decides: if it returns any, the count is ignored for this
 * list. Returns the grid for further pages.
 */
export function* checkSize(
  walkState: WalkState,
  grid: PageGrid,
  first: ObservedPage,
): Generator<Step, PageGrid, ObservedPage> {
  const { length } = first.records;
  if (!walkState.endsList(first) || length >= grid.limit || !SERVER_SIZES.includes(length)) return grid;
  yield* requestPage(walkState, grid.ofSize(length), length);
  if (walkState.count.isTooLow) walkState.count.noteCountOfPage();
  return walkState.gridAfter(first, grid);
}

interface Walk {
  readonly walkState: WalkState;
  readonly grid: PageGrid;
  /** Null if no cap is declared, or if this server does not apply it. */
  readonly cap: number | null;
  readonly before: KnownLength;
  /** Another pass may follow. */
  readonly isFirst: boolean;
}

interface Read {
  readonly walkState: WalkState;
  readonly grid: PageGrid;
  readonly main: PassResult;
  readonly coverages: readonly KeyCoverage[];
  /** Newest key of each order before the pass. */
  readonly newest: ReadonlyMap<Order, number>;
  readonly tail: ObservedPage | null;
}

/**
 * `unexplained`: the list moved down, and the rows that moved up are not at the head, or its end was not where its count
 * says. Another pass may prove it.
 */
type ProofAttempt = WalkResult | 'unexplained';

function* readAndProve(
  { walkState, grid, cap, before, isFirst }: Walk,
  first: ObservedPage,
): Generator<Step, ProofAttempt, ObservedPage> {
  const tail = yield* lookAhead(walkState, grid, first);
  const newest = walkState.newest();
  const coverages = walkState.fitting().map((order) => new KeyCoverage(order));
  const main = yield* pass({ walkState, grid, coverages, start: first, tail });
  walkState.noteRepeats(main.rowDigest.repeats);
  const end = endOf(main.last);
  if (main.outcome === 'refused') {
    const isCap = yield* isRefusedByCap(walkState, grid, end);
    return isCap ? beyondCap(walkState, { cap: end, isDeclared: false }) : unproven(walkState, 'moving');
  }
  if (cap !== null && isCapped(walkState, cap, end)) return beyondCap(walkState, { cap, isDeclared: true });
  const suspected = yield* suspectedCap(walkState, grid, { main, before });
  if (suspected !== null) return beyondCap(walkState, suspected, before.beforeCeiling ?? before.total);
  if (main.outcome === 'exhausted') return unproven(walkState, whyNot(walkState));
  // A count that was too low showed the middle of the list instead of its end. By now the end is known.
  if (isFirst && tail !== null && walkState.count.isTooLow && endOf(tail) < end) return 'unexplained';
  return yield* prove({ walkState, grid, main, coverages, newest, tail });
}

/** Proves the list after a pass to its end: by order, otherwise by quiet, otherwise not at all. */
function* prove(read: Read): Generator<Step, ProofAttempt, ObservedPage> {
  const { walkState, grid, main, newest, tail } = read;
  const seenByPass = walkState.seen.size;
  if (isCovered(read) && moving(walkState, -1).length === 0 && tail === null && walkState.downward === 0) {
    if (isClosedByLast(read)) return yield* provenByOrder(read);
  }

  const head = yield* requestPage(walkState, grid, 0);
  if (walkState.endsList(head)) return provenAtOnce(walkState, head);
  const isExplained = () => walkState.downward <= walkState.seen.size - seenByPass;
  const byOrder = () => isCovered(read) && coversTop(read, head) && isExplained();
  if (isCovered(read)) yield* readArrivals(read, head, isExplained);
  if (byOrder() && isHeadClosedBy(walkState, head, newest) && isClosedByLast(read)) return yield* provenByOrder(read);
  // An unequal overlap counts as movement, too.
  const stoodStill = () => !walkState.moved;
  if (isCovered(read)) {
    const closing = { walkState, grid, before: newest };
    const closed =
      (yield* closeHead({ ...closing, orders: moving(walkState, -1) }, head, main)) &&
      (isClosedByLast(read) ||
        (!(stoodStill() && isYoung(read, head)) && (yield* closeTail({ ...closing, orders: moving(walkState, 1) }))));
    if (closed && byOrder()) return yield* provenByOrder(read);
    if (closed && isCovered(read) && !isExplained()) return 'unexplained';
  }
  if (isQuiet(walkState) && walkState.count.isConstant) return yield* readAgain(read, head);
  return unproven(walkState, whyNot(walkState));
}

/**
 * Proof by order. If the list's own count promises more rows than were read, the end may have been taken too early.
 * Then the order alone is not enough, and a second, identical pass has to confirm the result.
 */
function* provenByOrder(read: Read): Generator<Step, WalkResult, ObservedPage> {
  const { walkState, grid } = read;
  // A key with two contents needs the second pass as well: in a list that stood still, it is the key of two rows.
  const needsSecondPass = walkState.showedTwo && !walkState.moved && !walkState.isKeyBroken;
  if (!walkState.lacksRows && !needsSecondPass) return proven(walkState, 'order');
  const again = walkState.moved ? null : yield* readAgain(read, yield* requestPage(walkState, grid, 0));
  if (again?.certificate.kind === 'complete' || (again !== null && walkState.isKeyBroken)) return again;
  if (walkState.lacksRows) return unproven(walkState, 'count');
  return isCovered(read) ? proven(walkState, 'order') : unproven(walkState, whyNot(walkState));
}

/**
 * Proof by quiet. In an unknown order, a row can move up past the reader while another row leaves and a third one
 * arrives: all overlaps, the count and the first page stay equal. So one quiet pass is not enough. A second one with
 * the same rows in the same places would show that row in its new place. It also proves a deviating count wrong.
 */
function* readAgain({ walkState, grid, main }: Read, start: ObservedPage): Generator<Step, WalkResult, ObservedPage> {
  const again = yield* pass({ walkState, grid, coverages: [], start, rowDigest: new RowDigest(new SeenKeys()) });
  const isPlaced = !again.rowDigest.hasRowInTwoPlaces || walkState.fitting().length === 0;
  const isEqual = again.rowDigest.digest() === main.rowDigest.digest();
  // A row that changed in its place was in both passes. A key in two places is judged by the contents as well.
  const isInPlace = !again.rowDigest.hasRowInTwoPlaces && again.rowDigest.places() === main.rowDigest.places();
  const same = again.outcome === 'end' && isPlaced && (isEqual || isInPlace);
  const stoodStill = again.outcome === 'end' && isEqual && !walkState.moved;
  if (stoodStill && walkState.count.isConstant && again.rowDigest.hasKeyWithTwoContents) {
    walkState.noteKeyBroken();
    return unproven(walkState, 'key');
  }
  const wasQuiet = again.rowDigest.hasRowInTwoPlaces ? !walkState.moved : isQuiet(walkState);
  if (!same || !wasQuiet || !walkState.count.isConstant) return unproven(walkState, whyNot(walkState));
  if (!walkState.countAgrees) walkState.count.noteContradicted();
  return proven(walkState, 'quiet');
}

/** Pages that show the same places agree. Without an order only the rows matter, and their contents may change. */
function isQuiet(walkState: WalkState): boolean {
  return walkState.fitting().length === 0 ? walkState.isInPlace : !walkState.moved;
}

/** The pages cover every key under every order that fits. */
function isCovered({ walkState, coverages }: Read): boolean {
  const fitting = walkState.fitting();
  return (
    fitting.length > 0 &&
    fitting.every((order) => coverages.some((coverage) => coverage.order === order && coverage.whole))
  );
}

/** Fitting orders in this direction whose key changes with the row: changed rows go to the head (-1) or the end (1). */
function moving(walkState: WalkState, direction: 1 | -1): Order[] {
  return walkState.fitting().filter((order) => order.moving && order.direction === direction);
}

/**
 * Requests the first page, again if it is empty although the count promises rows. One empty answer may be a fault;
 * three count as a list that does not show its rows.
 */
function* firstPage(
  walkState: WalkState,
  grid: PageGrid,
  given: ObservedPage | undefined,
): Generator<Step, ObservedPage, ObservedPage> {
  let first = given ?? (yield* requestPage(walkState, grid, 0));
  for (let tries = 0; tries < 2 && first.records.length === 0 && !walkState.endsList(first); tries += 1) {
    first = yield* requestPage(walkState, grid, 0);
  }
  return first;
}

/**
 * In an ascending list, changed rows move to the end, behind the reader. So the walk reads the end before the pass:
 * every change after that gets a key above the newest one seen here.
 */
function* lookAhead(
  walkState: WalkState,
  grid: PageGrid,
  first: ObservedPage,
): Generator<Step, ObservedPage | null, ObservedPage> {
  if (first.total === null || moving(walkState, 1).length === 0) return null;
  const size = Math.min(grid.limit, first.records.length);
  const tail = yield* requestPage(walkState, grid, Math.max(1, walkState.length - size + 1));
  return tail.records.length === 0 ? null : tail;
}

/**
 * The first page was read before the end, so a row that moved in between may have been on the part that only the first
 * page covers. The head, read again at the end, has to reach into the second page.
 */
function coversTop({ walkState, tail, main }: Read, head: ObservedPage): boolean {
  const { second } = main;
  if (tail === null) return true;
  const joins = (order: Order, next: ObservedPage) => order.compare(order.first(next), order.last(head)) < 0;
  return moving(walkState, 1).every((order) => joins(order, second ?? tail));
}

/** One page reaches from the top to strictly below every key that can have been assigned since the pass began. */
function isHeadClosedBy(walkState: WalkState, head: ObservedPage, newest: ReadonlyMap<Order, number>): boolean {
  return moving(walkState, -1).every((order) => order.isBelow(order.last(head), newest.get(order) ?? null));
}

/**
 * The last page of the pass reaches from strictly below those keys to the end of the list. If it is the page that
 * `lookAhead` read, its equal overlap shows that no row left the part before it since then.
 */
function isClosedByLast({ walkState, main, newest }: Read): boolean {
  return moving(walkState, 1).every((order) => order.isBelow(order.first(main.last), newest.get(order) ?? null));
}

/**
 * Every key of the ascending list can have been assigned since the pass began, so closing its end would read all of it.
 */
function isYoung({ walkState, newest }: Read, head: ObservedPage): boolean {
  return moving(walkState, 1).some((order) => !order.isBelow(order.first(head), newest.get(order) ?? null));
}

/** Reads on from the head until it has found as many new rows as the list moved down by, or finds no more. */
function* readArrivals(
  { walkState, grid }: Read,
  head: ObservedPage,
  isExplained: () => boolean,
): Generator<Step, void, ObservedPage> {
  let page = head;
  while (!isExplained() && !walkState.exhausted(grid.limit)) {
    const before = walkState.seen.size;
    page = yield* requestPage(walkState, grid, endOf(page) - 1);
    if (walkState.seen.size === before) return;
  }
}

function whyNot(walkState: WalkState): 'moving' | 'ties' | 'unordered' {
  if (walkState.ties) return 'ties';
  return walkState.fitting().length > 0 ? 'moving' : 'unordered';
}
