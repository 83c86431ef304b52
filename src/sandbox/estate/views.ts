import { elementAt } from './random.ts';
import { SortedRows, type SortKeys } from './sorted-rows.ts';

/** The time a list is sorted by. A list with one time uses it for both. */
export type Axis = 'update' | 'create';

interface View {
  readonly rows: SortedRows;
  readonly belongs: (row: number) => boolean;
}

/** A partition of rows into groups. */
interface Division {
  readonly groups: number;
  readonly groupOf: (row: number) => number;
}

/** All sorted lists over one table: built on first use, and kept sorted by every later change. */
export class Views {
  readonly #keys: Readonly<Record<Axis, SortKeys>>;
  readonly #rows: () => Uint32Array;
  readonly #views = new Map<string, View>();

  constructor(keys: Readonly<Record<Axis, SortKeys>>, rows: () => Uint32Array) {
    this.#keys = keys;
    this.#rows = rows;
  }

  /** The list with this name; a name must always stand for the same condition. */
  view(axis: Axis, name: string, belongs: (row: number) => boolean): SortedRows {
    const key = `${axis} ${name}`;
    const known = this.#views.get(key);
    if (known !== undefined) return known.rows;
    const rows = this.all(axis).filter(belongs);
    this.#views.set(key, { rows, belongs });
    return rows;
  }

  /**
   * The list of one group of rows. All groups are built in one pass: a condition for each of 200 groups would slow down
   * every event.
   */
  group(axis: Axis, { groups, groupOf }: Division, group: number): SortedRows {
    const keyOf = (index: number): string => `${axis} group ${index}`;
    const known = this.#views.get(keyOf(group));
    if (known !== undefined) return known.rows;
    const members = Array.from({ length: groups }, (): number[] => []);
    const all = this.all(axis);
    for (let position = 0; position < all.size; position += 1) {
      const row = all.at(position);
      members[groupOf(row)]?.push(row);
    }
    const lists = members.map((rows) => new SortedRows(this.#keys[axis], new Uint32Array(rows)));
    for (const [index, rows] of lists.entries()) {
      this.#views.set(keyOf(index), { rows, belongs: (row) => groupOf(row) === index });
    }
    return elementAt(lists, group);
  }

  /** The list without a condition. */
  all(axis: Axis): SortedRows {
    const known = this.#views.get(axis);
    if (known !== undefined) return known.rows;
    const rows = SortedRows.sort(this.#keys[axis], this.#rows());
    this.#views.set(axis, { rows, belongs: () => true });
    return rows;
  }

  insert(row: number): void {
    for (const view of this.#views.values()) if (view.belongs(row)) view.rows.insert(row);
  }

  remove(row: number): void {
    for (const view of this.#views.values()) if (view.belongs(row)) view.rows.remove(row);
  }

  /** Changes a row and moves it to its new position in all lists. */
  change(row: number, apply: () => void): void {
    this.remove(row);
    apply();
    this.insert(row);
  }
}
