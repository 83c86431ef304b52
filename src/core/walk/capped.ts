import { isMoreSurplus, isMuchShorter } from '../certificate.ts';
import { endOf, identityOf, type ObservedPage, type PageGrid, type Step } from './observed-page.ts';
import { type PassResult, pass, requestPage } from './pass.ts';
import { beyondCap, type Capped, type WalkResult } from './result.ts';
import type { WalkState } from './walk-state.ts';

/** What earlier walks learned about the length of a list. */
export interface KnownLength {
  /** The list's own count at the last certified walk or poll; null if it had none. */
  readonly total: number | null;
  /** Row at which the list ended when a cap was last suspected there; null if none is suspected. */
  readonly ceiling: number | null;
  /** Length of the list before that suspicion; null without one. */
  readonly beforeCeiling: number | null;
  /** Rows by which the list's count exceeded the rows read at the last proof; null before the first proof. */
  readonly surplus: number | null;
}

/** The list is as long as its cap, or its count says that it is longer. */
export function isCapped(walkState: WalkState, cap: number | null, end: number): boolean {
  return cap !== null && end <= cap && Math.max(end, walkState.count.most) >= cap;
}

/**
 * Reads a list that reaches its declared cap. Requests its last page and the page behind the cap first: rows behind the
 * cap show that this server does not apply it (`no-cap`). With `readsToCap`, then reads all rows up to the cap. A list
 * that will be split does not need them.
 */
export function* readCapped(
  {
    walkState,
    grid,
    readsToCap,
  }: { readonly walkState: WalkState; readonly grid: PageGrid; readonly readsToCap: boolean },
  cap: number,
  first: ObservedPage,
): Generator<Step, WalkResult | 'no-cap', ObservedPage> {
  const last = cap > grid.limit ? yield* requestPage(walkState, grid, cap - grid.limit) : first;
  if (yield* showsRowsAt(walkState, grid, { offset: cap, known: [first, last] })) return 'no-cap';
  if (readsToCap) {
    const stop = (page: ObservedPage) => endOf(page) >= cap - grid.limit;
    yield* pass({ walkState, grid, coverages: [], start: first, stop });
  }
  return beyondCap(walkState, { cap, isDeclared: true });
}

/**
 * After a pass to the end of the list: the row at which an undocumented cap may have cut the list off, or null. Any of
 * these signs is enough:
 *
 * - The count promises more rows, and the list ends at a round number.
 * - The count exceeds the rows read by more than it did at the last proof.
 * - The list is much shorter than before and ends exactly at its count (a server can cut the count off, too).
 * - The list still ends where a cap was suspected before.
 * - The list ends at a round number, and the API refuses the page behind it.
 *
 * Where no round number is required, no answer tells a cap from a deletion of many rows.
 */
export function* suspectedCap(
  walkState: WalkState,
  grid: PageGrid,
  { main, before }: { readonly main: PassResult; readonly before: KnownLength },
): Generator<Step, Capped | null, ObservedPage> {
  if (main.outcome !== 'end') return null;
  const end = endOf(main.last);
  const total = walkState.count.last;
  if (isRound(end) && (total ?? Number.POSITIVE_INFINITY) > end) return { cap: end, isDeclared: false };
  if (before.ceiling === end || promisesMore(walkState, before)) return { cap: end, isDeclared: false };
  if (total !== end) return null;
  if (isSuspectedEnd(end, before)) return { cap: end, isDeclared: false };
  if (!isRound(end)) return null;
  const beyond = yield* requestPage(walkState, grid, end);
  return beyond.refused ? { cap: end, isDeclared: false } : null;
}

/**
 * The list ends at its count, and either a cap was suspected there or further on before, or the list was much longer. A
 * cap that was lowered once may be lowered again.
 */
export function isSuspectedEnd(end: number, { total, ceiling, beforeCeiling }: KnownLength): boolean {
  const isLower = ceiling !== null && end < ceiling && isMuchShorter(beforeCeiling, end);
  return ceiling === end || isLower || isMuchShorter(total, end);
}

/**
 * A list in which a cap was suspected ends further on, but it has got too few new rows since then to have grown as much:
 * the others were hidden, so the cap went up.
 */
export function isRaisedCap(end: number, arrived: number, { ceiling, beforeCeiling }: KnownLength): boolean {
  return ceiling !== null && end - ceiling > arrived && isMuchShorter(beforeCeiling, end);
}

/** The count exceeds the rows read by more than it did at the last proof, so it is not only inaccurate. */
export function promisesMore(walkState: WalkState, { surplus }: KnownLength): boolean {
  return isMoreSurplus(walkState.surplus, surplus);
}

/**
 * Lengths at which APIs typically cut lists off. A list that has such a length by chance will soon have another length.
 */
export function isRound(end: number): boolean {
  return end >= 500 && (end % 500 === 0 || Number.isInteger(Math.log2(end)) || Number.isInteger(Math.log2(end + 1)));
}

/** The page behind the end shows rows that were not seen. Some servers return the last or the first page instead. */
function* showsRowsAt(
  walkState: WalkState,
  grid: PageGrid,
  { offset, known }: { readonly offset: number; readonly known: readonly ObservedPage[] },
): Generator<Step, boolean, ObservedPage> {
  const beyond = yield* requestPage(walkState, grid, offset);
  const shown = new Set(known.flatMap(({ records }) => records.map(identityOf)));
  return endOf(beyond) > offset && beyond.records.some((record) => !shown.has(identityOf(record)));
}

/**
 * The API refused a page in the middle of the list. This is its cap, unless a credible count shows that the list became
 * shorter in the meantime.
 */
export function* isRefusedByCap(
  walkState: WalkState,
  grid: PageGrid,
  end: number,
): Generator<Step, boolean, ObservedPage> {
  const head = yield* requestPage(walkState, grid, 0);
  return head.total === null || head.total >= end || walkState.count.isTooLow;
}
