import type { PagePosition } from '../../src/core/stream/endpoint.ts';
import type { ObservedPage, SeenRecord } from '../../src/core/walk/observed-page.ts';
import { fixed, moving, type OrderColumn } from '../../src/core/walk/order.ts';
import type { Random } from './random.ts';

/** What a walk is told about the lists below. */
export const ORDERS: readonly OrderColumn[] = [moving('update_time'), fixed('create_time'), fixed('id')];

export type Sorting = 'update' | 'create' | 'id' | 'shuffled' | 'unknown';

export interface ListOptions {
  readonly rows: number;
  readonly sorting: Sorting;
  readonly direction: 1 | -1;
  /** Time between two neighbours of the first list, in ms. */
  readonly spacingMs: number;
  /** Equal times in runs of this many rows, in another order with every request. */
  readonly tieRun: number;
  /** Where the only run lies; every row is in one where this is null. */
  readonly tieAt: number | null;
  /** Part of the rows that were handled long before the walk. */
  readonly handled: number;
  /** How far the clock of a writing server may lag, in ms. */
  readonly skewMs: number;
  /** Records that are no rows: key or sort value unreadable. */
  readonly poison: number;
  /** Rows listed twice in a row. */
  readonly twins: number;
  readonly nulls: boolean;
}

export interface ServerOptions {
  readonly total: 'honest' | 'absent' | 'constant' | { readonly off: number } | { readonly most: number };
  readonly cap: number | null;
  readonly beyondCap: 'empty' | 'error';
  /** Rows a page has at most, whatever was asked. */
  readonly clamp: number | null;
  /** Numbered pages that are cut down follow each other, instead of leaving out the rows between them. */
  readonly clampMoves: boolean;
  /** Part of the records that are filtered out of every page, their places kept. */
  readonly filtered: number;
  /** Part of the answers that are empty for no reason. */
  readonly empties: number;
  /** Requests of a walk that are answered with an empty list and a count of zero. */
  readonly slips: readonly number[];
  /** Whether `last_update_time` follows the changes. */
  readonly hint: 'honest' | 'silent' | 'restless' | 'absent';
  /** Sizes other than this are refused, or answered with this one. */
  readonly onlySize: { readonly size: number; readonly otherwise: 'refused' | 'clamped' } | null;
}

export type Change =
  | 'insert'
  | 'delete'
  | 'deleteOld'
  | 'deleteNew'
  | 'handle'
  | 'handleOld'
  | 'handleRead'
  | 'retire'
  | 'swapTail'
  | 'moveUp'
  | 'late';

export const HONEST: ServerOptions = {
  total: 'honest',
  cap: null,
  beyondCap: 'empty',
  clamp: null,
  clampMoves: false,
  filtered: 0,
  empties: 0,
  slips: [],
  hint: 'absent',
  onlySize: null,
};

export const PLAIN: ListOptions = {
  rows: 1000,
  sorting: 'update',
  direction: -1,
  spacingMs: 60_000,
  tieRun: 1,
  tieAt: null,
  handled: 0,
  skewMs: 0,
  poison: 0,
  twins: 0,
  nulls: false,
};

interface Row {
  readonly id: number;
  version: number;
  readonly create: number;
  update: number;
  /** Place in an order that no column shows. */
  rank: number;
  tie: number;
  readonly poison: 'none' | 'keyless' | 'unsortable';
  readonly twin: boolean;
  readonly hidden: boolean;
}

const START = 1_700_000_000_000;

/** A list server in memory whose list moves between two requests, and which knows what was listed all the time. */
export class MovingList {
  #sorting: Sorting;
  #direction: 1 | -1;
  readonly #random: Random;
  readonly #options: ListOptions;
  readonly #server: ServerOptions;
  #rows: Row[];
  #next: number;
  #now: number;
  #changedAt: number;
  #lastHint: number;
  #firstTotal: number | null = null;
  #stable: Set<number> | null = null;
  readonly known = new Set<string>();
  requests = 0;

