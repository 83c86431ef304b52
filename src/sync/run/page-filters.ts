import { KEY_SEPARATOR } from '../../core/stream/record.ts';
import type { Stream } from '../../core/stream/stream.ts';
import {
  type Drift,
  driftSample,
  isFormerFingerprint,
  type Reject,
  rejectOf,
  SAME_KEY,
  type ValidRow,
} from '../../core/stream/validate.ts';
import { identityOf, type ObservedPage } from '../../core/walk/observed-page.ts';
import type { WalkState } from '../../core/walk/walk-state.ts';

/** Maximum number of keys with several records to store for a list, and of keys to watch during a walk. */
const MOST_KEPT = 100;
const MOST_WATCHED = 1_000;

/**
 * The walk's result for keys with two contents: `broken` in a list that stood still, `unique` once the list is proven,
 * `open` if the walk proved neither.
 */
export type KeyVerdict = 'broken' | 'unique' | 'open';

interface WritablePage {
  readonly rows: readonly ValidRow[];
  readonly rejects: readonly Reject[];
  readonly drift: readonly Drift[];
}

interface DuplicateKeysParts {
  readonly stream: Stream;
  readonly listingKey: string;
  readonly walkState: Pick<WalkState, 'seen' | 'hasShown'>;
  /** Keys that earlier walks found to have several records, with the fingerprint of the record that is the row. */
  readonly known: Readonly<Record<string, string>>;
  /** The whole list is read, so the walk can decide. */
  readonly isFull: boolean;
}

/**
 * Handles records with the same key and different content. On one page, which is one moment, they show that the stream
 * defines a wrong key: one record becomes the row, always the same one, and the others become rejects. On different
 * pages the row may have changed in between, so the newer content is written as usual. But if a content appears again
 * after another one, nothing more is written for that key until the walk knows whether the list stood still.
 */
export class DuplicateKeys {
  readonly #parts: DuplicateKeysParts;
  /** Keys that the walk has seen with more than one content. */
  readonly #watched = new Set<string>();
  /** Contents not written yet, by key and fingerprint, the newest last. */
  readonly #held = new Map<string, Map<string, ValidRow>>();
  /** `DuplicateKeysParts.known`, with the present fingerprints of the records that were shown. */
  readonly #known: Map<string, string>;
  #doubled: Readonly<Record<string, string>>;

  constructor(parts: DuplicateKeysParts) {
    this.#parts = parts;
    this.#known = new Map(Object.entries(parts.known));
    this.#doubled = parts.known;
  }

  /** For the checkpoint: keys with several records, and the fingerprint of the record that is the row. */
  get doubled(): Readonly<Record<string, string>> {
    return this.#doubled;
  }

