import type { Scope } from '../../core/account.ts';
import { gravest, type Suspicion } from '../../core/certificate.ts';
import { ApiMissing, ParameterRefused, SyncError } from '../../core/errors.ts';
import type { PageSource } from '../../core/ports.ts';
import {
  type At,
  callFor,
  type Dialect,
  type Listing,
  type Page,
  unlearntSpelling,
} from '../../core/stream/endpoint.ts';
import { parseJson } from '../../core/stream/json.ts';
import { contradictions, questionOf, speaksForItself } from '../../core/stream/question.ts';
import type { Stream } from '../../core/stream/stream.ts';
import { type Drift, errorDrift } from '../../core/stream/validate.ts';
import { ALL_ENTERPRISE_PROJECTS } from '../../core/sweep.ts';

export interface ReadPage {
  readonly page: Page;
  /** What `page` was read from. */
  readonly text: string;
  /** When the server answered, by its own clock, in ms; null when it did not say. */
  readonly serverTime: number | null;
  /** Why the answer proves nothing; null when it can be believed. */
  readonly suspect: Suspicion | null;
  /** It was given before it was asked for. */
  readonly isOld: boolean;
  /** What the answer as a whole says otherwise than it should. */
  readonly drift: readonly Drift[];
  /** The records that can be rows of a table; of an answer to another question those that say what they are. */
  readonly isRow: (record: unknown) => boolean;
}

/** Requests, retries and refused spellings included. */
export interface Bill {
  requests: number;
  throttled: number;
}

/** Repetitions without effect after which a run stops repeating: the cause is not one that passes. */
const MOST_IN_VAIN = 3;

/** The default enterprise project, which HSS shows where no other is named. */
export const DEFAULT_PROJECT = '0';

interface How {
  readonly known?: ReadPage | null;
  /** All of the list is read, not only what is new in it. */
  readonly isFull?: boolean;
}

interface Request {
  readonly listing: Listing;
  readonly at: At;
  readonly known: ReadPage | null;
  readonly bill: Bill;
}

interface ReaderOptions {
  readonly source: PageSource;
  readonly stream: Stream;
  readonly scope: Scope;
  readonly dialect: Dialect;
  readonly signal: AbortSignal;
}

/** Among the spellings that have brought rows: the value for all enterprise projects. */
const KNOWS_ALL = `enterprise_project_id=${ALL_ENTERPRISE_PROJECTS}`;

/**
 * Reads pages of a stream's listings in the way this scope's server wants to be asked. Where documents dispute a path or
 * a spelling, the first page of a listing tries them in turn; what worked is remembered in `dialect`.
 */
export class PageReader {
  readonly #options: ReaderOptions;
  #dialect: Dialect;
  /** Lists that are empty in all enterprise projects, and not in the default one. */
  readonly #defaultOnly = new Set<string>();
  /** Suspect answers that were no better when they were asked for again. */
  #inVain = 0;
  /** Set when `dialect` has learnt something worth storing. */
  learnt = false;

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

