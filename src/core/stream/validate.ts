import type { SeenRecord, SortKey } from '../walk/observed-page.ts';
import type { ColumnValue } from './fields.ts';
import { sha256, shortHash } from './hash.ts';
import { toJson } from './json.ts';
import { type Issue, keyOf, type Origin, type Row } from './record.ts';
import { dropSecrets } from './secrets.ts';
import type { Stream } from './stream.ts';

/** A record that is a row, with what the writer needs to know without looking at the columns. */
export interface ValidRow {
  readonly key: string;
  readonly row: Row;
  readonly extra: object | null;
  /** Fingerprint of the row and its unknown fields. */
  readonly hash: string;
  readonly record: unknown;
}

/** A record that is no row: kept whole, so that a later definition can take it. */
export interface Reject {
  readonly key: string | null;
  readonly issues: readonly Issue[];
  /** The record as JSON text, every digit kept. */
  readonly payload: string;
  readonly fingerprint: string;
}

export interface Validated {
  readonly rows: readonly ValidRow[];
  readonly rejects: readonly Reject[];
  /** In the order of the list, for the walk. */
  readonly seen: readonly SeenRecord[];
}

/** Every record of a page becomes a row or a reject, none is dropped (invariant I7). */
export function validate(stream: Stream, records: readonly unknown[], origin: Origin, listingKey: string): Validated {
  const rows: ValidRow[] = [];
  const rejects: Reject[] = [];
  const seen: SeenRecord[] = [];
  for (const record of records) {
    dropSecrets(stream.secretNames, record);
    const parsed = stream.parse(record, origin);
    if (parsed.ok) {
      const key = keyOf(stream.key, parsed.row);
      const content = hashOf(parsed.row, parsed.extra);
      rows.push({ key, row: parsed.row, extra: parsed.extra, hash: content, record });
      seen.push({ key, content, sort: stream.order.map(({ column }) => sortKey(parsed.row[column])) });
    } else {
      const reject = rejectOf(record, parsed, listingKey);
      rejects.push(reject);
      seen.push({
        key: parsed.key,
        content: reject.fingerprint,
        sort: stream.order.map(({ column }) => readableSortKey(parsed.partial[column])),
      });
    }
  }
  return { rows, rejects, seen };
}

/** Why a record is a reject although it is as documented. */
export const SAME_KEY = 'another record of the list has the same key';

export function rejectOf(record: unknown, { key, issues }: Pick<Reject, 'key' | 'issues'>, listingKey: string): Reject {
  const payload = toJson(record) ?? 'null';
  return { key, issues, payload, fingerprint: sha256(`${listingKey}\u0001${payload}`) };
}

/**
 * Fingerprint of a row and its unknown fields. No stored text contains U+0000, so every value begins at one, and the sign
 * after it says which kind it is of. Hashing JSON of the whole instead takes three times as long (docs/decisions.md D5).
 */
export function hashOf(row: Row, extra: object | null): string {
  let content = '';
  for (const name in row) content += textOf(row[name]);
  return shortHash(extra === null ? content : content + textOf(extra));
}

function textOf(value: ColumnValue | undefined): string {
  if (typeof value === 'string') return `\u0000=${value}`;
  if (value === null || value === undefined) return '\u0000';
  if (value instanceof Date) return `\u0000@${value.getTime()}`;
  return typeof value === 'object' ? `\u0000:${toJson(withoutOrder(value))}` : `\u0000=${value}`;
}

/**
 * The lists inside a row have no order that means anything, and the API was seen to vary it from answer to answer: their
 * elements are compared in the order of their texts. Anything without a list comes back as it is.
 */
function withoutOrder(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    if (value.length < 2) return value.map(withoutOrder);
    const texts = value.map((one) => ({ one: withoutOrder(one), text: '' }));
    for (const each of texts) each.text = toJson(each.one);
    return texts.sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0)).map(({ one }) => one);
  }
  let copy: Record<string, unknown> | null = null;
  for (const [name, inner] of Object.entries(value)) {
    const ordered = withoutOrder(inner);
    if (ordered === inner) continue;
    copy ??= Object.fromEntries(Object.entries(value));
    copy[name] = ordered;
  }
  return copy ?? value;
}

function readableSortKey(value: unknown): SortKey | undefined {
  return sortKey(value) ?? undefined;
}

function sortKey(value: unknown): SortKey {
  if (value instanceof Date) return value.getTime();
  if (typeof value === 'bigint') return Number(value);
  return typeof value === 'string' || typeof value === 'number' ? value : null;
}
