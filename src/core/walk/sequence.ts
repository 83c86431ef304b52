import { createHash } from 'node:crypto';
import { endOf, identityOf, type Look } from './look.ts';
import type { SeenKeys } from './seen-keys.ts';

/** The records of a whole pass in order, as one short text: two passes over a list that stood still agree in it. */
export class Sequence {
  readonly #hash = createHash('sha256');
  readonly #rows: SeenKeys | null;
  #end = 0;
  /** A row was in two places that no page shows together: it moved, where rows have one place. */
  twice = false;
  /** A key was in two places with different contents. */
  doubled = false;
  /** Records with the key of an earlier one of their page; rows that two pages share count once. */
  repeats = 0;

  /** `rows` remembers them, for `twice`; null where the caller does not need it. */
  constructor(rows: SeenKeys | null = null) {
    this.#rows = rows;
  }

  add(look: Look): void {
    const keys = new Set<string>();
    for (const [index, record] of look.records.entries()) {
      const identity = identityOf(record);
      if (look.at.offset + index >= this.#end) {
        if (keys.has(identity)) this.repeats += 1;
        else if (record.key !== null) this.#place(record.key, record.content);
        this.#hash.update(`${identity}\u0001${record.content}\u0002`);
      }
      keys.add(identity);
    }
    this.#end = Math.max(this.#end, endOf(look));
  }

  #place(key: string, content: string): void {
    if (this.#rows === null) return;
    const isFirst = this.#rows.add(key);
    const isOther = this.#rows.add(`${key}\u0001${content}`);
    if (!isFirst) this.twice = true;
    if (!isFirst && isOther) this.doubled = true;
  }

  digest(): string {
    return this.#hash.copy().digest('hex');
  }
}