  /**
   * Adds what it costs to the bill, whether it succeeds or fails. Where the answer has the very text of `known`, that is
   * what comes back. The first page of a full reading is asked for in the default enterprise project as well where it is
   * empty in all of them: there are lists that do not know the value for all. Once that value has brought rows of the
   * stream, an empty list costs one request: a stream may have thousands of them.
   */
  async read(listing: Listing, at: At, bill: Bill, { known = null, isFull = false }: How = {}): Promise<ReadPage> {
    const request = { listing, at, known, bill };
    if (at.offset > 0) return await this.#ask(request, this.#dialect);
    if (isFull) this.#defaultOnly.delete(listing.key);
    const read = await this.#firstPage(request);
    const { records, total } = read.page;
    const isEmpty = records.length === 0 && (total ?? 0) === 0;
    const { stream, scope } = this.#options;
    const asksForAll = stream.endpoint.enterpriseProjects && scope.enterpriseProjectId === ALL_ENTERPRISE_PROJECTS;
    if (!asksForAll || read.suspect !== null) return read;
    if (records.length > 0) this.#learnSpelling(KNOWS_ALL, ALL_ENTERPRISE_PROJECTS);
    const mayHide = isFull && isEmpty && this.#dialect.spellings[KNOWS_ALL] === undefined;
    return mayHide ? ((await this.#inDefaultProject({ ...request, known: null })) ?? read) : read;
  }

  /** The first page in the default enterprise project, which is then read on; null when it is empty there as well. */
  async #inDefaultProject(request: Request): Promise<ReadPage | null> {
    const { key } = request.listing;
    this.#defaultOnly.add(key);
    try {
      const read = await this.#ask(request, this.#dialect);
      if (read.page.records.length > 0) return read;
    } catch (error) {
      // Not being allowed to see that one project says nothing about the others.
      if (!(error instanceof SyncError) || error.recovery === 'stop-account') throw error;
    }
    this.#defaultOnly.delete(key);
    return null;
  }

  async #firstPage(request: Request): Promise<ReadPage> {
    const { endpoint } = this.#options.stream;
    if (this.#dialect.generation === null && endpoint.paths.length > 1) return this.#tryGenerations(request);
    const disputed = unlearntSpelling(endpoint, request.listing, this.#dialect);
    if (disputed !== null) return this.#trySpellings(request, disputed);
    return this.#ask(request, this.#dialect);
  }

  /** The newest generation that exists answers with 200, be its list empty or not. */
  async #tryGenerations(request: Request): Promise<ReadPage> {
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

  /** A spelling is learnt only from rows: a server may answer an unknown one with an empty list instead of an error. */
  async #trySpellings(
    request: Request,
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

  /** A suspect answer is asked for once more, in another way; the better of the two counts. */
  async #ask(request: Request, dialect: Dialect): Promise<ReadPage> {
    const first = await this.#askOnce(request, dialect, false);
    const isHopeless = first.suspect === 'default-project' || this.#inVain >= MOST_IN_VAIN;
    if (first.suspect === null || isHopeless) return first;
    try {
      const second = await this.#askOnce(request, dialect, true);
      if (second.suspect !== null) this.#inVain += 1;
      return second;
    } catch (error) {
      // A refusal of the repetition is none of the page, which was answered.
      if (!(error instanceof SyncError) || error.recovery === 'stop-account') throw error;
      this.#inVain += 1;
      return first;
    }
  }

  async #askOnce({ listing, at, known, bill }: Request, dialect: Dialect, again: boolean): Promise<ReadPage> {
    const { source, stream, signal } = this.#options;
    const scope = this.#scopeOf(listing);
    const call = { ...callFor(stream, scope, { listing, at, dialect }), again };
    const parse = (text: string): Pick<ReadPage, 'text' | 'page'> =>
      text === known?.text ? known : { text, page: stream.paging.read(parseJson(text), at.offset) };
    try {
      const answer = await source.read(scope, call, { parse, signal });
      charge(bill, answer.attempts, answer.throttled);
      const { serverTime, isOld, value } = answer;
      return { ...value, serverTime, ...this.#judge(listing, value.page, isOld) };
    } catch (error) {
      const { attempts, throttled } = error instanceof SyncError ? error.context : {};
      charge(bill, attempts, throttled);
      throw error;
    }
  }

  /** Whether the answer is to what was asked, all of it, and of now. */
  #judge(
    listing: Listing,
    { records, error }: Page,
    isOld: boolean,
  ): Pick<ReadPage, 'suspect' | 'isOld' | 'drift' | 'isRow'> {
    const { stream } = this.#options;
    const scope = this.#scopeOf(listing);
    const { window } = listing;
    const asked = { question: questionOf(stream, scope, listing), projectId: scope.projectId, window };
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
      isRow: (record) => !isOther || speaksForItself(stream, asked, record),
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

function charge(bill: Bill, requests: unknown, throttled: unknown): void {
  if (typeof requests === 'number') bill.requests += requests;
  if (typeof throttled === 'number') bill.throttled += throttled;
}
