import type { ColumnValue, Field, Fields } from './fields.ts';
import { cleanJson, isObject } from './json.ts';
import { instantIn } from './time.ts';

/** Column values by column name. */
export type Row = Readonly<Record<string, ColumnValue>>;

/** The list that a record comes from. */
export interface Origin {
  readonly projectId: string;
  readonly region: string;
  /** Parameters of the listing, in their stored spelling. */
  readonly params: Readonly<Record<string, string>>;
  /** Zone of times without one: an IANA name or an offset. */
  readonly timeZone: string;
}

/** The origin of the records of a listing. The zone of the listing, if known, replaces the configured one. */
export function originOf(
  scope: Pick<Origin, 'projectId' | 'region'>,
  listing: { readonly params: Origin['params']; readonly timeZone?: string },
  timeZone: string,
): Origin {
  const { projectId, region } = scope;
  return { projectId, region, params: listing.params, timeZone: listing.timeZone ?? timeZone };
}

/** The result of parsing a record: a row, or the reasons why it is not one. */
export type Parsed =
  | { readonly ok: true; readonly row: Row; readonly extra: object | null }
  | {
      readonly ok: false;
      readonly issues: readonly Issue[];
      /** Key of the row, if readable; otherwise null. */
      readonly key: string | null;
      /** The fields that could be read. */
      readonly partial: Row;
    };

/** Why a field is invalid. An empty field name means the whole record. */
export interface Issue {
  readonly field: string;
  readonly message: string;
}

/** A record with its members assigned to columns, before conversion. */
export interface Normalized {
  readonly known: Readonly<Record<string, unknown>>;
  /** Members that no document names; null if there are none. */
  readonly extra: Readonly<Record<string, unknown>> | null;
  /** The record has no documented member, so nothing is known about it. */
  readonly isBlank: boolean;
}

/** Separates the texts of the key columns in the text of a key; it cannot be in a value. */
export const KEY_SEPARATOR = '\u0001';

/** Identity of a row within its table and project: the text of its key columns. */
export function keyOf(key: readonly string[], row: Row): string {
  const [only] = key;
  if (key.length === 1 && only !== undefined) return keyPart(row[only]);
  return key.map((column) => keyPart(row[column])).join(KEY_SEPARATOR);
}

/** A key column as text, in the format that queries request from Postgres: times in UTC with milliseconds. */
export function keyPart(value: ColumnValue | undefined): string {
  return value instanceof Date ? value.toISOString() : String(value);
}

/** The row lacks this column of its key. */
function lacks(fields: Fields, column: string, value: ColumnValue | undefined): boolean {
  if (value === '') return fields[column]?.documented.emptyInKey !== true;
  return value === null || value === undefined;
}

/** Converts the records of one stream into rows. */
export interface RecordReader {
  /** Converts a record. Values that it lacks are taken from the parameters of its listing. */
  parse(record: unknown, origin: Origin): Parsed;
  /** The documented members of a record by column name, and the rest; null if it is not an object. */
  normalize(record: unknown, origin: Origin): Normalized | null;
  /** What the record itself says about a column; null if it says nothing readable. */
  stated(record: unknown, column: string): ColumnValue;
}

type WireField = readonly [name: string, field: Field];

/** The reader for the records of a stream, built at its first use: a command reads few of the streams. */
export function recordReader(fields: Fields, key: readonly string[]): RecordReader {
  let built: RecordReader | undefined;
  const reader = () => {
    built ??= build(fields, key);
    return built;
  };
  return {
    parse: (record, origin) => reader().parse(record, origin),
    normalize: (record, origin) => reader().normalize(record, origin),
    stated: (record, column) => reader().stated(record, column),
  };
}

/** Adds the columns that only the table has, because other columns may be computed from them. */
export function withStoredOnly(fields: Fields): (row: Row) => Row {
  const stored = Object.entries(fields).filter(([, { storedOnly }]) => storedOnly === true);
  if (stored.length === 0) return (row) => row;
  return (row) => ({
    ...row,
    ...Object.fromEntries(stored.map(([name, { derive }]) => [name, derive?.(row) ?? null])),
  });
}

/** Makes a row with the columns that only the table has: received columns, then computed ones in the order of the definition. */
export function storedRowMaker(fields: Fields): (row: Row) => Row {
  const withStored = withStoredOnly(fields);
  const computed = Object.keys(fields).filter((name) => fields[name]?.derive !== undefined);
  return (row) => {
    const whole = withStored(row);
    const names = [...Object.keys(row).filter((name) => !computed.includes(name)), ...computed];
    return Object.fromEntries(names.map((name) => [name, whole[name] ?? null]));
  };
}

