import type { Scope } from '../../src/core/account.ts';
import { NotFound, ParameterRefused, PermissionRefused, Unreachable } from '../../src/core/errors.ts';
import type { Answer, ApiCall, PageSource, ResponseParser } from '../../src/core/ports.ts';
import { listing } from '../../src/core/stream/endpoint.ts';
import { toJson } from '../../src/core/stream/json.ts';
import { type Estate, type Kind, recordOf, type Shot } from './simulated-estate.ts';
import { AnswerCache, absentFrom, type Cached, delayOf, type Faults, isFiltered, PART } from './simulated-faults.ts';
import { asked, type Body, bodyOf, failure, position, type Question } from './simulated-wire.ts';

/** How the server answers for a kind of list. */
export interface Manner {
  readonly sorting: 'update' | 'create' | 'id' | 'unknown' | 'shuffled';
  readonly direction: 1 | -1;
  total: 'honest' | 'absent' | 'constant' | { readonly off: number };
  readonly hint: 'honest' | 'silent' | 'restless' | 'absent';
  cap: number | null;
  /** The count says the cap where the list is longer. */
  countsCap: boolean;
  readonly beyondCap: 'empty' | 'error';
}

export const PLAIN: Manner = {
  sorting: 'update',
  direction: -1,
  total: 'honest',
  hint: 'honest',
  cap: null,
  countsCap: false,
  beyondCap: 'empty',
};

/** What goes wrong for a while; the simulation turns it on and off. */
export interface Trouble {
  /** Part of the requests that bring no answer. */
  failing: number;
  /**
   * Part of the answers that are empty for no reason, the count included. Two walks in a row that find a list empty are
   * believed, and nothing tells a lie from the truth then. So a list that was answered empty in one run, true or
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
  readonly shots: readonly Shot[];
  /** It should not have been empty. */
  readonly lied: boolean;
}

export interface ApiParts {
  readonly estate: Estate;
  readonly manners: Readonly<Record<Kind, Manner>>;
  readonly trouble: Trouble;
  readonly faults: Faults;
  /** Requests need not be saved: pages are asked for ahead, and parts side by side. */
  readonly plentiful: boolean;
  /** Time until a request is answered: quota, network, and what others do to the lists meanwhile. */
  readonly wait: (operation: string) => Promise<void> | void;
  readonly onShown?: (shown: Shown) => void;
}

interface Sorted {
  readonly list: readonly Shot[];
  /** What the list is said to have. */
  readonly length: number;
}

/** The list API over an estate in memory: every answer shows one moment. */
export class SimulatedApi implements PageSource {
  readonly #parts: ApiParts;
  readonly #firstTotals = new Map<string, number>();
  readonly #pages = new AnswerCache<string>();
  readonly #counts = new AnswerCache<number>();
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

  async read<T>(scope: Scope, call: ApiCall, { parse, signal }: ResponseParser<T>): Promise<Answer<T>> {
    signal.throwIfAborted();
    const { estate, trouble, faults, wait } = this.#parts;
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
    const question = { kind, filter, ...position(call, faults.clamp) };
    const { at, value: text } = this.#cached(scope, call, question);
    const isOld = faults.cache?.dated === true && estate.now - at >= 1_000;
    const serverTime = Math.floor((isOld ? at : estate.now) / 1_000) * 1_000;
    return { value: parse(text), isOld, requestId: null, serverTime, attempts: 1, throttled: 0, durationMs: 0 };
  }

  /** Caches know an answer by how exactly it was asked for. */
  #cached(scope: Scope, { again = false }: ApiCall, question: Question): Cached<string> {
    const { cache } = this.#parts.faults;
    const { now } = this.#parts.estate;
    const answer = () => toJson(bodyOf(this.#answer(scope, question)));
    if (cache?.of !== 'pages') return { at: now, value: answer() };
    const key = toJson([question, scope.enterpriseProjectId, again && !cache.normalizes]);
    return this.#pages.get(key, { now, ms: cache.ms }, answer);
  }

  #answer(scope: Scope, { kind, filter, offset, limit }: Question): Body {
    const { estate, manners, trouble, faults } = this.#parts;
    const { cap, beyondCap } = manners[kind];
    if (cap !== null && beyondCap === 'error' && offset >= cap) {
      throw new ParameterRefused('offset', failure(400, 'HSS.0001'), { attempts: 1 });
    }
    const place = `${kind} ${listing(filter).key}`;
    const { list, length } = this.#sorted(scope, kind, this.#strayed(kind, filter));
    const slip = this.#slips(place, offset, list.length);
    const shown = list.slice(0, cap ?? Number.POSITIVE_INFINITY);
    const start = this.#start(offset, limit, shown.length);
    const garbled = faults.garbled > 0 && estate.random.chance(faults.garbled);
    const shots = slip ? [] : shown.slice(start, start + limit).filter(({ item }) => !isFiltered(faults, item));
    this.#parts.onShown?.({ kind, shots: garbled ? [] : shots, lied: slip && trouble.empties > 0 });
    const records = garbled ? shots.map(() => ({ garbled: true })) : shots.map((shot) => this.#recordOf(shot));
    return { kind, records, total: this.#total(kind, place, slip ? 0 : length), hint: this.#hint(kind) };
  }

  /** Nothing, for no reason. */
  #slips(place: string, offset: number, length: number): boolean {
    const { estate, trouble, faults } = this.#parts;
    const mayLie = !this.#emptied.has(place) && (this.#emptyIn.get(place) ?? this.#run) === this.#run;
    const slip =
      (faults.empty > 0 && estate.random.chance(faults.empty)) ||
      (trouble.empties > 0 && mayLie && estate.random.chance(trouble.empties));
    const isEmpty = slip || (offset === 0 && length === 0);
    this.#emptied[isEmpty ? 'add' : 'delete'](place);
    if (isEmpty) this.#emptyIn.set(place, this.#run);
    return slip;
  }

  /** The part of the list that is shown, which should be the one that was asked for. */
  #strayed(kind: Kind, filter: Question['filter']): Question['filter'] {
    const { estate, faults } = this.#parts;
    const name = PART[kind];
    if (name === undefined || filter[name] === undefined || !estate.random.chance(faults.strayed)) return filter;
    const other = estate.any(kind)?.params[name];
    return other === undefined ? filter : { ...filter, [name]: other };
  }

