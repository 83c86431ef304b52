import type { PlannedListing } from '../../core/due.ts';
import { ParameterRefused } from '../../core/errors.ts';
import type { PageResult, PageWrite, RowChange, WalkSink } from '../../core/store.ts';
import type { Listing, PagePosition } from '../../core/stream/endpoint.ts';
import { parseJson } from '../../core/stream/json.ts';
import type { Origin, Row } from '../../core/stream/record.ts';
import type { Stream } from '../../core/stream/stream.ts';
import { orderDrift, validate } from '../../core/stream/validate.ts';
import { endOf, type ObservedPage, type Step } from '../../core/walk/observed-page.ts';
import type { WalkState } from '../../core/walk/walk-state.ts';
import { type KnownPage, KnownPages } from './known-pages.ts';
import { DuplicateKeys, type KeyVerdict, NewestShown, PastEnd } from './page-filters.ts';
import type { PageReader, ReadPage, RequestCounts } from './page-reader.ts';

/** How far a listing has been read, in rows; `total` is the list's own count, null without one. */
export interface Progress {
  readonly listing: Listing;
  readonly offset: number;
  readonly total: number | null;
}

/** Dependencies of a page flow. */
export interface FlowParts {
  /** Mode of the walk; absent means no full walk. */
  readonly mode?: PlannedListing['mode'];
  readonly stream: Stream;
  readonly listing: Listing;
  readonly origin: Origin;
  readonly sink: WalkSink;
  readonly reader: PageReader;
  readonly signal: AbortSignal;
  readonly onPage: (progress: Progress) => void;
  readonly onDrift: (drift: readonly string[]) => void;
  /** Versions shown by other listings of the same run; absent if there are none. */
  readonly newest?: NewestShown;
  /** The keys and contents that the walk has seen. */
  readonly walkState: Pick<WalkState, 'seen' | 'hasShown'>;
  /** Keys with several records (`Checkpoint.doubled`); default none. */
  readonly doubled?: Readonly<Record<string, string>>;
  /** Keep a stored row that is newer: true for every walk that does not read the whole list. */
  readonly refuseOlder: boolean;
}

/** Numbers of rows that were new or had other content, and of those that were new or had been marked as gone. */
export type RowChanges = Readonly<Record<'rows' | 'arrived', number>>;

/** Takes the pages of one walk from the API to the walk and to the tables. */
export interface PageFlow {
  /** Reads one page and writes its rows. Throws what the reader or the writer throws. */
  take(step: Step): Promise<ObservedPage>;
  /**
   * Waits until every page is committed, and stores the number of requests without a page. Throws what the writer
   * threw.
   */
  settle(): Promise<void>;
  /**
   * Writes the rows that waited for the walk's verdict on keys with two contents. Returns the keys with several
   * records, for the checkpoint.
   */
  release(verdict: KeyVerdict): Promise<Readonly<Record<string, string>>>;
  /** After a failure: writes the pages already read and counts their requests, as far as still possible. */
  abandon(): Promise<void>;
  /** Every record is a stored row of this listing: no rejects, no rows of other lists, no suspect page. */
  readonly isPlain: boolean;
  readonly changes: RowChanges;
  /** A row was not written because the stored one has a later version. */
  readonly hasKeptNewer: boolean;
  /** Rows of the first and the last page. */
  readonly sample: readonly Row[];
  /** The key was on a prefetched page that the walk did not use. */
  wasPrefetched(key: string): boolean;
}

/** Commits each page before requesting the next one. Used under a quota. */
export class SequentialFlow implements PageFlow {
  readonly #steps: PageSteps;
  readonly #signal: AbortSignal;

  constructor(parts: FlowParts) {
    this.#steps = new PageSteps(parts);
    this.#signal = parts.signal;
  }

  get isPlain(): boolean {
    return this.#steps.isPlain;
  }

  get changes(): RowChanges {
    return this.#steps.changes;
  }

  get hasKeptNewer(): boolean {
    return this.#steps.hasKeptNewer;
  }

  get sample(): readonly Row[] {
    return this.#steps.sample;
  }

