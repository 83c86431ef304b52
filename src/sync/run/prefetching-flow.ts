import { ParameterRefused } from '../../core/errors.ts';
import type { Page, PagePosition, Paging } from '../../core/stream/endpoint.ts';
import type { Row } from '../../core/stream/record.ts';
import { type ObservedPage, OVERLAP_ROWS, type Step } from '../../core/walk/observed-page.ts';
import { SeenKeys } from '../../core/walk/row-digest.ts';
import type { KeyVerdict } from './page-filters.ts';
import {
  type CountedPage,
  type FlowParts,
  type PageFlow,
  PageSteps,
  type RowChanges,
  type RowsOfPage,
  refusedPage,
} from './page-flow.ts';

/**
 * Number of rows of a COPY: two pages. Larger batches make a first load faster, but take more memory, because up to three
 * are in memory at a time, and more time where nothing changed.
 */
const ROWS_TOGETHER = 400;

/**
 * Flow for full walks if requests are plentiful: the next page is requested while this one is validated, and the writer
 * takes several pages at a time. The walk still receives the pages in the order of its requests, so they prove the
 * same. Nothing may be concluded before `settle`.
 */
export class PrefetchingFlow implements PageFlow {
  readonly #steps: PageSteps;
  readonly #signal: AbortSignal;
  readonly #prefetcher: PagePrefetcher;
  /** The prefetched page. */
  #prefetched: { readonly at: PagePosition; readonly page: Promise<CountedPage> } | null = null;
  #waiting: RowsOfPage[] = [];
  #writing: Promise<unknown> = Promise.resolve();
  readonly #prefetchedKeys = new SeenKeys();

  constructor(parts: FlowParts) {
    this.#steps = new PageSteps(parts);
    this.#signal = parts.signal;
    this.#prefetcher = new PagePrefetcher(parts.stream.paging);
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

  wasPrefetched(key: string): boolean {
    return this.#prefetchedKeys.has(key);
  }

  async take({ at, mayRefuse }: Step): Promise<ObservedPage> {
    this.#signal.throwIfAborted();
    let read: CountedPage;
    try {
      read = await this.#read(at);
    } catch (error) {
      if (!mayRefuse || !(error instanceof ParameterRefused)) throw error;
      await this.settle();
      return refusedPage(at);
    }
    this.#prefetch(at, read.page);
    const { observed, rows: taken } = this.#steps.accept(at, read);
    if (taken !== null) this.#waiting.push(taken);
    if (this.#waiting.reduce((sum, { rows }) => sum + rows.length, 0) >= ROWS_TOGETHER) {
      // Prepares the statements for these rows while Postgres is busy with the rows before.
      const before = this.#writing;
      this.#writing = this.#write();
      this.#writing.catch(() => {});
      await before;
    }
    return observed;
  }

  async settle(): Promise<void> {
    await this.#dropPrefetched();
    await this.#write();
    await this.#writing;
    await this.#steps.countRequests();
  }

  async release(verdict: KeyVerdict): Promise<Readonly<Record<string, string>>> {
    const { rows, doubled } = this.#steps.release(verdict);
    if (rows !== null) {
      this.#waiting.push(rows);
      await this.#write();
    }
    return doubled;
  }

  async abandon(): Promise<void> {
    await this.release('open').catch(() => {});
    await this.settle().catch(() => {});
    await this.#steps.countRequests().catch(() => {});
  }

  async #write(): Promise<void> {
    await this.#steps.write(this.#waiting.splice(0));
  }

  async #read(at: PagePosition): Promise<CountedPage> {
    this.#prefetcher.observe(at);
    const prefetched = this.#prefetched;
    if (prefetched !== null && prefetched.at.offset === at.offset && prefetched.at.limit === at.limit) {
      this.#prefetched = null;
      return await prefetched.page;
    }
    await this.#dropPrefetched();
    return await this.#steps.read(at);
  }

  #prefetch(at: PagePosition, page: Page): void {
    const next = this.#prefetcher.after(at, page);
    if (next === null) return;
    const prefetched = this.#steps.read(next);
    // A failure is thrown when the page is taken. A page that is never taken may fail silently.
    prefetched.catch(() => {});
    this.#prefetched = { at: next, page: prefetched };
  }

  /**
   * Waits for a prefetched page that the walk does not use, before the next request. Its rows are stored, because no
   * later page may be as new, and they do not count as missing.
   */
  async #dropPrefetched(): Promise<void> {
    const prefetched = this.#prefetched;
    this.#prefetched = null;
    if (prefetched === null) return;
    await prefetched.page.then(
      (read) => {
        const { observed, rows } = this.#steps.acceptPrefetched(prefetched.at, read);
        if (rows !== null) this.#waiting.push(rows);
        for (const { key } of observed.records) if (key !== null) this.#prefetchedKeys.add(key);
      },
      () => {},
    );
  }
}

/**
 * Predicts the next page of a walk from the overlap of its pages so far. A wrong prediction costs one request and
 * proves nothing. After one, no page is prefetched until a prediction would have been right.
 */
class PagePrefetcher {
  readonly #paging: Pick<Paging, 'kind' | 'cap'>;
  #end = 0;
  #guess: number | null = null;
  #shared = OVERLAP_ROWS;
  #looksAtTop = 0;
  #trusted = true;

  constructor(paging: Pick<Paging, 'kind' | 'cap'>) {
    this.#paging = paging;
  }

  /** Records that the walk requests this page. */
  observe({ offset }: PagePosition): void {
    if (offset === 0) this.#looksAtTop += 1;
    if (this.#guess !== null) this.#trusted = this.#guess === offset;
    if (this.#guess !== null && offset > 0 && offset < this.#end) this.#shared = this.#end - offset;
  }

  /** The page that probably follows; null if it is not worth a request. */
  after({ offset, limit }: PagePosition, { records, total }: Page): PagePosition | null {
    const { kind, cap } = this.#paging;
    this.#end = offset + records.length;
    const isLast = records.length < limit || (total !== null && this.#end >= total);
    // Most walks end by reading the first page again.
    const isClosing = offset === 0 && this.#looksAtTop > 1;
    const isBeyond = cap !== null && total !== null && total >= cap;
    this.#guess = kind !== 'offset' || isLast || isClosing || isBeyond ? null : this.#end - this.#shared;
    return this.#guess === null || !this.#trusted ? null : { offset: this.#guess, limit };
  }
}
