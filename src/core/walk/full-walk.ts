import { isCapped, isRefusedByCap, type KnownLength, readCapped, suspectedCap } from './capped.ts';
import { endOf, KeyCoverage, type ObservedPage, offsetGrid, type PageGrid, type Step } from './observed-page.ts';
import type { Order, OrderColumn } from './order.ts';
import { closeHead, closeTail, type PassResult, pass, take } from './pass.ts';
import { beyondCap, proven, provenAtOnce, unproven, type WalkResult } from './result.ts';
import { RowDigest, SeenKeys } from './row-digest.ts';
import type { WalkState } from './walk-state.ts';

export type { WalkResult } from './result.ts';

export interface WalkOptions {
  /** Rows a page can have. */
  readonly limit: number;
  /** Rows the API shows of a list at most, whatever its length. */
  readonly cap: number | null;
  readonly orders: readonly OrderColumn[];
  /** How pages are cut; at any offset where nothing else is said. */
  readonly grid?: PageGrid;
  /** The first page, when the walk state has noted it already. */
  readonly first?: ObservedPage;
  /** What earlier walks know of its length; nothing where absent. */
  readonly before?: KnownLength;
  /** A capped list is read up to its cap; else only its first and last page, because it will be read in parts. */
  readonly readsToCap?: boolean;
}

export const UNKNOWN_LENGTH: KnownLength = { total: null, ceiling: null, beforeCeiling: null, surplus: null };

/**
 * Reads a list to its end and says what that proves (docs/decisions.md D2). Yields the pages it wants and is handed the
 * pages; knows no clock, no network and no database.
 */
export function* fullWalk(options: WalkOptions, walkState: WalkState): Generator<Step, WalkResult, ObservedPage> {
  const { limit, grid = offsetGrid(limit), before = UNKNOWN_LENGTH, readsToCap = false } = options;
  const first = yield* firstPage(walkState, grid, options.first);
  if (first.records.length === 0 && !walkState.endsList(first)) {
    return first.total === null ? proven(walkState, 'atomic') : beyondCap(walkState, { cap: 0, isDeclared: false });
  }
  let { cap } = options;
  if (cap !== null && isCapped(walkState, cap, endOf(first))) {
    const capped = yield* readCapped({ walkState, grid, readsToCap }, cap, first);
    if (capped !== 'no-cap') return capped;
    cap = null;
  }
  if (walkState.endsList(first)) return provenAtOnce(walkState, first);

  const walk = { walkState, grid, cap, before };
  const result = yield* readAndProve(walk, first);
  if (result !== 'unexplained') return result;
  walkState.forgetDownward();
  const again = yield* readAndProve(walk, yield* take(walkState, grid, 0));
  return again === 'unexplained' ? unproven(walkState, 'moving') : again;
}

