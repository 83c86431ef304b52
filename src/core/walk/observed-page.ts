import type { Suspicion } from '../certificate.ts';
import type { RowChange } from '../store.ts';
import type { PagePosition, Paging } from '../stream/endpoint.ts';
import type { Order } from './order.ts';

/**
 * Sort value of a row: texts compare by code point, everything else as numbers. Null if the row has no readable value.
 */
export type SortKey = number | string | null;

/** The parts of a record that a walk needs. */
export interface SeenRecord {
  /** Identity of the row; null for a reject whose key cannot be read. */
  readonly key: string | null;
  /** Fingerprint of the record with its key; equal for two observations of an unchanged record. */
  readonly content: string;
  /**
   * One value for each order column of the stream; undefined for a reject without a readable value, which is skipped.
   */
  readonly sort: readonly (SortKey | undefined)[];
}

/** One page of the list: a contiguous range at one moment. */
export interface ObservedPage {
  readonly at: PagePosition;
  readonly records: readonly SeenRecord[];
  /** The list's own count of its rows; null if the answer has none. */
  readonly total: number | null;
  /** The list's own update time, in ms since 1970; null if the answer has none. */
  readonly lastUpdateTime: number | null;
  /** Server time of the answer in ms (whole seconds), from its `Date` header; null or absent without one. */
  readonly serverTime?: number | null;
  /** Why the page proves nothing, even if it has rows; absent for a credible page. */
  readonly suspect?: Suspicion;
  /** Number of records that are rejects. */
  readonly rejects: number;
  /** Rows of the page that were not in the table. A head walk compares their number with the list's count. */
  readonly inserted?: number;
  /** Rows of the page that differ from what is stored, by key; absent when the writer runs behind the walk. */
  readonly changed?: ReadonlyMap<string, RowChange>;
  /** The API refused the offset or the page size; there are no records. */
  readonly refused?: boolean;
}

/** The next page a walk wants. */
export interface Step {
  readonly at: PagePosition;
  /** The walk can use a refusal of the parameters: it receives a refused page instead of an exception. */
  readonly mayRefuse: boolean;
}

/** Minimum number of rows shared by two consecutive pages, so that they can be compared. */
export const OVERLAP_ROWS = 5;

/** The position behind the last record of the page. */
export function endOf(observed: ObservedPage): number {
  return observed.at.offset + observed.records.length;
}

/** Identity of a record: its key, or its content if it has no readable key. */
export function identityOf({ key, content }: SeenRecord): string {
  return key ?? `\u0001${content}`;
}

/** Both records have the same key and the same content. */
export function isSame(a: SeenRecord | undefined, b: SeenRecord | undefined): boolean {
  return a !== undefined && b !== undefined && a.key === b.key && a.content === b.content;
}

function isSameRow(a: SeenRecord, b: SeenRecord | undefined): boolean {
  return b !== undefined && identityOf(a) === identityOf(b);
}

/** Keys and contents in order, as a text; equal for equal pages. */
export function fingerprint(observed: ObservedPage): string {
  return observed.records.map((record) => `${record.key ?? ''}\u0001${record.content}`).join('\u0002');
}

/** Keys in order, as a text; equal for pages with the same rows in the same places. */
export function keysInOrder(observed: ObservedPage): string {
  return observed.records.map(identityOf).join('\u0002');
}

/** What the rows shared by two pages show about changes between the two requests. */
export interface PageOverlap {
  /** Both pages show the same rows in the same places with the same content. */
  readonly equal: boolean;
  /** Both pages show the same rows in the same places, perhaps with other content. */
  readonly isInPlace: boolean;
  /** Places by which the list moved down just before the later page; negative if it moved up. */
  readonly shift: number;
  /**
   * Places by which all shared rows moved down because rows from elsewhere moved up. Rows with equal keys do not count,
   * because they swap at random.
   */
  readonly downward: number;
}

/** Compares the rows that two overlapping pages share. `page` lies higher in the list than `next`. */
export function compareOverlap(page: ObservedPage, next: ObservedPage): PageOverlap {
  const shared = endOf(page) - next.at.offset;
  const tail = shared > 0 ? page.records.slice(-shared) : [];
  const head = next.records.slice(0, Math.max(0, shared));
  const isInPlace =
    tail.length > 0 && tail.length === head.length && tail.every((record, index) => isSameRow(record, head[index]));
  const equal = isInPlace && tail.every((record, index) => isSame(record, head[index]));
  if (equal) return { equal, isInPlace, shift: 0, downward: 0 };
  const places = new Map(next.records.map(({ key }, index) => [key, next.at.offset + index]));
  const shifts = page.records.flatMap(({ key }, index) => {
    const place = key === null ? undefined : places.get(key);
    return place === undefined ? [] : [place - (page.at.offset + index)];
  });
  const [first, last] = [shifts[0], shifts.at(-1)];
  if (first === undefined || last === undefined) {
    return { equal, isInPlace, shift: -Math.max(0, shared), downward: 0 };
  }
  // A shared row that moved up was already read. It moved the others down, but the walk has not missed it.
  const gone = tail.filter(({ key }) => key !== null && !places.has(key)).length;
  return { equal, isInPlace, shift: last, downward: Math.max(0, Math.min(first, last) - gone) };
}

