import type { Scope } from '../../src/core/account.ts';
import { NotFound, ParameterRefused, PermissionRefused, Unreachable } from '../../src/core/errors.ts';
import { toJson } from '../../src/core/json.ts';
import { listing } from '../../src/core/listing.ts';
import type { Answer, ApiCall, PageSource } from '../../src/core/ports.ts';
import { type Estate, type Item, type Kind, recordOf } from './simulated-estate.ts';

/** How the server answers for a kind of list. */
export interface Manner {
  readonly sorting: 'update' | 'create' | 'id' | 'unknown' | 'shuffled';
  readonly direction: 1 | -1;
  readonly total: 'honest' | 'absent' | 'constant' | { readonly off: number };
  readonly hint: 'honest' | 'silent' | 'restless' | 'absent';
  readonly cap: number | null;
  readonly beyondCap: 'empty' | 'error';
}

export const PLAIN: Manner = {
  sorting: 'update',
  direction: -1,
  total: 'honest',
  hint: 'honest',
  cap: null,
  beyondCap: 'empty',
};

/** What goes wrong for a while; the simulation turns it on and off. */
export interface Trouble {
  /** Part of the requests that bring no answer. */
  failing: number;
  /**
   * Part of the answers that are empty for no reason, the count included. Two walks in a row that find a list empty are
   * believed, and nothing tells a lie from the truth then. So a list that was answered empty in one run, be it true or
   * not, tells no lies in another one before a certified walk has found it otherwise.
   */
  empties: number;
  /** An enterprise project whose rows are not shown. */
  hidden: string | null;
  /** An instance, or all lists of a kind, that may not be read. */
  refused: string | null;
}

/** A page that was shown. */
export interface Shown {
  readonly kind: Kind;
  readonly items: readonly Item[];
  /** It should not have been empty. */
  readonly lied: boolean;
}

export interface ApiParts {
  readonly estate: Estate;
  readonly manners: Readonly<Record<Kind, Manner>>;
  readonly trouble: Trouble;
  /** Requests need not be saved: pages are asked for ahead, and parts side by side. */
  readonly plentiful: boolean;
  /** Time until a request is answered: quota, network, and what others do to the lists meanwhile. */
  readonly wait: (operation: string) => Promise<void> | void;
  readonly onShown?: (shown: Shown) => void;
}

/** The list API over an estate in memory: every answer is one look at one moment. */
export class SimulatedApi implements PageSource {
  readonly #parts: ApiParts;
  readonly #firstTotals = new Map<string, number>();
  readonly #firstHints = new Map<Kind, number>();
  /** Lists whose last answer was empty. */
  readonly #emptied = new Set<string>();
  /** Lists that were empty in a run, by the run in which they were so last. */
  readonly #emptyIn = new Map<string, number>();
  #run = 0;
  requests = 0;

  constructor(parts: ApiParts) {
    this.#parts = parts;
  }

  beginRun(): void {
    this.#run += 1;
  }

