import type { Planned } from '../../core/due.ts';
import { ParameterRefused } from '../../core/errors.ts';
import type { PageResult, PageWrite, RowChange, WalkSink } from '../../core/store.ts';
import type { At, Listing, Page } from '../../core/stream/endpoint.ts';
import type { Origin, Row } from '../../core/stream/record.ts';
import type { Stream } from '../../core/stream/stream.ts';
import { orderDrift, validate } from '../../core/stream/validate.ts';
import { endOf, type ObservedPage, type Step } from '../../core/walk/observed-page.ts';
import { SeenKeys } from '../../core/walk/row-digest.ts';
import type { WalkState } from '../../core/walk/walk-state.ts';
import { type KeyVerdict, NewestShown, PastEnd, Rivals } from './page-filters.ts';
import { PagePrefetcher } from './page-prefetcher.ts';
import type { Bill, PageReader, ReadPage } from './page-reader.ts';

export interface Progress {
  readonly listing: Listing;
  readonly offset: number;
  readonly total: number | null;
}

export interface FlowParts {
  /** How much of the listing was planned to be read. */
  readonly mode?: Planned['mode'];
  readonly stream: Stream;
  readonly listing: Listing;
  readonly origin: Origin;
  readonly sink: WalkSink;
  readonly reader: PageReader;
  readonly signal: AbortSignal;
  readonly onPage: (progress: Progress) => void;
  readonly onDrift: (drift: readonly string[]) => void;
  /** What other readings of the same rows were shown in this run; nothing where absent. */
  readonly newest?: NewestShown;
  /** What the walk has seen so far. */
  readonly walkState: Pick<WalkState, 'seen' | 'hasShown'>;
  /** Keys that several records have (`Checkpoint.doubled`); none unless said. */
  readonly doubled?: Readonly<Record<string, string>>;
}

/** The first page of a list, and its rows. */
interface Top extends ReadPage {
  readonly observed: ObservedPage;
  readonly contents: ReadonlyMap<string | null, string>;
}

/** A page with what it took to read it. */
type Billed = ReadPage & { readonly bill: Readonly<Bill> };

/** What is written of a page. */
type Taken = Required<Pick<PageWrite, 'rows' | 'rejects' | 'progress' | 'isOld' | 'drift'>>;

/**
 * Rows a COPY takes where requests are plentiful: about three pages. Larger batches were not faster, and each holds some 1 MB;
 * three batches are alive at a time: one is written, one is ready, one is gathered (bench end-to-end, docs/decisions.md D5).
 */
const ROWS_TOGETHER = 400;

/**
 * The pages of one walk, from the API to the walk and to the writer. Under a quota each page is committed before the next
 * is asked for. Where requests are plentiful the next page is on its way while this one is validated, and the writer
 * follows behind with several pages at a time; pages are still taken one after the other and in the order the walk asks
 * for them, so they prove the same, and nothing may be concluded before `settle`.
 */
export class PageFlow {
  readonly #parts: FlowParts;
  /** Refuse rows whose stored content is newer: for anything but a full walk. */
  readonly #refuseOlder: boolean;
  readonly #fast: boolean;
  readonly #prefetcher: PagePrefetcher;
  readonly #rivals: Rivals;
  #progress: Taken['progress'] = { offset: 0, total: null };
  #ahead: { readonly at: At; readonly page: Promise<Billed> } | null = null;
  #gathered: Taken[] = [];
  #writing: Promise<unknown> = Promise.resolve();
  /** Requests that are not counted yet. */
  #spent: Bill = { requests: 0, throttled: 0 };
  #isPlain = true;
  #changedRows = 0;
  readonly #pastEnd = new PastEnd();
  readonly #newest: NewestShown;
  readonly #aside = new SeenKeys();
  #first: readonly Row[] | null = null;
  #last: readonly Row[] = [];
  /** The newest first page of the list. Most walks end by asking for it again, and most lists have not moved. */
  #top: Top | null = null;

  constructor(parts: FlowParts, refuseOlder: boolean) {
    this.#parts = parts;
    this.#newest = parts.newest ?? new NewestShown(parts.stream);
    const { stream, listing, walkState, doubled = {} } = parts;
    this.#rivals = new Rivals({ stream, listingKey: listing.key, walkState, known: doubled, isFull: !refuseOlder });
    this.#refuseOlder = refuseOlder;
    // A head walk needs to know of each page what was new in it.
    this.#fast = parts.reader.isPlentiful && !refuseOlder;
    this.#prefetcher = new PagePrefetcher(parts.stream.paging);
  }

