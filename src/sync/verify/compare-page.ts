import type { Scope } from '../../core/account.ts';
import type { Certificate } from '../../core/certificate.ts';
import type { Conclusion, ListingState, PageResult, PageWrite, WalkSink } from '../../core/store.ts';
import {
  inZone,
  type Listing,
  listing as listingOf,
  listingsUnder,
  parametersOf,
  part,
} from '../../core/stream/endpoint.ts';
import type { Row } from '../../core/stream/record.ts';
import type { Parent, Stream } from '../../core/stream/stream.ts';
import type { ValidRow } from '../../core/stream/validate.ts';
import {
  type Baseline,
  existenceDates,
  isSurplusExcused,
  type Judgement,
  judgeListed,
  type LiveRow,
  type TableReader,
} from '../../core/verify.ts';
import { SeenKeys } from '../../core/walk/row-digest.ts';
import { movesOn } from '../../core/windows.ts';
import { type Findings, Moves } from './differences.ts';

export interface ComparisonParts {
  readonly tables: TableReader;
  readonly stream: Stream;
  readonly scope: Scope;
  readonly baseline: Baseline;
  readonly findings: Findings;
  /** Streams whose lists the rows of this one name, and where to note those lists. */
  readonly children: readonly { readonly parent: Parent; readonly lists: Map<string, Listing> }[];
}

/** Takes the pages of walks like a run does, but compares them with the tables instead of writing them. */
export class Comparison implements WalkSink {
  readonly #parts: ComparisonParts;
  readonly #seen = new SeenKeys();
  readonly #rejects = new SeenKeys();
  readonly #certificates = new Map<string, Certificate>();
  /** The oldest time each list shows, for lists whose oldest rows age out. */
  readonly #oldest = new Map<string, number>();
  /** Windows that were read to their ends. */
  readonly #windows: Listing[] = [];
  readonly #splitValues = new Set<string>();
  readonly #moves: Moves;

  constructor(parts: ComparisonParts) {
    this.#parts = parts;
    this.#moves = new Moves(parts.stream);
  }

  /** Nothing that is remembered of a list may shorten its walk. */
  async states(): Promise<ReadonlyMap<string, ListingState>> {
    return new Map();
  }