  /** A walk of the list was certified in this run. */
  certified(kind: Kind, key: string): void {
    const place = `${kind} ${key}`;
    if (this.#emptyIn.get(place) !== this.#run) this.#emptyIn.delete(place);
  }

  isPlentiful(): boolean {
    return this.#parts.plentiful;
  }

  async read<T>(scope: Scope, call: ApiCall, parse: (text: string) => T, signal: AbortSignal): Promise<Answer<T>> {
    signal.throwIfAborted();
    const { estate, trouble, wait } = this.#parts;
    await wait(call.operation);
    this.requests += 1;
    const { kind, filter } = asked(call);
    const context = { attempts: 1, throttled: 0 };
    if (trouble.failing > 0 && estate.random.chance(trouble.failing)) throw new Unreachable('no answer', context);
    if (trouble.refused !== null && (trouble.refused === kind || trouble.refused === filter.instance_id)) {
      throw new PermissionRefused('refused', failure(403, 'HSS.0003'), context);
    }
    if (kind === 'reports' && !estate.items.instances.some(({ id }) => id === filter.instance_id)) {
      throw new NotFound('no such instance', failure(404, 'DBSS.0404'), context);
    }
    const value = parse(toJson(this.#answer(scope, call, kind, filter)));
    return {
      isOld: false,
      value,
      requestId: null,
      serverTime: Math.floor(estate.now / 1_000) * 1_000,
      attempts: 1,
      throttled: 0,
      durationMs: 0,
    };
  }

  #answer(
    scope: Scope,
    call: ApiCall,
    kind: Kind,
    filter: Readonly<Record<string, string>>,
  ): Readonly<Record<string, unknown>> {
    const { estate, manners, trouble, onShown } = this.#parts;
    const { cap, beyondCap, total: said, hint } = manners[kind];
    const { offset, limit } = position(call);
    if (cap !== null && beyondCap === 'error' && offset >= cap) {
      throw new ParameterRefused('offset', failure(400, 'HSS.0001'), { attempts: 1 });
    }
    const list = this.#sorted(kind).filter(
      ({ params, project }) =>
        Object.entries(filter).every(([name, value]) => params[name] === value) &&
        (project === null || (project !== trouble.hidden && isIn(scope, project))),
    );
    const place = `${kind} ${listing(filter).key}`;
    const mayLie = !this.#emptied.has(place) && (this.#emptyIn.get(place) ?? this.#run) === this.#run;
    const slip = trouble.empties > 0 && mayLie && estate.random.chance(trouble.empties);
    const isEmpty = slip || (offset === 0 && list.length === 0);
    this.#emptied[isEmpty ? 'add' : 'delete'](place);
    if (isEmpty) this.#emptyIn.set(place, this.#run);
    const items = slip ? [] : list.slice(offset, Math.min(offset + limit, cap ?? Number.POSITIVE_INFINITY));
    onShown?.({ kind, items, lied: slip });
    const length = slip ? 0 : list.length;
    this.#firstTotals.set(place, this.#firstTotals.get(place) ?? list.length);
    const total =
      said === 'absent'
        ? undefined
        : said === 'honest'
          ? length
          : said === 'constant'
            ? this.#firstTotals.get(place)
            : Math.max(0, length + said.off);
    return bodyOf(kind, items.map(recordOf), total, this.#hint(kind, hint));
  }

  #hint(kind: Kind, hint: Manner['hint']): number | undefined {
    const { estate } = this.#parts;
    const moved = estate.changedAt.get(kind) ?? 0;
    if (!this.#firstHints.has(kind)) this.#firstHints.set(kind, moved);
    if (hint === 'absent') return undefined;
    return hint === 'honest' ? moved : hint === 'restless' ? estate.now : this.#firstHints.get(kind);
  }

  /** In the server's order; equal keys in another one with every request. */
  #sorted(kind: Kind): readonly Item[] {
    const { estate, manners } = this.#parts;
    const { sorting, direction } = manners[kind];
    const items = estate.items[kind];
    for (const item of items) item.tie = estate.random();
    if (sorting === 'id') return items.sort((a, b) => (a.id < b.id ? -direction : a.id > b.id ? direction : 0));
    const key = (item: Item) => (sorting === 'shuffled' ? item.tie : sorting === 'unknown' ? item.rank : item[sorting]);
    return items.sort((a, b) => direction * (key(a) - key(b)) || a.tie - b.tie);
  }
}

function isIn({ enterpriseProjectId }: Scope, project: string): boolean {
  return enterpriseProjectId === 'all_granted_eps' || enterpriseProjectId === project;
}

const KINDS: readonly (readonly [RegExp, Kind])[] = [
  [/cluster-protect\/events$/, 'events'],
  [/cluster-protect\/clusters$/, 'clusters'],
  [/cluster-reports$/, 'checks'],
  [/handle-history$/, 'operations'],
  [/images\/vulnerabilities$/, 'vulnerabilities'],
  [/reports\/list$/, 'reports'],
  [/instances$/, 'instances'],
];

function asked({ path, query = {} }: ApiCall): {
  readonly kind: Kind;
  readonly filter: Readonly<Record<string, string>>;
} {
  const kind = KINDS.find(([pattern]) => pattern.test(path))?.[1];
  if (kind === undefined) throw new Error(`nobody simulates ${path}`);
  const filter: Record<string, string> = {};
  for (const [name, value] of Object.entries(query)) {
    if (['offset', 'limit', 'enterprise_project_id'].includes(name)) continue;
    filter[name] = value === 'local' ? 'local_image' : String(value);
  }
  const instance = /audit\/([^/]+)\/reports/.exec(path)?.[1];
  if (instance !== undefined) filter.instance_id = instance;
  return { kind, filter };
}

function position({ query, body }: ApiCall): { readonly offset: number; readonly limit: number } {
  if (body === undefined) return { offset: Number(query?.offset ?? 0), limit: Number(query?.limit ?? 0) };
  const size = Number(body.size);
  return { offset: (Number(body.page) - 1) * size, limit: size };
}

function bodyOf(
  kind: Kind,
  records: readonly object[],
  total: number | undefined,
  hint: number | undefined,
): Readonly<Record<string, unknown>> {
  if (kind === 'instances') return { instances: records, total };
  if (kind === 'reports') return { reports: records, total };
  return { data_list: records, total_num: total, last_update_time: hint };
}

function failure(status: number, code: string): PermissionRefused['failure'] {
  return { status, code, apiMessage: null, requestId: null };
}
