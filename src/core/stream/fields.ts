import { cleanJson, cleanText, isShallow, parseJson, sha256 } from './json.ts';

/**
 * One column of a stream: conversion of the wire value, what the documents say about it, and its description. The wire
 * field, the key in the row and the column have the same name.
 */
export interface Field {
  readonly type: ColumnType;
  readonly about: string;
  /** Converts the wire value to the column value; undefined if it is in no accepted spelling. */
  readonly convert: (value: unknown) => ColumnValue | undefined;
  /** What is accepted, for the message about another value: `a text`. */
  readonly accepted: string;
  /** The usual type of the wire value, which is converted by its type alone; absent if more is needed. */
  readonly kind?: ValueKind | undefined;
  /** Values outside the documented ones are stored and recorded as drift. */
  readonly documented: Documented;
  /** Other names of the wire field, besides its own in snake_case and camelCase. */
  readonly also: readonly string[];
  /** Changes with every scan: the new value is stored, but counts as no new version and no movement. */
  readonly volatile: boolean;
  /** Members of the objects in JSON that change with every scan: a row without any other change is not written. */
  readonly volatileMembers: readonly string[];
  /** Computes the column from the row; absent for a wire field. */
  readonly derive?: (row: Readonly<Record<string, ColumnValue>>) => ColumnValue;
  /** Only the table has the column. It is computed from the row when that is written, and is not in its fingerprint. */
  readonly storedOnly?: true;
  /** A time without zone, read in the configured zone. */
  readonly zoneless?: true;
  /** Name of the wire object that contains the field, for flattened members. */
  readonly inside?: string;
  /** Name on the wire, if it is not the column's. */
  readonly wire?: string;
}

/** Usual types of wire values. */
export type ValueKind = 'text' | 'integer' | 'decimal' | 'flag' | 'instant' | 'json';
/** Postgres types of columns. */
export type ColumnType = 'text' | 'bigint' | 'double precision' | 'boolean' | 'timestamptz' | 'jsonb';
/** Values of columns. `bigint` only if a number would not be exact. */
export type ColumnValue = string | number | bigint | boolean | Date | object | null;
/** Columns by name. */
export type Fields = Readonly<Record<string, Field>>;

/** What the documents say about a field. */
export interface Documented {
  readonly values?: readonly string[];
  /** Maximum length of a text, or maximum number. */
  readonly max?: number;
  /** Minimum length of a text, or minimum number. */
  readonly min?: number;
  /** The field is documented, but answers are known to omit it: its absence is not drift. */
  readonly optional?: boolean;
  /** Wire values that mean "none", such as `-1`; stored as null. */
  readonly none?: readonly string[];
  /** Part of a key that may be absent, such as the container of a process outside containers; stored as `""`. */
  readonly emptyInKey?: boolean;
}

interface Options extends Documented {
  readonly also?: readonly string[];
  readonly volatile?: boolean;
  /** For `json`: volatile members of its objects. */
  readonly volatileMembers?: readonly string[];
  /** Other spellings of a value -> the stored spelling. */
  readonly spellings?: Readonly<Record<string, string>>;
}

type Conversion = Pick<Field, 'convert' | 'accepted' | 'kind'>;

function field(
  type: ColumnType,
  { about, ...conversion }: Conversion & { readonly about: string },
  options: Options = {},
): Field {
  const { also = [], volatile = false, volatileMembers = [], spellings: _, ...documented } = options;
  const { none, emptyInKey } = documented;
  const special = none === undefined && emptyInKey !== true ? conversion : withNone(conversion, documented);
  return { type, about, ...special, documented, also, volatile, volatileMembers };
}

function withNone({ convert }: Conversion, { none = [], emptyInKey = false }: Documented): Conversion {
  return {
    accepted: 'the documented value',
    convert(wire) {
      const value = none.includes(String(wire)) ? null : convert(wire);
      return value === null && emptyInKey ? '' : value;
    },
  };
}

/** Text of any length. Numbers and booleans are converted, because the API sends some texts as numbers (`image_id`). */
export function text(about: string, options: Options = {}): Field {
  const { spellings } = options;
  return field('text', { about, ...(spellings ? spelled(spellings) : TEXT) }, options);
}

const TEXT: Conversion = {
  accepted: 'a text',
  kind: 'text',
  convert: (value) => {
    if (typeof value === 'string') return cleanText(value);
    if (value === null || value === undefined) return null;
    return typeof value === 'object' ? undefined : String(value);
  },
};