  /** Every record that was taken is a stored row of this very listing. */
  get isPlain(): boolean {
    return this.#isPlain;
  }

  /** Rows that were written because they were new or stored otherwise; those of pages taken over are not among them. */
  get changedRows(): number {
    return this.#changedRows;
  }

  /** The row was on a prefetched page that the walk did not use. */
  showedAside(key: string): boolean {
    return this.#aside.has(key);
  }

  /** Rows of the first and the last page taken. */
  get sample(): readonly Row[] {
    return [...(this.#first ?? []), ...this.#last];
  }

  async take({ at, mayRefuse }: Step): Promise<ObservedPage> {
    const { signal } = this.#parts;
    signal.throwIfAborted();
    let read: Billed;
    try {
      read = await this.#read(at);
    } catch (error) {
      if (!mayRefuse || !(error instanceof ParameterRefused)) throw error;
      await this.settle();
      return { at, records: [], total: null, lastUpdateTime: null, rejects: 0, refused: true };
    }
    if (this.#fast) this.#readAhead(at, read.page);
    return await this.#hand(at, read);
  }

  /** Waits until every page is committed, and counts the requests that brought none. Throws what the writer threw. */
  async settle(): Promise<void> {
    await this.#drop();
    await this.#write();
    await this.#writing;
    await this.#book();
  }

  /** Writes what waited for the walk's word on keys with two contents. */
  async release(verdict: KeyVerdict): Promise<Readonly<Record<string, string>>> {
    const left = this.#rivals.release(verdict);
    if (left.rejects.length > 0) this.#isPlain = false;
    if (left.rows.length + left.rejects.length > 0) {
      this.#gathered.push({ ...left, progress: this.#progress, isOld: false });
      await this.#write();
    }
    return this.#rivals.doubled;
  }

  /** After a failure: what was read is stored, and counted, as far as that is still possible. */
  async abandon(): Promise<void> {
    await this.release('open').catch(() => {});
    await this.settle().catch(() => {});
    await this.#book().catch(() => {});
  }

  async #read(at: At): Promise<Billed> {
    this.#prefetcher.observe(at);
    const ahead = this.#ahead;
    if (ahead !== null && ahead.at.offset === at.offset && ahead.at.limit === at.limit) {
      this.#ahead = null;
      return await ahead.page;
    }
    await this.#drop();
    return await this.#ask(at);
  }

  async #ask(at: At): Promise<Billed> {
    const { reader, listing } = this.#parts;
    const bill = { requests: 0, throttled: 0 };
    try {
      const known = at.offset === 0 ? this.#top : null;
      const read = await reader.read(listing, at, bill, { known, isFull: this.#parts.mode === 'full' });
      return { ...read, bill };
    } catch (error) {
      this.#spend(bill);
      throw error;
    }
  }

  #readAhead(at: At, page: Page): void {
    const next = this.#prefetcher.after(at, page);
    if (next === null) return;
    const reading = this.#ask(next);
    // The failure is thrown to the caller that takes the page; a page that is never taken may fail without an error.
    reading.catch(() => {});
    this.#ahead = { at: next, page: reading };
  }

  /**
   * Pages are taken one after the other, so a guess that was wrong is awaited before the next request. The walk does not
   * learn of it, but what it showed is stored, since no later page need be as new, and it is not missing.
   */
  async #drop(): Promise<void> {
    const ahead = this.#ahead;
    this.#ahead = null;
    if (ahead === null) return;
    await ahead.page.then(
      (read) => {
        const { observed } = this.#keep(ahead.at, read);
        for (const { key } of observed.records) if (key !== null) this.#aside.add(key);
      },
      () => {},
    );
  }

  async #hand(at: At, read: Billed): Promise<ObservedPage> {
    const { observed, rows } = this.#keep(at, read);
    this.#first ??= rows;
    if (rows.length > 0) this.#last = rows;
    if (!this.#fast) return { ...observed, ...(await this.#write()) };
    if (this.#gathered.reduce((sum, taken) => sum + taken.rows.length, 0) >= ROWS_TOGETHER) {
      // What Postgres is asked about these rows is made ready while it is still busy with those before.
      const before = this.#writing;
      this.#writing = this.#write();
      this.#writing.catch(() => {});
      await before;
    }
    return observed;
  }

  /** Makes rows of a page and gathers them for the writer. */
  #keep(at: At, read: Billed): { readonly observed: ObservedPage; readonly rows: readonly Row[] } {
    const { stream, listing, origin } = this.#parts;
    const { page, serverTime, suspect } = read;
    this.#spend(read.bill);
    // Its rows are the newest that the writer has of them.
    if (this.#top?.page === page && suspect === null)
      return { observed: { ...this.#top.observed, at, serverTime }, rows: [] };
    const valid = validate(stream, page.records, origin, listing.key);
    const { seen } = valid;
    const sorted = suspect === null ? this.#rivals.sort(valid.rows) : { rows: valid.rows, rejects: [], drift: [] };
    const { rows } = sorted;
    const rejects = [...valid.rejects, ...sorted.rejects];
    const doubt = suspect === null ? {} : { suspect };
    if (suspect !== null || rejects.length > 0 || rows.some(({ row }) => isStray(listing, row))) this.#isPlain = false;
    const { total, lastUpdateTime } = page;
    const shown = { at, records: seen, total, lastUpdateTime, serverTime, rejects: rejects.length, ...doubt };
    const observed = this.#pastEnd.clip(shown);
    const isClipped = observed !== shown;
    if (at.offset === 0 && suspect === null) {
      const contents = new Map(seen.map(({ key, content }) => [key, content]));
      this.#top = { ...read, observed, contents };
    } else if (this.#top !== null && differs(this.#top, observed)) this.#top = null;
    const taken = {
      rows: isClipped
        ? []
        : this.#newest.take(suspect === null ? rows : rows.filter(({ record }) => read.isRow(record))),
      rejects: isClipped || suspect === 'other-list' ? [] : rejects,
    };
    const progress = { offset: endOf(observed), total };
    this.#progress = progress;
    const drift = suspect === null ? [...read.drift, ...sorted.drift, ...orderDrift(stream, seen)] : read.drift;
    this.#gathered.push({ ...taken, progress, isOld: read.isOld, drift });
    return { observed, rows: taken.rows.map(({ row }) => row) };
  }

  /** Hands over what is gathered. Answers with the rows the table did not have, or had otherwise. */
  async #write(): Promise<Pick<PageResult, 'inserted' | 'changed'>> {
    const pages = this.#gathered.splice(0);
    const isOld = (page: Taken | undefined) => page?.isOld === true;
    const changes = new Map<string, RowChange>();
    let rowsInserted = 0;
    // What may be older than the table is written by another rule than what is not.
    while (pages.length > 0) {
      const next = pages.findIndex((page) => isOld(page) !== isOld(pages[0]));
      const { inserted, changed } = await this.#writeTogether(pages.splice(0, next === -1 ? pages.length : next));
      rowsInserted += inserted;
      for (const [key, change] of changed) changes.set(key, change);
    }
    return { inserted: rowsInserted, changed: changes };
  }

  async #writeTogether(pages: readonly Taken[]): Promise<Pick<PageResult, 'inserted' | 'changed'>> {
    const last = pages.at(-1);
    if (last === undefined) return { inserted: 0, changed: new Map() };
    const { listing, sink, onPage, onDrift } = this.#parts;
    const { progress, isOld } = last;
    const bill = this.#takeSpent();
    try {
      const { inserted, changed, refused, newDrift } = await sink.page({
        listing,
        rows: pages.flatMap(({ rows }) => rows),
        rejects: pages.flatMap(({ rejects }) => rejects),
        ...bill,
        progress,
        refuseOlder: this.#refuseOlder || isOld,
        isOld,
        drift: pages.flatMap(({ drift }) => drift),
      });
      if (refused > 0) this.#isPlain = false;
      this.#changedRows += changed.size;
      onPage({ listing, ...progress });
      if (newDrift.length > 0) onDrift(newDrift);
      return { inserted, changed };
    } catch (error) {
      this.#spend(bill);
      throw error;
    }
  }

  async #book(): Promise<void> {
    const { requests, throttled } = this.#takeSpent();
    if (requests > 0) await this.#parts.sink.spent(requests, throttled);
  }

  #spend({ requests, throttled }: Bill): void {
    this.#spent.requests += requests;
    this.#spent.throttled += throttled;
  }

  #takeSpent(): Bill {
    const spent = this.#spent;
    this.#spent = { requests: 0, throttled: 0 };
    return spent;
  }
}

/** The row says that it belongs to another list. */
function isStray({ params }: Listing, row: Row): boolean {
  for (const name in params) if (String(row[name]) !== params[name]) return true;
  return false;
}

/** A row was seen with another content since. */
function differs({ contents }: Top, { records }: ObservedPage): boolean {
  return records.some(({ key, content }) => (contents.get(key) ?? content) !== content);
}
