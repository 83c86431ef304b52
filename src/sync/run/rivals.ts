import type { Stream } from '../../core/stream/stream.ts';
import { type Drift, driftSample, type Reject, rejectOf, SAME_KEY, type ValidRow } from '../../core/stream/validate.ts';
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
    if (this.#watched.has(key)) return isShown ? 'hold' : 'write';
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