function build(fields: Fields, key: readonly string[]): RecordReader {
  const wire = Object.entries(fields).filter(([, field]) => field.derive === undefined);
  const derived = Object.entries(fields).filter(([, { derive, storedOnly }]) => derive !== undefined && !storedOnly);
  const withStored = withStoredOnly(fields);
  const names = wireNames(wire);
  const locations = new Map(wire.map(([column, field]) => [column, locationOf(column, field)]));
  const absent = blank<unknown>(wire, undefined);
  const empty = blank<ColumnValue>([...wire, ...derived], null);

  const normalize = (record: unknown, origin: Origin): Normalized | null => {
    if (!isObject(record)) return null;
    const { params } = origin;
    const known: Record<string, unknown> = { ...absent };
    // Records repeat the project and region of their list. Store these only if they contradict.
    const extra = collect(record, names, { known, origin });
    const isBlank = !wire.some(([name]) => known[name] !== undefined && known[name] !== null);
    for (const name of Object.keys(params)) {
      if (name in fields && (known[name] === undefined || known[name] === null)) known[name] = params[name];
    }
    return { known, extra, isBlank };
  };

  const derive = (row: Record<string, ColumnValue>): Row => {
    for (const [name, field] of derived) row[name] = field.derive?.(withStored(row)) ?? null;
    return row;
  };

  const convert = (known: Readonly<Record<string, unknown>>): Record<string, ColumnValue> | null => {
    const row = { ...empty };
    for (const [name, field] of wire) {
      const value = field.convert(known[name]);
      if (value === undefined) return null;
      row[name] = value;
    }
    return row;
  };

  return {
    normalize,
    stated(record, column) {
      const field = fields[column];
      const { outer, own } = locations.get(column) ?? NOWHERE;
      if (!isObject(record) || field === undefined) return null;
      const holder = outer.length === 0 ? record : outer.map((name) => record[name]).find(isObject);
      for (const name of own) {
        const said = holder?.[name];
        if (said !== undefined && said !== null) return field.convert(said) ?? null;
      }
      return field.convert(undefined) ?? null;
    },
    parse(record, origin) {
      const normalized = normalize(record, origin);
      if (normalized === null)
        return { ok: false, issues: [{ field: '', message: 'not a JSON object' }], key: null, partial: {} };
      // A key computed from other fields would be that of a row with empty fields.
      if (normalized.isBlank)
        return { ok: false, issues: [{ field: '', message: 'no documented field' }], key: null, partial: {} };
      const converted = convert(normalized.known);
      if (converted === null) {
        const issues = wire
          .filter(([name, field]) => field.convert(normalized.known[name]) === undefined)
          .map(([name, { accepted }]) => ({ field: name, message: `not ${accepted}` }));
        return { ok: false, issues, ...readable(normalized, { key, fields, derive }) };
      }
      const row = derive(placeInZone(converted, wire, origin.timeZone));
      const missing = key.filter((column) => lacks(fields, column, row[column]));
      if (missing.length > 0) {
        return {
          ok: false,
          issues: missing.map((name) => ({ field: name, message: 'part of the key is missing' })),
          key: null,
          partial: row,
        };
      }
      const extra = normalized.extra === null ? null : cleanJson(normalized.extra);
      return { ok: true, row, extra: isObject(extra) ? extra : null };
    },
  };
}

/**
 * An object with all columns, to be copied by spreading. V8 turns objects that grow key by key into hash tables, which
 * take more memory and time.
 */
function blank<T>(columns: readonly WireField[], value: T): Record<string, T> {
  const object = JSON.parse(`{${columns.map(([name]) => `${JSON.stringify(name)}:null`).join(',')}}`);
  for (const [name] of columns) object[name] = value;
  return object;
}

/** Names of a field on the wire, and of the object that contains it. */
export interface FieldLocation {
  readonly outer: readonly string[];
  readonly own: readonly string[];
}

const NOWHERE: FieldLocation = { outer: [], own: [] };

/** The locations of a column in a record. The first of its own names is that of the documents. */
export function locationOf(column: string, { wire = column, also, inside }: Field): FieldLocation {
  return { outer: inside === undefined ? [] : spellings(inside), own: [wire, ...also].flatMap(spellings) };
}