  constructor(options: Partial<ListOptions>, server: Partial<ServerOptions>, random: Random) {
    this.#options = { ...PLAIN, ...options };
    this.#server = { ...HONEST, ...server };
    this.#sorting = this.#options.sorting;
    this.#direction = this.#options.direction;
    this.#random = random;
    const { rows, spacingMs, tieRun, tieAt, handled } = this.#options;
    this.#next = rows;
    this.#now = START + rows * spacingMs + 1;
    this.#changedAt = this.#now;
    this.#lastHint = this.#now;
    this.#rows = Array.from({ length: rows }, (_, id) =>
      this.#row(id, START + timeIndex(id, tieRun, tieAt) * spacingMs),
    );
    for (const row of this.#rows) {
      if (random.chance(handled)) row.update = Math.max(row.create, Math.floor(random.between(row.create, this.#now)));
    }
    for (const row of this.#rows) this.known.add(keyOf(row));
  }

  get length(): number {
    return this.#rows.length;
  }

  get now(): number {
    return this.#now;
  }

  /** Keys of the rows that were listed from the first request of the walk on until now. */
  get listedThroughout(): readonly string[] {
    const stable = this.#stable ?? new Set();
    return this.#rows.filter((row) => stable.has(row.id) && row.poison !== 'keyless' && !row.hidden).map(keyOf);
  }

  /** The content every listed row has now, by key. */
  get contents(): ReadonlyMap<string, string> {
    return new Map(this.#rows.filter(({ hidden }) => !hidden).map((row) => [keyOf(row), contentOf(row)]));
  }

  /** The next request is the first of a walk. */
  beginWalk(): void {
    this.#stable = null;
    this.requests = 0;
    this.#firstTotal = null;
  }

  pass(ms: number): void {
    this.#now += Math.ceil(ms);
  }

  sortBy(sorting: Sorting, direction: 1 | -1): void {
    this.#sorting = sorting;
    this.#direction = direction;
  }

  /** One change; `count` rows get the same time. */
  change(kind: Change, count = 1): void {
    this.#now += 1;
    this.#changedAt = this.#now;
    const time = this.#now - Math.floor(this.#random.between(0, this.#options.skewMs));
    for (let index = 0; index < count; index += 1) this.#apply(kind, time);
  }

  #apply(kind: Change, time: number): void {
    const random = this.#random;
    if (kind === 'insert') this.#rows.push(this.#row(this.#next++, time));
    else if (kind === 'late')
      this.#rows.push(this.#row(this.#next++, this.#now - Math.floor(random.between(0, 299_000))));
    else if (this.#rows.length === 0) return;
    else if (kind === 'delete') this.#remove(random.int(this.#rows.length));
    else if (kind === 'deleteOld') this.#remove(this.#extreme('create', -1));
    else if (kind === 'deleteNew') this.#remove(this.#extreme('update', 1));
    else if (kind === 'handle') this.#touch(this.#rows[random.int(this.#rows.length)], time);
    else if (kind === 'handleOld') this.#touch(this.#rows[this.#extreme('update', -1)], time);
    else if (kind === 'handleRead') this.#touch([...this.#rows].sort((a, b) => b.update - a.update)[24], time);
    else if (kind === 'retire') {
      this.#remove(this.#extreme('create', -1));
      this.#rows.push(this.#row(this.#next++, time));
    } else if (kind === 'swapTail') {
      this.#remove(this.#direction === -1 ? this.#extreme('update', -1) : this.#extreme('update', 1));
      this.#rows.push(this.#row(this.#next++, this.#direction === -1 ? START - this.#next : time));
    } else this.#moveUp();
  }

  /** A row of an unknown order goes up, unseen by any column, while another goes and a third comes at the end. */
  #moveUp(): void {
    const sorted = [...this.#rows].sort((a, b) => a.rank - b.rank);
    const third = Math.floor(sorted.length / 3);
    const gone = sorted[this.#random.int(Math.max(1, third))];
    const mover = sorted[sorted.length - 1 - this.#random.int(Math.max(1, third))];
    if (gone === undefined || mover === undefined || gone === mover) return;
    mover.rank = gone.rank;
    this.#rows = this.#rows.filter((row) => row !== gone);
    this.#rows.push({ ...this.#row(this.#next++, this.#now), rank: 10 + this.#next });
  }

  #row(id: number, time: number): Row {
    const { poison, twins, nulls } = this.#options;
    const bad = this.#random.chance(poison);
    const row: Row = {
      id,
      version: 0,
      create: time,
      update: nulls && this.#random.chance(0.01) ? Number.NaN : time,
      rank: this.#random(),
      tie: 0,
      poison: bad ? this.#random.pick(['keyless', 'unsortable']) : 'none',
      twin: this.#random.chance(twins),
      hidden: this.#random.chance(this.#server.filtered),
    };
    this.known.add(keyOf(row));
    return row;
  }

  #touch(row: Row | undefined, time: number): void {
    if (row === undefined) return;
    row.version += 1;
    row.update = time;
  }

  #remove(index: number): void {
    this.#rows.splice(index, 1);
  }

  #extreme(column: 'create' | 'update', direction: 1 | -1): number {
    let best = 0;
    for (const [index, row] of this.#rows.entries()) {
      const other = this.#rows[best];
      if (other !== undefined && direction * (row[column] - other[column]) > 0) best = index;
    }
    return best;
  }

  /** One page, at this very moment. */
  observed(at: PagePosition): ObservedPage {
    const { total, cap, beyondCap, clamp, clampMoves, empties, slips, onlySize } = this.#server;
    this.requests += 1;
    this.#now += 1;
    this.#stable ??= new Set(this.#rows.map(({ id }) => id));
    const length = this.#rows.reduce((sum, row) => sum + (row.twin ? 2 : 1), 0);
    this.#firstTotal ??= length;
    const nothing = { at, records: [], total: null, lastUpdateTime: null, rejects: 0 } as const;
    if (slips.includes(this.requests)) return { ...nothing, total: 0 };
    const refused = { ...nothing, refused: true } as const;
    if (cap !== null && beyondCap === 'error' && at.offset + at.limit > cap && at.offset >= cap) return refused;
    if (onlySize !== null && at.limit !== onlySize.size && onlySize.otherwise === 'refused') return refused;
    const size = onlySize?.size ?? Math.min(clamp ?? at.limit, at.limit);
    const offset = onlySize === null && !clampMoves ? at.offset : (at.offset / at.limit) * size;
    const sorted = this.#sorted();
    const visible = cap === null ? sorted : sorted.slice(0, cap);
    const page = this.#random.chance(empties)
      ? []
      : visible.slice(offset, offset + size).filter(({ hidden }) => !hidden);
    const records = page.map(recordOf);
    const said = this.#total(total, length);
    return {
      at,
      records,
      total: said,
      lastUpdateTime: this.#hint(),
      rejects: page.filter(({ poison }) => poison !== 'none').length,
    };
  }

  #total(total: ServerOptions['total'], length: number): number | null {
    if (total === 'absent') return null;
    if (total === 'honest') return length;
    if (total === 'constant') return this.#firstTotal;
    return 'off' in total ? Math.max(0, length + total.off) : Math.min(total.most, length);
  }

  #hint(): number | null {
    const { hint } = this.#server;
    if (hint === 'absent') return null;
    if (hint === 'honest') this.#lastHint = this.#changedAt;
    else if (hint === 'restless') this.#lastHint = this.#now;
    return this.#lastHint;
  }

