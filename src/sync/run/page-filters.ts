import type { Stream } from '../../core/stream/stream.ts';
import { type Drift, driftSample, type Reject, rejectOf, SAME_KEY, type ValidRow } from '../../core/stream/validate.ts';
import { identityOf, type ObservedPage } from '../../core/walk/observed-page.ts';
import type { WalkState } from '../../core/walk/walk-state.ts';

/** Most keys that are remembered to have several records in one list, and most that are watched in one walk. */
const MOST_KEPT = 100;
const MOST_WATCHED = 1_000;

/**
 * What the walk says about keys with two contents: `broken` in a list that stood still, `unique` once the list is proven,
 * `open` where the walk proved neither.
 */
export type KeyVerdict = 'broken' | 'unique' | 'open';

interface Sorted {
  readonly rows: readonly ValidRow[];
  readonly rejects: readonly Reject[];
  readonly drift: readonly Drift[];
}

interface RivalParts {
  readonly stream: Stream;
  readonly listingKey: string;
  readonly walkState: Pick<WalkState, 'seen' | 'hasShown'>;
  /** Keys that the last walks found to have several records, and the fingerprint of the one that is the row. */
  readonly known: Readonly<Record<string, string>>;
  /** All of the list is read, so that the walk can judge. */
  readonly isFull: boolean;
}

/**
 * Records with the same key and another content. On one page, which is one moment, the key of the definition is wrong: one
 * record becomes the row, always the same one, the others become rejects. On different pages the row may have changed in
 * between, so the newer content is written as always. But where a content comes again after another one, nothing more is
 * written of that key until the walk has said whether the list stood still.
 */
export class Rivals {
  readonly #parts: RivalParts;
  /** Keys that the walk has seen with more than one content. */
  readonly #watched = new Set<string>();
  /** Contents that are not written yet, by key and fingerprint, the newest last. */
  readonly #held = new Map<string, Map<string, ValidRow>>();
  #doubled: Readonly<Record<string, string>>;

  constructor(parts: RivalParts) {
    this.#parts = parts;
    this.#doubled = parts.known;
  }

  /** For the checkpoint: keys with several records, and the fingerprint of the one that is the row. */
  get doubled(): Readonly<Record<string, string>> {
    return this.#doubled;
  }

