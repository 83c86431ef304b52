import type { Listing, Page, PagePosition } from '../../core/stream/endpoint.ts';
import { shortHash } from '../../core/stream/json.ts';
import type { Stream } from '../../core/stream/stream.ts';
import type { ObservedPage, SeenRecord } from '../../core/walk/observed-page.ts';
import { SLACK_MS } from '../../core/walk/order.ts';
import type { ReadPage } from './page-reader.ts';

/** A page as last read. */
export interface KnownPage {
  /** Hash of the text of the answer, which takes a third of the memory of a page. */
  readonly hash: string;
  /** Its records are null, because only their number is needed. */
  readonly page: Page;
  readonly observed: ObservedPage;
  /** Versions of its rows in ms, by key. */
  readonly versions: ReadonlyMap<string, number>;
}

/** Rows from the newest one on, in ms: a walk that ends reads the slack again, twice if it fills more than a page. */
const YOUNG_MS = 2 * SLACK_MS;

/** Number of rows to keep at most. */
const MOST_ROWS = 6_000;

/**
 * The newest pages of a list as last read. Most walks end by reading them again, and they are usually unchanged. Then they
 * are not parsed, validated and compared with the table again. As soon as a row of them has been read with other content,
 * all are forgotten.
 */
export class KnownPages {
  /** Index of the times of change among the sort values of a record; -1 without them. */
  readonly #time: number;
  /** A row of a part may have changed in another part, so only its first page is kept, which ends the walk of the part. */
  readonly #isWhole: boolean;
  readonly #pages = new Map<number, KnownPage>();
  readonly #contents = new Map<string, string>();
  #newest = Number.NaN;

  constructor({ order }: Pick<Stream, 'order'>, { key }: Listing) {
    this.#time = order.findIndex(({ kind }) => kind === 'moving');
    this.#isWhole = key === '';
  }

  /** The page at this position; null if it is not known. */
  at({ offset, limit }: PagePosition): KnownPage | null {
    const page = this.#pages.get(offset);
    return page?.observed.at.limit === limit ? page : null;
  }

  /** Takes note of a page that was read and validated. */
  note(read: ReadPage, observed: ObservedPage, versions: () => KnownPage['versions']): void {
    const { at, records } = observed;
    if (records.some(({ key, content }) => key !== null && (this.#contents.get(key) ?? content) !== content)) {
      this.#forget();
    }
    const keyed = records.filter(({ key }) => key !== null);
    const isDoubled = new Set(keyed.map(({ key }) => key)).size < keyed.length;
    if (read.suspect !== null || !this.#isWorth(observed) || isDoubled) return;
    const page = { ...read.page, records: read.page.records.map(() => null) };
    this.#pages.set(at.offset, { hash: shortHash(read.text), page, observed, versions: versions() });
    for (const { key, content } of records) if (key !== null) this.#contents.set(key, content);
  }

  #forget(): void {
    this.#pages.clear();
    this.#contents.clear();
  }

  /** The first page, and in a list whose newest rows come first those of the newest minutes. */
  #isWorth({ at, records }: ObservedPage): boolean {
    const newest = Math.max(...records.map((record) => this.#timeOf(record)));
    if (at.offset === 0) {
      this.#newest = newest;
      return true;
    }
    const isYoung = newest <= this.#newest && newest >= this.#newest - YOUNG_MS && Number.isFinite(newest);
    return isYoung && this.#isWhole && this.#contents.size <= MOST_ROWS - records.length;
  }

  #timeOf({ sort }: SeenRecord): number {
    const time = sort[this.#time];
    return typeof time === 'number' ? time : Number.NEGATIVE_INFINITY;
  }
}
