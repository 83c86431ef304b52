import type { Suspicion } from '../certificate.ts';
import type { RowChange } from '../store.ts';
import type { At } from '../stream/paging.ts';

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
