import { identityOf, type Look } from '../../core/walk/look.ts';

/** Pages that a repetition is looked for in: the last full page may begin in the last but one. */
const PAGES = 2;

/**
 * Recognizes answers to offsets beyond the end. Some servers answer them with the last full page or with the first one
 * instead of none, which looks like a list that goes on. Such a page lies beyond the count it gives itself, and has nothing
 * but rows that were just shown, unchanged.
 */
export class PastEnd {
  #first: Look | null = null;
  #recent: readonly Look[] = [];

  /** The look as it is, or without its rows when they are those of another place. */
  clip(look: Look): Look {
    if (look.records.length === 0) return look;
    if (look.at.offset > 0 && look.total !== null && look.at.offset >= look.total && this.#hasShown(look)) {
      return { ...look, records: [], rejects: 0 };
    }
    if (look.at.offset === 0) this.#first = look;
    else this.#recent = [...this.#recent, look].slice(-PAGES);
    return look;
  }

  #hasShown({ records }: Look): boolean {
    const pages = this.#first === null ? this.#recent : [this.#first, ...this.#recent];
    const shown = new Map(pages.flatMap((page) => page.records.map((one) => [identityOf(one), one.content])));
    return records.every((one) => shown.get(identityOf(one)) === one.content);
  }
}
