import type { Scope } from '../../core/account.ts';
import { gravest, type Suspicion } from '../../core/certificate.ts';
import { ApiMissing, ParameterRefused, SyncError } from '../../core/errors.ts';
import type { PageSource } from '../../core/ports.ts';
import {
  callFor,
  type Dialect,
  type Listing,
  type Page,
  type PagePosition,
  unlearntSpelling,
} from '../../core/stream/endpoint.ts';
import { parseJson, shortHash } from '../../core/stream/json.ts';
import { contradictions, requestedValues, statesAllRequestedValues } from '../../core/stream/request-check.ts';
import type { Stream } from '../../core/stream/stream.ts';
import { type Drift, errorDrift } from '../../core/stream/validate.ts';
import { ALL_ENTERPRISE_PROJECTS } from '../../core/sweep.ts';
import type { KnownPage } from './known-pages.ts';

/** An answer of the API with everything known about its reliability. */
export interface ReadPage {
  readonly page: Page;
  /** The text that `page` was parsed from. */
  readonly text: string;
  /** Server time of the answer, in ms; null if it has none. */
  readonly serverTime: number | null;
  /** Why the answer proves nothing; null if it is credible. */
  readonly suspect: Suspicion | null;
  /** The answer was generated before the request was sent. */
  readonly isOld: boolean;
  /** Drift that concerns the answer as a whole. */
  readonly drift: readonly Drift[];
  /** The record may be stored. In an answer to another request, only records that state where they belong may. */
  readonly isRow: (record: unknown) => boolean;
}

/** Number of requests, including retries and refused spellings. */
export interface RequestCounts {
  requests: number;
  throttled: number;
}

/** After this number of repetitions without effect a run stops repeating, because the cause does not pass. */
const MOST_FAILED_REPEATS = 3;

/** The default enterprise project, which HSS lists if the request names none. */
export const DEFAULT_PROJECT = '0';

/** One page to read. */
export interface PageRequest {
  readonly listing: Listing;
  readonly at: PagePosition;
  /** The requests for the page are added to it, on success and on failure. */
  readonly counts: RequestCounts;
  /** Its page is returned if the answer has the same text and is credible; null or absent without an earlier reading. */
  readonly known?: Pick<KnownPage, 'hash' | 'page'> | null;
  /** The whole list is read, not only its newest end. */
  readonly isFull?: boolean;
}

interface ReaderOptions {
  readonly source: PageSource;
  readonly stream: Stream;
  readonly scope: Scope;
  readonly dialect: Dialect;
  readonly signal: AbortSignal;
}

/**
 * Key in `dialect.spellings`: the server accepts the value for all enterprise projects, because it returned rows for
 * it.
 */
const ACCEPTS_ALL = `enterprise_project_id=${ALL_ENTERPRISE_PROJECTS}`;

/**
 * Reads pages of a stream's listings in the dialect of the scope's server. If documents disagree about a path or a
 * spelling, the first page of a listing tries the variants in turn, and `dialect` stores the one that worked.
 */