/**
 * The offsets at which pages can start. `at` returns the page that contains `offset` and reaches furthest behind it.
 */
export interface PageGrid {
  /** Maximum number of rows of a page. */
  readonly limit: number;
  at(offset: number): PagePosition;
  /** The grid for a server that returns at most `size` rows a page. */
  ofSize(size: number): PageGrid;
}

/** Minimum page size of any server. */
const SHORTEST_PAGE = 5;

/** The page grid for a kind of paging. */
export function gridOf({ kind, limit }: Pick<Paging, 'kind' | 'limit'>): PageGrid {
  if (kind === 'whole') {
    const grid: PageGrid = { limit, at: () => ({ offset: 0, limit }), ofSize: () => grid };
    return grid;
  }
  return kind === 'offset' ? offsetGrid(limit) : numberedGrid(limit);
}

/** Lists that take any offset: a page begins where it was asked for, however long it is. */
export function offsetGrid(limit: number): PageGrid {
  const grid: PageGrid = { limit, at: (offset) => ({ offset: Math.max(0, offset), limit }), ofSize: () => grid };
  return grid;
}

/**
 * Pages with numbers start only at multiples of the page size, so pages of one size cannot overlap. But the size may
 * differ from request to request: page 2 of size 95 begins 5 rows before page 1 of size 100 ends. So `at` chooses the
 * size whose page starts at or before the offset and reaches furthest. Rejected: a second pass with another size, which
 * takes twice the requests and leaves coinciding page boundaries uncovered. If a server replaces an odd size by another
 * one, its pages do not join, and the walk claims nothing. If a server cuts the size down, its pages start before the
 * offset, and a page may seem to reach the end of the list without reaching it: `ofSize` keeps to the size it returns.
 * The first page is still requested with the original size (`asked`), because the server may accept no other.
 */
export function numberedGrid(limit: number, asked = limit): PageGrid {
  return {
    limit,
    ofSize: (size) => numberedGrid(Math.min(limit, Math.max(SHORTEST_PAGE, size)), asked),
    at(offset) {
      if (offset <= 0) return { offset: 0, limit: asked };
      let best = { offset: 0, limit };
      for (let size = limit; size > 0 && size > limit / 2; size -= 1) {
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
 * The sort keys that the pages of a pass cover, provided that the list is sorted by `order`. A page covers every key
 * strictly between its first and its last key: a row that keeps its key and is listed throughout must have been on it.
 * The page at offset 0 is open above, the last page is open below. A page's first and last key are not covered, because
 * more rows with the same key may lie outside the page.
 *
 * So offsets do not matter: rows may be added and removed anywhere while pages are read. If every key is covered
 * (`whole`), only a row whose key changed can have been missed, and such a row is at the newest end, which is read
 * again. For example, pages with the keys 9 8 7 6, 6 5 4 and 4 3 2 have a gap: a second row with key 6 may be on neither
 * of the first two. 9 8 7 6, 7 6 5 4 and 5 4 3 2 have none, since each begins strictly inside the keys covered before it.
 */
export class KeyCoverage {
  readonly order: Order;
  /** Every key strictly before it is covered. `none`: no page yet. `all`: every key is covered. */
  #reached: { readonly key: SortKey } | 'none' | 'all' = 'none';
  /** Pages that do not join the covered range yet. They stay few, because a pass steps back until its pages join. */
  #apart: readonly Piece[] = [];

  constructor(order: Order) {
    this.order = order;
  }

  get whole(): boolean {
    return this.#reached === 'all';
  }

  /** Starts in the middle, for a pass that only has to cover from this page's first key to the end. */
  startAt(observed: ObservedPage): void {
    this.#reached = { key: this.order.last(observed) };
  }

  /** The page begins strictly inside the covered range, so there is no gap. */
  joins(observed: ObservedPage): boolean {
    return observed.at.offset === 0 || this.#isInside(this.order.first(observed));
  }

  /** Adds the page. `end`: the list ends with it. */
  add(observed: ObservedPage, { isLast }: { readonly isLast: boolean }): void {
    if (observed.records.length === 0) {
      if (observed.at.offset === 0 && isLast) this.#reached = 'all';
      return;
    }
    const to = isLast ? 'end' : this.order.last(observed);
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

/** The list's own counts over all pages of a walk; null on pages without one. */
export class ListCount {
  #first: number | null = null;
  #last: number | null = null;
  #most = 0;
  #pages = 0;
  #isConstant = true;
  #isTooLow = false;
  #isContradicted = false;
  #isOfPage = false;

  get first(): number | null {
    return this.#first;
  }

  get last(): number | null {
    return this.#last;
  }

  /** Highest count of any page; 0 without one. */
  get most(): number {
    return this.#most;
  }

  /** Every page gave the same count. */
  get isConstant(): boolean {
    return this.#isConstant;
  }

  /** A page showed rows beyond its own count. */
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

  /** The count is that of the page: the list is longer than the first page, although its count says that it is not. */
  get isOfPage(): boolean {
    return this.#isOfPage;
  }

  /** Records that the count is that of the page, so the list itself has no count. */
  noteCountOfPage(): void {
    this.#isOfPage = true;
    this.#isTooLow = true;
  }

  noteContradicted(): void {
    this.#isContradicted = true;
  }
}