  async page({ listing, rows, rejects, requests }: PageWrite): Promise<PageResult> {
    const { tables, stream, scope, baseline, findings } = this.#parts;
    findings.requests += requests;
    // As the writer does it: of a row that a page shows twice, the last one counts. Pages overlap, so rows come again.
    const fresh = [...new Map(rows.map((row) => [row.key, row])).values()].filter(({ key }) => this.#seen.add(key));
    for (const { key, fingerprint } of rejects) {
      if (key !== null) this.#seen.add(key);
      if (this.#rejects.add(fingerprint)) findings.rejected += 1;
    }
    const stored = fresh.length === 0 ? new Map() : await tables.rowsLike(stream, scope, fresh);
    const when = { since: this.#since(listing), startedAt: baseline.startedAt };
    for (const row of fresh) {
      this.#note(listing, row.row);
      findings.compared += 1;
      this.#take(row, judgeListed(stream, row, stored.get(row.key), when));
    }
    return { inserted: 0, changed: new Map(), refused: 0, newDrift: [] };
  }

  async conclude({ listing, certificate }: Conclusion): Promise<Certificate> {
    this.#certificates.set(listing.key, certificate);
    if (listing.window !== undefined) this.#windows.push(listing);
    return certificate;
  }

  async visited(): Promise<void> {}
  async tried(): Promise<void> {}

  async spent(requests: number): Promise<void> {
    this.#parts.findings.requests += requests;
  }

  async valuesOf(column: string, when: 'ever' | 'before'): Promise<readonly string[]> {
    const { tables, stream, scope } = this.#parts;
    const stored = await tables.valuesOf(stream, scope, column);
    return when === 'before' ? stored : [...new Set([...stored, ...this.#splitValues])];
  }

  /** Live rows that no walk contained, although the list they belong to was read completely; or that belong to no list. */
  async findSurplus(): Promise<void> {
    const { tables, stream, scope, findings } = this.#parts;
    const columns = new Set([...stream.key, ...parametersOf(stream), ...existenceDates(stream)]);
    if (stream.split !== undefined) columns.add(stream.split.parameter);
    if (stream.window !== undefined) columns.add(stream.window.column);
    for await (const slice of tables.liveRows(stream, scope, [...columns])) {
      for (const live of slice) if (!this.#seen.has(live.key)) this.#judgeSurplus(live);
    }
    for (const { key, excused } of this.#moves.missing()) findings.add({ kind: 'missing', key, fields: [] }, excused);
  }

  #judgeSurplus(live: LiveRow): void {
    const { stream, baseline, findings } = this.#parts;
    const whole = listingOf(
      Object.fromEntries(parametersOf(stream).map((name) => [name, String(live.row[name] ?? '')])),
    );
    const list = this.#complete(whole, live.row);
    if (list === 'unproven' || (list !== null && this.#agedOut(list, live.row))) return;
    const since = list === null ? undefined : this.#since(list);
    const excused =
      (list !== null && this.#moves.explains(live)) ||
      isSurplusExcused(stream, live, { since, startedAt: baseline.startedAt });
    findings.add({ kind: 'extra', key: live.row, fields: [] }, excused);
  }

  /** The complete list, or part of it, that would have contained the row; null when there is no such list. */
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

  /** The complete window that would have contained the row; null for a row older than all of them, and where its time may move on. */
  #completeWindow(whole: Listing, row: Row): Listing | null {
    const { stream } = this.#parts;
    const time = timeOf(stream, row);
    if (stream.window === undefined || movesOn(stream, stream.window)) return null;
    const isIn = ({ window, params }: Listing) =>
      window !== undefined &&
      listingOf(params).key === whole.key &&
      time >= window.missedFrom &&
      time < window.rows.end;
    const found = this.#windows.find(isIn);
    const certificate = found === undefined ? undefined : this.#certificates.get(found.key);
    return certificate !== undefined && isProof(certificate) ? (found ?? null) : null;
  }

  /** A list that only grows loses its oldest rows in time; the table keeps them. */
  #agedOut(list: Listing, row: Row): boolean {
    const { stream } = this.#parts;
    const oldest = this.#oldest.get(list.key) ?? Number.POSITIVE_INFINITY;
    return losesOldest(stream, list) && timeOf(stream, row) <= oldest;
  }

  #since(listing: Listing): Date | null {
    return this.#parts.baseline.certified.get(listing.key) ?? null;
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

  #take(listed: ValidRow, { kind, excused, fields }: Judgement): void {
    const { findings } = this.#parts;
    const volatile = fields.filter((field) => field.volatile);
    if (volatile.length > 0) findings.add({ kind: 'volatile', key: listed.row, fields: volatile }, true);
    if (kind === 'changed') {
      findings.add({ kind, key: listed.row, fields: fields.filter((field) => !field.volatile) }, excused);
    } else if (kind === 'missing' && !this.#moves.expect(listed, excused)) {
      findings.add({ kind, key: listed.row, fields: [] }, excused);
    }
  }
}

/** Rejects without a key leave open which row they are, so they prove no absence. */
function isProof({ kind, evidence }: Certificate): boolean {
  return kind === 'complete' && evidence.unreadable === 0;
}

/** Rows age out of the list, and no document says when. */
function losesOldest({ appendOnly }: Stream, { window }: Listing): boolean {
  return appendOnly === true || window?.mayAgeOut === true;
}

function timeOf(stream: Stream, row: Row): number {
  const [first = ''] = existenceDates(stream);
  const column = stream.window?.column ?? first;
  const value = row[column];
  return value instanceof Date ? value.getTime() : Number.NaN;
}
