/** Reproducible randomness: the same seed gives the same run on every machine (mulberry32). */
export interface Random {
  /** From 0 to below 1. */
  (): number;
  int(below: number): number;
  between(low: number, high: number): number;
  chance(probability: number): boolean;
  pick<const T>(values: readonly [T, ...T[]]): T;
  /** `rate` on average, as a whole number. */
  count(rate: number): number;
}

export function random(seed: number): Random {
  let state = seed | 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const int = (below: number) => Math.floor(next() * below);
  return Object.assign(next, {
    int,
    between: (low: number, high: number) => low + next() * (high - low),
    chance: (probability: number) => next() < probability,
    pick: <const T>(values: readonly [T, ...T[]]): T => values[int(values.length)] ?? values[0],
    count: (rate: number) => Math.floor(rate) + (next() < rate % 1 ? 1 : 0),
  });
}
