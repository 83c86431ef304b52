import type { Suspicion } from '../certificate.ts';
import type { RowChange } from '../store.ts';
import type { At } from '../stream/paging.ts';

/** What a list may be sorted by: text by code point, everything else by number. Null where a row has no readable value. */
export type SortKey = number | string | null;

/** One record of a page, as far as a walk cares. */
export interface SeenRecord {
  /** Identity of the row; null for a reject whose key cannot be read. */
  readonly key: string | null;
  /** Fingerprint of the content: two looks at an unchanged record agree in it. */
  readonly content: string;
  /** One for each of the stream's order columns; undefined where a reject's cannot be read: it is passed over. */
  readonly sort: readonly (SortKey | undefined)[];
}

/** One page: an atomic look at a contiguous piece of a list. */
export interface Look {
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
  /** A refusal of the parameters teaches something here; it is handed back as a refused look instead of thrown. */
  readonly mayRefuse: boolean;
}

/** The position behind the last record of the page. */
export function endOf(look: Look): number {
  return look.at.offset + look.records.length;
}

/** What a record is known by: its key, or its content where it has none. */
export function identityOf({ key, content }: SeenRecord): string {
  return key ?? `\u0001${content}`;
}

/** Two looks at one record that did not change in between. */
export function isSame(a: SeenRecord | undefined, b: SeenRecord | undefined): boolean {
  return a !== undefined && b !== undefined && a.key === b.key && a.content === b.content;
}

/** The page as a text that two equal pages share: keys and contents in order. */
export function fingerprint(look: Look): string {
  return look.records.map((record) => `${record.key ?? ''}\u0001${record.content}`).join('\u0002');
}
