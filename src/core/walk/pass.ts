import {
  compareOverlap,
  endOf,
  identityOf,
  KeyCoverage,
  type ObservedPage,
  OVERLAP_ROWS,
  type PageGrid,
  type Step,
} from './observed-page.ts';
import type { Order } from './order.ts';
import { RowDigest, SeenKeys } from './row-digest.ts';
import type { WalkState } from './walk-state.ts';

interface PassOptions {
  readonly walkState: WalkState;
  readonly grid: PageGrid;
  /** Ranges to be covered without a gap, one for each order. */
  readonly coverages: readonly KeyCoverage[];
  /** The first page, already read. */
  readonly start: ObservedPage;
  /**
   * A page at the end of an ascending list, read earlier. If the list stood still, the pass ends where it meets this
   * page. Null or absent: the pass reads to the end.
   */
  readonly tail?: ObservedPage | null;
  /** Returns true if the pass has read far enough with this page. */
  readonly stop?: (observed: ObservedPage) => boolean;
  readonly rowDigest?: RowDigest;
}

/** Result of a pass. */
export interface PassResult {
  /**
   * `end`: the list ended. `stopped`: `stop` returned true. `exhausted`: too many requests. `refused`: no more pages.
   */
  readonly outcome: 'end' | 'stopped' | 'exhausted' | 'refused';
  /** Number of pages read, including the first one. */
  readonly pages: number;
  /** The page after the first one; null if no second one was read. */
  readonly second: ObservedPage | null;
  readonly last: ObservedPage;
  /** Every overlap was equal: the list did not move between two pages. */
  readonly quiet: boolean;
  readonly rowDigest: RowDigest;
}

/**
 * Reads from a page to the end of the list, or until `stop`. Pages overlap. If a page does not begin strictly inside
 * the covered range, rows may have moved through the gap, and the pass steps back until the pages join.
 */
export function* pass(options: PassOptions): Generator<Step, PassResult, ObservedPage> {
  const { walkState, grid, coverages, start, tail = null, stop = () => false, rowDigest = new RowDigest() } = options;
  const live = () => (walkState.ties ? [] : coverages.filter(({ order }) => order.fits));
  const result = (outcome: PassResult['outcome']): PassResult => {
    return { outcome, pages, second, last: page, quiet, rowDigest };
  };
  const disturbed = (comparison = { isInPlace: false }) => {
    quiet = false;
    walkState.noteMoved(comparison);
  };
  let page = start;
  let second: ObservedPage | null = null;
  let pages = 1;
  let overlap = OVERLAP_ROWS;
  let quiet = true;
  for (;;) {
    const end = walkState.endsList(page);
    for (const coverage of live()) coverage.add(page, { isLast: end });
    rowDigest.add(page);
    if (end) return result('end');
    if (tail !== null && walkState.endsList(tail) && !walkState.moved && compareOverlap(page, tail).equal) {
      for (const coverage of live()) coverage.add(tail, { isLast: true });
      rowDigest.add(tail);
      page = tail;
      return result('end');
    }
    if (stop(page)) return result('stopped');
    if (walkState.exhausted(grid.limit)) return result('exhausted');

    const short = walkState.isShort(page);
    const run = Math.max(0, ...live().map(({ order }) => order.tieRun(page)));
    if (run + 2 >= page.records.length && !short) walkState.noteTies();
    const wanted = walkState.ties || short ? OVERLAP_ROWS : Math.max(overlap, run + 1);
    // Some servers return pages that are shorter than the overlap.
    const shared = Math.min(wanted, Math.max(run + 1, Math.floor(page.records.length / 2)), page.records.length - 1);
    const offset = nextOffset(page, { shared, limit: walkState.sizeOf(grid), isAppended: tail !== null });
    let next = yield* requestPage(walkState, grid, progressing(grid, page, offset));
    if (next.refused) return result('refused');
    if (short && showsNothingAfter(page, next) && live().every((coverage) => coverage.joins(next))) {
      const beyond = yield* lookBeyond(walkState, grid, page);
      if (beyond === 'refused') return result('refused');
      if (beyond === 'nothing') {
        const overlapping = compareOverlap(page, next);
        if (!overlapping.equal) disturbed(overlapping);
        for (const coverage of live()) coverage.add(next, { isLast: true });
        if (walkState.count.last !== null) walkState.count.noteContradicted();
        return result('end');
      }
    }
    if (short && endOf(next) > endOf(page) && next.records.length > 0) walkState.learnPageSize();
    const comparison = compareOverlap(page, next);
    if (!comparison.equal) disturbed(comparison);
    walkState.noteDownward(comparison.downward);
    overlap = Math.max(OVERLAP_ROWS, Math.ceil(overlap * 0.9), roomFor(comparison.shift, grid.limit));

    let back = 0;
    const apart = () => next.records.length === 0 || !live().every((coverage) => coverage.joins(next));
    while (next.at.offset > 0 && apart()) {
      if (walkState.exhausted(grid.limit)) return result('exhausted');
      disturbed();
      back += 1;
      const from = next.records.length === 0 ? (next.total ?? next.at.offset) - grid.limit : next.at.offset;
      next = yield* requestPage(walkState, grid, Math.min(from, next.at.offset) - 25 * 2 ** back);
      if (next.refused) return result('refused');
    }
    if (back > 0) {
      walkState.noteGapClosed();
      overlap = Math.max(overlap, roomFor(compareOverlap(page, next).shift / (back + 1), grid.limit));
    }
    page = next;
    second ??= next;
    pages += 1;
  }
}