  #start(offset: number, size: number, length: number): number {
    const { beyondEnd } = this.#parts.faults;
    if (offset < length || offset === 0 || beyondEnd === 'nothing') return offset;
    return beyondEnd === 'last page' ? Math.max(0, length - size) : 0;
  }

  #total(kind: Kind, place: string, length: number): number | undefined {
    const { manners, faults, estate } = this.#parts;
    const { total: said, cap, countsCap } = manners[kind];
    const { cache } = faults;
    this.#firstTotals.set(place, this.#firstTotals.get(place) ?? length);
    if (said === 'absent') return undefined;
    if (said === 'constant') return this.#firstTotals.get(place);
    const counted =
      cache?.of === 'counts' ? this.#counts.get(place, { now: estate.now, ms: cache.ms }, () => length).value : length;
    const total = countsCap && cap !== null ? Math.min(counted, cap) : counted;
    return said === 'honest' ? total : Math.max(0, total + said.off);
  }

  #recordOf(shot: Shot): Readonly<Record<string, unknown>> {
    const { faults, estate } = this.#parts;
    const record = recordOf(shot);
    if (!faults.shuffled || shot.item.kind !== 'vulnerabilities') return record;
    const cves = ['CVE-2025-0001', 'CVE-2025-0002', 'CVE-2025-0003'].map((cve_id) => ({ cve_id, cvss: 5 }));
    return { ...record, cve_list: cves.sort(() => estate.random() - 0.5) };
  }

  #hint(kind: Kind): number | undefined {
    const { estate, manners } = this.#parts;
    const { hint } = manners[kind];
    const moved = estate.changedAt.get(kind) ?? 0;
    if (!this.#firstHints.has(kind)) this.#firstHints.set(kind, moved);
    if (hint === 'absent') return undefined;
    return hint === 'honest' ? moved : hint === 'restless' ? estate.now : this.#firstHints.get(kind);
  }

  /** What one server has of the list, in its order; equal keys in another one with every request. */
  #sorted(scope: Scope, kind: Kind, filter: Question['filter']): Sorted {
    const { estate, manners, faults, trouble } = this.#parts;
    const { sorting, direction } = manners[kind];
    const { random } = estate;
    const at = estate.now - (faults.lags[random.int(faults.lags.length)] ?? 0);
    const isAbsent = absentFrom(faults, random);
    const asked = Object.entries(filter);
    const whole = estate.shots(kind, at).filter(({ item }) => {
      const { params, project, listedAt } = item;
      return (
        asked.every(([name, value]) => params[name] === value) &&
        (project === null || (project !== trouble.hidden && isIn(scope, project))) &&
        listedAt + delayOf(faults, item) <= at
      );
    });
    const present = whole.filter(({ item }) => !isAbsent(item));
    const length = faults.missingPart.counted ? whole.length : present.length;
    const key = (shot: Shot) =>
      sorting === 'update' ? shot.update : sorting === 'create' ? shot.item.create : shot.item.rank;
    const placed = present.map((shot) => ({ shot, at: direction * key(shot), tie: random() }));
    if (sorting === 'shuffled') placed.sort((a, b) => a.tie - b.tie);
    else if (sorting === 'id') placed.sort((a, b) => (a.shot.item.id < b.shot.item.id ? -direction : direction));
    else placed.sort((a, b) => a.at - b.at || a.tie - b.tie);
    return { list: placed.map(({ shot }) => shot), length };
  }
}

function isIn({ enterpriseProjectId }: Scope, project: string): boolean {
  return enterpriseProjectId === 'all_granted_eps' || enterpriseProjectId === project;
}
