import type { Checkpoint } from '../store.ts';
import type { ObservedPage, SortKey } from './observed-page.ts';

/** A column that a server may sort a list by. */
export interface OrderColumn {
  readonly column: string;
  /**
   * `fixed`: a row keeps its value (creation time, id). `moving`: the value is a time that changes only to a newer one
   * (update time).
   */
  readonly kind: 'fixed' | 'moving';
  /** The request asks for this order. A walk tries it first, but still checks that the server applies it. */
  readonly asked?: { readonly direction: 'asc' | 'desc'; readonly query: Readonly<Record<string, string>> };
}

/** A column whose values never change in a row. */
export const fixed = (column: string): OrderColumn => ({ column, kind: 'fixed' });
/** A column of times that change only to newer ones. */
export const moving = (column: string): OrderColumn => ({ column, kind: 'moving' });

/** An order column with the request parameters that ask for this order, such as `sort_key` and `sort_dir`. */
export function asked(
  column: OrderColumn,
  direction: 'asc' | 'desc',
  query: Readonly<Record<string, string>>,
): OrderColumn {
  return { ...column, asked: { direction, query } };
}

/**
 * How far below the newest known key a later key may lie, in ms. Server clocks differ, and a row is listed some time
 * after it was stamped. A list with later rows gets a greater value (`Lateness`).
 */
export const SLACK_MS = 5 * 60_000;

/**
 * One candidate order (column and direction). It fits while every page of the walk is monotone in it. One page that is
 * not, a row without a value, or a page without a single readable value refutes it for the rest of the walk.
 */
export class Order {
  readonly index: number;
  readonly name: string;
  readonly column: string;
  readonly direction: 1 | -1;
  readonly moving: boolean;
  fits = true;
  /** How far below the newest known key a later key may lie, in ms. */
  slackMs = SLACK_MS;
  /** First and last page of the walk that are not monotone in this order; null if all are. */
  firstBroken: number | null = null;
  lastBroken: number | null = null;

  constructor(index: number, { column, kind }: OrderColumn, direction: 1 | -1) {
    this.index = index;
    this.column = column;
    this.direction = direction;
    this.moving = kind === 'moving';
    this.name = `${column} ${direction === 1 ? 'asc' : 'desc'}`;
  }

  /** Negative if `a` comes before `b` in this order; NaN for values of different types. */
  compare(a: SortKey, b: SortKey): number {
    if (typeof a === 'number' && typeof b === 'number') return this.direction * (a - b);
    if (typeof a === 'string' && typeof b === 'string') return a === b ? 0 : a < b ? -this.direction : this.direction;
    return Number.NaN;
  }

  first(observed: ObservedPage): SortKey {
    return observed.records.find((record) => record.sort[this.index] !== undefined)?.sort[this.index] ?? null;
  }

  last(observed: ObservedPage): SortKey {
    return observed.records.findLast((record) => record.sort[this.index] !== undefined)?.sort[this.index] ?? null;
  }

  /** Newest key on the page; null if keys are not times. */
  newest(observed: ObservedPage): number | null {
    const key = this.direction === -1 ? this.first(observed) : this.last(observed);
    return typeof key === 'number' ? key : null;
  }

  /** Checks a page; `request` is its number within the walk. */
  observe(observed: ObservedPage, request: number): void {
    if (observed.records.length === 0 || this.#isMonotone(observed)) return;
    this.fits = false;
    this.firstBroken ??= request;
    this.lastBroken = request;
  }

  /** All pages before `request`, or all from it on, fit: the server may have switched from or to this order. */
  fitsOneSideOf(request: number): boolean {
    return (this.lastBroken ?? 0) < request || (this.firstBroken ?? request) >= request;
  }

  #isMonotone(observed: ObservedPage): boolean {
    let before: SortKey | undefined;
    for (const record of observed.records) {
      const key = record.sort[this.index];
      if (key === undefined) continue;
      if (key === null || (before !== undefined && !(this.compare(before, key) <= 0))) return false;
      before = key;
    }
    return before !== undefined;
  }

