import type { At, Page, Paging } from '../../core/stream/endpoint.ts';

/** Rows two pages of a walk share as long as its list stands still. */
const USUALLY_SHARED = 5;

/**
 * Guesses which page a walk asks for next, from how far its pages overlapped so far. A guess says nothing about the walk:
 * one that is wrong costs a request. After a wrong one none is made until one would have been right.
 */
export class PagePrefetcher {
  readonly #paging: Pick<Paging, 'kind' | 'cap'>;
  #end = 0;
  #guess: number | null = null;
  #shared = USUALLY_SHARED;
  #looksAtTop = 0;
  #trusted = true;

  constructor(paging: Pick<Paging, 'kind' | 'cap'>) {
    this.#paging = paging;
  }

  /** The walk asks for this page. */
  observe({ offset }: At): void {
    if (offset === 0) this.#looksAtTop += 1;
    if (this.#guess !== null) this.#trusted = this.#guess === offset;
    if (this.#guess !== null && offset > 0 && offset < this.#end) this.#shared = this.#end - offset;
  }

  /** The page that probably follows this one, where that is worth a request. */
  after({ offset, limit }: At, { records, total }: Page): At | null {
    const { kind, cap } = this.#paging;
    this.#end = offset + records.length;
    const isLast = records.length < limit || (total !== null && this.#end >= total);
    // Most walks end by reading the first page again.
    const isClosing = offset === 0 && this.#looksAtTop > 1;
    const isBeyond = cap !== null && total !== null && total >= cap;
    this.#guess = kind !== 'offset' || isLast || isClosing || isBeyond ? null : this.#end - this.#shared;
    return this.#guess === null || !this.#trusted ? null : { offset: this.#guess, limit };
  }
}
