import type { Scope } from '../core/account.ts';
import { callFor, type Dialect, unlearntSpelling } from '../core/endpoint.ts';
import { NotFound, ParameterRefused, SyncError } from '../core/errors.ts';
import type { Listing } from '../core/listing.ts';
import type { At, Page } from '../core/paging.ts';
import type { PageSource } from '../core/ports.ts';
import type { Stream } from '../core/stream.ts';

/** Requests, retries and refused spellings included. */
export interface Spending {
  readonly requests: number;
  readonly throttled: number;
}

export interface ReadPage extends Spending {
  readonly page: Page;
}

/** What one read costs: several may be under way. */
type Bill = { -readonly [Name in keyof Spending]: Spending[Name] };

interface ReaderOptions {
  readonly source: PageSource;
  readonly stream: Stream;
  readonly scope: Scope;
  readonly dialect: Dialect;
  readonly signal: AbortSignal;
}

/**
 * Reads pages of a stream's listings in the way this scope's server wants to be asked. Where documents dispute a path or
 * a spelling, the first page of a listing tries them in turn; what worked is remembered in `dialect`.
 */
export class PageReader {
  readonly #options: ReaderOptions;
  #dialect: Dialect;
  /** Set when `dialect` has learnt something worth storing. */
  learnt = false;
  #requests = 0;
  #throttled = 0;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#dialect = options.dialect;
  }

  get dialect(): Dialect {
    return this.#dialect;
  }

  /** Whether a request may be spent on a guess. */
  get isPlentiful(): boolean {
    const { source, scope } = this.#options;
    return source.isPlentiful?.(scope) === true;
  }

  async read(listing: Listing, at: At): Promise<ReadPage> {
    const bill: Bill = { requests: 0, throttled: 0 };
    const page = await (at.offset === 0
      ? this.#firstPage(listing, at, bill)
      : this.#ask(listing, at, this.#dialect, bill));
    return { page, ...bill };
  }

  /** Requests, those of reads that failed included, that are in no run's counters yet. */
  get spent(): Spending {
    return { requests: this.#requests, throttled: this.#throttled };
  }

  /** They were written down: whatever goes wrong from here on must not count them again. */
  booked({ requests, throttled }: Spending = this.spent): void {
    this.#requests -= requests;
    this.#throttled -= throttled;
  }

  async #firstPage(listing: Listing, at: At, bill: Bill): Promise<Page> {
    const { endpoint } = this.#options.stream;
    if (this.#dialect.generation === null && endpoint.paths.length > 1) return this.#tryGenerations(listing, at, bill);
    const disputed = unlearntSpelling(endpoint, listing, this.#dialect);
    if (disputed !== null) return this.#trySpellings(listing, at, disputed, bill);
    return this.#ask(listing, at, this.#dialect, bill);
  }

  /** The newest generation that exists answers with 200, be its list empty or not. */
  async #tryGenerations(listing: Listing, at: At, bill: Bill): Promise<Page> {
    const { paths } = this.#options.stream.endpoint;
    for (let generation = 0; ; generation += 1) {
      try {
        const page = await this.#ask(listing, at, { ...this.#dialect, generation }, bill);
        this.#learn({ ...this.#dialect, generation });
        return page;
      } catch (error) {
        if (!(error instanceof NotFound) || generation + 1 >= paths.length) throw error;
      }
    }
  }

  /** A spelling is learnt only from rows: a server may answer an unknown one with an empty list instead of an error. */
  async #trySpellings(
    listing: Listing,
    at: At,
    { name, count }: { readonly name: string; readonly count: number },
    bill: Bill,
  ): Promise<Page> {
    let empty: Page | null = null;
    let refusal: unknown;
    for (let spelling = 0; spelling < count; spelling += 1) {
      const dialect = { ...this.#dialect, spellings: { ...this.#dialect.spellings, [name]: spelling } };
      try {
        const page = await this.#ask(listing, at, dialect, bill);
        if (page.records.length > 0) {
          this.#learn(dialect);
          return page;
        }
        empty ??= page;
      } catch (error) {
        if (!(error instanceof ParameterRefused)) throw error;
        refusal = error;
      }
    }
    if (empty !== null) return empty;
    throw refusal;
  }

  async #ask(listing: Listing, at: At, dialect: Dialect, bill: Bill): Promise<Page> {
    const { source, stream, scope, signal } = this.#options;
    const call = callFor(stream.endpoint, stream.paging, scope, listing, at, dialect);
    try {
      const answer = await source.read(scope, call, (body) => stream.paging.read(body), signal);
      this.#charge(bill, answer.attempts, answer.throttled);
      return answer.value;
    } catch (error) {
      const { attempts, throttled } = error instanceof SyncError ? error.context : {};
      const charged = (count: unknown) => (typeof count === 'number' ? count : 0);
      this.#charge(bill, charged(attempts), charged(throttled));
      throw error;
    }
  }

  #charge(bill: Bill, requests: number, throttled: number): void {
    bill.requests += requests;
    bill.throttled += throttled;
    this.#requests += requests;
    this.#throttled += throttled;
  }

  #learn(dialect: Dialect): void {
    this.#dialect = dialect;
    this.learnt = true;
  }
}
