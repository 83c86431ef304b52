import { type OperationFacts, rowFields } from '../../facts/facts.ts';
import type { Bag } from '../estate/hosts.ts';
import { cumulate, type Random, seedOf, startRandom, weightedIndex } from '../estate/random.ts';
import type { Changes, Entry, Kind, Setting, Times } from './entry.ts';
import { membersOf, timeText } from './values.ts';

/** A row of a documented list. */
export interface DocumentedRow {
  /** The record in the response. */
  readonly record: Record<string, unknown>;
  /** Values known only from the request. */
  readonly asked: Readonly<Record<string, unknown>>;
  /** The objects it belongs to. */
  readonly bag: Bag;
  /** The sort value: ms since the epoch, or the index in a list without a time. */
  time: number;
}

/** The inputs of a table. */
export interface TablePlan {
  readonly seed: number;
  readonly startedAt: number;
  readonly projectId: string;
  readonly things: Readonly<Record<Kind, readonly Bag[]>>;
  /** The initial rows of another list. */
  readonly rowsOf: (operation: string) => readonly DocumentedRow[];
}

const DAY_MS = 86_400_000;
/** Hosts of the usual estate. A list of findings on smaller ones is shorter, down to {@link FEWEST} rows. */
const USUAL_HOSTS = 60;
const FEWEST = 10;

/** Share of the initial rows that are handled, in a list with handling. */
const HANDLED_SHARE = 0.3;

/** The rows of one list of one project. */
export class DocumentedTable {
  readonly entry: Entry;
  readonly facts: OperationFacts;
  readonly #plan: TablePlan;
  readonly #random: Random;
  readonly #parents: readonly Bag[];
  readonly #fields: ReturnType<typeof rowFields>['fields'];
  readonly #keys = new Set<string>();
  #rows: DocumentedRow[] = [];
  #sorted: readonly DocumentedRow[] | undefined;
  #made = 0;

