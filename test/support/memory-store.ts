import type { Scope } from '../../src/core/account.ts';
import type { ListingState, RunReport, Store, StreamRun } from '../../src/core/store.ts';
import {
  type Dialect,
  FIRST_DIALECT,
  fixedListings,
  type Listing,
  listingsUnder,
} from '../../src/core/stream/endpoint.ts';
import type { Row } from '../../src/core/stream/record.ts';
import type { Parent, Stream } from '../../src/core/stream/stream.ts';
import { type Doubt, LEAST_DISTANCE_MS } from '../../src/core/sweep.ts';
import { MemoryRun } from './memory-run.ts';

/** A stored row with everything a simulation asks about. */
export interface StoredRow {
  readonly key: string;
  readonly row: Row;
  readonly hash: string;
  readonly firstSeenAt: number;
  deletedAt: number | null;
}

/** What is kept of a listing. */
export interface Remembered {
  readonly params: Readonly<Record<string, string>>;
  state: ListingState;
  missing: readonly Doubt[];
}

/** The process is gone: nothing it does after this reaches the store. */
export class Crashed extends Error {}

/**
 * The `Store` port in memory, on the clock it is given: for simulations that would take days on a real database. It keeps
 * the same promises (a page is written whole or not at all, sweeping is decided by `judgeSweep`); the SQL behind the real
 * one has tests of its own.
 */
export class MemoryStore implements Store {
  readonly #now: () => number;
  readonly #tables = new Map<string, Map<string, StoredRow>>();
  readonly #listings = new Map<string, Map<string, Remembered>>();
  readonly #dialects = new Map<string, Dialect>();
  /** The process that writes dies with the nth write from now, before it is committed. */
  crashIn: number | null = null;
  /** Told of every row that is written or marked. */
  onWrite: (stream: Stream, row: StoredRow) => void = () => {};
  readonly reports: RunReport[] = [];
  readonly #unfinishedSince = new Map<string, number>();
  readonly #cutShortSince = new Map<string, number>();

  constructor(now: () => number) {
    this.#now = now;
  }

  table(stream: Stream, scope: Scope): Map<string, StoredRow> {
    return entry(this.#tables, place(stream, scope), () => new Map());
  }

  async open(stream: Stream, scope: Scope): Promise<StreamRun> {
    const at = place(stream, scope);
    const since = (runs: Map<string, number>) => {
      const first = runs.get(at);
      if (first === undefined) runs.set(at, this.#now());
      return first === undefined ? null : new Date(first);
    };
    const skipCertifiedSince = since(this.#unfinishedSince);
    const skipWalkedSince = since(this.#cutShortSince);
    const ended = (how: 'failed' | 'whole') => {
      this.#cutShortSince.delete(at);
      if (how === 'whole') this.#unfinishedSince.delete(at);
    };
    return new MemoryRun({ store: this, stream, scope, now: this.#now, skipCertifiedSince, skipWalkedSince, ended });
  }

  async childListings(parent: Parent, scope: Scope): Promise<readonly Listing[]> {
    const found = new Map<string, Listing>();
    for (const { row, deletedAt } of this.table(parent.stream, scope).values()) {
      if (deletedAt !== null) continue;
      if (parent.only !== undefined && !parent.only.values.includes(String(row[parent.only.column]))) continue;
      const params = Object.fromEntries(
        Object.entries(parent.params).map(([own, column]) => [own, String(row[column])]),
      );
      const hot = Object.entries(parent.hot ?? {}).every(([column, wanted]) =>
        typeof wanted === 'string' ? row[column] === wanted : Number(row[column] ?? Infinity) > wanted.above,
      );
      for (const one of listingsUnder(parent, params, { hot })) if (hot || !found.has(one.key)) found.set(one.key, one);
    }
    return [...found.values()];
  }

  async certifiedAt(stream: Stream, scope: Scope): Promise<Date | null> {
    const wanted = stream.parent === undefined ? fixedListings(stream) : await this.childListings(stream.parent, scope);
    if (wanted.length === 0 && stream.parent !== undefined) return this.certifiedAt(stream.parent.stream, scope);
    const remembered = this.remembered(stream, scope);
    const certified = wanted.flatMap(({ key }) => {
      const state = remembered.get(key)?.state;
      const isComplete = state?.certificate === 'complete' && (state.evidence?.rejects ?? 0) === 0;
      return isComplete ? (state.certifiedAt ?? []) : [];
    });
    if (certified.length < wanted.length) return null;
    return new Date(Math.min(...certified.map((at) => at.getTime())));
  }

  async states(stream: Stream, scope: Scope): Promise<ReadonlyMap<string, ListingState>> {
    return new Map([...this.remembered(stream, scope)].map(([key, { state }]) => [key, state]));
  }

  async dialect(stream: Stream, scope: Scope): Promise<Dialect> {
    return this.#dialects.get(place(stream, scope)) ?? FIRST_DIALECT;
  }

  learn(stream: Stream, scope: Scope, dialect: Dialect): void {
    this.#dialects.set(place(stream, scope), dialect);
  }

  async liveValues(stream: Stream, scope: Scope, column: string): Promise<readonly string[]> {
    const live = [...this.table(stream, scope).values()].filter(({ deletedAt }) => deletedAt === null);
    return [...new Set(live.map(({ row }) => String(row[column])))];
  }

  async goneValues(stream: Stream, scope: Scope, column: string): Promise<readonly string[]> {
    const byValue = Map.groupBy(this.table(stream, scope).values(), ({ row }) => String(row[column]));
    const isGone = ({ deletedAt }: StoredRow) => deletedAt !== null && deletedAt <= this.#now() - LEAST_DISTANCE_MS;
    return [...byValue].flatMap(([value, rows]) => (rows.every(isGone) ? [value] : []));
  }

  remembered(stream: Stream, scope: Scope): Map<string, Remembered> {
    return entry(this.#listings, place(stream, scope), () => new Map());
  }

  /** A write is about to be committed. */
  arrive(): void {
    if (this.crashIn === null) return;
    this.crashIn -= 1;
    if (this.crashIn > 0) return;
    this.crashIn = null;
    throw new Crashed('the process is gone');
  }
}

function place(stream: Stream, scope: Scope): string {
  return `${stream.name}/${scope.projectId}`;
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}
