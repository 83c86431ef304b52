import type { Scope } from '../../core/account.ts';
import type { Certificate } from '../../core/certificate.ts';
import type { Conclusion, ListingState, PageResult, PageWrite, WalkSink } from '../../core/store.ts';
import {
  constantsOf,
  inZone,
  type Listing,
  listing as listingOf,
  listingsUnder,
  parametersOf,
  part,
} from '../../core/stream/endpoint.ts';
import { KEY_SEPARATOR, keyPart, type Row } from '../../core/stream/record.ts';
import type { Parent, Stream } from '../../core/stream/stream.ts';
import type { ValidRow } from '../../core/stream/validate.ts';
import {
  existenceDates,
  type FieldDifference,
  HASH_CLEARED,
  isExtraExcused,
  judgeListed,
  type LiveRow,
  type RowVerdict,
  type TableClaims,
  type TableReader,
} from '../../core/verify.ts';
import { SeenKeys } from '../../core/walk/row-digest.ts';
import { rowsCanLeaveWindow } from '../../core/windows.ts';

/** A difference between a table and the API. */
export interface Difference {
  readonly kind: 'missing' | 'extra' | 'changed' | 'volatile';
  readonly key: Readonly<Record<string, string>>;
  /** The fields that differ, values shortened to a readable length. */
  readonly fields: readonly FieldDifference[];
  /** Newer than the certificate of its list, or volatile: reported, but not counted. */
  readonly excused: boolean;
}

/** Maximum length of the excerpt of a differing value, in characters. */
const VALUE_LENGTH = 200;

/** A difference as it is found, with all columns of its row. */
interface FoundDifference extends Omit<Difference, 'key'> {
  readonly key: Row;
}

/** Result of a comparison of one stream in one scope so far: counters, and the first differences. */
export class DifferenceCollector {
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

  /** `keep`: maximum number of differences to keep. Excused ones are kept only without a limit. */
  constructor(stream: Stream, keep: number) {
    this.#stream = stream;
    this.#keep = keep;
  }

  add({ kind, key, fields, excused }: FoundDifference): void {
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

/** Cuts both values to the part around their first difference, which may be far into a long text. */
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
  /** An extra row was found that explains it. */
  paired: boolean;
}

/**
 * If several lists of a stream share its rows (handled and unhandled ones), a row that moves between them is missing
 * under one key and extra under another, and no time in the row shows the move. The two count as one change if they
 * differ in one parameter only and their fingerprints differ as well. If the stored key had been edited by hand
 * instead, the fingerprint would be cleared or (without the triggers) equal to that of the missing row.
 */
export class RelocatedRows {
  readonly #stream: Stream;
  readonly #parameters: readonly string[];
  readonly #missing = new Map<string, Expected[]>();
  readonly #all: Expected[] = [];

  constructor(stream: Stream) {
    this.#stream = stream;
    this.#parameters = constantsOf(stream).filter((name) => stream.key.includes(name));
  }

  /** Keeps a missing row until all extra rows are known. Returns false if rows of the stream cannot move. */
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

  /** A missing row moved to this extra row; both are then excused. */
  explains({ row, hash }: LiveRow): boolean {
    if (hash === HASH_CLEARED) return false;
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

  /** The key without one of its parameters, once for each parameter. */
  #traces(row: Row): readonly string[] {
    return this.#parameters.map((left) =>
      this.#stream.key.map((name) => (name === left ? '\u0000' : keyPart(row[name]))).join(KEY_SEPARATOR),
    );
  }
}

/** Dependencies of a comparison. */
export interface ComparisonParts {
  readonly tables: TableReader;
  readonly stream: Stream;
  readonly scope: Scope;
  readonly claims: TableClaims;
  readonly collector: DifferenceCollector;
  /** Streams whose lists the rows of this one name, and the map that receives these lists. */
  readonly children: readonly { readonly parent: Parent; readonly lists: Map<string, Listing> }[];
}

