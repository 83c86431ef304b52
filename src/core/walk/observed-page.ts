import type { Suspicion } from '../certificate.ts';
import type { RowChange } from '../store.ts';
import type { At, Paging } from '../stream/endpoint.ts';
import type { Order } from './order.ts';

/** What a list may be sorted by: text by code point, everything else by number. Null where a row has no readable value. */
export type SortKey = number | string | null;

/** One record of a page, as far as a walk cares. */
export interface SeenRecord {
  /** Identity of the row; null for a reject whose key cannot be read. */
  readonly key: string | null;
  /** Fingerprint of the content: two observations of an unchanged record agree in it. */
  readonly content: string;
  /** One for each of the stream's order columns; undefined where a reject's cannot be read: it is passed over. */
  readonly sort: readonly (SortKey | undefined)[];
}

/** One answer of the API: a contiguous piece of a list as it was at one moment. */
export interface ObservedPage {
  readonly at: At;
  readonly records: readonly SeenRecord[];
  readonly total: number | null;
  readonly lastUpdateTime: number | null;
  /** When the server answered, by its own clock, in ms (whole seconds); null or absent where it did not say. */
  readonly serverTime?: number | null;
  /** Why the page proves nothing, although it may have rows; absent for an answer that can be believed. */
  readonly suspect?: Suspicion;
  /** Records of the page that are no rows. */
  readonly rejects: number;
  /** Rows of the page that the table did not have; a head walk compares their number with the list's own count. */
  readonly inserted?: number;
  /** Rows of the page that are stored otherwise, by key; absent where the writer follows behind the walk. */
  readonly changed?: ReadonlyMap<string, RowChange>;
  /** The API refused the position or the size that was asked for; there are no records. */
  readonly refused?: boolean;
}

/** The next page a walk wants. */
export interface Step {
  readonly at: At;
  /** A refusal of the parameters teaches something here; it is handed back as a refused page instead of thrown. */
  readonly mayRefuse: boolean;
}

/** The position behind the last record of the page. */
export function endOf(observed: ObservedPage): number {
  return observed.at.offset + observed.records.length;
}

/** What a record is known by: its key, or its content where it has none. */
export function identityOf({ key, content }: SeenRecord): string {
  return key ?? `\u0001${content}`;
}

/** Whether two observations are of one record that did not change in between. */
export function isSame(a: SeenRecord | undefined, b: SeenRecord | undefined): boolean {
  return a !== undefined && b !== undefined && a.key === b.key && a.content === b.content;
}

/** The page as a text that two equal pages share: keys and contents in order. */
export function fingerprint(observed: ObservedPage): string {
  return observed.records.map((record) => `${record.key ?? ''}\u0001${record.content}`).join('\u0002');
}

/** What the rows that two pages share say about what happened between them. */
export interface PageOverlap {
  /** The same rows in the same places with the same content. */
  readonly equal: boolean;
  /** By how many places the list had moved down (up where negative) just before the later page. */
  readonly shift: number;
  /**
   * By how many places all of the shared rows moved down because of rows from elsewhere; rows with equal keys, which swap
   * at random, do not count.
   */
  readonly downward: number;
}

/** Compares the rows two overlapping pages should share; the first one lies higher in the list. */
export function compareOverlap(page: ObservedPage, next: ObservedPage): PageOverlap {
  const shared = endOf(page) - next.at.offset;
  const tail = shared > 0 ? page.records.slice(-shared) : [];
  const head = next.records.slice(0, Math.max(0, shared));
  const equal =
    tail.length > 0 && tail.length === head.length && tail.every((record, index) => isSame(record, head[index]));
  if (equal) return { equal, shift: 0, downward: 0 };
  const places = new Map(next.records.map(({ key }, index) => [key, next.at.offset + index]));
  const shifts = page.records.flatMap(({ key }, index) => {
    const place = key === null ? undefined : places.get(key);
    return place === undefined ? [] : [place - (page.at.offset + index)];
  });
  const [first, last] = [shifts[0], shifts.at(-1)];
  if (first === undefined || last === undefined) return { equal, shift: -Math.max(0, shared), downward: 0 };
  // A row that was read and went up from among the shared ones moved the others down without hiding from anybody.
  const gone = tail.filter(({ key }) => key !== null && !places.has(key)).length;
  return { equal, shift: last, downward: Math.max(0, Math.min(first, last) - gone) };
}

/** How a list can be cut: the page that contains the row at `offset`, starts at most there and reaches furthest. */
export interface PageGrid {
  /** Rows a page can have. */
  readonly limit: number;
  at(offset: number): At;
}

export function gridOf({ kind, limit }: Pick<Paging, 'kind' | 'limit'>): PageGrid {
  if (kind === 'whole') return { limit, at: () => ({ offset: 0, limit }) };
  return kind === 'offset' ? offsetGrid(limit) : numberedGrid(limit);
}

/** Lists that take any offset. */
export function offsetGrid(limit: number): PageGrid {
  return { limit, at: (offset) => ({ offset: Math.max(0, offset), limit }) };
}

/**
 * Lists of numbered pages start only at multiples of the page size, so pages of one size cannot overlap. But the size may
 * differ from request to request: page 2 of size 95 begins 5 rows before page 1 of size 100 ends. So the size is chosen
 * that begins at or before the wanted row and reaches furthest; a thousand rows cost 11 requests, where a second pass at
 * another size (rejected) costs 23 and leaves coinciding boundaries uncovered. Where a server answers an odd size with
 * another one, its pages do not join and nothing is claimed.
 */
export function numberedGrid(limit: number): PageGrid {
  return {
    limit,
    at(offset) {
      let best = { offset: 0, limit };
      for (let size = limit; offset > 0 && size > 0 && size > limit / 2; size -= 1) {
        const start = Math.floor(offset / size) * size;
        if (start + size > best.offset + best.limit) best = { offset: start, limit: size };
      }
      return best;
    },
  };
}

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

/** What a list says about its length, over all pages of a walk. Null where it does not say. */
export class ListCount {
  #first: number | null = null;
  #last: number | null = null;
  #most = 0;
  #pages = 0;
  #isConstant = true;
  #isTooLow = false;
  #isContradicted = false;

  get first(): number | null {
    return this.#first;
  }

  get last(): number | null {
    return this.#last;
  }

  /** The highest count of any page; 0 where no page has one. */
  get most(): number {
    return this.#most;
  }

  /** Every page gave the same count. */
  get isConstant(): boolean {
    return this.#isConstant;
  }

  /** A page showed rows beyond the count it gave. */
  get isTooLow(): boolean {
    return this.#isTooLow;
  }

  /** The count does not match the rows that the walk found. */
  get isContradicted(): boolean {
    return this.#isContradicted;
  }

  observe(observed: ObservedPage): void {
    const { total } = observed;
    if (this.#pages === 0) this.#first = total;
    this.#pages += 1;
    if (total !== this.#first) this.#isConstant = false;
    if (total !== null && observed.records.length > 0 && endOf(observed) > total) this.#isTooLow = true;
    this.#last = total;
    this.#most = Math.max(this.#most, total ?? 0);
  }

  noteContradicted(): void {
    this.#isContradicted = true;
  }
}