function spelled(spellings: Readonly<Record<string, string>>): Conversion {
  return {
    accepted: TEXT.accepted,
    convert(wire) {
      const value = TEXT.convert(wire);
      return typeof value === 'string' && Object.hasOwn(spellings, value) ? (spellings[value] ?? value) : value;
    },
  };
}

const INTEGER = /^[+-]?\d{1,19}$/;
const INT64 = 2n ** 63n;

/** A 64-bit integer with all its digits, from a number or a text. */
export function int(about: string, options: Options = {}): Field {
  return field('bigint', { about, ...INT }, options);
}

const INT: Conversion = {
  accepted: 'a 64-bit integer',
  kind: 'integer',
  convert: (value) => {
    if (isBlank(value)) return null;
    if (typeof value === 'number') return Number.isSafeInteger(value) ? value : undefined;
    const exact = typeof value === 'bigint' ? value : asInteger(value);
    return exact !== undefined && exact >= -INT64 && exact < INT64 ? exact : undefined;
  },
};

/** A number with a fraction, such as a CVSS score. */
export function decimal(about: string, options: Options = {}): Field {
  return field('double precision', { about, ...DECIMAL }, options);
}

const DECIMAL: Conversion = {
  accepted: 'a number',
  kind: 'decimal',
  convert: (value) => {
    if (isBlank(value)) return null;
    const number =
      typeof value === 'number' || typeof value === 'bigint' || typeof value === 'string' ? Number(value) : NaN;
    return Number.isFinite(number) ? number : undefined;
  },
};

/** A boolean: true, false, 1, 0, or one of these as text. */
export function flag(about: string, options: Options = {}): Field {
  return field('boolean', { about, ...FLAG }, options);
}

const FLAG: Conversion = {
  accepted: 'true or false',
  kind: 'flag',
  convert: (value) => {
    if (isBlank(value)) return null;
    if (typeof value === 'boolean') return value;
    const word = String(value).toLowerCase();
    if (word === 'true' || word === '1') return true;
    return word === 'false' || word === '0' ? false : undefined;
  },
};

/**
 * A time in milliseconds since 1970, as HSS sends it. 0, -1 (`expire_time` in published examples), `""` and absent mean
 * "never" and are stored as null. A number of ten digits is in seconds, which some fields of the same API use: in
 * milliseconds it would be in early 1970. Other times before the year 2000 are implausible and stored as null. Both are
 * drift.
 */
export function instant(about: string, options: Options = {}): Field {
  return field(
    'timestamptz',
    { about, ...INSTANT },
    { min: EARLIEST_BELIEVED_MS, max: LATEST_DOCUMENTED_MS, ...options },
  );
}

/** Earlier times in milliseconds are implausible. */
export const EARLIEST_BELIEVED_MS = Date.UTC(2000, 0, 1);
/** The documented range of `handle_time` and `scan_time` ends here, in 2099. */
const LATEST_DOCUMENTED_MS = 4_070_880_000_000;

const INSTANT: Conversion = {
  accepted: 'an instant in milliseconds',
  kind: 'instant',
  convert: (value) => {
    if (isBlank(value)) return null;
    const exact = typeof value === 'number' && Number.isInteger(value) ? value : asInteger(value);
    if (exact === undefined) return undefined;
    const millis = Number(exact);
    if (millis >= 1e9 && millis < 1e10) return new Date(millis * 1000);
    const date = dateOf(millis);
    return date instanceof Date && millis < EARLIEST_BELIEVED_MS ? null : date;
  },
};

const ZONELESS = /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}:\d{2})(\.\d{1,9})?(Z|[+-]\d{2}:?\d{2})?$/;

/** A `YYYY-MM-DD HH:mm:ss` of DBSS, without zone: read in the configured zone, which is UTC by default (D4). */
export function zonelessTime(about: string, options: Options = {}): Field {
  return { ...field('timestamptz', { about, ...ZONELESS_TIME }, options), zoneless: true };
}

