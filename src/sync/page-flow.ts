import { ParameterRefused } from '../core/errors.ts';
import type { Listing } from '../core/listing.ts';
import type { At, Page } from '../core/paging.ts';
import type { Origin, Row } from '../core/record.ts';
import type { WalkSink } from '../core/store.ts';
import type { Stream } from '../core/stream.ts';
import { validate } from '../core/validate.ts';
import { endOf, type Look, type Step } from '../core/walk/look.ts';
import { Foresight } from './foresight.ts';
import type { PageReader, ReadPage } from './page-reader.ts';

export interface Progress {
  readonly listing: Listing;
  readonly offset: number;
  readonly total: number | null;
}

export interface FlowParts {
  readonly stream: Stream;
  readonly listing: Listing;
  readonly origin: Origin;
  readonly load: WalkSink;
  readonly reader: PageReader;
  readonly signal: AbortSignal;
  readonly onPage: (progress: Progress) => void;
  readonly onDrift: (drift: readonly string[]) => void;
}

/** Pages handed to the writer and not yet committed: a bound for the memory, about 1 MB each. */
const MOST_UNCOMMITTED = 10;

/**
 * The pages of one walk, from the API to the walk and to the writer. Under a quota each page is committed before the next
 * is asked for. Where requests are plentiful the next page is on its way while this one is validated, and the writer
 * follows behind; pages are still taken one after the other and in the order the walk asks for them, so they prove the
 * same, and nothing may be concluded before `settle`.
 */
export class PageFlow {
  readonly #parts: FlowParts;
  /** Refuse rows whose stored content is newer: for anything but a full walk. */
  readonly #refuseOlder: boolean;
  readonly #fast: boolean;
  readonly #foresight: Foresight;
  #ahead: { readonly at: At; readonly page: Promise<ReadPage> } | null = null;
  #uncommitted: Promise<number>[] = [];
  #first: readonly Row[] | null = null;
  #last: readonly Row[] = [];

  constructor(parts: FlowParts, refuseOlder: boolean) {
    this.#parts = parts;
    this.#refuseOlder = refuseOlder;
    // A head walk needs to know of each page what was new in it.
    this.#fast = parts.reader.isPlentiful && !refuseOlder;
    this.#foresight = new Foresight(parts.stream.paging);
  }

  /** Rows of the first and the last page taken. */
  get sample(): readonly Row[] {
    return [...(this.#first ?? []), ...this.#last];
  }

  async take({ at, mayRefuse }: Step): Promise<Look> {
    const { signal } = this.#parts;
    signal.throwIfAborted();
    let read: ReadPage;
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
    const { reader, load } = this.#parts;
    await this.#drop();
    await Promise.all(this.#uncommitted.splice(0));
    const { requests, throttled } = reader.spent;
    if (requests === 0) return;
    await load.spent(requests, throttled);
    reader.booked({ requests, throttled });
  }

  /** After a failure: whatever is under way ends, and how it ended does not matter any more. */
  async abandon(): Promise<void> {
    await this.#drop();
    await Promise.allSettled(this.#uncommitted.splice(0));
  }

  async #read(at: At): Promise<ReadPage> {
    this.#foresight.observe(at);
    const ahead = this.#ahead;
    if (ahead !== null && ahead.at.offset === at.offset && ahead.at.limit === at.limit) {
      this.#ahead = null;
      return await ahead.page;
    }
    await this.#drop();
    return await this.#parts.reader.read(this.#parts.listing, at);
  }

  #readAhead(at: At, page: Page): void {
    const next = this.#foresight.after(at, page);
    if (next === null) return;
    const reading = this.#parts.reader.read(this.#parts.listing, next);
    // Whoever takes the page hears of its failure; a page nobody takes may fail unheard.
    reading.catch(() => {});
    this.#ahead = { at: next, page: reading };
  }

  /** Pages are taken one after the other, so a guess that was wrong is awaited before the next request. */
  async #drop(): Promise<void> {
    await this.#ahead?.page.catch(() => {});
    this.#ahead = null;
  }

  async #hand(at: At, { page, requests, throttled }: ReadPage): Promise<Look> {
    const { stream, listing, origin, load } = this.#parts;
    const { rows, rejects, seen } = validate(stream, page.records, origin, listing.key);
    this.#first ??= rows.map(({ row }) => row);
    if (rows.length > 0) this.#last = rows.map(({ row }) => row);
    const look = { at, records: seen, total: page.total, lastUpdateTime: page.lastUpdateTime, rejects: rejects.length };
    const progress = { offset: endOf(look), total: page.total };
    const write = { listing, rows, rejects, requests, throttled, progress, refuseOlder: this.#refuseOlder };
    const committed = this.#committed(load.page(write), { requests, throttled }, progress);
    if (!this.#fast) return { ...look, inserted: await committed };
    committed.catch(() => {});
    this.#uncommitted.push(committed);
    if (this.#uncommitted.length >= MOST_UNCOMMITTED) await this.#uncommitted.shift();
    return look;
  }

  async #committed(
    writing: ReturnType<WalkSink['page']>,
    spending: Omit<ReadPage, 'page'>,
    progress: Omit<Progress, 'listing'>,
  ): Promise<number> {
    const { inserted, newDrift } = await writing;
    const { listing, reader, onPage, onDrift } = this.#parts;
    reader.booked(spending);
    onPage({ listing, ...progress });
    if (newDrift.length > 0) onDrift(newDrift);
    return inserted;
  }
}
