import type { Scope } from './account.ts';
import type { Field } from './stream/fields.ts';
import type { Row } from './stream/record.ts';
import type { Stream } from './stream/stream.ts';
import type { ValidRow } from './stream/validate.ts';

/**
 * What a comparison of the API with a table may call a difference. A list goes on changing after it was certified, so
 * what the API itself dates later than the certificate is excused, and so is what was written meanwhile. Nothing excuses
 * a row that says something else than the very answer it was made of, or that was changed by hand after its list was
 * certified.
 */

/**
 * The fingerprint of a row that was changed by hand (triggers take it), and of every row after a reset, until the row is
 * written anew. What was received can no longer be told from what was changed.
 */
export const TAKEN = '';

/** A row as it is stored. */
export interface StoredRow extends Comparable {
  readonly key: string;
  /** Fingerprint of the answer it was made of; `TAKEN` where it was changed by hand since. */
  readonly hash: string;
  readonly firstSeenAt: Date;
  readonly changedAt: Date;
  /** Null while it counts as listed. */
  readonly deletedAt: Date | null;
}

/** As much of a live row as tells whether it should be there. */
export interface LiveRow {
  readonly key: string;
  /** As of a stored row. */
  readonly hash: string;
  readonly firstSeenAt: Date;
  /** Its key, the parameters of its list and its times. */
  readonly row: Row;
}

/** What the tables claimed when the comparison began. */
export interface Baseline {
  /** By the clock of the database. */
  readonly startedAt: Date;
  /** Since when each list may have changed unseen: the begin of the run that certified it; null when none ever did. */
  readonly certified: ReadonlyMap<string, Date | null>;
  /** Whether a run of the stream in the scope was ever complete. */
  readonly wasComplete: boolean;
}

/** The tables, for reading only. */
export interface TableReader {
  baseline(stream: Stream, scope: Scope): Promise<Baseline>;
  /** The stored rows with the keys of these, live or not, by key. */
  rowsLike(stream: Stream, scope: Scope, rows: readonly ValidRow[]): Promise<ReadonlyMap<string, StoredRow>>;
  /** Every live row of the scope, in slices, with these columns. */
  liveRows(stream: Stream, scope: Scope, columns: readonly string[]): AsyncIterable<readonly LiveRow[]>;
  /** Values of a column among all rows of the scope. */
  valuesOf(stream: Stream, scope: Scope, column: string): Promise<readonly string[]>;
}

export interface Judgement {
  readonly kind: 'equal' | 'missing' | 'changed';
  readonly excused: boolean;
  readonly fields: readonly FieldDifference[];
}

/** Since when the row's list may have changed unseen; undefined for a row that belongs to no list. */
type Since = Date | null | undefined;

/** A row that the API lists, against the one that is stored under its key. */
export function judgeListed(
  stream: Stream,
  listed: ValidRow,
  stored: StoredRow | undefined,
  when: { readonly since: Since; readonly startedAt: Date },
): Judgement {
  if (stored === undefined || stored.deletedAt !== null) {
    const meanwhile = stored?.deletedAt !== undefined && stored.deletedAt !== null && stored.deletedAt > when.startedAt;
    const excused =
      meanwhile || when.since === null || isDatedAfter(stream, existenceDates(stream), when.since, listed);
    return { kind: 'missing', excused, fields: [] };
  }
  const fields = compareRows(stream, stored, listed);
  if (fields.every(({ volatile }) => volatile)) return { kind: 'equal', excused: false, fields };
  return { kind: 'changed', excused: isChangeExcused(stream, listed, stored, when), fields };
}

function isChangeExcused(
  stream: Stream,
  listed: ValidRow,
  stored: StoredRow,
  { since, startedAt }: { readonly since: Since; readonly startedAt: Date },
): boolean {
  if (stored.hash === listed.hash) return false;
  if (since === null || stored.changedAt > startedAt) return true;
  // A reset forgets the certificates as well, so under a certificate it was an edit; its times may be part of the edit.
  if (stored.hash === TAKEN) return false;
  // Nothing in the row dates its changes. A certified walk stores every answer it gets, and the answer is another now.
  if (stream.version === undefined) return true;
  const dates = [stream.version];
  return isDatedAfter(stream, dates, since, listed) || isDatedAfter(stream, dates, since, stored);
}

/** A live row that no walk contained, though its list was read completely. */
export function isSurplusExcused(
  stream: Stream,
  live: LiveRow,
  { since, startedAt }: { readonly since: Since; readonly startedAt: Date },
): boolean {
  return since === null || live.firstSeenAt > startedAt || isDatedAfter(stream, existenceDates(stream), since, live);
}

/** Columns whose time is not before the row came into being. */
export function existenceDates(stream: Stream): readonly string[] {
  const times = stream.order.map(({ column }) => column).filter((name) => stream.fields[name]?.type === 'timestamptz');
  return [...new Set([...(stream.version === undefined ? [] : [stream.version]), ...times])];
}

/** Times that are written without fractions may lie up to a second later than they say. */
const FRACTION_MS = 999;

function isDatedAfter(
  stream: Stream,
  columns: readonly string[],
  since: Since,
  { row }: { readonly row: Row },
): boolean {
  if (since === null || since === undefined) return false;
  return columns.some((column) => {
    const value = row[column];
    const slack = stream.fields[column]?.zoneless === true ? FRACTION_MS : 0;
    return value instanceof Date && value.getTime() + slack > since.getTime();
  });
}

/** One field in which a stored row differs from the row as the API lists it, both as text. */
export interface FieldDifference {
  readonly field: string;
  readonly stored: string | null;
  readonly listed: string | null;
  /** It changes on its own with every scan, so it is told but not counted. */
  readonly volatile: boolean;
}

export interface Comparable {
  readonly row: Row;
  /** Unknown fields, decoded with every digit. */
  readonly extra: unknown;
}

/** Compares column by column, by what values mean: dates by instant, integers by digits, JSON without regard to layout. */
export function compareRows(stream: Stream, stored: Comparable, listed: Comparable): readonly FieldDifference[] {
  const found: FieldDifference[] = [];
  const add = (field: string, a: string | null, b: string | null, volatile: boolean) => {
    if (a !== b) found.push({ field, stored: a, listed: b, volatile });
  };
  for (const [name, { type, volatile }] of Object.entries(stream.fields)) {
    add(name, canonical(type, stored.row[name]), canonical(type, listed.row[name]), volatile);
  }
  add('_extra', canonical('jsonb', stored.extra), canonical('jsonb', listed.extra), false);
  return found;
}

/** The text that two values share exactly when they mean the same. */
function canonical(type: Field['type'], value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (type === 'jsonb') return canonicalJson(value);
  return value instanceof Date ? instantText(value) : String(value);
}

function instantText(date: Date): string {
  return Number.isNaN(date.getTime()) ? 'invalid' : date.toISOString();
}

/** JSON with sorted keys: what `jsonb` keeps of a value, however it was written. */
function canonicalJson(value: unknown): string {
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number') return decimalText(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${members.map(([key, inner]) => `${JSON.stringify(key)}:${canonicalJson(inner)}`).join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}

/** Postgres writes the number 1e21 with all its digits, JavaScript does not. */
function decimalText(value: number): string {
  const [mantissa = '', exponent = ''] = String(value).split('e+');
  if (exponent === '') return mantissa;
  const [whole = '', fraction = ''] = mantissa.split('.');
  return whole + fraction.padEnd(Number(exponent), '0');
}
