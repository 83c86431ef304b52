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
