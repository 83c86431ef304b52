import { closeHead, closeTail } from './closing.ts';
import { Cover } from './cover.ts';
import { type Cut, offsetCut } from './cut.ts';
import { endOf, type Look, type Step } from './look.ts';
import type { Order, OrderColumn } from './order.ts';
import { type PassResult, pass, take } from './pass.ts';
import { beyondCap, proven, provenAtOnce, unproven, type WalkResult } from './result.ts';
import { SeenKeys } from './seen-keys.ts';
import { Sequence } from './sequence.ts';
import type { Witness } from './witness.ts';

export type { WalkResult } from './result.ts';

export interface WalkOptions {
  /** Rows a page can have. */
  readonly limit: number;
  /** Rows the API shows of a list at most, whatever its length. */
  readonly cap: number | null;
  readonly orders: readonly OrderColumn[];
  /** How pages are cut; at any offset where nothing else is said. */
  readonly cut?: Cut;
  /** The first page, when the witness has noted it already. */
  readonly first?: Look;
}

/**
 * Reads a list to its end and says what that proves (docs/decisions.md D2). Yields the pages it wants and is handed the
 * looks; knows no clock, no network and no database.
 */
export function* fullWalk(options: WalkOptions, witness: Witness): Generator<Step, WalkResult, Look> {
  const { limit, cap, cut = offsetCut(limit) } = options;
  const first = yield* firstPage(witness, cut, options.first);
  if (first.records.length === 0 && !witness.endsList(first)) {
    return first.total === null ? proven(witness, 'atomic') : beyondCap(witness, 0);
  }
  if (isCapped(witness, cap, endOf(first))) {
    if (cap !== null && cap > limit) yield* take(witness, cut, cap - limit);
    return beyondCap(witness, cap ?? endOf(first));
  }
  if (witness.endsList(first)) return provenAtOnce(witness, first);

  const result = yield* readAndProve(witness, cut, cap, first);
  if (result !== 'unexplained') return result;
  witness.forgetDownward();
  const again = yield* readAndProve(witness, cut, cap, yield* take(witness, cut, 0));
  return again === 'unexplained' ? unproven(witness, 'moving') : again;
}

interface Read {
  readonly witness: Witness;
  readonly cut: Cut;
  readonly main: PassResult;
  readonly covers: readonly Cover[];
  /** Newest key of each order before the pass. */
  readonly newest: ReadonlyMap<Order, number>;
  readonly tail: Look | null;
}

/** `unexplained`: the list moved down, and what moved up is not at the head: another pass may find it. */
type Verdict = WalkResult | 'unexplained';

function* readAndProve(witness: Witness, cut: Cut, cap: number | null, first: Look): Generator<Step, Verdict, Look> {
  const tail = yield* lookAhead(witness, cut, first);
  const newest = witness.newest();
  const covers = witness.fitting().map((order) => new Cover(order));
  const main = yield* pass({ witness, cut, covers, start: first, tail });
  witness.repeats = main.sequence.repeats;
  if (main.outcome === 'refused') return yield* refusedAt(witness, cut, endOf(main.last));
  if (isCapped(witness, cap, endOf(main.last)) || endsAtCap(witness, main)) {
    return beyondCap(witness, cap ?? endOf(main.last));
  }
  if (main.outcome === 'circles') return unproven(witness, whyNot(witness));
  return yield* prove({ witness, cut, main, covers, newest, tail });
}

/** With every page read: by order, else by quiet, else not at all. */
function* prove(read: Read): Generator<Step, Verdict, Look> {
  const { witness, cut, main, newest, tail } = read;
  const seenByPass = witness.seen.size;
  if (isCovered(read) && moving(witness, -1).length === 0 && tail === null && witness.downward === 0) {
    if (isClosedByLast(read)) return proven(witness, 'order');
  }

  const head = yield* take(witness, cut, 0);
  if (witness.endsList(head)) return provenAtOnce(witness, head);
  const isExplained = () => witness.downward <= witness.seen.size - seenByPass;
  const byOrder = () => isCovered(read) && coversTop(read, head) && isExplained();
  if (isCovered(read)) yield* readArrivals(read, head, isExplained);
  if (byOrder() && isHeadClosedBy(witness, head, newest) && isClosedByLast(read)) return proven(witness, 'order');
  // A seam that is not equal counts as movement as well.
  const stoodStill = () => !witness.moved;
  if (isCovered(read)) {
    const closing = { witness, cut, before: newest };
    const closed =
      (yield* closeHead({ ...closing, orders: moving(witness, -1) }, head, main)) &&
      (isClosedByLast(read) ||
        (!(stoodStill() && isYoung(read, head)) && (yield* closeTail({ ...closing, orders: moving(witness, 1) }))));
    if (closed && byOrder()) return proven(witness, 'order');
    if (closed && isCovered(read) && !isExplained()) return 'unexplained';
  }
  if (stoodStill() && witness.totalConstant) return yield* readAgain(read, head);
  return unproven(witness, whyNot(witness));
}

/**
 * Proof by quiet. In an order that nobody knows, a row can go up past the reader while another one goes and a third comes:
 * every seam, the count and the first page stay as they were. So one quiet reading is not enough; in a second, identical
 * one that row would have to be in its new place. The same shows a count that says something else to be wrong itself.
 */