  async take({ at, mayRefuse }: Step): Promise<ObservedPage> {
    this.#signal.throwIfAborted();
    try {
      const { observed, rows } = this.#steps.accept(at, await this.#steps.read(at));
      return { ...observed, ...(await this.#steps.write(rows === null ? [] : [rows])) };
    } catch (error) {
      if (!mayRefuse || !(error instanceof ParameterRefused)) throw error;
      await this.settle();
      return refusedPage(at);
    }
  }

  async settle(): Promise<void> {
    await this.#steps.countRequests();
  }

  async release(verdict: KeyVerdict): Promise<Readonly<Record<string, string>>> {
    const { rows, doubled } = this.#steps.release(verdict);
    if (rows !== null) await this.#steps.write([rows]);
    return doubled;
  }

  async abandon(): Promise<void> {
    await this.release('open').catch(() => {});
    await this.settle().catch(() => {});
  }

  wasPrefetched(): boolean {
    return false;
  }
}

/** What the walk receives if the API refuses an offset. */
export function refusedPage(at: PagePosition): ObservedPage {
  return { at, records: [], total: null, lastUpdateTime: null, rejects: 0, refused: true };
}

/** A page with the requests it took. If the answer has the text of a known page, it has no records of its own. */
export type CountedPage = ReadPage & { readonly counts: Readonly<RequestCounts>; readonly known: KnownPage | null };

/** The part of a page that is written. */
export type RowsOfPage = Required<Pick<PageWrite, 'rows' | 'rejects' | 'progress' | 'isOld' | 'drift'>>;

/** Rows that were not in the table (`inserted`), or were stored with other content (`changed`). */
export type WriteResult = Pick<PageResult, 'inserted' | 'changed'>;

/** A page as the walk sees it, and its rows; null if they are already stored. */
interface AcceptedPage {
  readonly observed: ObservedPage;
  readonly rows: RowsOfPage | null;
}

/** The steps of every flow for a page: read, validate, write. Counts requests and keeps state across pages. */
export class PageSteps {
  readonly #parts: FlowParts;
  readonly #duplicateKeys: DuplicateKeys;
  readonly #pastEnd = new PastEnd();
  readonly #newest: NewestShown;
  readonly #known: KnownPages;
  #progress: RowsOfPage['progress'] = { offset: 0, total: null };
  /** Requests that no write has stored yet. */
  #uncounted: RequestCounts = { requests: 0, throttled: 0 };
  #isPlain = true;
  readonly changes = { rows: 0, arrived: 0 };
  #hasKeptNewer = false;
  #first: readonly Row[] | null = null;
  #last: readonly Row[] = [];

  constructor(parts: FlowParts) {
    this.#parts = parts;
    const { stream, listing, walkState, doubled = {}, refuseOlder } = parts;
    this.#newest = parts.newest ?? new NewestShown(stream);
    this.#known = new KnownPages(stream, listing);
    this.#duplicateKeys = new DuplicateKeys({
      stream,
      listingKey: listing.key,
      walkState,
      known: doubled,
      isFull: !refuseOlder,
    });
  }

  get isPlain(): boolean {
    return this.#isPlain;
  }

  get hasKeptNewer(): boolean {
    return this.#hasKeptNewer;
  }

