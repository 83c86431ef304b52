/** The sort key of a list: a time, then a number in place of the id. */
export interface SortKeys {
  readonly time: (row: number) => number;
  readonly tie: (row: number) => number;
}

/**
 * Row numbers in ascending order of their keys.
 *
 * A change costs one binary search and one block move, and a page only its own rows, so lists of a million rows are
 * never sorted again.
 */
export class SortedRows {
  readonly #keys: SortKeys;
  #rows: Uint32Array;
  #size: number;

  constructor(keys: SortKeys, sorted: Uint32Array) {
    this.#keys = keys;
    this.#rows = sorted;
    this.#size = sorted.length;
  }

  /** Sorts rows that are in any order. */
  static sort(keys: SortKeys, rows: Uint32Array): SortedRows {
    const compare = (a: number, b: number): number => keys.time(a) - keys.time(b) || keys.tie(a) - keys.tie(b);
    return new SortedRows(keys, rows.sort(compare));
  }

  get size(): number {
    return this.#size;
  }

  at(position: number): number {
    return this.#rows[position] ?? 0;
  }

  time(position: number): number {
    return this.#keys.time(this.at(position));
  }

  /** The rows that satisfy a condition, still sorted. */
  filter(belongs: (row: number) => boolean): SortedRows {
    return new SortedRows(
      this.#keys,
      this.#rows.subarray(0, this.#size).filter((row) => belongs(row)),
    );
  }

  insert(row: number): void {
    if (this.#size === this.#rows.length) {
      const grown = new Uint32Array(Math.max(16, Math.ceil(this.#size * 1.25)));
      grown.set(this.#rows);
      this.#rows = grown;
    }
    const position = this.#position(row);
    this.#rows.copyWithin(position + 1, position, this.#size);
    this.#rows[position] = row;
    this.#size += 1;
  }

  /** Removes a row. Its keys must be unchanged since it was inserted. */
  remove(row: number): void {
    const position = this.#position(row);
    if (position >= this.#size || this.#rows[position] !== row) return;
    this.#rows.copyWithin(position, position + 1, this.#size);
    this.#size -= 1;
  }

  /** The first position whose keys are at or above those of the row. */
  #position(row: number): number {
    const time = this.#keys.time(row);
    const tie = this.#keys.tie(row);
    let low = 0;
    let high = this.#size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.at(middle);
      const difference = this.#keys.time(other) - time || this.#keys.tie(other) - tie;
      if (difference < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
