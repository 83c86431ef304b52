import type { Random } from './random.ts';
import type { Item, Kind } from './simulated-estate.ts';

export interface Caching {
  readonly ms: number;
  readonly of: 'pages' | 'counts';
  /** Its headers say how old an answer is. */
  readonly dated: boolean;
  /** The same parameters in another order bring the same answer. */
  readonly normalizes: boolean;
}

/** What is wrong with the servers behind a list API; a simulation turns it on and off. */
export interface Faults {
  /** How far each server lags behind, in ms; any of them answers. */
  lags: readonly number[];
  /** Longest time from writing a row to listing it, in ms. */
  delayMs: number;
  /** Answers, or only their counts, are shown again for so long. */
  cache: Caching | null;
  /** Rows a page has at most, whatever is asked. */
  clamp: number | null;
  /** Part of the rows that are taken out of pages after they were cut; the count has them. */
  filtered: number;
  /**
   * Part of the answers that lack one of the parts the rows are kept in, and how many of them there can be yet; the count
   * lacks it too, or does not.
   */
  missingPart: { readonly chance: number; readonly parts: number; readonly counted: boolean; left: number };
  /** Part of the answers that lack a fifth of the rows, at random. */
  thinned: number;
  /** Part of all rows that nothing is shown of for now; 1 is all of them. */
  absent: number;
  /** Part of the answers that are empty, their count included. */
  empty: number;
  /** Part of the answers for a part of a list that show another part. */
  strayed: number;
  /** Part of the answers whose records are no rows. */
  garbled: number;
  /** What is shown where nothing is left. */
  beyondEnd: 'nothing' | 'last page' | 'first page';
  /** Rows are missing for this round of runs only: the lists are read in full after it. */
  isOutage: boolean;
  /** Lists inside of records come in any order. */
  shuffled: boolean;
}

export const SOUND: Faults = {
  lags: [0],
  delayMs: 0,
  cache: null,
  clamp: null,
  filtered: 0,
  missingPart: { chance: 0, parts: 1, counted: false, left: 0 },
  thinned: 0,
  absent: 0,
  empty: 0,
  strayed: 0,
  garbled: 0,
  beyondEnd: 'nothing',
  isOutage: false,
  shuffled: false,
};

/** From when on every server lists the item, and always has since. */
export function listedFrom(faults: Faults, item: Item): number {
  return item.listedAt + delayOf(faults, item) + Math.max(...faults.lags);
}

/** How long the item takes from being written to being listed. */
export function delayOf({ delayMs }: Faults, { rank }: Item): number {
  return delayMs * rank;
}

/** Whether the item is on no page at all, whatever the count says. */
export function isFiltered({ filtered }: Faults, { home }: Item): boolean {
  return home < filtered;
}

/** Rows of one answer that the servers behind the list fail to bring, without a word. */
export function absentFrom(faults: Faults, random: Random): (item: Item) => boolean {
  const { missingPart, thinned, absent } = faults;
  const part = missingPart.left > 0 && random.chance(missingPart.chance) ? random.int(missingPart.parts) : -1;
  if (part >= 0) missingPart.left -= 1;
  const isThin = random.chance(thinned);
  return (item) =>
    item.home < absent ||
    (part >= 0 && Math.floor(item.home * missingPart.parts) === part) ||
    (isThin && random.chance(0.2));
}

/** What is remembered of an answer. */
export interface Cached<T> {
  readonly at: number;
  readonly value: T;
}

/** A cache in front of a list. */
export class AnswerCache<T> {
  readonly #entries = new Map<string, Cached<T>>();

  /** A cached answer younger than `ms` at `now` (both in milliseconds), else a new one. */
  get(key: string, { now, ms }: { readonly now: number; readonly ms: number }, make: () => T): Cached<T> {
    const found = this.#entries.get(key);
    if (found !== undefined && now - found.at < ms) return found;
    const fresh = { at: now, value: make() };
    this.#entries.set(key, fresh);
    return fresh;
  }
}

/** A list that can be read in parts, and the parameter that names the part. */
export const PART: Partial<Readonly<Record<Kind, string>>> = { events: 'cluster_id', reports: 'instance_id' };