  /** What is to be written of a page now. */
  sort(page: readonly ValidRow[]): Sorted {
    const rows: ValidRow[] = [];
    const rejects: Reject[] = [];
    const drift: Drift[] = [];
    for (const [key, all] of Map.groupBy(page, (row) => row.key)) {
      const [row, ...others] = distinct(all, this.#parts.known[key]);
      if (row === undefined) continue;
      rejects.push(...others.map((other) => this.#reject(other)));
      if (others.length > 0) drift.push(this.#drift(key));
      const fate = others.length > 0 ? 'write' : this.#fateOf(row);
      if (fate === 'hold') this.#hold(row);
      else if (fate === 'reject') rejects.push(this.#reject(row));
      // A record that repeats another of its page to the letter is counted with it.
      else rows.push(...all.filter(({ hash }) => hash === row.hash));
    }
    return { rows, rejects, drift };
  }

  /** What is left to be written once the walk has judged. */
  release(verdict: KeyVerdict): Sorted {
    const rows: ValidRow[] = [];
    const rejects: Reject[] = [];
    const drift: Drift[] = [];
    const doubled: Record<string, string> = verdict === 'open' ? { ...this.#parts.known } : {};
    for (const [key, held] of this.#held) {
      const known = this.#parts.known[key];
      const all = distinct([...held.values()], known);
      const isDoubled =
        verdict === 'broken' ? all.length > 1 || known !== undefined : verdict === 'open' && known !== undefined;
      const [row] = all;
      if (!isDoubled || row === undefined) {
        rows.push(...[...held.values()].slice(-1));
        continue;
      }
      // The row of a known key is written with its page.
      const others = known === undefined ? all.slice(1) : all;
      if (known === undefined) rows.push(row);
      rejects.push(...others.map((other) => this.#reject(other)));
      drift.push(this.#drift(key));
      if (Object.keys(doubled).length < MOST_KEPT) doubled[key] = known ?? row.hash;
    }
    this.#held.clear();
    this.#doubled = doubled;
    return { rows, rejects, drift };
  }

  #fateOf({ key, hash }: ValidRow): 'write' | 'hold' | 'reject' {
    const { walkState, known, isFull } = this.#parts;
    const winner = known[key];
    if (winner !== undefined) return winner === hash ? 'write' : isFull ? 'hold' : 'reject';
    if (!isFull || !walkState.seen.has(key)) return 'write';
    const isShown = walkState.hasShown(key, hash);
    // Content that comes after a held one is held as well: the last one shown is written in the end.
    if (this.#watched.has(key)) return isShown || this.#held.has(key) ? 'hold' : 'write';
    if (!isShown && this.#watched.size < MOST_WATCHED) this.#watched.add(key);
    return 'write';
  }

  #hold(row: ValidRow): void {
    const held = this.#held.get(row.key) ?? new Map<string, ValidRow>();
    held.delete(row.hash);
    this.#held.set(row.key, held.set(row.hash, row));
  }

  #reject({ key, record }: ValidRow): Reject {
    const { stream, listingKey } = this.#parts;
    const issues = [{ field: stream.key.join(', '), message: SAME_KEY }];
    return rejectOf(record, { key, issues }, listingKey);
  }

  #drift(key: string): Drift {
    const { stream } = this.#parts;
    return {
      field: stream.key.join(', '),
      kind: 'key is not unique',
      sample: driftSample(key.replaceAll('\u0001', ', ')),
    };
  }
}

/** One record for each content, first the one that is to be the row: the known one, or that with the lowest fingerprint. */
function distinct(rows: readonly ValidRow[], known: string | undefined): readonly ValidRow[] {
  if (rows.length === 1) return rows;
  const rank = ({ hash }: ValidRow) => (hash === known ? '' : hash);
  return [...new Map(rows.map((row) => [row.hash, row])).values()].sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
}

/** Rows remembered: ten pages, which is what pages that overlap, the ends of a list and its parts show twice. */
const ROWS = 2_000;

/**
 * The newest version that was shown of each of the latest rows. Servers behind one list lag behind each other, so two
 * answers can show one row in two states: the older one does not overwrite the newer one, whichever came first.
 */
export class NewestShown {
  readonly #version: string | undefined;
  readonly #shown = new Map<string, number>();

  constructor({ version }: Pick<Stream, 'version'>) {
    this.#version = version;
  }

  /**
   * The rows without those that were shown with a newer version before. `serverTime`: when the server answered, in ms by its
   * clock, or null. A version after that time is not remembered: the next change of the row may have an earlier one.
   */
  take(rows: readonly ValidRow[], serverTime: number | null): readonly ValidRow[] {
    const column = this.#version;
    if (column === undefined) return rows;
    const kept = rows.filter(({ key, row }) => {
      const version = row[column];
      if (!(version instanceof Date)) return true;
      const before = this.#shown.get(key) ?? Number.NEGATIVE_INFINITY;
      if (version.getTime() < before) return false;
      this.#shown.delete(key);
      if (serverTime === null || version.getTime() <= serverTime) this.#shown.set(key, version.getTime());
      return true;
    });
    for (const key of this.#shown.keys()) {
      if (this.#shown.size <= ROWS) break;
      this.#shown.delete(key);
    }
    return kept;
  }
}

/** Pages that a repetition is looked for in: the last full page may begin in the last but one. */
const PAGES = 2;

/**
 * Recognizes answers to offsets beyond the end. Some servers answer them with the last full page or with the first one
 * instead of none, which looks like a list that goes on. Such a page lies beyond the count it gives itself, and has nothing
 * but rows that were just shown, unchanged.
 */
export class PastEnd {
  #first: ObservedPage | null = null;
  #recent: readonly ObservedPage[] = [];

  /** The page as it is, or without its rows when they are those of another place. */
  clip(observed: ObservedPage): ObservedPage {
    if (observed.records.length === 0) return observed;
    if (
      observed.at.offset > 0 &&
      observed.total !== null &&
      observed.at.offset >= observed.total &&
      this.#hasShown(observed)
    ) {
      return { ...observed, records: [], rejects: 0 };
    }
    if (observed.at.offset === 0) this.#first = observed;
    else this.#recent = [...this.#recent, observed].slice(-PAGES);
    return observed;
  }

  #hasShown({ records }: ObservedPage): boolean {
    const pages = this.#first === null ? this.#recent : [this.#first, ...this.#recent];
    const shown = new Map(pages.flatMap((page) => page.records.map((one) => [identityOf(one), one.content])));
    return records.every((one) => shown.get(identityOf(one)) === one.content);
  }
}
