import type { Scope } from '../account.ts';
import type { Row } from '../stream/record.ts';
import type { Stream } from '../stream/stream.ts';
import type { ValidRow } from '../stream/validate.ts';
import { type Comparable, compareRows, type FieldDifference } from './compare.ts';

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
