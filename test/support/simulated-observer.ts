import type { Scope } from '../../src/core/account.ts';
import type { RunReport } from '../../src/core/store.ts';
import { listing } from '../../src/core/stream/endpoint.ts';
import type { MemoryStore, StoredRow } from './memory-store.ts';
import type { Manner, Shown } from './simulated-api.ts';
import { type Estate, type Item, type Kind, listingParams, REAL, rowKeyOf, VERSION } from './simulated-estate.ts';
import { type Faults, isFiltered, listedFrom } from './simulated-faults.ts';

/**
 * What is wrong after a run:
 * - `uncertified`: a row that was listed before, during and after the walk of a certified list is not live in the table.
 * - `outdated`: it is, with content that is older than that walk.
 * - `unread`, `stale`: the same for a run that only looked, found its certificates standing and called itself complete.
 * - `marked`: a row was marked as gone while it was listed.
 * - `relapsed`: so was one that had really been gone at the walk before, came back, and was hidden by an outage when a later walk
 *   confirmed its absence. No answer tells that from a row that is gone.
 * - `older`: the run was shown newer content than it stored.
 * - `left`: a row stays live that a list which stood still shows no longer.
 * - `unclaimed`: a list that stood still, with nothing wrong, is not certified.
 * - `books`: requests were miscounted, or something else than the API failed.
 */
export type Fault =
  | 'uncertified'
  | 'outdated'
  | 'unread'
  | 'stale'
  | 'marked'
  | 'relapsed'
  | 'older'
  | 'left'
  | 'unclaimed'
  | 'books';

export interface Finding {
  readonly fault: Fault;
  /** The list shows every change at one end, so that a poll can find it. */
  readonly isDecided: boolean;
  readonly detail: string;
}

/** When the walk that a standing certificate rests on began, and what it could see. */
interface Certified {
  readonly at: number;
  readonly startedAt: number;
  /** An empty answer was among its pages: no answer could have told it from a truly empty list. */
  readonly deceived: boolean;
}

export interface WitnessParts {
  readonly estate: Estate;
  readonly store: MemoryStore;
  readonly scope: Scope;
  readonly faults: Faults;
  readonly manners: Readonly<Record<Kind, Manner>>;
}

/** Watches an estate and a store through all runs, and says what was wrong. */
export class SimulatedObserver {
  readonly #parts: WitnessParts;
  readonly #keys = new Map<Item, string>();
  readonly #certified = new Map<string, Certified>();
  readonly #shown = new Map<string, number>();
  /** Live rows that were not listed when a run began, and that no run was shown since. */
  readonly #wasGone = new Set<string>();
  #startedAt = 0;
  #deceived = false;
  #kind: Kind = 'clusters';
  readonly findings: Finding[] = [];
  /** Projects whose rows were hidden at some time: what is proven meanwhile is proven without them. */
  readonly hidden = new Set<string>();

