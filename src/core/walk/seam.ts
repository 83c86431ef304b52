import { endOf, isSame, type Look } from './look.ts';

/** What the rows that two pages share say about what happened between them. */
export interface Seam {
  /** The same rows in the same places with the same content. */
  readonly equal: boolean;
  /** By how many places the list had moved down (up where negative) just before the later page. */
  readonly shift: number;
  /**
   * By how many places all of the shared rows moved down because of rows from elsewhere; rows with equal keys, which swap
   * at random, do not count.
   */
  readonly downward: number;
}

/** Compares the rows two overlapping pages should share; the first one lies higher in the list. */
export function compareSeam(page: Look, next: Look): Seam {
  const shared = endOf(page) - next.at.offset;
  const tail = shared > 0 ? page.records.slice(-shared) : [];
  const head = next.records.slice(0, Math.max(0, shared));
  const equal =
    tail.length > 0 && tail.length === head.length && tail.every((record, index) => isSame(record, head[index]));
  if (equal) return { equal, shift: 0, downward: 0 };
  const places = new Map(next.records.map(({ key }, index) => [key, next.at.offset + index]));
  const shifts = page.records.flatMap(({ key }, index) => {
    const place = key === null ? undefined : places.get(key);
    return place === undefined ? [] : [place - (page.at.offset + index)];
  });
  const [first, last] = [shifts[0], shifts.at(-1)];
  if (first === undefined || last === undefined) return { equal, shift: -Math.max(0, shared), downward: 0 };
  // A row that was read and went up from among the shared ones moved the others down without hiding from anybody.
  const gone = tail.filter(({ key }) => key !== null && !places.has(key)).length;
  return { equal, shift: last, downward: Math.max(0, Math.min(first, last) - gone) };
}
