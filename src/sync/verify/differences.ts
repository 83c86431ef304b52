import { constantsOf } from '../../core/stream/endpoint.ts';
import { keyPart, type Row } from '../../core/stream/record.ts';
import type { Stream } from '../../core/stream/stream.ts';
import type { ValidRow } from '../../core/stream/validate.ts';
import { type FieldDifference, type LiveRow, TAKEN } from '../../core/verify.ts';

/** A place where a table and the API say something else. */
export interface Difference {
  readonly kind: 'missing' | 'extra' | 'changed' | 'volatile';
  readonly key: Readonly<Record<string, string>>;
  /** The fields that differ, values cut to a readable length. */
  readonly fields: readonly FieldDifference[];
  /** Newer than the certificate of its list, or volatile: told, but not counted as a difference. */
  readonly excused: boolean;
}

/** Longest excerpt of a differing value, in characters. */
const VALUE_LENGTH = 200;

/** What a comparison has found so far in one stream and scope: counters, and the first differences. */
export class Findings {
  readonly #stream: Stream;
  readonly #keep: number;
  readonly differences: Difference[] = [];
  requests = 0;
  compared = 0;
  missing = 0;
  extra = 0;
  changed = 0;
  volatile = 0;
  excused = 0;
  rejected = 0;

  /** `keep`: differences remembered at most; excused ones only when there is no limit. */
  constructor(stream: Stream, keep: number) {
    this.#stream = stream;
    this.#keep = keep;
  }

  add(
    found: { readonly kind: Difference['kind']; readonly key: Row; readonly fields: readonly FieldDifference[] },
    excused: boolean,
  ): void {
    const { kind, key, fields } = found;
    if (kind === 'volatile') this.volatile += 1;
    else if (excused) this.excused += 1;
    else this[kind] += 1;
    if (this.differences.length >= this.#keep || (excused && Number.isFinite(this.#keep))) return;
    this.differences.push({
      kind,
      key: Object.fromEntries(this.#stream.key.map((name) => [name, keyPart(key[name])])),
      fields: fields.map(cut),
      excused,
    });
  }
}

/** Both values from where they part, so that a difference far into a long text is seen. */
function cut({ field, stored, listed, volatile }: FieldDifference): FieldDifference {
  const start = Math.max(0, firstDifference(stored ?? '', listed ?? '') - VALUE_LENGTH / 4);
  const short = (text: string | null) => {
    if (text === null || text.length <= VALUE_LENGTH) return text;
    const end = start + VALUE_LENGTH;
    return `${start > 0 ? '…' : ''}${text.slice(start, end)}${end < text.length ? '…' : ''}`.toWellFormed();
  };
  return { field, stored: short(stored), listed: short(listed), volatile };
}

function firstDifference(a: string, b: string): number {
  let index = 0;
  while (index < a.length && index < b.length && a[index] === b[index]) index += 1;
  return index;
}

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
    this.#parameters = constantsOf(stream).filter((name) => stream.key.includes(name));
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
      this.#stream.key.map((name) => (name === left ? '\u0000' : keyPart(row[name]))).join('\u0001'),
    );
  }
}