  #sorted(): readonly Row[] {
    const { direction } = { direction: this.#direction };
    for (const row of this.#rows) row.tie = this.#random();
    const key: (row: Row) => number =
      this.#sorting === 'update'
        ? ({ update }) => update
        : this.#sorting === 'create'
          ? ({ create }) => create
          : this.#sorting === 'id'
            ? ({ id }) => id
            : this.#sorting === 'unknown'
              ? ({ rank }) => direction * rank
              : ({ tie }) => tie;
    const value = (row: Row) => (Number.isNaN(key(row)) ? 0 : key(row));
    this.#rows.sort((a, b) => direction * (value(a) - value(b)) || a.tie - b.tie);
    return this.#options.twins === 0 ? this.#rows : this.#rows.flatMap((row) => (row.twin ? [row, row] : [row]));
  }
}

/** Rows in one run share the index of the run's first. */
function timeIndex(id: number, run: number, at: number | null): number {
  if (at === null) return Math.floor(id / run) * run;
  return id >= at && id < at + run ? at : id;
}

function keyOf({ id }: Row): string {
  return `row ${id}`;
}

function contentOf({ id, version }: Row): string {
  return `${id}:${version}`;
}

function recordOf(row: Row): SeenRecord {
  const { id, create, update, poison } = row;
  const updated = Number.isNaN(update) ? null : update;
  const sort =
    poison === 'none' ? [updated, create, `id ${String(id).padStart(9, '0')}`] : [undefined, undefined, undefined];
  return { key: poison === 'keyless' ? null : keyOf(row), content: contentOf(row), sort };
}
