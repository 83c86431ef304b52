import type { Row } from '../../core/stream/record.ts';
import type { Stream } from '../../core/stream/stream.ts';
import type { ValidRow } from '../../core/stream/validate.ts';
import { type LiveRow, TAKEN } from '../../core/verify/verify.ts';

interface Expected {
  readonly key: Row;
  readonly hash: string;
  excused: boolean;
  /** A row that is left over is explained by it. */
  paired: boolean;
}

/**
 * Where several lists of a stream share its rows (handled ones and unhandled ones), a row that changes hands is missing
 * under one key and left over under another, and no time in it says so. The two are one change when they differ in one
 * parameter only and the answers they were made of differ as well: had the stored key been altered by hand, its
 * fingerprint would be taken, or (without the triggers) still that of the row that is missing.
 */
export class Moves {
  readonly #stream: Stream;
  readonly #parameters: readonly string[];
  readonly #missing = new Map<string, Expected[]>();
  readonly #all: Expected[] = [];

  constructor(stream: Stream) {
    this.#stream = stream;
    this.#parameters = Object.keys(stream.listings[0] ?? {}).filter((name) => stream.key.includes(name));
  }

  /** Keeps a missing row until it is known what is left over. False where rows cannot move. */
  expect({ row, hash }: ValidRow, excused: boolean): boolean {
    if (this.#parameters.length === 0) return false;
    const expected: Expected = { key: row, hash, excused, paired: false };
    this.#all.push(expected);
    for (const trace of this.#traces(row)) {
      const others = this.#missing.get(trace);
      if (others === undefined) this.#missing.set(trace, [expected]);
      else others.push(expected);
    }
    return true;
  }

  /** Whether a row that is left over is where a missing one came from; both are then excused. */
  explains({ row, hash }: LiveRow): boolean {
    if (hash === TAKEN) return false;
    for (const trace of this.#traces(row)) {
      const expected = this.#missing.get(trace)?.find((one) => !one.paired && one.hash !== hash);
      if (expected === undefined) continue;
      expected.paired = true;
      expected.excused = true;
      return true;
    }
    return false;
  }

  missing(): readonly Readonly<Expected>[] {
    return this.#all;
  }

  /** The key without one of its parameters, for each of them. */
  #traces(row: Row): readonly string[] {
    return this.#parameters.map((left) =>
      this.#stream.key.map((name) => (name === left ? '\u0000' : String(row[name]))).join('\u0001'),
    );
  }
}
