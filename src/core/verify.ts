/**
 * Decides which differences between the API and a table count. A list goes on changing after its certificate, so
 * changes that the API itself dates later are excused, as is everything written during the comparison. Never excused: a
 * row that differs from the very answer it was made from, and a row that was edited by hand after its list was
 * certified.
 *
 * @module
 */

import type { Scope } from './account.ts';
import { type Field, storedValue, withoutMembers } from './stream/fields.ts';
import type { Row } from './stream/record.ts';
import type { Stream } from './stream/stream.ts';
import { isFormerFingerprint, type ValidRow } from './stream/validate.ts';

/**
 * Fingerprint of a row that was edited by hand (triggers set it), and of every row after a reset, until the row is
 * written again. It means that received and edited content cannot be told apart.
 */
export const HASH_CLEARED = '';

/** A row as stored. */
export interface StoredRow extends Comparable {
  readonly key: string;
  /** Fingerprint of the answer it was made of; `HASH_CLEARED` where it was changed by hand since. */
  readonly hash: string;
  readonly firstSeenAt: Date;
  readonly changedAt: Date;
  /** Null while it counts as listed. */
  readonly deletedAt: Date | null;
}

/** The part of a live row that decides whether it should be listed. */
export interface LiveRow {
  readonly key: string;
  /** As in `StoredRow`. */
  readonly hash: string;
  readonly firstSeenAt: Date;
  /** Only its key, the parameters of its list and its times. */
  readonly row: Row;
}

/** What the tables claimed when the comparison started. */
export interface TableClaims {
  /** By the database clock. */
  readonly startedAt: Date;
  /**
   * Time since which each list may have changed unnoticed: the start of the run that certified it; null if none did.
   */
  readonly certified: ReadonlyMap<string, Date | null>;
  /** A run of the stream in the scope was complete at some time. */
  readonly wasComplete: boolean;
}

/** A row whose list differs from the table of its members. */
export interface StrayMembers {
  /** Key of the row. */
  readonly row: Row;
  /** Name of the table of members. */
  readonly table: string;
  /** Members that only the table has, and members that only the list in the row has; null for none. */
  readonly stored: string | null;
  readonly listed: string | null;
}

/** Read-only access to the tables. */
export interface TableReader {
  /** What the tables claim now, by the database clock. */
  claims(stream: Stream, scope: Scope): Promise<TableClaims>;
  /** Stored rows with the keys of the given rows, live or not, by key. */
  rowsLike(stream: Stream, scope: Scope, rows: readonly ValidRow[]): Promise<ReadonlyMap<string, StoredRow>>;
  /** All live rows of the scope with these columns, in batches. */
  liveRows(stream: Stream, scope: Scope, columns: readonly string[]): AsyncIterable<readonly LiveRow[]>;
  /** Live rows of the scope whose lists differ from the tables of their members. */
  strayMembers(stream: Stream, scope: Scope): Promise<readonly StrayMembers[]>;
  /** Values of a column among all rows of the scope. */
  valuesOf(stream: Stream, scope: Scope, column: string): Promise<readonly string[]>;
}

/** Result of comparing a listed row with the table. */
export interface RowVerdict {
  readonly kind: 'equal' | 'missing' | 'changed';
  readonly excused: boolean;
  readonly fields: readonly FieldDifference[];
}

/**
 * Time since which the row's list may have changed unnoticed. Null: no run certified the list, so every difference is
 * excused. Undefined for a row that belongs to no list.
 */
type Since = Date | null | undefined;

/** The times that decide whether a difference can have come about unseen. */
interface Period {
  readonly since: Since;
  /** When the comparison began. */
  readonly startedAt: Date;
}

/** Compares a row that the API lists with the stored row under its key. */
export function judgeListed(
  stream: Stream,
  { listed, stored }: { readonly listed: ValidRow; readonly stored: StoredRow | undefined },
  period: Period,
): RowVerdict {
  if (stored === undefined || stored.deletedAt !== null) {
    const meanwhile =
      stored?.deletedAt !== undefined && stored.deletedAt !== null && stored.deletedAt > period.startedAt;
    const dated = latestTime(stream, existenceDates(stream), listed.row);
    const excused = meanwhile || period.since === null || isAfter(dated, period.since);
    return { kind: 'missing', excused, fields: [] };
  }
  const fields = compareRows(stream, stored, listed);
  if (fields.every(({ volatile }) => volatile)) return { kind: 'equal', excused: false, fields };
  return { kind: 'changed', excused: isChangeExcused(stream, { listed, stored }, period), fields };
}