/** Receives the pages of walks as a run does, but compares them with the tables and writes nothing. */
export class Comparison implements WalkSink {
  readonly #parts: ComparisonParts;
  readonly #seen = new SeenKeys();
  readonly #rejects = new SeenKeys();
  readonly #certificates = new Map<string, Certificate>();
  /** Oldest time that each list shows, for lists whose oldest rows age out. */
  readonly #oldest = new Map<string, number>();
  /** Windows that were read to their end. */
  readonly #windows: Listing[] = [];
  readonly #splitValues = new Set<string>();
  readonly #relocated: RelocatedRows;

  constructor(parts: ComparisonParts) {
    this.#parts = parts;
    this.#relocated = new RelocatedRows(parts.stream);
  }

  /** Empty, so that no stored state shortens a walk. */
  async states(): Promise<ReadonlyMap<string, ListingState>> {
    return new Map();
  }

  async page({ listing, rows, rejects, requests }: PageWrite): Promise<PageResult> {
    const { tables, stream, scope, claims, collector } = this.#parts;
    collector.requests += requests;
    // As in the writer: the last of several equal keys on a page counts. Pages overlap, so rows repeat.
    const fresh = [...new Map(rows.map((row) => [row.key, row])).values()].filter(({ key }) => this.#seen.add(key));
    for (const { key, fingerprint } of rejects) {
      if (key !== null) this.#seen.add(key);
      if (this.#rejects.add(fingerprint)) collector.rejected += 1;
    }
    const stored = fresh.length === 0 ? new Map() : await tables.rowsLike(stream, scope, fresh);
    const when = { since: this.#since(listing), startedAt: claims.startedAt };
    for (const row of fresh) {
      this.#note(listing, row.row);
      collector.compared += 1;
      this.#take(row, judgeListed(stream, { listed: row, stored: stored.get(row.key) }, when));
    }
    return { inserted: 0, changed: new Map(), refused: 0, newDrift: [] };
  }

  async conclude({ listing, certificate }: Conclusion): Promise<Certificate> {
    this.#certificates.set(listing.key, certificate);
    if (listing.window !== undefined) this.#windows.push(listing);
    return certificate;
  }

  async recordPoll(): Promise<void> {}

  async countRequests(requests: number): Promise<void> {
    this.#parts.collector.requests += requests;
  }

  async valuesOf(column: string, when: 'ever' | 'before'): Promise<readonly string[]> {
    const { tables, stream, scope } = this.#parts;
    const stored = await tables.valuesOf(stream, scope, column);
    return when === 'before' ? stored : [...new Set([...stored, ...this.#splitValues])];
  }

  /** Reports live rows that no walk contained although their list was read completely, or that belong to no list. */
  async findExtra(): Promise<void> {
    const { tables, stream, scope, collector } = this.#parts;
    const columns = new Set([...stream.key, ...parametersOf(stream), ...existenceDates(stream)]);
    if (stream.split !== undefined) columns.add(stream.split.parameter);
    if (stream.window !== undefined) columns.add(stream.window.column);
    for await (const slice of tables.liveRows(stream, scope, [...columns])) {
      for (const live of slice) if (!this.#seen.has(live.key)) this.#judgeExtra(live);
    }
    for (const { key, excused } of this.#relocated.missing())
      collector.add({ kind: 'missing', key, fields: [], excused });
  }

  #judgeExtra(live: LiveRow): void {
    const { stream, claims, collector } = this.#parts;
    const whole = listingOf(
      Object.fromEntries(parametersOf(stream).map((name) => [name, String(live.row[name] ?? '')])),
    );
    const list = this.#complete(whole, live.row);
    if (list === 'unproven' || (list !== null && this.#agedOut(list, live.row))) return;
    const since = list === null ? undefined : this.#since(list);
    const excused =
      (list !== null && this.#relocated.explains(live)) ||
      isExtraExcused(stream, live, { since, startedAt: claims.startedAt });
    collector.add({ kind: 'extra', key: live.row, fields: [], excused });
  }

  /** The complete list, or part of it, that would have contained the row; null if there is none. */
  #complete(whole: Listing, row: Row): Listing | 'unproven' | null {
    const { split, window } = this.#parts.stream;
    if (window !== undefined) return this.#completeWindow(whole, row) ?? 'unproven';
    const known = this.#certificates.get(whole.key);
    if (known === undefined) return null;
    if (isProof(known)) return whole;
    if (split === undefined) return 'unproven';
    const piece = part(whole, split.parameter, String(row[split.parameter] ?? ''));
    const certificate = this.#certificates.get(piece.key);
    return certificate !== undefined && isProof(certificate) ? piece : 'unproven';
  }

  /**
   * The complete window that would have contained the row; null for a row older than all windows, or whose time may
   * change.
   */
  #completeWindow(whole: Listing, row: Row): Listing | null {
    const { stream } = this.#parts;
    const time = timeOf(stream, row);
    if (stream.window === undefined || rowsCanLeaveWindow(stream, stream.window)) return null;
    const isIn = ({ window, params }: Listing) =>
      window !== undefined &&
      listingOf(params).key === whole.key &&
      time >= window.missedFrom &&
      time < window.rows.end;
    const found = this.#windows.find(isIn);
    const certificate = found === undefined ? undefined : this.#certificates.get(found.key);
    return certificate !== undefined && isProof(certificate) ? (found ?? null) : null;
  }

  /** The row has left a list that loses its oldest rows; the table keeps it. */
  #agedOut(list: Listing, row: Row): boolean {
    const { stream } = this.#parts;
    const oldest = this.#oldest.get(list.key) ?? Number.POSITIVE_INFINITY;
    return losesOldest(stream, list) && timeOf(stream, row) <= oldest;
  }

  #since(listing: Listing): Date | null {
    return this.#parts.claims.certified.get(listing.key) ?? null;
  }

  #note(listing: Listing, row: Row): void {
    const { stream, children } = this.#parts;
    if (losesOldest(stream, listing)) {
      this.#oldest.set(listing.key, Math.min(timeOf(stream, row), this.#oldest.get(listing.key) ?? Infinity));
    }
    const value = stream.split === undefined ? null : row[stream.split.parameter];
    if (typeof value === 'string') this.#splitValues.add(value);
    for (const { parent, lists } of children) {
      const { params, only, timeZone } = parent;
      if (only !== undefined && !only.values.includes(String(row[only.column]))) continue;
      const values = Object.entries(params).map(([name, column]) => [name, String(row[column] ?? '')]);
      const zone = inZone(timeZone === undefined ? null : row[timeZone]);
      for (const list of listingsUnder(parent, Object.fromEntries(values))) {
        if (!lists.has(list.key)) lists.set(list.key, { ...list, ...zone });
      }
    }
  }

  #take(listed: ValidRow, { kind, excused, fields }: RowVerdict): void {
    const { collector } = this.#parts;
    const volatile = fields.filter((field) => field.volatile);
    if (volatile.length > 0) collector.add({ kind: 'volatile', key: listed.row, fields: volatile, excused: true });
    if (kind === 'changed') {
      collector.add({ kind, key: listed.row, fields: fields.filter((field) => !field.volatile), excused });
    } else if (kind === 'missing' && !this.#relocated.expect(listed, excused)) {
      collector.add({ kind, key: listed.row, fields: [], excused });
    }
  }
}

/** A complete certificate without unreadable rejects: one of those might be any row, so they prove no absence. */
function isProof({ kind, evidence }: Certificate): boolean {
  return kind === 'complete' && evidence.unreadable === 0;
}

/** Rows age out of the list at an undocumented time. */
function losesOldest({ appendOnly }: Stream, { window }: Listing): boolean {
  return appendOnly === true || window?.mayAgeOut === true;
}

function timeOf(stream: Stream, row: Row): number {
  const [first = ''] = existenceDates(stream);
  const column = stream.window?.column ?? first;
  const value = row[column];
  return value instanceof Date ? value.getTime() : Number.NaN;
}
