import type { ObservedPage, SortKey } from './observed-page.ts';
import type { Order } from './order.ts';

interface Piece {
  readonly from: SortKey;
  readonly to: SortKey | 'end';
}

/**
 * What the pages of a pass cover of the key line, if the list is sorted by the order. A page covers everything strictly
 * between its first and its last key: a row that keeps its key and is listed throughout must have been in it. The page at
 * offset 0 is open above, the end of the list open below. A key that is only ever a page's first or last is not covered,
 * because a run of equal keys may reach beyond the page.
 */
export class KeyCoverage {
  readonly order: Order;
  /** Every key strictly before it is covered; `none` before the first page, `all` when nothing is left. */
  #reached: { readonly key: SortKey } | 'none' | 'all' = 'none';
  /** Pages that do not join yet: few, because a pass steps back until its pages join. */
  #apart: readonly Piece[] = [];

  constructor(order: Order) {
    this.order = order;
  }

  get whole(): boolean {
    return this.#reached === 'all';
  }

  /** Starts in the middle of the key line, for a pass that only has to reach from this page's first key to the end. */
  startAt(observed: ObservedPage): void {
    this.#reached = { key: this.order.last(observed) };
  }

  /** The page begins strictly inside what is covered, so it leaves no gap. */
  joins(observed: ObservedPage): boolean {
    return observed.at.offset === 0 || this.#isInside(this.order.first(observed));
  }

  /** Counts the page in. `end`: the list ended with it. */
  add(observed: ObservedPage, end: boolean): void {
    if (observed.records.length === 0) {
      if (observed.at.offset === 0 && end) this.#reached = 'all';
      return;
    }
    const to = end ? 'end' : this.order.last(observed);
    if (this.joins(observed)) this.#reach(to);
    else this.#apart = [...this.#apart, { from: this.order.first(observed), to }];
    for (let next = this.#joining(); next !== undefined; next = this.#joining()) {
      const joined = next;
      this.#apart = this.#apart.filter((piece) => piece !== joined);
      this.#reach(joined.to);
    }
  }

  #joining(): Piece | undefined {
    return this.#apart.find(({ from }) => this.#isInside(from));
  }

  #isInside(key: SortKey): boolean {
    if (this.#reached === 'all') return true;
    return this.#reached !== 'none' && this.order.compare(key, this.#reached.key) < 0;
  }

  #reach(to: SortKey | 'end'): void {
    if (to === 'end') this.#reached = 'all';
    else if (this.#reached === 'none' || (this.#reached !== 'all' && this.order.compare(to, this.#reached.key) > 0)) {
      this.#reached = { key: to };
    }
  }
}
