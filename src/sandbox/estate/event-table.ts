import { rankOf } from './random.ts';
import { type Axis, Views } from './views.ts';

/** The inputs of a new event; everything else follows from its row number. */
export interface EventSeedling {
  readonly created: number;
  readonly updated: number;
  readonly cluster: number;
  readonly policy: number;
  readonly workload: number;
  readonly handled: boolean;
}

const UNHANDLED = 0;
const HANDLED = 1;
const GONE = 2;

/** Events in numeric columns (about 23 bytes a row), with sorted lists. */
export class EventTable {
  readonly views: Views;
  readonly #seed: number;
  #created = new Float64Array(1024);
  #updated = new Float64Array(1024);
  #cluster = new Uint16Array(1024);
  #policy = new Uint8Array(1024);
  #workload = new Uint16Array(1024);
  #state = new Uint8Array(1024);
  #size = 0;
  #gone = 0;
  #newest = 0;

  constructor(seed: number, capacity: number) {
    this.#seed = seed;
    this.#reserve(capacity);
    const tie = (row: number): number => rankOf(seed, row);
    const keys = {
      update: { time: (row: number) => this.updated(row), tie },
      create: { time: (row: number) => this.created(row), tie },
    } satisfies Record<Axis, unknown>;
    this.views = new Views(keys, () => this.#liveRows());
  }

  /** Rows ever added, including removed ones. */
  get size(): number {
    return this.#size;
  }

  get live(): number {
    return this.#size - this.#gone;
  }

  /** The greatest update time any row ever had. */
  get newest(): number {
    return this.#newest;
  }

  get seed(): number {
    return this.#seed;
  }

  created(row: number): number {
    return this.#created[row] ?? 0;
  }

  updated(row: number): number {
    return this.#updated[row] ?? 0;
  }

  cluster(row: number): number {
    return this.#cluster[row] ?? 0;
  }

  policy(row: number): number {
    return this.#policy[row] ?? 0;
  }

  workload(row: number): number {
    return this.#workload[row] ?? 0;
  }

  isHandled(row: number): boolean {
    return this.#state[row] === HANDLED;
  }

  isOpen(row: number): boolean {
    return this.#state[row] === UNHANDLED;
  }

  isGone(row: number): boolean {
    return this.#state[row] === GONE;
  }

  /** Appends without updating the lists; only for building the table. */
  load(event: EventSeedling): number {
    const row = this.#size;
    if (row === this.#created.length) this.#reserve(Math.ceil(row * 1.5));
    this.#created[row] = event.created;
    this.#updated[row] = event.updated;
    this.#cluster[row] = event.cluster;
    this.#policy[row] = event.policy;
    this.#workload[row] = event.workload;
    this.#state[row] = event.handled ? HANDLED : UNHANDLED;
    this.#newest = Math.max(this.#newest, event.updated);
    this.#size += 1;
    return row;
  }

  add(event: EventSeedling): number {
    const row = this.load(event);
    this.views.insert(row);
    return row;
  }

  /** Marks an event as handled, which moves it to the newest end of lists sorted by update time. */
  handle(row: number, time: number): void {
    this.views.change(row, () => {
      this.#state[row] = HANDLED;
      this.#updated[row] = time;
      this.#newest = Math.max(this.#newest, time);
    });
  }

  remove(row: number): void {
    if (this.isGone(row)) return;
    this.views.remove(row);
    this.#state[row] = GONE;
    this.#gone += 1;
  }

  #liveRows(): Uint32Array {
    const rows = new Uint32Array(this.live);
    let at = 0;
    for (let row = 0; row < this.#size; row += 1) {
      if (this.isGone(row)) continue;
      rows[at] = row;
      at += 1;
    }
    return rows;
  }

  #reserve(capacity: number): void {
    const length = Math.max(capacity, 1024);
    this.#created = grow(this.#created, new Float64Array(length));
    this.#updated = grow(this.#updated, new Float64Array(length));
    this.#cluster = grow(this.#cluster, new Uint16Array(length));
    this.#policy = grow(this.#policy, new Uint8Array(length));
    this.#workload = grow(this.#workload, new Uint16Array(length));
    this.#state = grow(this.#state, new Uint8Array(length));
  }
}

interface Column {
  readonly length: number;
  subarray(start: number, end: number): Column & ArrayLike<number>;
  set(values: ArrayLike<number>): void;
}

function grow<T extends Column>(from: T, into: T): T {
  into.set(from.subarray(0, Math.min(from.length, into.length)));
  return into;
}