  constructor(entry: Entry, facts: OperationFacts, plan: TablePlan) {
    this.entry = entry;
    this.facts = facts;
    this.#plan = plan;
    this.#random = startRandom(seedOf(`${plan.seed} ${entry.operation}`));
    this.#parents = this.#findParents();
    this.#fields = rowFields(facts).fields;
    const times = this.#timesOf(entry);
    for (const parent of this.#parents) for (let index = 0; index < times; index += 1) this.#add(parent, undefined);
  }

  /** All rows by time, oldest first. */
  get sorted(): readonly DocumentedRow[] {
    this.#sorted ??= this.#rows.toSorted((a, b) => a.time - b.time);
    return this.#sorted;
  }

  get rows(): readonly DocumentedRow[] {
    return this.#rows;
  }

  /** Makes one change, of a kind chosen by weight. Does nothing if no row fits. */
  change(now: number): void {
    const weights = Object.entries(this.entry.changes ?? usualChanges(this.entry));
    const [kind] = weights[weightedIndex(cumulate(weights.map(([, weight]) => weight)), this.#random.next())] ?? [];
    this.#sorted = undefined;
    if (kind === 'add' && this.#parents.length > 0) this.#add(this.#random.pick(this.#parents), now);
    const row = this.#rows[this.#random.int(this.#rows.length)];
    if (row === undefined) return;
    if (kind === 'remove') this.#remove(row);
    if (kind === 'change') this.#alter(row, now);
    if (kind === 'handle') this.#handle(row, now);
  }

  /** Rows for each parent. */
  #timesOf({ rows: { times = 1, per, parent, with: kinds = [] } }: Entry): number {
    if (per !== undefined || parent !== undefined || !kinds.includes('hosts')) return times;
    const share = Math.min(1, this.#plan.things.hosts.length / USUAL_HOSTS);
    return Math.max(Math.min(times, FEWEST), Math.round(times * share));
  }

  #findParents(): readonly Bag[] {
    const { per, parent, with: kinds = [], only = () => true } = this.entry.rows;
    // Without clusters, a row about a cluster has nothing to refer to.
    if (kinds.some((kind) => this.#plan.things[kind].length === 0)) return [];
    if (per !== undefined) return this.#plan.things[per].filter(only);
    if (parent === undefined) return [{}];
    return this.#plan
      .rowsOf(parent.operation)
      .map(({ record, asked, bag }) => {
        const all = { ...bag, ...record, ...asked };
        return Object.fromEntries(parent.take.flatMap((name) => (name in all ? [[name, all[name]]] : [])));
      })
      .filter(only);
  }

  /** Adds a row. If its key is taken, draws again, a few times. */
  #add(parent: Bag, now: number | undefined): void {
    for (let attempt = 0; attempt < 8; attempt += 1) {
      const row = this.#make(parent, now);
      const key = this.#keyOf(row);
      if (this.#keys.has(key)) continue;
      this.#keys.add(key);
      this.#rows.push(row);
      return;
    }
  }

  #make(parent: Bag, now: number | undefined): DocumentedRow {
    const { rows, asked: ask = {}, set = {}, handled, moving, fixed } = this.entry;
    const random = this.#random;
    const drawn = (rows.with ?? []).map((kind) => random.pick(this.#plan.things[kind]));
    const bag: Bag = Object.assign({}, ...drawn, parent);
    const at = (times: Times | undefined): number | undefined =>
      times && (now ?? this.#plan.startedAt - 1 - Math.floor(random.next() * times.days * DAY_MS));
    const times = { born: at(fixed), moved: at(moving) };
    const time = times.moved ?? times.born ?? this.#made;
    this.#made += 1;
    const context = { bag, time: now ?? this.#plan.startedAt };
    const asked = this.#resolve(ask, context);
    // A record's project id is that of the list; records with another one belong to another request.
    const known: Bag = { ...bag, ...asked, project_id: this.#plan.projectId };
    const maker = { random, service: this.facts.service, bag: known, now: context.time };
    const record = { ...membersOf(this.#fields, maker), ...this.#resolve(set, context) };
    const row: DocumentedRow = { record, asked, bag, time };
    if (fixed && times.born !== undefined)
      this.#write(row, fixed.member, Math.min(times.born, times.moved ?? times.born));
    if (moving && times.moved !== undefined) this.#write(row, moving.member, times.moved);
    if (handled && now === undefined && random.chance(HANDLED_SHARE)) this.#settle(row, time);
    return row;
  }

  #resolve(
    settings: Readonly<Record<string, Setting>>,
    { bag, time }: { bag: Bag; time: number },
  ): Record<string, unknown> {
    return Object.fromEntries(
      Object.entries(settings).map(([name, setting]) => {
        if (typeof setting === 'function') return [name, setting({ bag, random: this.#random, time })];
        return [name, Array.isArray(setting) ? this.#random.pick(setting) : setting];
      }),
    );
  }

  /** Writes a time into a record in the format of the list. */
  #write({ record }: DocumentedRow, member: string, time: number): void {
    const text = this.#fields[member]?.type === 'text';
    record[member] = text ? timeText(time, this.facts.service) : time;
  }

  #settle(row: DocumentedRow, time: number): void {
    Object.assign(row.record, this.#resolve(this.entry.handled ?? {}, { bag: row.bag, time }));
  }

  #handle(row: DocumentedRow, now: number): void {
    this.#settle(row, now);
    this.#move(row, now);
  }

  #move(row: DocumentedRow, now: number): void {
    const { moving } = this.entry;
    if (moving === undefined) return;
    row.time = now;
    this.#write(row, moving.member, now);
  }

  /** Increments a number or flips a flag. */
  #alter(row: DocumentedRow, now: number): void {
    const { key, set = {}, handled = {} } = this.entry;
    const fields = this.#fields;
    const own = Object.entries(fields).filter(([name]) => !(key.includes(name) || name in set || name in handled));
    const [count] =
      own.find(([name, { type, max }]) => type === 'integer' && /num$|count|risk/.test(name) && max !== 1) ?? [];
    const [flag] = own.find(([, { type }]) => type === 'boolean') ?? [];
    const name = count ?? flag;
    if (name !== undefined) {
      const value = row.record[name];
      const { min = 0, max = Number.POSITIVE_INFINITY } = fields[name] ?? {};
      row.record[name] = typeof value !== 'number' ? !value : value < max ? value + 1 : min;
    }
    this.#move(row, now);
  }

  #remove(row: DocumentedRow): void {
    this.#keys.delete(this.#keyOf(row));
    this.#rows = this.#rows.filter((each) => each !== row);
  }

  #keyOf({ record, asked, bag }: DocumentedRow): string {
    return JSON.stringify(this.entry.key.map((name) => record[name] ?? asked[name] ?? bag[name]));
  }
}

/** Lists of objects keep their rows and change them; lists of findings also add and remove rows. */
function usualChanges({ rows, moving, handled }: Entry): Changes {
  if (rows.per !== undefined && (rows.times ?? 1) === 1) return { change: 1 };
  return { add: 3, change: moving === undefined ? 0 : 3, handle: handled === undefined ? 0 : 3, remove: 1 };
}
