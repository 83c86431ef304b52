import { z } from 'zod';
import { cleanJson, cleanText, isShallow, parseJson, sha256 } from './json.ts';

/**
 * One column of a stream: how the wire value becomes the column value, what the documents say about it, and its meaning
 * in plain words. The wire field, the key in the row and the column share one name.
 */
export interface Field {
  readonly type: ColumnType;
  readonly about: string;
  /** Wire value to column value; rejects what cannot be the documented thing in any accepted spelling. */
  readonly schema: z.ZodType<ColumnValue>;
  /** What `schema` does, without zod around it: undefined where it would reject. Rows take this way (D5). */
  readonly convert: (value: unknown) => ColumnValue | undefined;
  /** What the documents promise. Values beyond it are stored all the same and recorded as drift. */
  readonly documented: Documented;
  /** Other names of the same wire field, besides its own in snake_case and camelCase. */
  readonly also: readonly string[];
  /** Changes on its own with every scan: stored, but no version and no movement. */
  readonly volatile: boolean;
  /** Not on the wire, but computed from the row. */
  readonly derive?: (row: Readonly<Record<string, ColumnValue>>) => ColumnValue;
  /** A time without zone, read in the configured one. */
  readonly zoneless?: true;
  /** The wire object that carries the field, for flattened ones. */
  readonly inside?: string;
  /** Its name on the wire, when that is not the column's. */
  readonly wire?: string;
}

export type ColumnType = 'text' | 'bigint' | 'double precision' | 'boolean' | 'timestamptz' | 'jsonb';
export type ColumnValue = string | number | bigint | boolean | Date | object | null;
export type Fields = Readonly<Record<string, Field>>;

export interface Documented {
  readonly values?: readonly string[];
  /** Longest text, or greatest number. */
  readonly max?: number;
  /** Shortest text, or smallest number. */
  readonly min?: number;
  /** Fields that the documents list but answers are known to leave out: their absence is no drift. */
  readonly optional?: boolean;
  /** Wire values that mean "none", such as `-1`: stored as null. */
  readonly none?: readonly string[];
  /** Part of a key that may be empty, such as the container of a process that runs in none: absent is stored as `""`. */
  readonly emptyInKey?: boolean;
}

interface Options extends Documented {
  readonly also?: readonly string[];
  readonly volatile?: boolean;
  /** Other spellings of a value, and the one that is stored. */
  readonly spellings?: Readonly<Record<string, string>>;
}

type Conversion = Pick<Field, 'schema' | 'convert'>;

function field(
  type: ColumnType,
  { about, ...conversion }: Conversion & { readonly about: string },
  options: Options = {},
): Field {
  const { also = [], volatile = false, spellings: _, ...documented } = options;
  const { none, emptyInKey } = documented;
  const special = none === undefined && emptyInKey !== true ? conversion : withNone(conversion, documented);
  return { type, about, ...special, documented, also, volatile };
}

function withNone({ convert }: Conversion, { none = [], emptyInKey = false }: Documented): Conversion {
  return converted('the documented value', (wire) => {
    const value = none.includes(String(wire)) ? null : convert(wire);
    return value === null && emptyInKey ? '' : value;
  });
}

/** One conversion for every field of a kind: `undefined` from `convert` means "this cannot be one". */
function converted(what: string, convert: Conversion['convert']): Conversion {
  const schema = z.unknown().transform((value, context) => {
    const result = convert(value);
    if (result !== undefined) return result;
    context.addIssue({ code: 'custom', message: `not ${what}` });
    return z.NEVER;
  });
  return { schema, convert };
}

/** Text of any length; numbers and booleans are written out, because the API types some texts as numbers (`image_id`). */
export function text(about: string, options: Options = {}): Field {
  const { spellings } = options;
  return field('text', { about, ...(spellings ? spelled(spellings) : TEXT) }, options);
}

