/** A deterministic random generator: the same seed always builds the same estate. */
export interface Random {
  /** A number in [0, 1). */
  readonly next: () => number;
  /** An integer in [0, below). */
  readonly int: (below: number) => number;
  readonly chance: (probability: number) => boolean;
  readonly pick: <T>(list: readonly T[]) => T;
}

/** The 32-bit finalizer of MurmurHash3. It is a bijection, so distinct numbers stay distinct. */
export function mix(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Mixes two numbers into one of 32 bits. */
export function hashPair(first: number, second: number): number {
  return mix(Math.imul(first, 0x9e3779b1) ^ mix(second + 0x7f4a7c15));
}

/** Turns any text into a seed (FNV-1a, mixed). */
export function seedOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return mix(hash);
}

/** Starts a generator (mulberry32: small, fast, and random enough for test data). */
export function startRandom(seed: number): Random {
  let state = seed | 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 4294967296;
  };
  const int = (below: number): number => Math.floor(next() * below);
  return {
    next,
    int,
    chance: (probability) => next() < probability,
    pick: (list) => elementAt(list, int(list.length)),
  };
}

/** The element at an index, wrapping around. The list must not be empty. */
export function elementAt<T>(list: ArrayLike<T>, index: number): T {
  const element = list[index % list.length];
  if (element === undefined) throw new RangeError('The list is empty');
  return element;
}

/** The sort position of an id: different for every index under one seed. */
export function rankOf(seed: number, index: number): number {
  // Mixing the seed first prevents adjacent seeds from giving the same ids to other indexes.
  return mix(index ^ mix(seed + 0x3c6ef372));
}

const hex32 = (value: number): string => (value >>> 0).toString(16).padStart(8, '0');

/** Hexadecimal digits derived from a seed and an index; `digits` is at most 40. */
export function hexOf(seed: number, index: number, digits: number): string {
  const first = rankOf(seed, index);
  let text = hex32(first);
  for (let part = 1; text.length < digits; part += 1) text += hex32(hashPair(first, seed + part));
  return text.slice(0, digits);
}

/** The template that `HexWriter.uuid` fills. */
export const UUID_FORM = '........-....-4...-a...-............';

const HEX_DIGITS = Buffer.from('0123456789abcdef');

/** Writes hexadecimal digits over bytes, from position `at`. */
export class HexWriter {
  readonly bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Writes the digits of a UUID over those of another. */
  uuid(seed: number, index: number): void {
    const first = rankOf(seed, index);
    const second = hashPair(first, seed + 1);
    const third = hashPair(first, seed + 2);
    this.digits(8, first);
    this.at += 1;
    this.digits(4, second >>> 16);
    this.at += 2;
    this.digits(3, second);
    this.at += 2;
    this.digits(3, third >>> 16);
    this.at += 1;
    this.digits(4, third);
    this.digits(8, hashPair(first, seed + 3));
  }

  /** Writes the last digits of a number: toString(16) is slow for numbers above 2^31. */
  digits(count: number, value: number): void {
    const { bytes, at } = this;
    let left = value;
    for (let place = at + count - 1; place >= at; place -= 1) {
      bytes[place] = HEX_DIGITS[left & 15] ?? 0;
      left >>>= 4;
    }
    this.at = at + count;
  }
}

const uuidText = Buffer.from(UUID_FORM);
const uuidWriter = new HexWriter(uuidText);

/** A version 4 UUID. Its first eight digits are the rank, so it is unique and sorts like `rankOf`. */
export function uuidOf(seed: number, index: number): string {
  uuidWriter.at = 0;
  uuidWriter.uuid(seed, index);
  return uuidText.toString('latin1');
}

/** Chooses an index by weight: `cumulative` ascends to the total weight, `point` is in [0, 1). */
export function weightedIndex(cumulative: readonly number[], point: number): number {
  const target = point * (cumulative.at(-1) ?? 0);
  let low = 0;
  let high = cumulative.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((cumulative[middle] ?? 0) > target) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Cumulative weights for `weightedIndex`. */
export function cumulate(weights: readonly number[]): number[] {
  let total = 0;
  return weights.map((weight) => {
    total += weight;
    return total;
  });
}
