import type { App } from '../app.ts';
import type { Scope } from '../core/account.ts';
import { isHot } from '../core/due.ts';
import { coerceError, Unreachable } from '../core/errors.ts';
import { fixedListings, type Listing } from '../core/stream/endpoint.ts';
import type { Stream, StreamScope } from '../core/stream/stream.ts';
import { counted } from '../core/text.ts';
import { PageReader } from '../sync/run/page-reader.ts';
import { windowsOf } from '../sync/run/read-windows.ts';
import type { Context } from './context.ts';

/** What a stream has to read in one scope. */
export interface LoadSize {
  /** Rows of each hot listing. */
  readonly hot: readonly number[];
  /** Rows of each closed window, where lists are read window by window; `hot` has the newest ones then. */
  readonly closed?: readonly number[];
  /** Listings that hardly ever change; before the first load all children, as what is in them is not known yet. */
  readonly cold: number;
  /** Where nothing is remembered of the stream in the scope: what was asked, or why there is no answer. */
  readonly unread: 'asked' | 'estimated' | { readonly problem: string } | null;
}

export class LoadSizes {
  readonly #app: App;
  readonly #asking: Asking;
  /** By stream and project: parents are looked up again for their children. */
  readonly #sizes = new Map<string, Promise<LoadSize>>();

  /** Hosts that gave no answer, and why: they are not asked again. */
  readonly #silent = new Map<string, string>();
  readonly #say: Context['say'];

  constructor(app: App, { signal, say }: Pick<Context, 'signal' | 'say'>) {
    this.#app = app;
    this.#asking = { source: app.source, signal };
    this.#say = say;
  }

  /** What is remembered; of a stream that was never read, what the API says: one request for each of its fixed lists. */
  of(stream: Stream, scope: Scope): Promise<LoadSize> {
    const key = `${stream.name} ${scope.projectId}`;
    const known = this.#sizes.get(key) ?? this.#find(stream, scope);
    this.#sizes.set(key, known);
    return known;
  }

  async #find(stream: Stream, scope: Scope): Promise<LoadSize> {
    const { store } = this.#app;
    const states = await store.states(stream, scope);
    if (states.size === 0 && stream.parent === undefined) return this.#ask(stream, scope);
    if (states.size === 0 && stream.parent !== undefined) {
      const above = await this.of(stream.parent.stream, scope);
      if (above.unread !== null) return childrenOf(above, stream.parent.listings?.length ?? 1);
    }
    const listings =
      stream.parent === undefined ? fixedListings(stream) : await store.childListings(stream.parent, scope);
    const hot: number[] = [];
    const closed: number[] = [];
    for (const listing of listings) {
      const state = states.get(listing.key) ?? null;
      if (!isHot(listing, state)) continue;
      const windows = windowsOf(this.#app.engine, { stream, listing, states });
      const [newest = 0, ...older] = windows.map(({ state: known }) => known?.checkpoint?.total ?? 0);
      hot.push(windows.length === 0 ? (state?.checkpoint?.total ?? 0) : newest);
      closed.push(...older);
    }
    return { hot, closed, cold: listings.length - hot.length, unread: states.size === 0 ? 'estimated' : null };
  }

  async #ask(stream: Stream, scope: Scope): Promise<LoadSize> {
    const hot: number[] = [];
    const host = `${scope.account} ${scope.region} ${stream.endpoint.service}`;
    const known = this.#silent.get(host);
    if (known !== undefined) return { hot: [], cold: 0, unread: { problem: known } };
    const closed: number[] = [];
    const lists = fixedListings(stream).map((listing) => {
      const [newest = { listing }, ...older] = windowsOf(this.#app.engine, { stream, listing, states: new Map() });
      return { newest: newest.listing, older: older.map((one) => one.listing) };
    });
    const requests = lists.reduce((sum, { older }) => sum + 1 + older.length, 0);
    this.#say(`Asking the API how long ${stream.name} is: ${counted(requests, 'request')} ...`);
    try {
      for (const { newest, older } of lists) {
        hot.push(await totalOf(this.#asking, { stream, scope }, newest));
        for (const one of older) closed.push(await totalOf(this.#asking, { stream, scope }, one));
      }
      return { hot, closed, cold: 0, unread: 'asked' };
    } catch (thrown) {
      this.#asking.signal.throwIfAborted();
      const error = coerceError(thrown);
      if (error instanceof Unreachable) this.#silent.set(host, error.message);
      return { hot: [], cold: 0, unread: { problem: error.message } };
    }
  }
}

/** Lists for each row of the parent, as far as the parent's count is known. */
function childrenOf({ hot, cold, unread }: LoadSize, each: number): LoadSize {
  if (unread !== 'asked' && unread !== 'estimated') return { hot: [], cold: 0, unread };
  return { hot: [], cold: (hot.reduce((sum, rows) => sum + rows, 0) + cold) * each, unread: 'estimated' };
}

export interface Asking {
  readonly source: App['source'];
  readonly signal: AbortSignal;
}

/** Number of rows that the API says a list has, by one request; of a list without a count, the rows of its first page. */
export async function totalOf({ source, signal }: Asking, { stream, scope }: StreamScope, listing: Listing) {
  const reader = new PageReader({ source, stream, scope, dialect: { generation: null, spellings: {} }, signal });
  const limit = stream.paging.kind === 'page' ? stream.paging.limit : 10;
  const { page } = await reader.read(listing, { offset: 0, limit }, { requests: 0, throttled: 0 });
  return page.total ?? page.records.length;
}