/** The overlap for a list that moves up by `shift` places a page, plus half. */
function roomFor(shift: number, limit: number): number {
  return Math.min(Math.floor(limit / 2), OVERLAP_ROWS + Math.ceil(Math.max(0, -shift) * 1.5));
}

/**
 * Offset of the next page. If that page would be exactly full although the count ends there, it shares one row less:
 * the end then shows as a short page without another request. The last page of an ascending list shares as many rows as
 * possible, because it has to reach from old rows to the end at one moment.
 */
function nextOffset(
  page: ObservedPage,
  { shared, limit, isAppended }: { readonly shared: number; readonly limit: number; readonly isAppended: boolean },
): number {
  const offset = Math.max(0, endOf(page) - shared);
  const isUnknown = page.total === null || page.total < endOf(page);
  const rest = isUnknown ? Number.POSITIVE_INFINITY : (page.total ?? 0) - offset;
  if (rest === limit && shared === OVERLAP_ROWS) return offset + 1;
  const room = Math.floor(limit * 0.9);
  return isAppended && rest < room ? Math.max(page.at.offset + 1, offset - (room - rest)) : offset;
}

/**
 * The first offset from `offset` on whose page reaches behind `page`. Numbered pages start only at multiples of their
 * size, so the page that has the wanted overlap may be the one just read.
 */
function progressing(grid: PageGrid, page: ObservedPage, offset: number): number {
  let from = offset;
  const reach = () => grid.at(from).offset + grid.at(from).limit;
  while (from < endOf(page) && reach() <= endOf(page)) from += 1;
  return from;
}

/**
 * The later page shows rows of the earlier one and none behind them. False for an empty page: a list that promises rows
 * and shows none is faulty.
 */
function showsNothingAfter(page: ObservedPage, next: ObservedPage): boolean {
  const known = new Set(page.records.map(identityOf));
  const from = next.records.findIndex((record) => known.has(identityOf(record)));
  return from >= 0 && next.records.slice(from).every((record) => known.has(identityOf(record)));
}

/**
 * A short page that contradicts the count ends the list only if nothing follows it: neither behind the requested range
 * (a server that filters pages after cutting them leaves gaps) nor where the count places the end (a server with a
 * smaller page size stops early).
 */
function* lookBeyond(
  walkState: WalkState,
  grid: PageGrid,
  page: ObservedPage,
): Generator<Step, 'nothing' | 'rows' | 'refused', ObservedPage> {
  const known = new Set(page.records.map(identityOf));
  const behind = page.at.offset + page.at.limit;
  const promised = (page.total ?? 0) - Math.ceil(grid.limit / 2);
  for (const offset of promised > endOf(page) ? [behind, promised] : [behind]) {
    const observed = yield* requestPage(walkState, grid, offset);
    if (observed.refused) return 'refused';
    if (observed.records.some((record) => !known.has(identityOf(record)))) return 'rows';
  }
  return 'nothing';
}

/**
 * Requests a page and records it in the walk state. If a list that has shown rows is empty now, requests it once more:
 * the empty answer may be a fault, and would otherwise prove that all rows are gone.
 */
export function* requestPage(
  walkState: WalkState,
  grid: PageGrid,
  offset: number,
): Generator<Step, ObservedPage, ObservedPage> {
  const at = grid.at(offset);
  const step = { at, mayRefuse: at.offset > 0 };
  const hasShownRows = walkState.seen.size + walkState.unreadable > 0;
  let observed = yield step;
  walkState.note(observed);
  if (at.offset === 0 && observed.records.length === 0 && hasShownRows) {
    observed = yield step;
    walkState.note(observed);
  }
  return observed;
}

