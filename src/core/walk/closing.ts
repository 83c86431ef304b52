import { Cover } from './cover.ts';
import type { Cut } from './cut.ts';
import type { Look, Step } from './look.ts';
import type { Order } from './order.ts';
import { type PassResult, pass, take } from './pass.ts';
import { SeenKeys } from './seen-keys.ts';
import { Sequence } from './sequence.ts';
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
 * a row may move again while it is read, and leave no trace where another one goes and a third comes. So it has to be read
 * twice, and be the same; `main` is the first time where it had to be read to the end of the list.
 */
export function* closeHead(closing: Closing, head: Look, main: PassResult | null): Generator<Step, boolean, Look> {
  const { witness, cut } = closing;
  const orders = () => closing.orders.filter(({ fits }) => fits);
  let bar = closing.before;
  let earlier = main;
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = round === 0 ? head : yield* take(witness, cut, 0);
    const stop = (look: Look) => orders().every((order) => order.isBelow(order.last(look), bar.get(order) ?? null));
    const covers = orders().map((order) => new Cover(order));
    const reading = yield* pass({ witness, cut, covers, start, stop, sequence: new Sequence(new SeenKeys()) });
    if (reading.outcome === 'circles' || reading.outcome === 'refused') return false;
    if (reading.pages === 1 || isSameReading(earlier, reading)) return true;
    bar = newestOf(closing, start);
    earlier = reading;
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
    const read = function* (from: Look) {
      const covers = orders().map((order) => new Cover(order));
      for (const cover of covers) cover.startAt(from);
      return yield* pass({ witness, cut, covers, start: from, sequence: new Sequence(new SeenKeys()) });
    };
    const reading = yield* read(start);
    if (reading.outcome !== 'end') return false;
    if (reading.pages === 1) return true;
    if (reading.quiet && isSameReading(reading, yield* read(yield* take(witness, cut, start.at.offset)))) return true;
    bar = newest;
  }
  return false;
}

/** Two readings during which nothing moved, with the same rows in the same places, and each row in one place. */
function isSameReading(a: PassResult | null, b: PassResult): boolean {
  return a?.quiet === true && b.quiet && !b.sequence.twice && a.sequence.digest() === b.sequence.digest();
}

function newestOf({ witness, orders }: Closing, look: Look): Map<Order, number> {
  return new Map(
    orders.flatMap((order) => {
      const newest = order.newest(look);
      return newest === null ? [] : [[order, witness.bounded(newest)] as const];
    }),
  );
}