const TEXT = converted('a text', (value) => {
  if (typeof value === 'string') return cleanText(value);
  if (value === null || value === undefined) return null;
  return typeof value === 'object' ? undefined : String(value);
});

function spelled(spellings: Readonly<Record<string, string>>): Conversion {
  return converted('a text', (wire) => {
    const value = TEXT.convert(wire);
    return typeof value === 'string' && Object.hasOwn(spellings, value) ? (spellings[value] ?? value) : value;
  });
}

const INTEGER = /^[+-]?\d{1,19}$/;
const INT64 = 2n ** 63n;

/** A 64-bit integer with all its digits, whether it arrives as a number or as text. */
export function int(about: string, options: Options = {}): Field {
  return field('bigint', { about, ...INT }, options);
}

const INT = converted('a 64-bit integer', (value) => {
  if (isBlank(value)) return null;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : undefined;
  const exact = typeof value === 'bigint' ? value : asInteger(value);
  return exact !== undefined && exact >= -INT64 && exact < INT64 ? exact : undefined;
});

/** A number with a fraction, such as a CVSS score. */
export function decimal(about: string, options: Options = {}): Field {
  return field('double precision', { about, ...DECIMAL }, options);
}

const DECIMAL = converted('a number', (value) => {
  if (isBlank(value)) return null;
  const number =
    typeof value === 'number' || typeof value === 'bigint' || typeof value === 'string' ? Number(value) : NaN;
  return Number.isFinite(number) ? number : undefined;
});

export function flag(about: string, options: Options = {}): Field {
  return field('boolean', { about, ...FLAG }, options);
}

const FLAG = converted('true or false', (value) => {
  if (isBlank(value)) return null;
  if (typeof value === 'boolean') return value;
  const word = String(value).toLowerCase();
  if (word === 'true' || word === '1') return true;
  return word === 'false' || word === '0' ? false : undefined;
});

/**
 * An instant in milliseconds since the epoch, as HSS sends it; 0, -1 (`expire_time` in published examples), `""` and absent
 * mean "never". Ten digits are seconds, which some fields of the same API hold: as milliseconds they would be a day of
 * early 1970. What lies before the year 2000 otherwise is no time that anything happened, and null. Both are drift.
 */
export function instant(about: string, options: Options = {}): Field {
  return field(
    'timestamptz',
    { about, ...INSTANT },
    { min: EARLIEST_BELIEVED_MS, max: LATEST_DOCUMENTED_MS, ...options },
  );
}

const EARLIEST_BELIEVED_MS = Date.UTC(2000, 0, 1);
/** The range of `handle_time` and `scan_time` in the documents ends here, in 2099. */
const LATEST_DOCUMENTED_MS = 4_070_880_000_000;

const INSTANT = converted('an instant in milliseconds', (value) => {
  if (isBlank(value)) return null;
  const exact = typeof value === 'number' && Number.isInteger(value) ? value : asInteger(value);
  if (exact === undefined) return undefined;
  const millis = Number(exact);
  if (millis >= 1e9 && millis < 1e10) return new Date(millis * 1000);
  const date = dateOf(millis);
  return date instanceof Date && millis < EARLIEST_BELIEVED_MS ? null : date;
});

const ZONELESS = /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}:\d{2})(\.\d{1,9})?(Z|[+-]\d{2}:?\d{2})?$/;

/** A `YYYY-MM-DD HH:mm:ss` of DBSS, which names no zone: read in the configured one, UTC unless set (D4). */
export function zonelessTime(about: string, options: Options = {}): Field {
  return { ...field('timestamptz', { about, ...ZONELESS_TIME }, options), zoneless: true };
}

