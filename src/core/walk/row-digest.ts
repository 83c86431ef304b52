import { createHash } from 'node:crypto';
import { endOf, identityOf, type ObservedPage } from './observed-page.ts';

/** The records of a whole pass in order, as one short text: two passes over a list that stood still agree in it. */
export class RowDigest {
  readonly #hash = createHash('sha256');
  readonly #rows: SeenKeys | null;
  #end = 0;
  /** A row was in two places that no page shows together: it moved, where rows have one place. */
  twice = false;
  /** A key was in two places with different contents. */
  doubled = false;
  /** Records with the key of an earlier one of their page; rows that two pages share count once. */
  repeats = 0;

  /** `rows` remembers them, for `twice`; null where the caller does not need it. */
  constructor(rows: SeenKeys | null = null) {
    this.#rows = rows;
  }

  add(observed: ObservedPage): void {
    const keys = new Set<string>();
    for (const [index, record] of observed.records.entries()) {
      const identity = identityOf(record);
      if (observed.at.offset + index >= this.#end) {
        if (keys.has(identity)) this.repeats += 1;
        else if (record.key !== null) this.#place(record.key, record.content);
        this.#hash.update(`${identity}\u0001${record.content}\u0002`);
      }
      keys.add(identity);
    }
    this.#end = Math.max(this.#end, endOf(observed));
  }

  #place(key: string, content: string): void {
    if (this.#rows === null) return;
    const isFirst = this.#rows.add(key);
    const isOther = this.#rows.add(`${key}\u0001${content}`);
    if (!isFirst) this.twice = true;
    if (!isFirst && isOther) this.doubled = true;
  }

  digest(): string {
    return this.#hash.copy().digest('hex');
  }
}

/**
 * A set of keys that stays small at a million rows: 64 bits of each key in one typed array, 16-32 bytes a key instead of some
 * 150 in a Set of strings. A collision (1 in 10^7 at a million keys) makes the set count one key too few or believe an
 * unseen key seen: a walk then claims less and a sweep removes less, never more. So the bits need not be a cipher's
 * (0.2 us a key; 64 bits of its SHA-256 take 5).
 */
export class SeenKeys {
  /** Two words for each slot; both are zero in an empty one. */
  #slots = new Uint32Array(2 * 1024);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** True when the key was not in the set before. */
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

/** Where the words are, or the empty slot where they would be. */
function slotOf(slots: Uint32Array, high: number, low: number): number {
  const mask = slots.length - 2;
  for (let slot = (low * 2) & mask; ; slot = (slot + 2) & mask) {
    const [a, b] = [slots[slot], slots[slot + 1]];
    if ((a === low && b === high) || (a === 0 && b === 0)) return slot;
  }
}

/** Two FNV-1a runs with different primes, each mixed with the other as in MurmurHash3's end. */
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
  // The one key in 2^64 that comes out as an empty slot is moved aside.
  return a === 0 && b === 0 ? [0, 1] : [b, a];
}

function mixed(word: number): number {
  let bits = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
