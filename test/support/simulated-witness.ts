import type { Scope } from '../../src/core/account.ts';
import { listing } from '../../src/core/listing.ts';
import type { RunReport } from '../../src/core/store.ts';
import type { MemoryStore, StoredRow } from './memory-store.ts';
import type { Shown } from './simulated-api.ts';
import { type Estate, type Item, type Kind, listingParams, REAL, rowKeyOf, VERSION } from './simulated-estate.ts';

/** When the walk that a standing certificate rests on began, and what it could see. */
interface Certified {
  readonly at: number;
  readonly startedAt: number;
  /** An empty answer was among its pages: nobody could have told. */
  readonly deceived: boolean;
}

/** Watches an estate and a store through all runs, and says which promise was broken. */
export class SimulatedWitness {
  readonly #estate: Estate;
  readonly #store: MemoryStore;
  readonly #scope: Scope;
  readonly #keys = new Map<Item, string>();
  readonly #certified = new Map<string, Certified>();
  readonly #shown = new Map<string, number>();
  #startedAt = 0;
  #deceived = false;
  #kind: Kind = 'clusters';
  readonly broken: string[] = [];
  /** Projects whose rows were hidden at some time: what is proven meanwhile is proven without them. */
  readonly hidden = new Set<string>();

  constructor(estate: Estate, store: MemoryStore, scope: Scope) {
    this.#estate = estate;
    this.#store = store;
    this.#scope = scope;
    store.onWrite = (stream, row) => {
      if (row.deletedAt !== null && stream.name === REAL[this.#kind].name) this.#checkTombstone(row.key);
    };
  }

  begin(kind: Kind): void {
    this.#kind = kind;
    this.#startedAt = this.#estate.now;
    this.#deceived = false;
    this.#shown.clear();
    this.#estate.now += 1;
  }

  show({ kind, items, lied }: Shown): void {
    if (lied) this.#deceived = true;
    // A list that is only consulted, such as the clusters by which another one is split.
    if (kind !== this.#kind) return;
    for (const item of items) {
      if (item.poison === 'none') this.#shown.set(this.#keyOf(item), item.changes.at(-1) ?? 0);
    }
  }

  end(report: RunReport | null): void {
    this.#noteCertificates();
    if (report === null) return;
    const table = this.#table();
    if (report.certificate === 'complete') {
      for (const [key, version] of this.#shown) {
        const stored = versionOf(this.#kind, table.get(key));
        if (stored === null || stored < version) this.#break('a row that was shown is older in the table', key);
      }
    }
    this.#checkPresence();
  }

  /** With everything quiet and read to the end: the live rows of proven lists are the estate. */
  checkQuiet(): void {
    if (REAL[this.#kind].appendOnly === true) return;
    const places = Map.groupBy(this.#estate.items[this.#kind], listingKey);
    const proven = new Set(
      [...this.#states()].flatMap(([key, { certificate }]) => (certificate === 'complete' ? [key] : [])),
    );
    for (const row of this.#table().values()) {
      const place = this.#placeOf(row);
      const items = places.get(place) ?? [];
      if (row.deletedAt !== null || !proven.has(place) || items.some(({ poison }) => poison === 'key')) continue;
      if (!items.some((item) => this.#keyOf(item) === row.key)) this.#break('a row is live and not listed', row.key);
    }
  }

  /** Certificates of listings that items of the estate are in. */
  unproven(): readonly string[] {
    const states = this.#states();
    const places = new Set(this.#estate.items[this.#kind].map(listingKey));
    return [...places].filter((place) => states.get(place)?.certificate !== 'complete');
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

  #checkPresence(): void {
    const states = this.#states();
    const table = this.#table();
    for (const item of this.#estate.items[this.#kind]) {
      const key = listingKey(item);
      const state = states.get(key);
      const certified = this.#certified.get(`${this.#kind} ${key}`);
      if (state?.certificate !== 'complete' || certified === undefined || certified.deceived) continue;
      if (item.poison !== 'none' || item.listedAt >= certified.startedAt) continue;
      const under = state.certifiedUnder;
      if (
        item.project !== null &&
        (this.hidden.has(item.project) || !['all_granted_eps', item.project].includes(under ?? ''))
      )
        continue;
      const row = table.get(this.#keyOf(item));
      const version = versionOf(this.#kind, row);
      const wanted = item.changes.findLast((time) => time < certified.startedAt) ?? 0;
      const proof = state.evidence?.parts === undefined ? '' : ` (split into ${state.evidence.parts})`;
      if (version === null) this.#break(`a row is missing from a list called complete${proof}`, this.#keyOf(item));
      else if (version < wanted) this.#break(`a row is outdated in a list called complete${proof}`, this.#keyOf(item));
      else if (row?.deletedAt !== null) this.#break('a listed row is marked as gone', this.#keyOf(item));
    }
  }

  #checkTombstone(key: string): void {
    const listed = this.#estate.items[this.#kind].find((item) => this.#keyOf(item) === key);
    if (listed === undefined) return;
    if (listed.listedAt < this.#startedAt) this.#break('a false tombstone', key);
    if (this.#shown.has(key)) this.#break('a row that this run was shown, and that is listed, is marked', key);
  }

  #break(what: string, key: string): void {
    this.broken.push(`${what}: ${this.#kind} ${key.replaceAll('\u0001', '/')}`);
  }

  #states() {
    const remembered = this.#store.remembered(REAL[this.#kind], this.#scope);
    return new Map([...remembered].map(([key, { state }]) => [key, state]));
  }

  #table(): ReadonlyMap<string, StoredRow> {
    return this.#store.table(REAL[this.#kind], this.#scope);
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
