import type { SeenRecord, SortKey } from '../walk/observed-page.ts';
import { type ColumnValue, dropSecrets, type Field, withoutMembers } from './fields.ts';
import { cleanText, sha256, shortHash, toJson } from './json.ts';
import { type Issue, keyOf, type Origin, type Row } from './record.ts';
import type { Stream } from './stream.ts';

/** A valid record, with everything the writer needs besides its columns. */
export interface ValidRow {
  readonly key: string;
  readonly row: Row;
  /** Members that no document names; null if there are none. */
  readonly extra: object | null;
  /** Fingerprint of the row, including unknown fields. */
  readonly hash: string;
  readonly record: unknown;
}

/** A record that is not a valid row. It is kept whole, so that a later definition can accept it. */
export interface Reject {
  /** Null if the key cannot be read. */
  readonly key: string | null;
  readonly issues: readonly Issue[];
  /** The record as JSON text, with all digits. */
  readonly payload: string;
  readonly fingerprint: string;
}

/** A validated page. */
export interface Validated {
  readonly rows: readonly ValidRow[];
  readonly rejects: readonly Reject[];
  /** All records in the order of the list, for the walk. */
  readonly seen: readonly SeenRecord[];
}

/** The listing that records were read from. */
export interface RecordSource {
  readonly origin: Origin;
  /** `Listing.key`; part of the fingerprint of a reject. */
  readonly listingKey: string;
}

/** Turns every record of a page into a row or a reject; none is dropped (invariant I7). */
export function validate(stream: Stream, records: readonly unknown[], source: RecordSource): Validated {
  const { origin, listingKey } = source;
  const rows: ValidRow[] = [];
  const rejects: Reject[] = [];
  const seen: SeenRecord[] = [];
  for (const record of records) {
    dropSecrets(stream.secretNames, record);
    const parsed = stream.parse(record, origin);
    if (parsed.ok) {
      const key = keyOf(stream.key, parsed.row);
      const content = hashOf(lasting(stream, parsed.row), parsed.extra);
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

/** Reason for a reject that is valid by itself. */
export const SAME_KEY = 'another record of the list has the same key';

/** The reject of a record. The fingerprint also depends on the listing. */
export function rejectOf(record: unknown, { key, issues }: Pick<Reject, 'key' | 'issues'>, listingKey: string): Reject {
  const payload = toJson(record) ?? 'null';
  return { key, issues, payload, fingerprint: sha256(`${listingKey}\u0001${payload}`) };
}

/**
 * Fingerprint of a row, including unknown fields. No stored text contains U+0000, so this character starts every value,
 * and the next one gives its type. Hashing JSON of the whole row is slower (docs/performance.md).
 */
export function hashOf(row: Row, extra: object | null): string {
  let content = '';
  for (const name in row) content += textOf(row[name]);
  return shortHash(extra === null ? content : content + textOf(extra));
}

/** The row without volatile members of JSON columns: only a change in the result is a reason to write the row. */
function lasting({ volatileMembers }: Stream, row: Row): Row {
  if (volatileMembers.length === 0) return row;
  const changed = volatileMembers.map(([name, members]) => [name, withoutMembers(row[name], members)]);
  return { ...row, ...Object.fromEntries(changed) };
}

function textOf(value: ColumnValue | undefined): string {
  if (typeof value === 'string') return `\u0000=${value}`;
  if (value === null || value === undefined) return '\u0000';
  if (value instanceof Date) return `\u0000@${value.getTime()}`;
  return typeof value === 'object' ? `\u0000:${toJson(withoutOrder(value))}` : `\u0000=${value}`;
}

/**
 * Sorts the lists inside a value by the text of their elements: their order means nothing, and the API varies it from
 * answer to answer. Returns a value without lists unchanged.
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

/** A difference between an answer and the documents. */
export interface Drift {
  readonly field: string;
  readonly kind:
    | 'unknown field'
    | 'missing field'
    | 'undocumented value'
    | 'beyond length'
    | 'beyond range'
    | 'other list'
    | 'other order'
    | 'key is not unique'
    | 'error beside rows'
    | 'wrong total';
  /** A value, shortened; null if there is none to show. */
  readonly sample: string | null;
}

const SAMPLE_LENGTH = 120;
const SURROGATE = /[\ud800-\udfff]/;

/**
 * Compares a record with the documents. Differences do not cause a reject: the service stores what arrives, and records
 * where the documents are wrong.
 */
export function driftOf(stream: Stream, record: unknown, origin: Origin): readonly Drift[] {
  const normalized = stream.normalize(record, origin);
  if (normalized === null) return [];
  const found: Drift[] = [];
  for (const [field, value] of Object.entries(normalized.extra ?? {})) {
    found.push({ field: driftSample(field), kind: 'unknown field', sample: sampleOf(value) });
  }
  for (const [name, field] of wireFields(stream)) {
    const value = normalized.known[name];
    const kind = value === undefined ? (field.documented.optional ? null : 'missing field') : beyond(field, value);
    if (kind !== null) found.push({ field: name, kind, sample: sampleOf(value) });
  }
  return found;
}

/** Drift for an error code beside rows. */
export function errorDrift(code: string): Drift {
  return { field: 'error_code', kind: 'error beside rows', sample: driftSample(code) };
}

/** Drift for requested orders that the page does not have. */
export function orderDrift({ order }: Pick<Stream, 'order'>, seen: readonly SeenRecord[]): readonly Drift[] {
  return order.flatMap(({ column, asked }, index) => {
    if (asked === undefined) return [];
    const keys = seen.flatMap(({ sort }) => sort[index] ?? []);
    const isAscending = asked.direction === 'asc';
    const isKept = keys.every((key, place) => {
      const before = keys[place - 1] ?? key;
      return before === key || before < key === isAscending;
    });
    return isKept ? [] : [{ field: column, kind: 'other order', sample: `asked ${column} ${asked.direction}` }];
  });
}

const known = new WeakMap<Stream, readonly (readonly [string, Field])[]>();

/** Computed once for each stream, because a first load compares every row. */
function wireFields(stream: Stream): readonly (readonly [string, Field])[] {
  const made = known.get(stream) ?? Object.entries(stream.fields).filter(([, { derive }]) => derive === undefined);
  known.set(stream, made);
  return made;
}

function beyond(field: Field, value: unknown): Drift['kind'] | null {
  const { values, min, max, none } = field.documented;
  if (value === null || value === '' || none?.includes(String(value))) return null;
  if (values !== undefined) {
    const stored = field.convert(value);
    if (!values.includes(String(stored))) return 'undocumented value';
  }
  if (field.type === 'text') {
    if (min === undefined && max === undefined) return null;
    const length = characters(String(value));
    return (max !== undefined && length > max) || (min !== undefined && length < min) ? 'beyond length' : null;
  }
  const number = Number(value);
  if (field.type === 'timestamptz' && (number === 0 || number === -1)) return null;
  return (max !== undefined && number > max) || (min !== undefined && number < min) ? 'beyond range' : null;
}

/** Length in characters. Splitting a text is slow, and few texts have surrogates that require it. */
function characters(text: string): number {
  return SURROGATE.test(text) ? [...text].length : text.length;
}

function sampleOf(value: unknown): string | null {
  if (value === undefined) return null;
  const text = typeof value === 'object' ? toJson(value) : String(value);
  return driftSample(text);
}

/** A sample to be stored: short, and valid for Postgres even if the cut splits a character. */
export function driftSample(text: string): string {
  return cleanText(text.length > SAMPLE_LENGTH ? `${text.slice(0, SAMPLE_LENGTH)}…` : text);
}
