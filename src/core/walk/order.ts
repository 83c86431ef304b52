import type { Checkpoint } from '../store.ts';
import type { ObservedPage, SortKey } from './observed-page.ts';

/** A column that a server may sort a list by. */
export interface OrderColumn {
  readonly column: string;
  /**
   * `fixed`: a row keeps its value (creation times, ids). `moving`: the value is a time that only ever moves to the
   * newest end (update times).
   */
  readonly kind: 'fixed' | 'moving';
  /** The request asks for this order. It is then the first one that a walk tries; that the server keeps it is checked. */
  readonly asked?: { readonly direction: 'asc' | 'desc'; readonly query: Readonly<Record<string, string>> };
}

export const fixed = (column: string): OrderColumn => ({ column, kind: 'fixed' });
export const moving = (column: string): OrderColumn => ({ column, kind: 'moving' });

/** An order that the request asks for with these parameters, such as `sort_key` and `sort_dir`. */
export function asked(
  column: OrderColumn,
  direction: 'asc' | 'desc',
  query: Readonly<Record<string, string>>,
): OrderColumn {
  return { ...column, asked: { direction, query } };
}

/**
 * How far below the newest known key a later key may lie, in ms: clocks of several servers differ, and a row is listed some
 * time after it was stamped. A list whose rows were seen to come later gets more (`Lateness`).
 */
export const SLACK_MS = 5 * 60_000;

/**
 * One candidate order (column and direction). It fits while every page of the walk is monotone in it; one page that is
 * not, a row without a value, or a page without a single readable one, refutes it for good.
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
  /** The first and the last page that are not monotone in it. */
  firstBroken: number | null = null;
  lastBroken: number | null = null;

  constructor(index: number, { column, kind }: OrderColumn, direction: 1 | -1) {
    this.index = index;
    this.column = column;
    this.direction = direction;
    this.moving = kind === 'moving';
    this.name = `${column} ${direction === 1 ? 'asc' : 'desc'}`;
  }

  /** Less than zero when `a` comes before `b` in this order. Values of different types have no order. */
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

  /** The newest key on the page, where keys are times. */
  newest(observed: ObservedPage): number | null {
    const key = this.direction === -1 ? this.first(observed) : this.last(observed);
    return typeof key === 'number' ? key : null;
  }

  /** Looks at a page; `request` counts the pages of the walk. */
  observe(observed: ObservedPage, request: number): void {
    if (observed.records.length === 0 || this.#isMonotone(observed)) return;
    this.fits = false;
    this.firstBroken ??= request;
    this.lastBroken = request;
  }

  /** Every page before the given one fits, or every page from it on: the server may have changed to or from this order. */
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

  /** Number of rows at the end of the page that share its last key. */
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

  /** `key` lies strictly on the older side of `newest - slackMs`. False where one of them is no time. */
  isBelow(key: SortKey, newest: SortKey): boolean {
    return typeof key === 'number' && typeof newest === 'number' && key < newest - this.slackMs;
  }
}

/** Every order the list may have. */
export function candidates(columns: readonly OrderColumn[]): Order[] {
  const all = columns.flatMap((column, index) => [new Order(index, column, -1), new Order(index, column, 1)]);
  const isAsked = ({ index, direction }: Order) =>
    columns[index]?.asked?.direction === (direction === 1 ? 'asc' : 'desc');
  return all.toSorted((a, b) => Number(isAsked(b)) - Number(isAsked(a)));
}

/** Rows later than half of this are beyond what a poll reads for: then only full walks find every change. */
const MOST_SLACK_MS = 60 * 60_000;

/** A full walk without late rows divides the remembered lateness by this, so that one late row is forgotten within a day. */
const FADING = 4;

/**
 * How late changes reach a list, measured on the list itself. The premise of every proof by a moving order is that a change
 * is stamped at most `SLACK_MS` below what was newest before it. A new or changed row further down refutes that for this
 * list: the slack becomes twice the lateness that was seen, up to an hour, and is remembered in the checkpoint.
 */
export class Lateness {
  readonly #orders: readonly Order[];
  readonly #before: number;
  /** Newest keys of the checkpoint, for the orders under which every change shows. */
  #bars: ReadonlyMap<Order, number> = new Map();
  #seenMs = 0;

  /** `beforeMs`: the lateness remembered of earlier walks, in ms; 0 where none was seen. */
  constructor(orders: readonly Order[], beforeMs: number) {
    this.#orders = orders;
    this.#before = beforeMs;
    this.#apply();
  }

  /** Greatest lateness known of the list, in ms; 0 while every change came within `SLACK_MS`. */
  get ms(): number {
    return Math.max(this.#before, this.#seenMs);
  }

  /** Changes come so late that no poll of the newest end can be trusted to find them. */
  get isBeyondPolls(): boolean {
    return 2 * this.ms > MOST_SLACK_MS;
  }

  /** From now on, new and moved rows are held against the newest keys of the checkpoint. */
  compareWith(checkpoint: Checkpoint, orders: readonly Order[]): void {
    const newest = new Map(checkpoint.orders.map(({ name, newest: key }) => [name, key]));
    const bars = orders.flatMap((order) => {
      const bar = newest.get(order.name);
      return bar === null || bar === undefined ? [] : [[order, bar] as const];
    });
    this.#bars = new Map(bars);
  }

  /** Measures the rows of a page that the table did not have, or had with an older time. */
  observe(observed: ObservedPage): void {
    const { changed } = observed;
    if (changed === undefined || changed.size === 0) return;
    for (const [order, bar] of this.#bars) {
      for (const { key, sort } of observed.records) {
        const change = key === null ? undefined : changed.get(key);
        const time = sort[order.index];
        if ((change !== 'new' && change !== 'moved') || typeof time !== 'number') continue;
        if (bar - time > SLACK_MS) this.#seenMs = Math.max(this.#seenMs, bar - time);
      }
    }
    this.#apply();
  }

  /** What the next walk is to know, in ms: a full walk that saw no late row lets the memory fade. */
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