  /** Number of rows at the end of the page that share the last key. */
  tieRun(observed: ObservedPage): number {
    const last = this.last(observed);
    let run = 0;
    while (run < observed.records.length) {
      const key = observed.records[observed.records.length - 1 - run]?.sort[this.index];
      if (key !== undefined && this.compare(key, last) !== 0) break;
      run += 1;
    }
    return run;
  }

  /** `key` is strictly older than `newest - slackMs`. False if one of them is not a time. */
  isBelow(key: SortKey, newest: SortKey): boolean {
    return typeof key === 'number' && typeof newest === 'number' && key < newest - this.slackMs;
  }
}

/** Both directions of every order column, requested orders first. */
export function candidates(columns: readonly OrderColumn[]): Order[] {
  const all = columns.flatMap((column, index) => [new Order(index, column, -1), new Order(index, column, 1)]);
  const isAsked = ({ index, direction }: Order) =>
    columns[index]?.asked?.direction === (direction === 1 ? 'asc' : 'desc');
  return all.toSorted((a, b) => Number(isAsked(b)) - Number(isAsked(a)));
}

/** Upper limit of the slack. Later rows are found only by full walks, because no poll reads that far. */
const MOST_SLACK_MS = 60 * 60_000;

/**
 * A full walk without late rows divides the stored lateness by this, so the effect of one late row ends within a day.
 */
const FADING = 4;

/**
 * How late changes appear in a list, measured on the list itself. Every proof by a moving order assumes that a change
 * is stamped at most `SLACK_MS` below the newest key before it. A new or changed row further down refutes this for the
 * list: the slack becomes twice the observed lateness, at most an hour, and the checkpoint stores the lateness.
 */
export class Lateness {
  readonly #orders: readonly Order[];
  readonly #before: number;
  /** Newest keys of the checkpoint, for the orders under which every change is visible. */
  #checkpointKeys: ReadonlyMap<Order, number> = new Map();
  #seenMs = 0;

  /** `beforeMs`: lateness stored by earlier walks, in ms; 0 for none. */
  constructor(orders: readonly Order[], beforeMs: number) {
    this.#orders = orders;
    this.#before = beforeMs;
    this.#apply();
  }

  /** Greatest known lateness in ms; 0 if every change appeared within `SLACK_MS`. */
  get ms(): number {
    return Math.max(this.#before, this.#seenMs);
  }

  /** Changes appear too late for polls of the newest end to find them. */
  get isBeyondPolls(): boolean {
    return 2 * this.ms > MOST_SLACK_MS;
  }

  /** From now on, compares new and moved rows with the newest keys of the checkpoint. */
  compareWith(checkpoint: Checkpoint, orders: readonly Order[]): void {
    const newest = new Map(checkpoint.orders.map(({ name, newest: key }) => [name, key]));
    const keys = orders.flatMap((order) => {
      const newestKey = newest.get(order.name);
      return newestKey === null || newestKey === undefined ? [] : [[order, newestKey] as const];
    });
    this.#checkpointKeys = new Map(keys);
  }

  /** Measures the rows of a page that were not stored, or were stored with an older time. */
  observe(observed: ObservedPage): void {
    const { changed } = observed;
    if (changed === undefined || changed.size === 0) return;
    for (const [order, newestKey] of this.#checkpointKeys) {
      for (const { key, sort } of observed.records) {
        const change = key === null ? undefined : changed.get(key);
        const time = sort[order.index];
        if ((change !== 'new' && change !== 'newer') || typeof time !== 'number') continue;
        if (newestKey - time > SLACK_MS) this.#seenMs = Math.max(this.#seenMs, newestKey - time);
      }
    }
    this.#apply();
  }

  /** Lateness to store for the next walk, in ms. A full walk without a late row reduces it. */
  remembered(isFull: boolean): number {
    const before = isFull ? Math.floor(this.#before / FADING) : this.#before;
    const ms = Math.max(this.#seenMs, before);
    return ms > SLACK_MS / 2 ? ms : 0;
  }

  #apply(): void {
    const slackMs = Math.min(Math.max(SLACK_MS, 2 * this.ms), MOST_SLACK_MS);
    for (const order of this.#orders) order.slackMs = slackMs;
  }
}
