import { KeyCoverage } from './key-coverage.ts';
import type { ObservedPage, Step } from './observed-page.ts';
import type { Order } from './order.ts';
import type { PageGrid } from './page-grid.ts';
import { type PassResult, pass, take } from './pass.ts';
import { RowDigest, SeenKeys } from './row-digest.ts';
import type { WalkState } from './walk-state.ts';

/** What a closing works with. */
interface NewestEnd {
  readonly walkState: WalkState;
  readonly grid: PageGrid;
  /** The orders to close under; an order that a page refutes is left out from then on. */
  readonly orders: readonly Order[];
  /** Newest key of each order before anything that has to be found was assigned. */
  readonly before: ReadonlyMap<Order, number>;
}

/** NewestEnd rounds before a list counts as faster than its reader. */
const ROUNDS = 3;

/**
 * Finds what moved to the newest end of a descending list since `before`. One page at offset 0 that reaches strictly below
 * everything assigned since then has it all, because one page is one moment. A head read over several pages is no moment:
 * a row may move again while it is read, and leave no trace where another one goes and a third comes. So it has to be read
 * twice, and be the same; `main` is the first time where it had to be read to the end of the list.
 */
export function* closeHead(
  closing: NewestEnd,
  head: ObservedPage,
  main: PassResult | null,
): Generator<Step, boolean, ObservedPage> {
  const { walkState, grid } = closing;
  const orders = () => closing.orders.filter(({ fits }) => fits);
  let bar = closing.before;
  let earlier = main;
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = round === 0 ? head : yield* take(walkState, grid, 0);
    const stop = (observed: ObservedPage) =>
      orders().every((order) => order.isBelow(order.last(observed), bar.get(order) ?? null));
    const coverages = orders().map((order) => new KeyCoverage(order));
    const reading = yield* pass({ walkState, grid, coverages, start, stop, rowDigest: new RowDigest(new SeenKeys()) });
    if (reading.outcome === 'circles' || reading.outcome === 'refused') return false;
    if (reading.pages === 1 || isSameReading(earlier, reading)) return true;
    bar = newestOf(closing, start);
    earlier = reading;
  }
  return false;
}

/** The same at the other end: one page from strictly below the bar to the end of an ascending list. */
export function* closeTail(closing: NewestEnd): Generator<Step, boolean, ObservedPage> {
  const { walkState, grid } = closing;
  const orders = () => closing.orders.filter(({ fits }) => fits);
  let bar = closing.before;
  for (let round = 0; round < ROUNDS; round += 1) {
    const newest = walkState.newest();
    const starts = (observed: ObservedPage) =>
      observed.records.length > 0 &&
      orders().every((order) => order.isBelow(order.first(observed), bar.get(order) ?? null));
    // Room for what is appended meanwhile: a page that comes out full does not show the end.
    let start = yield* take(walkState, grid, (walkState.totalLast ?? 0) - Math.floor(grid.limit * 0.9));
    for (let back = 0; back < 8 && start.at.offset > 0 && !starts(start); back += 1) {
      start = yield* take(walkState, grid, start.at.offset - Math.floor(grid.limit * 0.75));
    }
    if (start.at.offset > 0 && !starts(start)) return false;
    const read = function* (from: ObservedPage) {
      const coverages = orders().map((order) => new KeyCoverage(order));
      for (const coverage of coverages) coverage.startAt(from);
      return yield* pass({ walkState, grid, coverages, start: from, rowDigest: new RowDigest(new SeenKeys()) });
    };
    const reading = yield* read(start);
    if (reading.outcome !== 'end') return false;
    if (reading.pages === 1) return true;
    if (reading.quiet && isSameReading(reading, yield* read(yield* take(walkState, grid, start.at.offset))))
      return true;
    bar = newest;
  }
  return false;
}

/** Two readings during which nothing moved, with the same rows in the same places, and each row in one place. */
function isSameReading(a: PassResult | null, b: PassResult): boolean {
  return a?.quiet === true && b.quiet && !b.rowDigest.twice && a.rowDigest.digest() === b.rowDigest.digest();
}

function newestOf({ walkState, orders }: NewestEnd, observed: ObservedPage): Map<Order, number> {
  return new Map(
    orders.flatMap((order) => {
      const newest = order.newest(observed);
      return newest === null ? [] : [[order, walkState.bounded(newest)] as const];
    }),
  );
}
