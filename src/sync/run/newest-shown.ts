import type { Stream } from '../../core/stream/stream.ts';
import type { ValidRow } from '../../core/stream/validate.ts';

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

  /** The rows without those that were shown with a newer version before. */
  take(rows: readonly ValidRow[]): readonly ValidRow[] {
    const column = this.#version;
    if (column === undefined) return rows;
    const kept = rows.filter(({ key, row }) => {
      const version = row[column];
      if (!(version instanceof Date)) return true;
      const before = this.#shown.get(key) ?? Number.NEGATIVE_INFINITY;
      if (version.getTime() < before) return false;
      this.#shown.delete(key);
      this.#shown.set(key, version.getTime());
      return true;
    });
    for (const key of this.#shown.keys()) {
      if (this.#shown.size <= ROWS) break;
      this.#shown.delete(key);
    }
    return kept;
  }
}