const ZONELESS_TIME = converted('a time like 2025-08-21 07:03:56', (value) => {
  if (isBlank(value)) return null;
  const millis = typeof value === 'number' ? value : asInteger(value);
  if (millis !== undefined) return dateOf(Number(millis));
  const parts = typeof value === 'string' ? ZONELESS.exec(value.trim()) : null;
  if (parts === null) return undefined;
  const [, day = '', time, fraction = '', zone] = parts;
  // `Date.parse` takes the 30th of February for the 2nd of March.
  if (!isDay(day)) return undefined;
  const wallClock = `${day}T${time}${fraction.slice(0, 4)}`;
  if (zone !== undefined) return dateOf(Date.parse(`${wallClock}${zone}`));
  const date = dateOf(Date.parse(`${wallClock}Z`));
  return date instanceof Date ? wallClock : date;
});

function isDay(day: string): boolean {
  const midnight = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(day);
}

/** Any JSON, kept as it came. */
export function json(about: string, options: Options = {}): Field {
  return field('jsonb', { about, ...JSON_VALUE }, options);
}

const JSON_VALUE = converted('JSON', (value) => {
  if (value === undefined || value === null) return null;
  const clean = cleanJson(value);
  return typeof clean === 'object' ||
    typeof clean === 'string' ||
    typeof clean === 'number' ||
    typeof clean === 'boolean'
    ? clean
    : String(clean);
});

/** The JSON inside a text column; null when the text is not a JSON object or list. */
export function parsedFrom(column: string, about: string): Field {
  return {
    ...field('jsonb', { about, ...JSON_VALUE }, { optional: true }),
    derive(row) {
      const source = row[column];
      if (typeof source !== 'string') return null;
      try {
        const parsed = parseJson(source);
        // The text is clean, so that only an escape can bring in what Postgres does not store.
        const clean = !isShallow(parsed) ? null : source.includes('\\u') ? cleanJson(parsed) : parsed;
        return typeof clean === 'object' ? clean : null;
      } catch {
        return null;
      }
    },
  };
}

/** A column computed from the others. */
export function computed(about: string, derive: NonNullable<Field['derive']>): Field {
  return { ...field('text', { about, ...TEXT }, { optional: true }), derive };
}

/** A SHA-256 over columns, for records without an id. Absent, null and empty are the same; times count by their milliseconds. */
export function identity(about: string, columns: readonly string[]): Field {
  return computed(about, (row) => sha256(JSON.stringify(columns.map((name) => identityText(row[name])))));
}

function identityText(value: ColumnValue | undefined): string {
  if (value === null || value === undefined) return '';
  return value instanceof Date ? String(value.getTime()) : String(value);
}

/** The members of a wire object as columns of their own: `resource_info.kind` becomes `resource_info_kind`. */
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

/** Years 1 to 9999: what a Date writes in a form that Postgres reads. Microseconds taken for milliseconds lie beyond. */
const EARLIEST_MS = Date.parse('0001-01-01T00:00:00Z');
const LATEST_MS = Date.UTC(10_000, 0, 1);

/** 0 and -1 are "never". */
function dateOf(ms: number): Date | null | undefined {
  if (ms === 0 || ms === -1) return null;
  return ms >= EARLIEST_MS && ms < LATEST_MS ? new Date(ms) : undefined;
}

/**
 * Takes the members that hold secrets out of a record, at any depth and in any spelling of their names. In place, and
 * before anything else reads the record, so that no row, reject, sample or message can have them.
 */
export function dropSecrets(secrets: ReadonlySet<string>, record: unknown): void {
  if (secrets.size === 0) return;
  // A list instead of recursion: an answer may be nested deeper than the stack.
  const open: unknown[] = [record];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value !== 'object' || value === null) continue;
    for (const [name, inner] of Object.entries(value)) {
      if (!Array.isArray(value) && secrets.has(plain(name))) Reflect.deleteProperty(value, name);
      else open.push(inner);
    }
  }
}

/** Names as `dropSecrets` compares them: one text for `weak_password`, `weakPassword` and `WeakPassword`. */
export function secretNames(names: readonly string[]): ReadonlySet<string> {
  return new Set(names.map(plain));
}

function plain(name: string): string {
  return name.replaceAll(/[_-]/g, '').toLowerCase();
}
