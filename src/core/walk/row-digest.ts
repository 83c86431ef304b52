import { createHash } from 'node:crypto';
import { endOf, identityOf, type ObservedPage } from './observed-page.ts';

/** Hashes over the records of one pass, in order; equal for two passes over a list that stood still. */
export class RowDigest {
  readonly #hash = createHash('sha256');
  readonly #places = createHash('sha256');
  readonly #keys: SeenKeys | null;
  readonly #contents = new SeenKeys();
  #end = 0;
  /** A row was in two places that no single page shows, so it moved. */
  hasRowInTwoPlaces = false;
  /** A key was in two places with different contents. */
  hasKeyWithTwoContents = false;
  /** Records that repeat a key of their own page. Rows shared by two pages count once. */
  repeats = 0;

  /** `keys` stores the keys, for rows in two places; null if the caller does not need them. */
  constructor(keys: SeenKeys | null = null) {
    this.#keys = keys;
  }

  add(observed: ObservedPage): void {
    const { at, records } = observed;
    const own = new Set<string>();
    let rows = '';
    let places = '';
    for (let index = 0; index < records.length; index += 1) {
      const record = records[index];
      if (record === undefined) continue;
      const identity = identityOf(record);
      if (at.offset + index >= this.#end) {
        if (own.has(identity)) this.repeats += 1;
        else if (record.key !== null) this.#place(record.key, record.content);
        rows += `${record.content}\u0002`;
        places += `${identity}\u0002`;
      }
      own.add(identity);
    }
    this.#hash.update(rows);
    this.#places.update(places);
    this.#end = Math.max(this.#end, endOf(observed));
  }

  #place(key: string, content: string): void {
    if (this.#keys === null) return;
    const isFirst = this.#keys.add(key);
    const isOther = this.#contents.add(content);
    if (!isFirst) this.hasRowInTwoPlaces = true;
    if (!isFirst && isOther) this.hasKeyWithTwoContents = true;
  }

  digest(): string {
    return this.#hash.copy().digest('hex');
  }

  /** Without the contents: equal for two passes in which rows changed, but each in its place. */
  places(): string {
    return this.#places.copy().digest('hex');
  }
}

/**
 * A set of keys that stays small for millions of rows: it stores 64 bits of each key in one typed array, a fraction of
 * the memory of a Set of strings. A collision makes the set count one key too few, or report an unseen key as seen. The
 * walk then claims less and the sweep removes less, never more. So a fast, non-cryptographic hash is enough.
 */
export class SeenKeys {
  /** Two words for each slot; both are zero in an empty slot. */
  #slots = new Uint32Array(2 * 1024);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Returns true if the key was not in the set before. */
  add(key: string): boolean {
    if (this.#size * 4 >= this.#slots.length) this.#grow();
    const [high, low] = wordsOf(key);
    const slot = slotOf(this.#slots, high, low);
    if (this.#slots[slot] === low && this.#slots[slot + 1] === high) return false;
    this.#slots[slot] = low;
    this.#slots[slot + 1] = high;
    this.#size += 1;
    return true;
  }

  has(key: string): boolean {
    const [high, low] = wordsOf(key);
    const slot = slotOf(this.#slots, high, low);
    return this.#slots[slot] === low && this.#slots[slot + 1] === high;
  }

  #grow(): void {
    const larger = new Uint32Array(this.#slots.length * 2);
    for (let slot = 0; slot < this.#slots.length; slot += 2) {
      const low = this.#slots[slot] ?? 0;
      const high = this.#slots[slot + 1] ?? 0;
      if (low === 0 && high === 0) continue;
      const place = slotOf(larger, high, low);
      larger[place] = low;
      larger[place + 1] = high;
    }
    this.#slots = larger;
  }
}

/** Index of the slot with these words, or of the empty slot where they belong. */
function slotOf(slots: Uint32Array, high: number, low: number): number {
  const mask = slots.length - 2;
  for (let slot = (low * 2) & mask; ; slot = (slot + 2) & mask) {
    const [a, b] = [slots[slot], slots[slot + 1]];
    if ((a === low && b === high) || (a === 0 && b === 0)) return slot;
  }
}

/** Two FNV-1a hashes with different primes, each mixed with the other by the finalizer of MurmurHash3. */
function wordsOf(key: string): readonly [high: number, low: number] {
  let a = 0x811c9dc5;
  let b = 0x9747b28c;
  for (let index = 0; index < key.length; index += 1) {
    const code = key.charCodeAt(index);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x5bd1e995);
  }
  a = mixed(a ^ (b >>> 15));
  b = mixed(b ^ (a >>> 13));
  // Zero means an empty slot, so the one hash that is zero becomes another one.
  return a === 0 && b === 0 ? [0, 1] : [b, a];
}

function mixed(word: number): number {
  let bits = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
