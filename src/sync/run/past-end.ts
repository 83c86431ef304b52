import { identityOf, type ObservedPage } from '../../core/walk/observed-page.ts';

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