/** Wire name in both spellings -> its column, or the names inside a wire object. */
export type Names = ReadonlyMap<string, string | Names>;

/** The columns of a record by the names of its members. */
export function wireNames(wire: readonly WireField[]): Names {
  const names = new Map<string, string | Map<string, string>>();
  for (const [column, field] of wire) {
    const { own } = locationOf(column, field);
    if (field.inside === undefined) {
      for (const name of own) names.set(name, column);
      continue;
    }
    const known = names.get(field.inside);
    const members = known instanceof Map ? known : new Map<string, string>();
    for (const name of spellings(field.inside)) names.set(name, members);
    for (const name of own) members.set(name, column);
  }
  return names;
}

function spellings(name: string): readonly string[] {
  return [name, name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase())];
}

/** What the members of a record are sorted into. */
interface Collected {
  /** Filled with the documented members, by column. */
  readonly known: Record<string, unknown>;
  /** The list, if members may repeat its project and region. */
  readonly origin: Origin | null;
}

/** Members of a record that may repeat the project or region of its list, and what they repeat. */
export const REPEATED_MEMBERS: ReadonlyMap<string, 'projectId' | 'region'> = new Map([
  ['project_id', 'projectId'],
  ['projectId', 'projectId'],
  ['region', 'region'],
]);

/** The member only repeats the project or region of its list. */
export function isRepeated(origin: Origin, name: string, value: unknown): boolean {
  const repeated = REPEATED_MEMBERS.get(name);
  return repeated !== undefined && value === origin[repeated];
}

/**
 * Copies known members into `known` and returns the others; null without any. The API writes the same field in
 * snake_case or in camelCase; the first value that is not null wins, but the name of the column before all others.
 */
function collect(
  record: Readonly<Record<string, unknown>>,
  names: Names,
  { known, origin }: Collected,
): Record<string, unknown> | null {
  let extra: Record<string, unknown> | null = null;
  // No prototype, so that a field named `__proto__` is an ordinary field.
  const keep = (name: string, value: unknown) => {
    extra ??= Object.setPrototypeOf({}, null) as Record<string, unknown>;
    extra[name] = value;
  };
  for (const name in record) {
    const value = record[name];
    const target = names.get(name);
    if (typeof target === 'string') {
      const other = known[target];
      if (other === undefined || other === null) known[target] = value;
      else if (value === null || value === other) continue;
      else if (name !== target) keep(name, value);
      else {
        keep(Object.keys(record).find((each) => names.get(each) === target && record[each] === other) ?? name, other);
        known[target] = value;
      }
    } else if (target !== undefined && isObject(value)) {
      const inside = collect(value, target, { known, origin: null });
      if (inside !== null) keep(name, inside);
    } else if (target === undefined ? origin === null || !isRepeated(origin, name, value) : value !== null) {
      keep(name, value);
    }
  }
  return extra;
}

/** Converts times without zone, which are still text at this point, to Dates. */
function placeInZone(
  row: Record<string, ColumnValue>,
  wire: readonly (readonly [string, Field])[],
  timeZone: string,
): Record<string, ColumnValue> {
  for (const [name, field] of wire) {
    const value = row[name];
    if (field.zoneless && typeof value === 'string') row[name] = instantIn(timeZone, value);
  }
  return row;
}

/** How the fields of a stream make a row and its key. */
interface RowShape {
  readonly key: readonly string[];
  readonly fields: Fields;
  /** Adds the columns that are computed from others. */
  readonly derive: (row: Record<string, ColumnValue>) => Row;
}

/** The readable part of an invalid record. If its key is readable, the reject still counts as seen. */
function readable(
  { known }: Normalized,
  { key, fields, derive }: RowShape,
): { readonly key: string | null; readonly partial: Row } {
  const partial: Record<string, ColumnValue> = {};
  const unreadable = new Set<string>();
  for (const [name, field] of Object.entries(fields)) {
    if (field.derive !== undefined) continue;
    const value = field.convert(known[name]);
    if (value !== undefined) partial[name] = value;
    else unreadable.add(name);
  }
  // If a field is unreadable, a key computed from fields may be that of another row.
  const doubtful = key.some(
    (name) => unreadable.has(name) || (fields[name]?.derive !== undefined && unreadable.size > 0),
  );
  const complete = doubtful ? partial : derive({ ...partial });
  const whole = !doubtful && !key.some((name) => lacks(fields, name, complete[name]));
  return { key: whole ? keyOf(key, complete) : null, partial };
}