const ZONELESS_TIME: Conversion = {
  accepted: 'a time like 2025-08-21 07:03:56',
  convert: (value) => {
    if (isBlank(value)) return null;
    const millis = typeof value === 'number' ? value : asInteger(value);
    if (millis !== undefined) return dateOf(Number(millis));
    const parts = typeof value === 'string' ? ZONELESS.exec(value.trim()) : null;
    if (parts === null) return undefined;
    const [, day = '', time, fraction = '', zone] = parts;
    // `Date.parse` reads 30 February as 2 March.
    if (!isDay(day)) return undefined;
    const wallClock = `${day}T${time}${fraction.slice(0, 4)}`;
    if (zone !== undefined) return dateOf(Date.parse(`${wallClock}${zone}`));
    const date = dateOf(Date.parse(`${wallClock}Z`));
    return date instanceof Date ? wallClock : date;
  },
};

function isDay(day: string): boolean {
  const midnight = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(day);
}

/** Any JSON, stored as received. */
export function json(about: string, options: Options = {}): Field {
  return field('jsonb', { about, ...JSON_VALUE }, options);
}

const JSON_VALUE: Conversion = {
  accepted: 'JSON',
  kind: 'json',
  convert: (value) => {
    if (value === undefined || value === null) return null;
    const clean = cleanJson(value);
    return typeof clean === 'object' ||
      typeof clean === 'string' ||
      typeof clean === 'number' ||
      typeof clean === 'boolean'
      ? clean
      : String(clean);
  },
};

/** The JSON in a text column; null if the text is not a JSON object or array. */
export function parsedFrom(column: string, about: string): Field {
  return {
    ...field('jsonb', { about, ...JSON_VALUE }, { optional: true }),
    storedOnly: true,
    derive(row) {
      const source = row[column];
      if (typeof source !== 'string') return null;
      try {
        const parsed = parseJson(source);
        // The column text is already clean, so only an escape can contain what Postgres does not store.
        const clean = !isShallow(parsed) ? null : source.includes('\\u') ? cleanJson(parsed) : parsed;
        return typeof clean === 'object' ? clean : null;
      } catch {
        return null;
      }
    },
  };
}

/** The value of a column in the table for a row as received. */
export function storedValue(
  { name, derive, storedOnly }: Pick<Field, 'derive' | 'storedOnly'> & { readonly name: string },
  row: Readonly<Record<string, ColumnValue>>,
): ColumnValue | undefined {
  return storedOnly === true ? derive?.(row) : row[name];
}

/** A column computed from the others. */
export function computed(about: string, derive: NonNullable<Field['derive']>): Field {
  return { ...field('text', { about, ...TEXT }, { optional: true }), derive };
}

/**
 * A SHA-256 over columns, for records without an id. Absent, null and empty count as equal; times by their
 * milliseconds.
 */
export function identity(about: string, columns: readonly string[]): Field {
  return computed(about, (row) => sha256(JSON.stringify(columns.map((name) => identityText(row[name])))));
}

function identityText(value: ColumnValue | undefined): string {
  if (value === null || value === undefined) return '';
  return value instanceof Date ? String(value.getTime()) : String(value);
}

/** Flattens the members of a wire object into columns: `resource_info.kind` becomes `resource_info_kind`. */
export function inside(name: string, members: Fields): Fields {
  return Object.fromEntries(
    Object.entries(members).map(([wire, member]) => [`${name}_${wire}`, { ...member, inside: name, wire }]),
  );
}

function isBlank(value: unknown): boolean {
  return value === null || value === undefined || value === '';
}

function asInteger(value: unknown): bigint | undefined {
  if (typeof value === 'bigint') return value;
  return typeof value === 'string' && INTEGER.test(value.trim()) ? BigInt(value.trim()) : undefined;
}

/** Years 1 to 9999, which Postgres reads in the format of a Date. Microseconds taken for milliseconds are beyond. */
const EARLIEST_MS = Date.parse('0001-01-01T00:00:00Z');
/** First time, in ms, that Postgres would not read in the format of a Date. */
export const LATEST_MS = Date.UTC(10_000, 0, 1);

/** 0 and -1 mean "never". */
function dateOf(ms: number): Date | null | undefined {
  if (ms === 0 || ms === -1) return null;
  return ms >= EARLIEST_MS && ms < LATEST_MS ? new Date(ms) : undefined;
}

/** Removes members from a JSON object, or from the objects in a JSON list. */
export function withoutMembers(value: unknown, names: readonly string[]): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((one) => (Array.isArray(one) ? one : withoutMembers(one, names)));
  return Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)));
}