/** Parameters of `closeHead` and `closeTail`. */
interface NewestEnd {
  readonly walkState: WalkState;
  readonly grid: PageGrid;
  /** The orders to close under. An order that a page refutes is ignored from then on. */
  readonly orders: readonly Order[];
  /** Newest key of each order, taken before the changes that have to be found. */
  readonly before: ReadonlyMap<Order, number>;
}

/** Rounds after which a list counts as changing faster than it can be read. */
const ROUNDS = 3;

/**
 * Finds the rows that moved to the newest end of a descending list since `before`. One page at offset 0 that reaches
 * strictly below those keys contains all of them, because a page is one moment. A head of several pages is not one
 * moment: a row can move again while it is read, without a trace if another row leaves and a third one arrives. So such
 * a head has to be read twice with the same result. `main` counts as the first pass if the head reached to the end
 * of the list.
 */
export function* closeHead(
  closing: NewestEnd,
  head: ObservedPage,
  main: PassResult | null,
): Generator<Step, boolean, ObservedPage> {
  const { walkState, grid } = closing;
  const orders = () => closing.orders.filter(({ fits }) => fits);
  let newestBefore = closing.before;
  let earlier = main;
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = round === 0 ? head : yield* requestPage(walkState, grid, 0);
    const stop = (observed: ObservedPage) =>
      orders().every((order) => order.isBelow(order.last(observed), newestBefore.get(order) ?? null));
    const coverages = orders().map((order) => new KeyCoverage(order));
    const result = yield* pass({ walkState, grid, coverages, start, stop, rowDigest: new RowDigest(new SeenKeys()) });
    if (result.outcome === 'exhausted' || result.outcome === 'refused') return false;
    if (result.pages === 1 || isSamePass(earlier, result)) return true;
    newestBefore = newestOf(closing, start);
    earlier = result;
  }
  return false;
}

/**
 * Proves the newest end of an ascending list, where new rows appear at the end: one page has to reach from strictly
 * below the newest keys to the end. True if two passes over it in succession agree, or if it took one page.
 */
export function* closeTail(closing: NewestEnd): Generator<Step, boolean, ObservedPage> {
  const { walkState, grid } = closing;
  const orders = () => closing.orders.filter(({ fits }) => fits);
  let newestBefore = closing.before;
  for (let round = 0; round < ROUNDS; round += 1) {
    const newest = walkState.newest();
    const starts = (observed: ObservedPage) =>
      observed.records.length > 0 &&
      orders().every((order) => order.isBelow(order.first(observed), newestBefore.get(order) ?? null));
    // Leaves room for rows that are appended meanwhile, because a full page does not show the end.
    let start = yield* requestPage(walkState, grid, walkState.length - Math.floor(walkState.sizeOf(grid) * 0.9));
    for (let back = 0; back < 8 && start.at.offset > 0 && !starts(start); back += 1) {
      start = yield* requestPage(walkState, grid, start.at.offset - Math.floor(walkState.sizeOf(grid) * 0.75));
    }
    if (start.at.offset > 0 && !starts(start)) return false;
    const read = function* (from: ObservedPage) {
      const coverages = orders().map((order) => new KeyCoverage(order));
      for (const coverage of coverages) coverage.startAt(from);
      return yield* pass({ walkState, grid, coverages, start: from, rowDigest: new RowDigest(new SeenKeys()) });
    };
    const result = yield* read(start);
    if (result.outcome !== 'end') return false;
    if (result.pages === 1) return true;
    if (result.quiet && isSamePass(result, yield* read(yield* requestPage(walkState, grid, start.at.offset))))
      return true;
    newestBefore = newest;
  }
  return false;
}

/** Nothing moved during both passes, they show the same rows in the same places, and each row in one place. */
function isSamePass(a: PassResult | null, b: PassResult): boolean {
  return (
    a?.quiet === true && b.quiet && !b.rowDigest.hasRowInTwoPlaces && a.rowDigest.digest() === b.rowDigest.digest()
  );
}

function newestOf({ walkState, orders }: NewestEnd, observed: ObservedPage): Map<Order, number> {
  return new Map(
    orders.flatMap((order) => {
      const newest = order.newest(observed);
      return newest === null ? [] : [[order, walkState.bounded(newest)] as const];
    }),
  );
}