function* readAgain({ witness, cut, main }: Read, start: Look): Generator<Step, WalkResult, Look> {
  const again = yield* pass({ witness, cut, covers: [], start, sequence: new Sequence(new SeenKeys()) });
  const isPlaced = !again.sequence.twice || witness.fitting().length === 0;
  const same = again.outcome === 'end' && isPlaced && again.sequence.digest() === main.sequence.digest();
  if (!same || witness.moved || !witness.totalConstant) return unproven(witness, whyNot(witness));
  if (!witness.countAgrees) witness.totalContradicted = true;
  return proven(witness, 'quiet');
}

/** Every key is covered under every order that fits. */
function isCovered({ witness, covers }: Read): boolean {
  const fitting = witness.fitting();
  return fitting.length > 0 && fitting.every((order) => covers.some((cover) => cover.order === order && cover.whole));
}

/** Orders in which a row that changes moves: to the head of a descending list, to the end of an ascending one. */
function moving(witness: Witness, direction: 1 | -1): Order[] {
  return witness.fitting().filter((order) => order.moving && order.direction === direction);
}

/**
 * The first page is asked for again when it is empty although rows are promised: one such answer may be a slip, three are
 * a list that hides its rows.
 */
function* firstPage(witness: Witness, cut: Cut, given: Look | undefined): Generator<Step, Look, Look> {
  let first = given ?? (yield* take(witness, cut, 0));
  for (let tries = 0; tries < 2 && first.records.length === 0 && !witness.endsList(first); tries += 1) {
    first = yield* take(witness, cut, 0);
  }
  return first;
}

/**
 * Where newer rows are appended, rows that change move behind the reader as long as the end of the list is out of sight.
 * So the end is looked at before the pass goes on: whatever changes from then on goes beyond what was newest there.
 */
function* lookAhead(witness: Witness, cut: Cut, first: Look): Generator<Step, Look | null, Look> {
  if (first.total === null || moving(witness, 1).length === 0) return null;
  const tail = yield* take(witness, cut, Math.max(1, first.total - cut.limit + 1));
  return tail.records.length === 0 ? null : tail;
}

/**
 * The first page was read before the end was looked at, so a row that moved in between can lie in what only that page
 * covers. The head, read again at the end, has to reach into the second page.
 */
function coversTop({ witness, tail, main }: Read, head: Look): boolean {
  const { second } = main;
  if (tail === null) return true;
  const joins = (order: Order, next: Look) => order.compare(order.first(next), order.last(head)) < 0;
  return moving(witness, 1).every((order) => joins(order, second ?? tail));
}

/** One page from the top to strictly below everything that can have been assigned since the pass began. */
function isHeadClosedBy(witness: Witness, head: Look, newest: ReadonlyMap<Order, number>): boolean {
  return moving(witness, -1).every((order) => order.isBelow(order.last(head), newest.get(order) ?? null));
}

/**
 * The pass itself ended with one page from strictly below that to the end of the list. Where that is the page the end was
 * looked at with, its seam says that nothing left the rows before it since then.
 */
function isClosedByLast({ witness, main, newest }: Read): boolean {
  return moving(witness, 1).every((order) => order.isBelow(order.first(main.last), newest.get(order) ?? null));
}

/** Everything in the ascending list can have been assigned since the pass began: it would have to be read whole. */
function isYoung({ witness, newest }: Read, head: Look): boolean {
  return moving(witness, 1).some((order) => !order.isBelow(order.first(head), newest.get(order) ?? null));
}

/** Reads on from the head, until as many new rows were met there as the list moved down by, or no more are met. */
function* readArrivals({ witness, cut }: Read, head: Look, areAll: () => boolean): Generator<Step, void, Look> {
  let page = head;
  while (!areAll() && !witness.exhausted(cut.limit)) {
    const before = witness.seen.size;
    page = yield* take(witness, cut, endOf(page) - 1);
    if (witness.seen.size === before) return;
  }
}

/** As many rows as the API shows of any list, or a count that says so. */
function isCapped(witness: Witness, cap: number | null, end: number): boolean {
  return cap !== null && Math.max(end, witness.totalMost) >= cap;
}

/**
 * An end short of the list's own count, at a round number of rows, is a cap nobody documented. Anything else is a count of
 * something other than the rows.
 */
function endsAtCap(witness: Witness, { outcome, last }: PassResult): boolean {
  const end = endOf(last);
  const round =
    end >= 500 && (end % 500 === 0 || Number.isInteger(Math.log2(end)) || Number.isInteger(Math.log2(end + 1)));
  return outcome === 'end' && round && (witness.totalLast ?? Number.POSITIVE_INFINITY) > end;
}

/** The API shows nothing beyond: its cap, unless the list has become shorter than that by itself, by a count that can be believed. */
function* refusedAt(witness: Witness, cut: Cut, end: number): Generator<Step, WalkResult, Look> {
  const head = yield* take(witness, cut, 0);
  const isShorter = head.total !== null && head.total < end && !witness.countTooLow;
  return isShorter ? unproven(witness, 'moving') : beyondCap(witness, end);
}

function whyNot(witness: Witness): 'moving' | 'ties' | 'unordered' {
  if (witness.ties) return 'ties';
  return witness.fitting().length > 0 ? 'moving' : 'unordered';
}