function isChangeExcused(
  stream: Stream,
  { listed, stored }: { readonly listed: ValidRow; readonly stored: StoredRow },
  { since, startedAt }: Period,
): boolean {
  if (stored.hash === listed.hash || isFormerFingerprint(stream, stored.hash, listed)) return false;
  if (since === null || stored.changedAt > startedAt) return true;
  // A reset deletes the certificates too, so a cleared hash under a certificate means an edit, maybe of the times as
  // well.
  if (stored.hash === HASH_CLEARED) return false;
  // No column dates the changes. A certified walk stores every answer, so the API's answer has changed since.
  if (stream.version === undefined) return true;
  const dates = [stream.version];
  return isAfter(latestTime(stream, dates, listed.row), since) || isAfter(latestTime(stream, dates, stored.row), since);
}

/** Whether to excuse a live row that no walk contained although its list was read completely. */
export function isExtraExcused(stream: Stream, live: LiveRow, { since, startedAt }: Period): boolean {
  if (since === null || live.firstSeenAt > startedAt) return true;
  return isAfter(latestTime(stream, existenceDates(stream), live.row), since);
}

/** Columns with a time at or after the creation of the row. */
export function existenceDates(stream: Stream): readonly string[] {
  const times = stream.order.map(({ column }) => column).filter((name) => stream.fields[name]?.type === 'timestamptz');
  return [...new Set([...(stream.version === undefined ? [] : [stream.version]), ...times])];
}

/** A time without fractions may be up to this much later than its text. */
const FRACTION_MS = 999;

/** The latest time, in ms, that the columns can mean; -Infinity where none of them has a time. */
function latestTime({ fields }: Stream, columns: readonly string[], row: Row): number {
  let latest = Number.NEGATIVE_INFINITY;
  for (const column of columns) {
    const value = row[column];
    const slack = fields[column]?.zoneless === true ? FRACTION_MS : 0;
    if (value instanceof Date && value.getTime() + slack > latest) latest = value.getTime() + slack;
  }
  return latest;
}

function isAfter(timeMs: number, since: Since): boolean {
  return since !== null && since !== undefined && timeMs > since.getTime();
}

/** A field in which the stored row and the listed row differ, both values as text; null for a null value. */
export interface FieldDifference {
  readonly field: string;
  readonly stored: string | null;
  readonly listed: string | null;
  /** The field changes with every scan, so the difference is reported but not counted. */
  readonly volatile: boolean;
}

/** A row with its unknown fields. */
export interface Comparable {
  readonly row: Row;
  /** Unknown fields, decoded without loss of digits. */
  readonly extra: unknown;
}

/** Compares rows column by column by meaning: dates by instant, integers by digits, JSON regardless of order and layout. */
export function compareRows(stream: Stream, stored: Comparable, listed: Comparable): readonly FieldDifference[] {
  const found: FieldDifference[] = [];
  const compare = (field: Pick<FieldDifference, 'field' | 'volatile'>, a: string | null, b: string | null) => {
    if (a !== b) found.push({ ...field, stored: a, listed: b });
  };
  for (const [name, field] of Object.entries(stream.fields)) {
    const { type, volatile, volatileMembers } = field;
    const [a, b] = [stored.row[name], storedValue({ name, ...field }, listed.row)];
    const lasting = (value: unknown) => canonical(type, withoutMembers(value, volatileMembers));
    const isVolatile = volatile || (volatileMembers.length > 0 && lasting(a) === lasting(b));
    compare({ field: name, volatile: isVolatile }, canonical(type, a), canonical(type, b));
  }
  compare({ field: '_extra', volatile: false }, canonical('jsonb', stored.extra), canonical('jsonb', listed.extra));
  return found;
}

/** Text that is equal for two values if and only if they mean the same. */
function canonical(type: Field['type'], value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (type === 'jsonb') return canonicalJson(value);
  return value instanceof Date ? instantText(value) : String(value);
}

function instantText(date: Date): string {
  return Number.isNaN(date.getTime()) ? 'invalid' : date.toISOString();
}

/** JSON with sorted members and lists: their order means nothing, and rows that differ in it only are not written. */
function canonicalJson(value: unknown): string {
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number') return decimalText(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).sort().join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${members.map(([key, inner]) => `${JSON.stringify(key)}:${canonicalJson(inner)}`).join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}

/** Expands the exponent: Postgres writes 1e21 with all its digits, JavaScript does not. */
function decimalText(value: number): string {
  const [mantissa = '', exponent = ''] = String(value).split('e+');
  if (exponent === '') return mantissa;
  const [whole = '', fraction = ''] = mantissa.split('.');
  return whole + fraction.padEnd(Number(exponent), '0');
}
