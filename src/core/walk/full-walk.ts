import { isCapped, isRefusedByCap, type KnownLength, readCapped, suspectedCap } from './capped.ts';
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
  /** What earlier walks know of its length; nothing where absent. */
  readonly before?: KnownLength;
  /** A capped list is read up to its cap; else only its first and last page, because it will be read in parts. */
  readonly readsToCap?: boolean;
}

export const UNKNOWN_LENGTH: KnownLength = { total: null, ceiling: null, beforeCeiling: null, surplus: null };

/**
 * Reads a list to its end and says what that proves (docs/decisions.md D2). Yields the pages it wants and is handed the
 * looks; knows no clock, no network and no database.
 */
export function* fullWalk(options: WalkOptions, witness: Witness): Generator<Step, WalkResult, Look> {
  const { limit, cut = offsetCut(limit), before = UNKNOWN_LENGTH, readsToCap = false } = options;
  const first = yield* firstPage(witness, cut, options.first);
  if (first.records.length === 0 && !witness.endsList(first)) {
    return first.total === null ? proven(witness, 'atomic') : beyondCap(witness, { cap: 0, isDeclared: false });
  }
  let { cap } = options;
  if (cap !== null && isCapped(witness, cap, endOf(first))) {
    const capped = yield* readCapped({ witness, cut, readsToCap }, cap, first);
    if (capped !== 'no-cap') return capped;
    cap = null;
  }
  if (witness.endsList(first)) return provenAtOnce(witness, first);

  const walk = { witness, cut, cap, before };
  const result = yield* readAndProve(walk, first);
  if (result !== 'unexplained') return result;
  witness.forgetDownward();
  const again = yield* readAndProve(walk, yield* take(witness, cut, 0));
  return again === 'unexplained' ? unproven(witness, 'moving') : again;
}

interface Walk {
  readonly witness: Witness;
  readonly cut: Cut;
  /** Null where the list has no declared cap, or this server does not keep to it. */
  readonly cap: number | null;
  readonly before: KnownLength;
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

function* readAndProve({ witness, cut, cap, before }: Walk, first: Look): Generator<Step, Verdict, Look> {
  const tail = yield* lookAhead(witness, cut, first);
  const newest = witness.newest();
  const covers = witness.fitting().map((order) => new Cover(order));
  const main = yield* pass({ witness, cut, covers, start: first, tail });
  witness.repeats = main.sequence.repeats;
  const end = endOf(main.last);
  if (main.outcome === 'refused') {
    const isCap = yield* isRefusedByCap(witness, cut, end);
    return isCap ? beyondCap(witness, { cap: end, isDeclared: false }) : unproven(witness, 'moving');
  }
  if (cap !== null && isCapped(witness, cap, end)) return beyondCap(witness, { cap, isDeclared: true });
  const suspected = yield* suspectedCap(witness, cut, { main, before });
  if (suspected !== null) return beyondCap(witness, suspected, before.beforeCeiling ?? before.total);
  if (main.outcome === 'circles') return unproven(witness, whyNot(witness));
  return yield* prove({ witness, cut, main, covers, newest, tail });
}

/** With every page read: by order, else by quiet, else not at all. */
function* prove(read: Read): Generator<Step, Verdict, Look> {
  const { witness, cut, main, newest, tail } = read;
  const seenByPass = witness.seen.size;
  if (isCovered(read) && moving(witness, -1).length === 0 && tail === null && witness.downward === 0) {
    if (isClosedByLast(read)) return yield* provenByOrder(read);
  }

  const head = yield* take(witness, cut, 0);
  if (witness.endsList(head)) return provenAtOnce(witness, head);
  const isExplained = () => witness.downward <= witness.seen.size - seenByPass;
  const byOrder = () => isCovered(read) && coversTop(read, head) && isExplained();
  if (isCovered(read)) yield* readArrivals(read, head, isExplained);
  if (byOrder() && isHeadClosedBy(witness, head, newest) && isClosedByLast(read)) return yield* provenByOrder(read);
  // A seam that is not equal counts as movement as well.
  const stoodStill = () => !witness.moved;
  if (isCovered(read)) {
    const closing = { witness, cut, before: newest };
    const closed =
      (yield* closeHead({ ...closing, orders: moving(witness, -1) }, head, main)) &&
      (isClosedByLast(read) ||
        (!(stoodStill() && isYoung(read, head)) && (yield* closeTail({ ...closing, orders: moving(witness, 1) }))));
    if (closed && byOrder()) return yield* provenByOrder(read);
    if (closed && isCovered(read) && !isExplained()) return 'unexplained';
  }
  if (stoodStill() && witness.totalConstant) return yield* readAgain(read, head);
  return unproven(witness, whyNot(witness));
}

/**
 * Proof by order. Where the list's own count promises more rows than were read, the end of the list may have been taken too
 * early, so the count is not overruled by the order alone: a second, identical reading has to confirm it.
 */
function* provenByOrder(read: Read): Generator<Step, WalkResult, Look> {
  const { witness, cut } = read;
  // So is a key with two contents: where the list stood still, it is the key of two rows.
  const isDoubtful = witness.showedTwo && !witness.moved && !witness.isKeyBroken;
  if (!witness.lacksRows && !isDoubtful) return proven(witness, 'order');
  const again = witness.moved ? null : yield* readAgain(read, yield* take(witness, cut, 0));
  if (again?.certificate.kind === 'complete' || (again !== null && witness.isKeyBroken)) return again;
  if (witness.lacksRows) return unproven(witness, 'count');
  return isCovered(read) ? proven(witness, 'order') : unproven(witness, whyNot(witness));
}

/**
 * Proof by quiet. In an unknown order, a row can go up past the reader while another one goes and a third comes:
 * every seam, the count and the first page stay as they were. So one quiet reading is not enough; in a second, identical
 * one that row would have to be in its new place. The same shows a count that says something else to be wrong itself.
 */
function* readAgain({ witness, cut, main }: Read, start: Look): Generator<Step, WalkResult, Look> {
  const again = yield* pass({ witness, cut, covers: [], start, sequence: new Sequence(new SeenKeys()) });
  const isPlaced = !again.sequence.twice || witness.fitting().length === 0;
  const same = again.outcome === 'end' && isPlaced && again.sequence.digest() === main.sequence.digest();
  const stoodStill = again.outcome === 'end' && again.sequence.digest() === main.sequence.digest() && !witness.moved;
  if (stoodStill && witness.totalConstant && again.sequence.doubled) {
    witness.isKeyBroken = true;
    return unproven(witness, 'key');
  }
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

function whyNot(witness: Witness): 'moving' | 'ties' | 'unordered' {
  if (witness.ties) return 'ties';
  return witness.fitting().length > 0 ? 'moving' : 'unordered';
}
