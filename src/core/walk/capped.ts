import { isMoreSurplus, isMuchShorter } from '../certificate.ts';
import { endOf, identityOf, type ObservedPage, type PageGrid, type Step } from './observed-page.ts';
import { type PassResult, pass, take } from './pass.ts';
import { beyondCap, type Capped, type WalkResult } from './result.ts';
import type { WalkState } from './walk-state.ts';

/** What earlier walks know of a list's length. */
export interface KnownLength {
  /** The list's count at the last certified walk or poll. */
  readonly total: number | null;
  /** Row at which the list ended when it was last suspected of a cap; null when it was not. */
  readonly ceiling: number | null;
  /** Rows that it had before it was suspected of that; null where it was not. */
  readonly beforeCeiling: number | null;
  /** Rows that its count had beyond those that were read when it was last proven; null where it never was. */
  readonly surplus: number | null;
}

/** As many rows as the API shows of any list, or a count that says so. */
export function isCapped(walkState: WalkState, cap: number | null, end: number): boolean {
  return cap !== null && end <= cap && Math.max(end, walkState.count.most) >= cap;
}

/**
 * A list that is as long as its declared cap, or says that it is longer. Its last page and the page behind the cap are
 * taken: rows behind it show that this server has no such cap. Otherwise all rows up to the cap are read where
 * `readsToCap`; a list that will be read in parts needs none of them.
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
  const last = cap > grid.limit ? yield* take(walkState, grid, cap - grid.limit) : first;
  if (yield* showsRowsAt(walkState, grid, { offset: cap, known: [first, last] })) return 'no-cap';
  if (readsToCap) {
    const stop = (page: ObservedPage) => endOf(page) >= cap - grid.limit;
    yield* pass({ walkState, grid, coverages: [], start: first, stop });
  }
  return beyondCap(walkState, { cap, isDeclared: true });
}

/**
 * After a pass that came to the end of the list: the row at which a cap that no document names may have cut it off, or null.
 * Four signs: the count promises more rows and the end is a round number; the count promises more rows than it did when the
 * list was last proven; the list became much shorter and ends exactly where its count says (a count can be cut off as
 * well); it still ends where it was suspected before. In all but the first case an end at any number is doubted, because
 * nothing in the answers tells a cap from a clean-up.
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
  if (isDoubtfulEnd(end, before)) return { cap: end, isDeclared: false };
  if (!isRound(end)) return null;
  const beyond = yield* take(walkState, grid, end);
  return beyond.refused ? { cap: end, isDeclared: false } : null;
}

/** A list ends, as its count says, where it was suspected of a cap before, or much earlier than it did. */
export function isDoubtfulEnd(end: number, { total, ceiling }: KnownLength): boolean {
  return ceiling === end || isMuchShorter(total, end);
}

/** The count has more rows beyond those that were read than a count that is merely wrong had before. */
export function promisesMore(walkState: WalkState, { surplus }: KnownLength): boolean {
  return isMoreSurplus(walkState.surplus, surplus);
}

/** Lengths at which APIs cut a list. One that has become that long by chance is another length with its next change. */
export function isRound(end: number): boolean {
  return end >= 500 && (end % 500 === 0 || Number.isInteger(Math.log2(end)) || Number.isInteger(Math.log2(end + 1)));
}

/** Whether a page behind the end shows rows of its own. Some servers answer with the last page, or the first, instead. */
function* showsRowsAt(
  walkState: WalkState,
  grid: PageGrid,
  { offset, known }: { readonly offset: number; readonly known: readonly ObservedPage[] },
): Generator<Step, boolean, ObservedPage> {
  const beyond = yield* take(walkState, grid, offset);
  const shown = new Set(known.flatMap(({ records }) => records.map(identityOf)));
  return endOf(beyond) > offset && beyond.records.some((record) => !shown.has(identityOf(record)));
}

/**
 * The API refused a page in the middle of the list: its cap, unless the list has become shorter than that by itself, by a
 * count that can be believed.
 */
export function* isRefusedByCap(
  walkState: WalkState,
  grid: PageGrid,
  end: number,
): Generator<Step, boolean, ObservedPage> {
  const head = yield* take(walkState, grid, 0);
  return head.total === null || head.total >= end || walkState.count.isTooLow;
}