  constructor(parts: WitnessParts) {
    this.#parts = parts;
    parts.store.onWrite = (stream, row) => {
      if (row.deletedAt !== null && stream.name === REAL[this.#kind].name) this.#checkTombstone(row.key);
    };
  }

  begin(kind: Kind): void {
    this.#kind = kind;
    this.#startedAt = this.#parts.estate.now;
    this.#deceived = false;
    this.#shown.clear();
    this.#noteGone();
    this.#parts.estate.now += 1;
  }

  show({ kind, shots, lied }: Shown): void {
    if (lied) this.#deceived = true;
    // A list that is only consulted, such as the clusters by which another one is split.
    if (kind !== this.#kind) return;
    for (const { item, version } of shots) {
      if (item.poison !== 'none') continue;
      const key = this.#keyOf(item);
      this.#wasGone.delete(key);
      this.#shown.set(key, Math.max(version, this.#shown.get(key) ?? 0));
    }
  }

  #noteGone(): void {
    const listed = new Set(this.#parts.estate.items[this.#kind].map((item) => this.#keyOf(item)));
    for (const { key, deletedAt } of this.#table().values()) {
      if (deletedAt === null && !listed.has(key)) this.#wasGone.add(key);
    }
  }

  end(report: RunReport | null): void {
    this.#noteCertificates();
    if (report === null) return;
    if (report.certificate === 'complete') {
      const table = this.#table();
      for (const [key, version] of this.#shown) {
        const stored = versionOf(this.#kind, table.get(key));
        if (stored === null || stored < version) this.find('older', key);
      }
    }
    this.#checkPresence(report);
  }

  /** With everything quiet and read to the end: the live rows of proven lists are the estate. */
  checkQuiet(): void {
    if (REAL[this.#kind].appendOnly === true) return;
    const places = Map.groupBy(this.#parts.estate.items[this.#kind], listingKey);
    const proven = new Set(
      [...this.#states()].flatMap(([key, { certificate }]) => (certificate === 'complete' ? [key] : [])),
    );
    for (const row of this.#table().values()) {
      const place = this.#placeOf(row);
      const items = places.get(place) ?? [];
      if (row.deletedAt !== null || !proven.has(place) || items.some(({ poison }) => poison === 'key')) continue;
      if (!items.some((item) => this.#keyOf(item) === row.key)) this.find('left', row.key);
    }
  }

  /** Listings that items of the estate are in, without a certificate. */
  unproven(): readonly string[] {
    const states = this.#states();
    const places = new Set(this.#parts.estate.items[this.#kind].map(listingKey));
    return [...places].filter((place) => states.get(place)?.certificate !== 'complete');
  }

  /** Rows that are listed, and how many of them are live in the table. */
  stored(): { readonly listed: number; readonly live: number } {
    const { estate, faults } = this.#parts;
    const listed = estate.items[this.#kind].filter((item) => item.poison === 'none' && !isFiltered(faults, item));
    const table = this.#table();
    const live = listed.filter((item) => table.get(this.#keyOf(item))?.deletedAt === null);
    return { listed: listed.length, live: live.length };
  }

  find(fault: Fault, detail: string): void {
    const { sorting } = this.#parts.manners[this.#kind];
    const { version, appendOnly } = REAL[this.#kind];
    const isDecided = version === undefined ? appendOnly === true && sorting === 'create' : sorting === 'update';
    this.findings.push({ fault, isDecided, detail: `${this.#kind} ${detail.replaceAll('\u0001', '/')}` });
  }

  #placeOf({ row }: StoredRow): string {
    const { kind } = { kind: this.#kind };
    const names =
      kind === 'vulnerabilities' ? ['image_type', 'type', 'handle_status'] : kind === 'reports' ? ['instance_id'] : [];
    return listing(Object.fromEntries(names.map((name) => [name, String(row[name])]))).key;
  }

  #noteCertificates(): void {
    for (const [key, { certificate, certifiedAt }] of this.#states()) {
      const place = `${this.#kind} ${key}`;
      const at = certifiedAt?.getTime() ?? 0;
      if (certificate === 'complete' && this.#certified.get(place)?.at !== at) {
        this.#certified.set(place, { at, startedAt: this.#startedAt, deceived: this.#deceived });
      }
    }
  }

  #checkPresence(report: RunReport): void {
    const { estate, faults } = this.#parts;
    const states = this.#states();
    const table = this.#table();
    for (const item of estate.items[this.#kind]) {
      const key = listingKey(item);
      const state = states.get(key);
      const certified = this.#certified.get(`${this.#kind} ${key}`);
      if (state?.certificate !== 'complete' || certified === undefined || certified.deceived) continue;
      // A record without a readable key may be any row.
      const { unreadable = 0, rejects = 0 } = state.evidence ?? {};
      if (unreadable > 0 || (rejects > 0 && faults.garbled > 0)) continue;
      if (item.poison !== 'none' || isFiltered(faults, item) || this.#isOutside(item, state.certifiedUnder)) continue;
      const wasRead = report.certificate === 'complete' && (state.walkedAt?.getTime() ?? 0) >= this.#startedAt;
      const row = table.get(this.#keyOf(item));
      const version = row?.deletedAt === null ? (versionOf(this.#kind, row) ?? 0) : null;
      const proof = `${this.#keyOf(item)} by ${state.evidence?.parts === undefined ? 'one list' : 'parts'}`;
      const from = listedFrom(faults, item);
      const wanted = (before: number) =>
        item.versions.findLast(({ at }) => at + Math.max(...faults.lags) < before)?.at ?? 0;
      if (from < certified.startedAt && version === null) this.find('uncertified', proof);
      else if (from < certified.startedAt && version !== null && version < wanted(certified.startedAt))
        this.find('outdated', proof);
      else if (wasRead && from < this.#startedAt && version === null) this.find('unread', proof);
      else if (wasRead && from < this.#startedAt && version !== null && version < wanted(this.#startedAt))
        this.find('stale', proof);
    }
  }

  /** Rows of its project cannot be seen. */
  #isOutside({ project }: Item, under: string | null): boolean {
    return project !== null && (this.hidden.has(project) || !['all_granted_eps', project].includes(under ?? ''));
  }

  #checkTombstone(key: string): void {
    const { estate, faults } = this.#parts;
    const listed = estate.items[this.#kind].find((item) => this.#keyOf(item) === key);
    if (listed === undefined || isFiltered(faults, listed)) return;
    if (faults.isOutage && this.#wasGone.has(key)) this.find('relapsed', key);
    else if (listedFrom(faults, listed) < this.#startedAt) this.find('marked', key);
    else if (this.#shown.has(key)) this.find('marked', `${key}, which this run was shown`);
  }

  #states() {
    const remembered = this.#parts.store.remembered(REAL[this.#kind], this.#parts.scope);
    return new Map([...remembered].map(([key, { state }]) => [key, state]));
  }

  #table(): ReadonlyMap<string, StoredRow> {
    return this.#parts.store.table(REAL[this.#kind], this.#parts.scope);
  }

  #keyOf(item: Item): string {
    const known = this.#keys.get(item);
    if (known !== undefined) return known;
    const key = rowKeyOf(item);
    this.#keys.set(item, key);
    return key;
  }
}

function listingKey(item: Item): string {
  return listing(listingParams(item)).key;
}

function versionOf(kind: Kind, row: StoredRow | undefined): number | null {
  return row === undefined ? null : Number(row.row[VERSION[kind]]);
}