  get sample(): readonly Row[] {
    return [...(this.#first ?? []), ...this.#last];
  }

  /** Reads a page. Counts the requests of a failure at once; those of a page are counted when the page is accepted. */
  async read(at: PagePosition): Promise<CountedPage> {
    const { reader, listing, mode } = this.#parts;
    const counts = { requests: 0, throttled: 0 };
    try {
      const known = this.#known.at(at);
      const read = await reader.read({ listing, at, counts, known, isFull: mode === 'full' });
      return { ...read, counts, known: known !== null && read.page === known.page ? known : null };
    } catch (error) {
      this.#count(counts);
      throw error;
    }
  }

  /** Validates a page that the walk uses. `rows` is null for a known page ({@link KnownPages}). */
  accept(at: PagePosition, read: CountedPage): AcceptedPage {
    const accepted = this.acceptPrefetched(at, read);
    const sample = accepted.rows?.rows.map(({ row }) => row) ?? [];
    this.#first ??= sample;
    if (sample.length > 0) this.#last = sample;
    return accepted;
  }

  /** Validates a prefetched page that the walk does not use, without adding it to the sample. */
  acceptPrefetched(at: PagePosition, answer: CountedPage): AcceptedPage {
    const { stream, listing, origin } = this.#parts;
    const { known, serverTime, suspect } = answer;
    this.#count(answer.counts);
    if (known !== null && this.#known.at(at) === known) {
      this.#newest.takeAgain(known.versions, serverTime);
      return { observed: { ...known.observed, at, serverTime }, rows: null };
    }
    // The page before may have shown a row of a known page with other content after this page was requested.
    const page = known === null ? answer.page : stream.paging.read(parseJson(answer.text), at.offset);
    const read = { ...answer, page };
    const { total, lastUpdateTime } = page;
    const valid = validate(stream, page.records, { origin, listingKey: listing.key, text: read.text });
    const { seen } = valid;
    const sorted =
      suspect === null ? this.#duplicateKeys.sort(valid.rows) : { rows: valid.rows, rejects: [], drift: [] };
    const rejects = [...valid.rejects, ...sorted.rejects];
    if (suspect !== null || rejects.length > 0 || sorted.rows.some(({ row }) => isStray(listing, row))) {
      this.#isPlain = false;
    }
    const suspicion = suspect === null ? {} : { suspect };
    const shown = { at, records: seen, total, lastUpdateTime, serverTime, rejects: rejects.length, ...suspicion };
    const observed = this.#pastEnd.clip(shown);
    const isPastEnd = observed !== shown;
    this.#known.note(read, observed, () => this.#newest.versionsOf(sorted.rows));
    const believed = suspect === null ? sorted.rows : sorted.rows.filter(({ record }) => read.isRow(record));
    this.#progress = { offset: endOf(observed), total };
    const rows = {
      rows: isPastEnd ? [] : this.#newest.take(believed, serverTime),
      rejects: isPastEnd || suspect === 'other-list' ? [] : rejects,
      progress: this.#progress,
      isOld: read.isOld,
      drift: suspect === null ? [...read.drift, ...sorted.drift, ...orderDrift(stream, seen)] : read.drift,
    };
    return { observed, rows };
  }

  /** The rows to write after the verdict on keys with two contents, without older versions; null if there are none. */
  release(verdict: KeyVerdict): { readonly rows: RowsOfPage | null; readonly doubled: DuplicateKeys['doubled'] } {
    const left = this.#duplicateKeys.release(verdict);
    const { doubled } = this.#duplicateKeys;
    if (left.rejects.length > 0) this.#isPlain = false;
    const rows = this.#newest.take(left.rows, null);
    if (rows.length + left.rejects.length === 0) return { rows: null, doubled };
    return { rows: { ...left, rows, progress: this.#progress, isOld: false }, doubled };
  }

  /** Commits pages, several in one transaction if the same rule applies to them. */
  async write(pages: readonly RowsOfPage[]): Promise<WriteResult> {
    const changes = new Map<string, RowChange>();
    let rowsInserted = 0;
    // An answer that may be older than the table must not overwrite newer rows.
    for (let from = 0; from < pages.length; ) {
      const differing = pages.findIndex((page, index) => index > from && page.isOld !== pages[from]?.isOld);
      const to = differing === -1 ? pages.length : differing;
      const { inserted, changed } = await this.#commit(pages.slice(from, to));
      rowsInserted += inserted;
      for (const [key, change] of changed) changes.set(key, change);
      from = to;
    }
    return { inserted: rowsInserted, changed: changes };
  }

  async #commit(pages: readonly RowsOfPage[]): Promise<WriteResult> {
    const last = pages.at(-1);
    if (last === undefined) return { inserted: 0, changed: new Map() };
    const { listing, sink, onPage, onDrift, refuseOlder } = this.#parts;
    const { progress, isOld } = last;
    const counts = this.#takeUncounted();
    try {
      const { inserted, changed, refused, newDrift } = await sink.page({
        listing,
        rows: pages.flatMap(({ rows }) => rows),
        rejects: pages.flatMap(({ rejects }) => rejects),
        ...counts,
        progress,
        refuseOlder: refuseOlder || isOld,
        isOld,
        drift: pages.flatMap(({ drift }) => drift),
      });
      if (refused > 0) this.#isPlain = false;
      this.changes.rows += changed.size;
      this.changes.arrived += [...changed.values()].filter((change) => change === 'new' || change === 'back').length;
      if (refuseOlder && changed.values().some((change) => change === 'older')) this.#hasKeptNewer = true;
      onPage({ listing, ...progress });
      if (newDrift.length > 0) onDrift(newDrift);
      return { inserted, changed };
    } catch (error) {
      this.#count(counts);
      throw error;
    }
  }

  /** Stores the number of requests that no write has stored. */
  async countRequests(): Promise<void> {
    const { requests, throttled } = this.#takeUncounted();
    if (requests > 0) await this.#parts.sink.countRequests(requests, throttled);
  }

  #count({ requests, throttled }: RequestCounts): void {
    this.#uncounted.requests += requests;
    this.#uncounted.throttled += throttled;
  }

  #takeUncounted(): RequestCounts {
    const taken = this.#uncounted;
    this.#uncounted = { requests: 0, throttled: 0 };
    return taken;
  }
}

/** The row states that it belongs to another list. */
function isStray({ params }: Listing, row: Row): boolean {
  for (const name in params) if (String(row[name]) !== params[name]) return true;
  return false;
}