interface Walk {
  readonly walkState: WalkState;
  readonly grid: PageGrid;
  /** Null where the list has no declared cap, or this server does not keep to it. */
  readonly cap: number | null;
  readonly before: KnownLength;
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

/** `unexplained`: the list moved down, and what moved up is not at the head: another pass may find it. */
type Verdict = WalkResult | 'unexplained';

function* readAndProve(
  { walkState, grid, cap, before }: Walk,
  first: ObservedPage,
): Generator<Step, Verdict, ObservedPage> {
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
  if (main.outcome === 'circles') return unproven(walkState, whyNot(walkState));
  return yield* prove({ walkState, grid, main, coverages, newest, tail });
}

/** With every page read: by order, else by quiet, else not at all. */
function* prove(read: Read): Generator<Step, Verdict, ObservedPage> {
  const { walkState, grid, main, newest, tail } = read;
  const seenByPass = walkState.seen.size;
  if (isCovered(read) && moving(walkState, -1).length === 0 && tail === null && walkState.downward === 0) {
    if (isClosedByLast(read)) return yield* provenByOrder(read);
  }

  const head = yield* take(walkState, grid, 0);
  if (walkState.endsList(head)) return provenAtOnce(walkState, head);
  const isExplained = () => walkState.downward <= walkState.seen.size - seenByPass;
  const byOrder = () => isCovered(read) && coversTop(read, head) && isExplained();
  if (isCovered(read)) yield* readArrivals(read, head, isExplained);
  if (byOrder() && isHeadClosedBy(walkState, head, newest) && isClosedByLast(read)) return yield* provenByOrder(read);
  // An overlap that is not equal counts as movement as well.
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
  if (stoodStill() && walkState.count.isConstant) return yield* readAgain(read, head);
  return unproven(walkState, whyNot(walkState));
}

/**
 * Proof by order. Where the list's own count promises more rows than were read, the end of the list may have been taken too
 * early, so the count is not overruled by the order alone: a second, identical reading has to confirm it.
 */
function* provenByOrder(read: Read): Generator<Step, WalkResult, ObservedPage> {
  const { walkState, grid } = read;
  // So is a key with two contents: where the list stood still, it is the key of two rows.
  const isDoubtful = walkState.showedTwo && !walkState.moved && !walkState.isKeyBroken;
  if (!walkState.lacksRows && !isDoubtful) return proven(walkState, 'order');
  const again = walkState.moved ? null : yield* readAgain(read, yield* take(walkState, grid, 0));
  if (again?.certificate.kind === 'complete' || (again !== null && walkState.isKeyBroken)) return again;
  if (walkState.lacksRows) return unproven(walkState, 'count');
  return isCovered(read) ? proven(walkState, 'order') : unproven(walkState, whyNot(walkState));
}

/**
 * Proof by quiet. In an unknown order, a row can go up past the reader while another one goes and a third comes:
 * every overlap, the count and the first page stay as they were. So one quiet reading is not enough; in a second, identical
 * one that row would have to be in its new place. The same shows a count that says something else to be wrong itself.
 */
function* readAgain({ walkState, grid, main }: Read, start: ObservedPage): Generator<Step, WalkResult, ObservedPage> {
  const again = yield* pass({ walkState, grid, coverages: [], start, rowDigest: new RowDigest(new SeenKeys()) });
  const isPlaced = !again.rowDigest.twice || walkState.fitting().length === 0;
  const same = again.outcome === 'end' && isPlaced && again.rowDigest.digest() === main.rowDigest.digest();
  const stoodStill =
    again.outcome === 'end' && again.rowDigest.digest() === main.rowDigest.digest() && !walkState.moved;
  if (stoodStill && walkState.count.isConstant && again.rowDigest.doubled) {
    walkState.noteKeyBroken();
    return unproven(walkState, 'key');
  }
  if (!same || walkState.moved || !walkState.count.isConstant) return unproven(walkState, whyNot(walkState));
  if (!walkState.countAgrees) walkState.count.noteContradicted();
  return proven(walkState, 'quiet');
}

/** Every key is covered under every order that fits. */
function isCovered({ walkState, coverages }: Read): boolean {
  const fitting = walkState.fitting();
  return (
    fitting.length > 0 &&
    fitting.every((order) => coverages.some((coverage) => coverage.order === order && coverage.whole))
  );
}

/** Orders in which a row that changes moves: to the head of a descending list, to the end of an ascending one. */
function moving(walkState: WalkState, direction: 1 | -1): Order[] {
  return walkState.fitting().filter((order) => order.moving && order.direction === direction);
}

/**
 * The first page is asked for again when it is empty although rows are promised: one such answer may be a slip, three are
 * a list that hides its rows.
 */
function* firstPage(
  walkState: WalkState,
  grid: PageGrid,
  given: ObservedPage | undefined,
): Generator<Step, ObservedPage, ObservedPage> {
  let first = given ?? (yield* take(walkState, grid, 0));
  for (let tries = 0; tries < 2 && first.records.length === 0 && !walkState.endsList(first); tries += 1) {
    first = yield* take(walkState, grid, 0);
  }
  return first;
}

/**
 * Where newer rows are appended, rows that change move behind the reader as long as the end of the list is out of sight.
 * So the end is looked at before the pass goes on: whatever changes from then on goes beyond what was newest there.
 */
function* lookAhead(
  walkState: WalkState,
  grid: PageGrid,
  first: ObservedPage,
): Generator<Step, ObservedPage | null, ObservedPage> {
  if (first.total === null || moving(walkState, 1).length === 0) return null;
  const tail = yield* take(walkState, grid, Math.max(1, first.total - grid.limit + 1));
  return tail.records.length === 0 ? null : tail;
}

/**
 * The first page was read before the end was looked at, so a row that moved in between can lie in what only that page
 * covers. The head, read again at the end, has to reach into the second page.
 */
function coversTop({ walkState, tail, main }: Read, head: ObservedPage): boolean {
  const { second } = main;
  if (tail === null) return true;
  const joins = (order: Order, next: ObservedPage) => order.compare(order.first(next), order.last(head)) < 0;
  return moving(walkState, 1).every((order) => joins(order, second ?? tail));
}

/** One page from the top to strictly below everything that can have been assigned since the pass began. */
function isHeadClosedBy(walkState: WalkState, head: ObservedPage, newest: ReadonlyMap<Order, number>): boolean {
  return moving(walkState, -1).every((order) => order.isBelow(order.last(head), newest.get(order) ?? null));
}

/**
 * The pass itself ended with one page from strictly below that to the end of the list. Where that is the page the end was
 * looked at with, its overlap says that nothing left the rows before it since then.
 */
function isClosedByLast({ walkState, main, newest }: Read): boolean {
  return moving(walkState, 1).every((order) => order.isBelow(order.first(main.last), newest.get(order) ?? null));
}

/** Everything in the ascending list can have been assigned since the pass began: it would have to be read whole. */
function isYoung({ walkState, newest }: Read, head: ObservedPage): boolean {
  return moving(walkState, 1).some((order) => !order.isBelow(order.first(head), newest.get(order) ?? null));
}

/** Reads on from the head, until as many new rows were met there as the list moved down by, or no more are met. */
function* readArrivals(
  { walkState, grid }: Read,
  head: ObservedPage,
  areAll: () => boolean,
): Generator<Step, void, ObservedPage> {
  let page = head;
  while (!areAll() && !walkState.exhausted(grid.limit)) {
    const before = walkState.seen.size;
    page = yield* take(walkState, grid, endOf(page) - 1);
    if (walkState.seen.size === before) return;
  }
}

function whyNot(walkState: WalkState): 'moving' | 'ties' | 'unordered' {
  if (walkState.ties) return 'ties';
  return walkState.fitting().length > 0 ? 'moving' : 'unordered';
}
