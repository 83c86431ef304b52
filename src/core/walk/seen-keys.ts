import { hash } from 'node:crypto';

/**
 * A set of keys that stays small at a million rows: 64 bits of each key's SHA-256 in one typed array, 16-32 bytes a key
 * instead of some 150 in a Set of strings. A collision (1 in 10^7 at a million keys) makes the set count one key too few
 * or believe an unseen key seen: a walk then claims less and a sweep removes less, never more.
 */
export class SeenKeys {
  #slots = new BigUint64Array(1024);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** True when the key was not in the set before. */
  add(key: string): boolean {
    if (this.#size * 2 >= this.#slots.length) this.#grow();
    if (!insert(this.#slots, digest(key))) return false;
    this.#size += 1;
    return true;
  }

  has(key: string): boolean {
    const wanted = digest(key);
    const mask = this.#slots.length - 1;
    for (let index = Number(wanted & BigInt(mask)); ; index = (index + 1) & mask) {
      const found = this.#slots[index];
      if (found === wanted) return true;
      if (found === 0n) return false;
    }
  }

  #grow(): void {
    const larger = new BigUint64Array(this.#slots.length * 2);
    for (const value of this.#slots) if (value !== 0n) insert(larger, value);
    this.#slots = larger;
  }
}

function insert(slots: BigUint64Array, value: bigint): boolean {
  const mask = slots.length - 1;
  for (let index = Number(value & BigInt(mask)); ; index = (index + 1) & mask) {
    const found = slots[index];
    if (found === value) return false;
    if (found === 0n) {
      slots[index] = value;
      return true;
    }
  }
}

/** Zero marks an empty slot, so the one key in 2^64 that hashes to it is moved aside. */
function digest(key: string): bigint {
  const value = hash('sha256', key, 'buffer').readBigUInt64LE(0);
  return value === 0n ? 1n : value;
}
