import { Cover } from './cover.ts';
import type { Cut } from './cut.ts';
import { fingerprint, type Look, type Step } from './look.ts';
import type { Order } from './order.ts';
import { pass, take } from './pass.ts';
import type { Witness } from './witness.ts';

/** What a closing works with. */
interface Closing {
  readonly witness: Witness;
  readonly cut: Cut;
  /** The orders to close under; an order that a page refutes is left out from then on. */
  readonly orders: readonly Order[];
  /** Newest key of each order before anything that has to be found was assigned. */
  readonly before: ReadonlyMap<Order, number>;
}

/** Closing rounds before a list counts as faster than its reader. */
const ROUNDS = 3;

/**
 * Finds what moved to the newest end of a descending list since `before`. One page at offset 0 that reaches strictly below
 * everything assigned since then has it all, because one page is one moment. A head read over several pages is no moment:
 * a row may move again while it is read. Then the next round only has to reach below what was newest when this one began,
 * or this one stood still altogether.
 */
export function* closeHead(closing: Closing, head: Look): Generator<Step, boolean, Look> {
  const { witness, cut } = closing;
  const orders = () => closing.orders.filter(({ fits }) => fits);
  let bar = closing.before;
  let start = head;
  for (let round = 0; round < ROUNDS; round += 1) {
    const stop = (look: Look) => orders().every((order) => order.isBelow(order.last(look), bar.get(order) ?? null));
    const covers = orders().map((order) => new Cover(order));
    const { outcome, pages, quiet } = yield* pass({ witness, cut, covers, start, stop });
    if (outcome === 'circles' || outcome === 'refused') return false;
    if (pages === 1) return true;
    const again = yield* take(witness, cut, 0);
    if (quiet && isSameLook(start, again)) return true;
    bar = newestOf(orders(), start);
    start = again;
  }
  return false;
}

/** The same at the other end: one page from strictly below the bar to the end of an ascending list. */
export function* closeTail(closing: Closing): Generator<Step, boolean, Look> {
  const { witness, cut } = closing;
  const orders = () => closing.orders.filter(({ fits }) => fits);
  let bar = closing.before;
  for (let round = 0; round < ROUNDS; round += 1) {
    const newest = witness.newest();
    const starts = (look: Look) =>
      look.records.length > 0 && orders().every((order) => order.isBelow(order.first(look), bar.get(order) ?? null));
    // Room for what is appended meanwhile: a page that comes out full does not show the end.
    let start = yield* take(witness, cut, (witness.totalLast ?? 0) - Math.floor(cut.limit * 0.9));
    for (let back = 0; back < 8 && start.at.offset > 0 && !starts(start); back += 1) {
      start = yield* take(witness, cut, start.at.offset - Math.floor(cut.limit * 0.75));
    }
    if (start.at.offset > 0 && !starts(start)) return false;
    const covers = orders().map((order) => new Cover(order));
    for (const cover of covers) cover.startAt(start);
    const { outcome, pages, quiet } = yield* pass({ witness, cut, covers, start });
    if (outcome !== 'end') return false;
    if (pages === 1) return true;
    const again = yield* take(witness, cut, start.at.offset);
    if (quiet && isSameLook(start, again)) return true;
    bar = newest;
  }
  return false;
}

function newestOf(orders: readonly Order[], look: Look): Map<Order, number> {
  return new Map(
    orders.flatMap((order) => {
      const newest = order.newest(look);
      return newest === null ? [] : [[order, newest] as const];
    }),
  );
}

function isSameLook(a: Look, b: Look): boolean {
  return a.total === b.total && fingerprint(a) === fingerprint(b);
}