  /** The part of a page to be written now. */
  sort(page: readonly ValidRow[]): WritablePage {
    const rows: ValidRow[] = [];
    const rejects: Reject[] = [];
    const drift: Drift[] = [];
    if (this.#known.size > 0) this.#renewKnown(page);
    // Grouping is slow, and hardly any page has two records with one key.
    if (new Set(page.map(({ key }) => key)).size === page.length) {
      for (const row of page) this.#place(row, [row], { rows, rejects });
      return { rows, rejects, drift };
    }
    for (const [key, all] of Map.groupBy(page, (row) => row.key)) {
      const winner = this.#known.get(key);
      const [row, ...others] = distinct(all, winner);
      if (row === undefined) continue;
      if (others.length > 0 && winner !== undefined && row.hash !== winner) {
        // The record that is the row may be on another page. If it is on none, the walk decides which one is.
        for (const one of [row, ...others]) this.#place(one, [one], { rows, rejects });
        drift.push(this.#drift(key));
        continue;
      }
      rejects.push(...others.map((other) => this.#reject(other)));
      if (others.length > 0) drift.push(this.#drift(key));
      // Identical records of a page are counted together.
      const same = all.filter(({ hash }) => hash === row.hash);
      if (others.length > 0) rows.push(...same);
      else this.#place(row, same, { rows, rejects });
    }
    return { rows, rejects, drift };
  }

  /** An earlier version of the program may have stored the record that is the row under another fingerprint. */
  #renewKnown(page: readonly ValidRow[]): void {
    for (const row of page) {
      const winner = this.#known.get(row.key);
      if (winner === undefined || winner === row.hash) continue;
      if (isFormerFingerprint(this.#parts.stream, winner, row)) this.#known.set(row.key, row.hash);
    }
  }

  /** Puts the only content of a key on a page where it belongs; `same`: the records with this content. */
  #place(
    row: ValidRow,
    same: readonly ValidRow[],
    into: { readonly rows: ValidRow[]; readonly rejects: Reject[] },
  ): void {
    const action = this.#actionFor(row);
    if (action === 'hold') this.#hold(row);
    else if (action === 'reject') into.rejects.push(this.#reject(row));
    else into.rows.push(...same);
  }

  /** The rows and rejects to be written after the walk has decided. */
  release(verdict: KeyVerdict): WritablePage {
    const rows: ValidRow[] = [];
    const rejects: Reject[] = [];
    const drift: Drift[] = [];
    const doubled: Record<string, string> = verdict === 'open' ? Object.fromEntries(this.#known) : {};
    for (const [key, held] of this.#held) {
      // A record that a walk of the whole list did not show is no longer the row of its key.
      const isListed = verdict !== 'broken' || this.#parts.walkState.hasShown(this.#known.get(key) ?? '');
      const known = isListed ? this.#known.get(key) : undefined;
      const all = distinct([...held.values()], known);
      const isDoubled =
        verdict === 'broken' ? all.length > 1 || known !== undefined : verdict === 'open' && known !== undefined;
      const [row] = all;
      if (!isDoubled || row === undefined) {
        rows.push(...[...held.values()].slice(-1));
        continue;
      }
      // The row of a known key was written with its page.
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

  #actionFor({ key, hash }: ValidRow): 'write' | 'hold' | 'reject' {
    const { walkState, isFull } = this.#parts;
    const winner = this.#known.get(key);
    if (winner !== undefined) return winner === hash ? 'write' : isFull ? 'hold' : 'reject';
    if (!isFull || !walkState.seen.has(key)) return 'write';
    const isShown = walkState.hasShown(hash);
    // Content that follows a held one is held as well, because the last content shown has to be written last.
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
      sample: driftSample(key.replaceAll(KEY_SEPARATOR, ', ')),
    };
  }
}

/**
 * One record for each content, first the one to be the row: the known one, otherwise that with the lowest fingerprint.
 */
function distinct(rows: readonly ValidRow[], known: string | undefined): readonly ValidRow[] {
  if (rows.length === 1) return rows;
  const rank = ({ hash }: ValidRow) => (hash === known ? '' : hash);
  return [...new Map(rows.map((row) => [row.hash, row])).values()].sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
}

/** Number of rows to keep at least: ten pages, which covers overlaps, the ends of a list and its parts. */
const ROWS = 2_000;

/**
 * The newest version shown of each recently read row. Servers behind one list lag behind each other, so two answers can
 * show a row in two states. The older one must not overwrite the newer one, whichever came first.
 */
export class NewestShown {
  readonly #version: string | undefined;
  /** Versions of the latest rows, and of the {@link ROWS} rows before them. One map in order of use is slower. */
  #shown = new Map<string, number>();
  #before: ReadonlyMap<string, number> = new Map();

  constructor({ version }: Pick<Stream, 'version'>) {
    this.#version = version;
  }

  /**
   * Returns the rows without those already shown with a newer version. `serverTime`: server time of the answer in ms,
   * or null. A version after it is not kept, because the next change of the row may have an earlier one.
   */
  take(rows: readonly ValidRow[], serverTime: number | null): readonly ValidRow[] {
    const column = this.#version;
    if (column === undefined) return rows;
    const kept = rows.filter(({ key, row }) => {
      const version = row[column];
      if (!(version instanceof Date)) return true;
      const ms = version.getTime();
      if (ms < (this.#shown.get(key) ?? this.#before.get(key) ?? Number.NEGATIVE_INFINITY)) return false;
      this.#note(key, ms, serverTime);
      return true;
    });
    this.#rotate();
    return kept;
  }

  /** The versions of rows, for {@link takeAgain}. */
  versionsOf(rows: readonly ValidRow[]): ReadonlyMap<string, number> {
    const column = this.#version;
    const versions = rows.map(({ key, row }) => [key, column === undefined ? null : row[column]] as const);
    return new Map(versions.flatMap(([key, at]) => (at instanceof Date ? [[key, at.getTime()]] : [])));
  }

  /** The same as {@link take}, for rows that have been taken and were shown again. */
  takeAgain(versions: ReadonlyMap<string, number>, serverTime: number | null): void {
    for (const [key, ms] of versions) {
      if (ms >= (this.#shown.get(key) ?? this.#before.get(key) ?? ms)) this.#note(key, ms, serverTime);
    }
    this.#rotate();
  }

  #note(key: string, ms: number, serverTime: number | null): void {
    this.#shown.set(key, serverTime === null || ms <= serverTime ? ms : Number.NEGATIVE_INFINITY);
  }

  #rotate(): void {
    if (this.#shown.size > ROWS) [this.#before, this.#shown] = [this.#shown, new Map()];
  }
}

/** Number of pages to compare with: the last full page may begin on the last but one. */
const PAGES = 2;

/**
 * Detects answers to offsets behind the end of the list. Some servers repeat the last full page or the first one
 * instead of an empty page, which looks like an endless list. Such a page is behind its own count and has only rows
 * that were just shown, unchanged.
 */
export class PastEnd {
  #first: ObservedPage | null = null;
  #recent: readonly ObservedPage[] = [];

  /** Returns the page, without its rows if they belong to another offset. */
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