export class PageReader {
  readonly #options: ReaderOptions;
  #dialect: Dialect;
  /** Lists that are empty for all enterprise projects but not for the default one. */
  readonly #defaultOnly = new Set<string>();
  /** Number of repeated requests whose answers were suspect again. */
  #failedRepeats = 0;
  /** `dialect` changed and should be stored. */
  learnt = false;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#dialect = options.dialect;
  }

  get dialect(): Dialect {
    return this.#dialect;
  }

  /** Requests are plentiful enough for prefetching. */
  get isPlentiful(): boolean {
    const { source, scope } = this.#options;
    return source.isPlentiful(scope);
  }

  /**
   * Reads a page. Throws a `SyncError` or the abort reason. If the first page of a full walk is empty for all
   * enterprise projects, it is also requested for the default one, because some lists ignore the value for all. Once
   * that value has returned rows of the stream, an empty list costs one request only, since a stream may have
   * thousands of empty lists.
   */
  async read(request: PageRequest): Promise<ReadPage> {
    const { listing, at, isFull = false } = request;
    if (at.offset > 0) return await this.#ask(request, this.#dialect);
    if (isFull) this.#defaultOnly.delete(listing.key);
    const read = await this.#firstPage(request);
    const { records, total } = read.page;
    const isEmpty = records.length === 0 && (total ?? 0) === 0;
    const { stream, scope } = this.#options;
    const asksForAll = stream.endpoint.enterpriseProjects && scope.enterpriseProjectId === ALL_ENTERPRISE_PROJECTS;
    if (!asksForAll || read.suspect !== null) return read;
    if (records.length > 0) this.#learnSpelling(ACCEPTS_ALL, ALL_ENTERPRISE_PROJECTS);
    const mayHide = isFull && isEmpty && this.#dialect.spellings[ACCEPTS_ALL] === undefined;
    return mayHide ? ((await this.#inDefaultProject({ ...request, known: null })) ?? read) : read;
  }

  /**
   * The first page for the default enterprise project, which the walk then reads on; null if it is empty there as well.
   */
  async #inDefaultProject(request: PageRequest): Promise<ReadPage | null> {
    const { key } = request.listing;
    this.#defaultOnly.add(key);
    try {
      const read = await this.#ask(request, this.#dialect);
      if (read.page.records.length > 0) return read;
    } catch (error) {
      // A refusal for this one project says nothing about the others.
      if (!(error instanceof SyncError) || error.recovery === 'stop-account') throw error;
    }
    this.#defaultOnly.delete(key);
    return null;
  }

  async #firstPage(request: PageRequest): Promise<ReadPage> {
    const { endpoint } = this.#options.stream;
    if (this.#dialect.generation === null && endpoint.paths.length > 1) return this.#tryGenerations(request);
    const disputed = unlearntSpelling(endpoint, request.listing, this.#dialect);
    if (disputed !== null) return this.#trySpellings(request, disputed);
    return this.#ask(request, this.#dialect);
  }

  /** The newest API version that exists answers with 200, even if the list is empty. */
  async #tryGenerations(request: PageRequest): Promise<ReadPage> {
    const { paths } = this.#options.stream.endpoint;
    for (let generation = 0; ; generation += 1) {
      try {
        const read = await this.#ask(request, { ...this.#dialect, generation });
        this.#learn({ ...this.#dialect, generation });
        return read;
      } catch (error) {
        if (!(error instanceof ApiMissing) || generation + 1 >= paths.length) throw error;
      }
    }
  }

  /** Only rows confirm a spelling, because a server may return an empty list for an unknown one. */
  async #trySpellings(
    request: PageRequest,
    { name, spellings }: { readonly name: string; readonly spellings: readonly string[] },
  ): Promise<ReadPage> {
    let empty: ReadPage | null = null;
    let refusal: unknown;
    for (const spelling of spellings) {
      const dialect = { ...this.#dialect, spellings: { ...this.#dialect.spellings, [name]: spelling } };
      try {
        const read = await this.#ask(request, dialect);
        if (read.page.records.length > 0) {
          this.#learn(dialect);
          return read;
        }
        empty ??= read;
      } catch (error) {
        if (!(error instanceof ParameterRefused)) throw error;
        refusal = error;
      }
    }
    if (empty !== null) return empty;
    throw refusal;
  }

  /** Repeats the request once, with another parameter order, if the answer is suspect. The better answer counts. */
  async #ask(request: PageRequest, dialect: Dialect): Promise<ReadPage> {
    const first = await this.#askOnce(request, dialect, { again: false });
    const isHopeless = first.suspect === 'default-project' || this.#failedRepeats >= MOST_FAILED_REPEATS;
    if (first.suspect === null || isHopeless) return first;
    try {
      const second = await this.#askOnce(request, dialect, { again: true });
      if (second.suspect !== null) this.#failedRepeats += 1;
      return second;
    } catch (error) {
      // If only the repetition fails, the first answer still counts.
      if (!(error instanceof SyncError) || error.recovery === 'stop-account') throw error;
      this.#failedRepeats += 1;
      return first;
    }
  }

  async #askOnce(
    { listing, at, known = null, counts }: PageRequest,
    dialect: Dialect,
    { again }: { readonly again: boolean },
  ): Promise<ReadPage> {
    const { source, stream, signal } = this.#options;
    const scope = this.#scopeOf(listing);
    const call = { ...callFor(stream, scope, { listing, at, dialect }), again };
    const parse = (text: string): Page => stream.paging.read(parseJson(text), at.offset);
    try {
      const answer = await source.read(scope, call, {
        parse: (text) => ({ text, page: known !== null && known.hash === shortHash(text) ? known.page : parse(text) }),
        signal,
      });
      addRequests(counts, answer.attempts, answer.throttled);
      const { serverTime, isOld, value } = answer;
      const judged = this.#judge(listing, value.page, isOld);
      if (judged.suspect === null || value.page !== known?.page) return { ...value, serverTime, ...judged };
      // The records of a suspect page are needed.
      const page = parse(value.text);
      return { ...value, page, serverTime, ...this.#judge(listing, page, isOld) };
    } catch (error) {
      const { attempts, throttled } = error instanceof SyncError ? error.context : {};
      addRequests(counts, attempts, throttled);
      throw error;
    }
  }

  /** Decides whether the answer matches the request, is complete and is current. */
  #judge(
    listing: Listing,
    { records, error }: Page,
    isOld: boolean,
  ): Pick<ReadPage, 'suspect' | 'isOld' | 'drift' | 'isRow'> {
    const { stream } = this.#options;
    const scope = this.#scopeOf(listing);
    const { window } = listing;
    const asked = { values: requestedValues(stream, scope, listing), projectId: scope.projectId, window };
    const others = contradictions(stream, asked, records);
    const isOther = others.length > 0;
    const reasons: Suspicion[] = [];
    if (isOther) reasons.push('other-list');
    if (error !== null) reasons.push('partial-answer');
    if (isOld) reasons.push('old-answer');
    return {
      suspect: gravest(reasons) ?? (this.#defaultOnly.has(listing.key) ? 'default-project' : null),
      isOld,
      drift: error === null ? others : [...others, errorDrift(error)],
      isRow: (record) => !isOther || statesAllRequestedValues(stream, asked, record),
    };
  }

  #scopeOf({ key }: Listing): Scope {
    const { scope } = this.#options;
    return this.#defaultOnly.has(key) ? { ...scope, enterpriseProjectId: DEFAULT_PROJECT } : scope;
  }

  #learnSpelling(name: string, spelling: string): void {
    if (this.#dialect.spellings[name] === spelling) return;
    this.#learn({ ...this.#dialect, spellings: { ...this.#dialect.spellings, [name]: spelling } });
  }

  #learn(dialect: Dialect): void {
    this.#dialect = dialect;
    this.learnt = true;
  }
}

function addRequests(counts: RequestCounts, requests: unknown, throttled: unknown): void {
  if (typeof requests === 'number') counts.requests += requests;
  if (typeof throttled === 'number') counts.throttled += throttled;
}
