import type { SeenRecord, SortKey } from '../walk/observed-page.ts';
import { type Field, withoutMembers } from './fields.ts';
import { cleanText, dropSecrets, formerHashOf, hashOf, isCleanJson, sha256, toJson } from './json.ts';
import { type Issue, keyOf, type Origin, type Row, storedRowMaker } from './record.ts';
import {
  compile,
  onceForEachStream,
  READING,
  readingLines,
  rowMakerOf,
  valueOrParameter,
  type WireColumn,
  wireColumns,
} from './row-maker.ts';
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
  /**
   * JSON texts of columns as they are stored, by column, where they were made for the fingerprint; null where the
   * column has to be written again.
   */
  readonly json?: Readonly<Record<string, string | null>> | null;
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
  /** The JSON that the records were parsed from, decoded from UTF-8. Often it shows that no text needs cleaning. */
  readonly text?: string;
}

/**
 * Turns every record of a page into a row or a reject (invariant I7). The caller drops those of other lists, pages past
 * the end and older versions.
 */
export function validate(stream: Stream, records: readonly unknown[], source: RecordSource): Validated {
  const { origin, listingKey, text } = source;
  const make = rowMakerOf(stream);
  const facts = { origin, isClean: text !== undefined && isCleanJson(text) };
  const rows: ValidRow[] = [];
  const rejects: Reject[] = [];
  const seen: SeenRecord[] = [];
  for (const record of records) {
    dropSecrets(stream.secretNames, record);
    const made = make === null ? false : make(record, facts);
    if (made !== false) {
      rows.push(made);
      seen.push({ key: made.key, content: made.hash, sort: sortKeysOf(stream, made.row) });
      continue;
    }
    const parsed = stream.parse(record, origin);
    if (parsed.ok) {
      const { row, extra } = parsed;
      const key = keyOf(stream.key, row);
      const content = fingerprintOf(stream, row, extra);
      rows.push({ key, row, extra, hash: content, record });
      seen.push({ key, content, sort: sortKeysOf(stream, row) });
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

/** Fingerprint of a row with its unknown fields, without what is volatile in it. */
export function fingerprintOf(stream: Stream, row: Row, extra: object | null): string {
  return hashOf(lasting(stream, row), extra);
}

/**
 * Whether an earlier version stored the row under this fingerprint: with the columns that only the table has, and before
 * that also depending on the order of members (`formerHashOf`). `hash` is null for a key that is not stored, and empty
 * if the stored row was edited.
 */
export function isFormerFingerprint(
  stream: Stream,
  hash: string | null,
  { row, extra }: Pick<ValidRow, 'row' | 'extra'>,
): boolean {
  if (hash === null || hash === '') return false;
  const stored = storedRowOf(stream);
  const whole = lasting(stream, stored === null ? row : stored(row));
  return (stored !== null && hash === hashOf(whole, extra)) || hash === formerHashOf(whole, extra);
}

/** Makes rows with the columns that only the table has; null for a stream without such columns. */
const storedRowOf = onceForEachStream(({ fields }) =>
  Object.values(fields).some(({ storedOnly }) => storedOnly === true) ? storedRowMaker(fields) : null,
);

/** The row without volatile members of JSON columns: only a change in the result is a reason to write the row. */
function lasting({ volatileMembers }: Stream, row: Row): Row {
  if (volatileMembers.length === 0) return row;
  const changed = volatileMembers.map(([name, members]) => [name, withoutMembers(row[name], members)]);
  return { ...row, ...Object.fromEntries(changed) };
}

function sortKeysOf({ order }: Stream, row: Row): readonly SortKey[] {
  return order.map(({ column }) => sortKey(row[column]));
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
    | Beyond
    | 'other list'
    | 'other order'
    | 'key is not unique'
    | 'error beside rows'
    | 'wrong total';
  /** A value, shortened; null if there is none to show. */
  readonly sample: string | null;
}

const SAMPLE_LENGTH = 120;

/**
 * Compares a record with the documents. Differences do not cause a reject: the service stores what arrives, and records
 * where the documents are wrong.
 */
export function driftOf(stream: Stream, record: unknown, origin: Origin): readonly Drift[] {
  return agreementOf(stream)?.(record, origin) === true ? [] : differencesOf(stream, record, origin);
}

/** The differences of a record from the documents, without generated code. */
export function differencesOf(stream: Stream, record: unknown, origin: Origin): readonly Drift[] {
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

function sampleOf(value: unknown): string | null {
  if (value === undefined) return null;
  const text = typeof value === 'object' ? toJson(value) : String(value);
  return driftSample(text);
}

/** A sample to be stored: short, and valid for Postgres even if the cut splits a character. */
export function driftSample(text: string): string {
  return cleanText(text.length > SAMPLE_LENGTH ? `${text.slice(0, SAMPLE_LENGTH)}…` : text);
}

/** How a value goes beyond what the documents say. */
export type Beyond = 'undocumented value' | 'beyond length' | 'beyond range';

const SURROGATE = /[\ud800-\udfff]/;

/** Compares the value of a field with the documents; null if it agrees with them. */
export function beyond(field: Field, value: unknown): Beyond | null {
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

/** The record has no drift. False if it may have some. */
export type Agreement = (record: unknown, origin: Origin) => boolean;

/** The generated function of a stream; null if its definition or the process allows none. */
export const agreementOf = onceForEachStream(({ fields }): Agreement | null => {
  const columns = wireColumns(fields);
  if (columns === null) return null;
  const helpers: Record<string, unknown> = { ...READING, beyond };
  for (const [index, { field }] of columns.entries()) {
    helpers[`field${index}`] = field;
    helpers[`agreed${index}`] = new Set(field.documented.values?.filter((value) => beyond(field, value) === null));
  }
  const lines = [
    'const { params } = origin;',
    ...readingLines(columns),
    'if (unknown !== 0) return false;',
    ...columns.flatMap((column, index) => agreeingLines(column, index)),
    'return true;',
  ];
  const made: unknown = compile(['record', 'origin'], lines, helpers);
  return isAgreement(made) ? made : null;
});

function isAgreement(made: unknown): made is Agreement {
  return typeof made === 'function';
}

function agreeingLines(column: WireColumn, index: number): readonly string[] {
  const { optional = false, values, min, max } = column.field.documented;
  const hasBounds = values !== undefined || min !== undefined || max !== undefined;
  if (optional && !hasBounds) return [];
  const value = `w${index}`;
  const usual = usualTest(column.field, value, index);
  const test = usual === null ? '' : `!(${usual}) && `;
  return [
    `const ${value} = ${valueOrParameter(column, index)};`,
    ...(optional ? [] : [`if (${value} === undefined) return false;`]),
    ...(hasBounds
      ? [`if (${value} !== undefined && ${test}beyond(field${index}, ${value}) !== null) return false;`]
      : []),
  ];
}

/** A test that most values pass, and only values that agree with the documents. Null if there is none. */
function usualTest({ type, documented }: Field, value: string, index: number): string | null {
  const { values, min, max } = documented;
  if (values !== undefined) return `agreed${index}.has(${value})`;
  if (type === 'text') {
    // A character may be two units long, so a shortest length needs twice as many.
    const tests = [
      ...(max === undefined ? [] : [`${value}.length <= ${max}`]),
      ...(min === undefined ? [] : [`${value}.length >= ${2 * min}`]),
    ];
    return [`typeof ${value} === 'string'`, ...tests].join(' && ');
  }
  if (type !== 'bigint' && type !== 'double precision' && type !== 'timestamptz') return null;
  const tests = [
    ...(max === undefined ? [] : [`${value} <= ${max}`]),
    ...(min === undefined ? [] : [`${value} >= ${min}`]),
  ];
  return [`typeof ${value} === 'number'`, ...tests].join(' && ');
}
