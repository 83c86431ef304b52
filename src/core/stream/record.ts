import { z } from 'zod';
import type { ColumnValue, Field, Fields } from './fields.ts';
import { cleanJson, isObject } from './json.ts';
import { instantIn } from './time.ts';

export type Row = Readonly<Record<string, ColumnValue>>;

/** Where a record was listed. */
export interface Origin {
  readonly projectId: string;
  readonly region: string;
  /** Parameters of the listing, in their stored spelling. */
  readonly params: Readonly<Record<string, string>>;
  /** Zone of times that name none: an IANA name or an offset. */
  readonly timeZone: string;
}

/** Where the records of a listing come from; a listing that knows its own zone goes before the configured one. */
export function originOf(
  scope: Pick<Origin, 'projectId' | 'region'>,
  listing: { readonly params: Origin['params']; readonly timeZone?: string },
  timeZone: string,
): Origin {
  const { projectId, region } = scope;
  return { projectId, region, params: listing.params, timeZone: listing.timeZone ?? timeZone };
}

export type Parsed =
  | { readonly ok: true; readonly row: Row; readonly extra: object | null }
  | {
      readonly ok: false;
      readonly issues: readonly Issue[];
      /** Key of the row it would be, where it can be read. */
      readonly key: string | null;
      /** The fields that could be read. */
      readonly partial: Row;
    };

export interface Issue {
  readonly field: string;
  readonly message: string;
}

export interface Normalized {
  readonly known: Readonly<Record<string, unknown>>;
  readonly extra: Readonly<Record<string, unknown>> | null;
  /** The record has none of the documented members: what it is about cannot be told. */
  readonly isBlank: boolean;
}

/** Identity of a row within its table and project: the text of its key columns. */
export function keyOf(key: readonly string[], row: Row): string {
  const [only] = key;
  if (key.length === 1 && only !== undefined) return keyPart(row[only]);
  return key.map((column) => keyPart(row[column])).join('\u0001');
}

/** A key column as text, the same as Postgres is asked for it: times with their milliseconds, in UTC. */
export function keyPart(value: ColumnValue | undefined): string {
  return value instanceof Date ? value.toISOString() : String(value);
}

/** Whether a row lacks a column of its key. */
function lacks(fields: Fields, column: string, value: ColumnValue | undefined): boolean {
  if (value === '') return fields[column]?.documented.emptyInKey !== true;
  return value === null || value === undefined;
}

/** How records of one stream become rows. */
export interface RecordReader {
  /** Record to row or to the reasons why not. Stamps what the record lacks from the listing's parameters. */
  parse(record: unknown, origin: Origin): Parsed;
  /** The documented members a record has, by column name, and what it has besides them; null when it is no object. */
  normalize(record: unknown, origin: Origin): Normalized | null;
  /** What a record says itself of a column; null where it says nothing that can be read. */
  stated(record: unknown, column: string): ColumnValue;
}

type WireField = readonly [name: string, field: Field];

export function recordReader(fields: Fields, key: readonly string[]): RecordReader {
  const wire = Object.entries(fields).filter(([, field]) => field.derive === undefined);
  const derived = Object.entries(fields).filter(([, field]) => field.derive !== undefined);
  const names = wireNames(wire);
  const places = new Map(wire.map(([column, field]) => [column, placesOf(column, field)]));
  const absent = blank<unknown>(wire, undefined);
  const empty = blank<ColumnValue>([...wire, ...derived], null);
  const schema = z.object(Object.fromEntries(wire.map(([name, field]) => [name, field.schema])));

  const normalize = (record: unknown, { params, projectId, region }: Origin): Normalized | null => {
    if (!isObject(record)) return null;
    // Every key is there, as undefined if need be: zod takes a key that is absent altogether for a fault.
    const known: Record<string, unknown> = { ...absent };
    // Records repeat the scope they are listed in; only a contradiction is worth keeping.
    const scope: Readonly<Record<string, string>> = { project_id: projectId, projectId, region };
    const extra = collect(record, names, known, (name, value) => Object.hasOwn(scope, name) && scope[name] === value);
    const isBlank = !wire.some(([name]) => known[name] !== undefined && known[name] !== null);
    for (const name of Object.keys(params)) {
      if (name in fields && (known[name] === undefined || known[name] === null)) known[name] = params[name];
    }
    return { known, extra, isBlank };
  };

  const derive = (row: Record<string, ColumnValue>): Row => {
    for (const [name, field] of derived) row[name] = field.derive?.(row) ?? null;
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
      const { outer, own } = places.get(column) ?? NOWHERE;
      if (!isObject(record) || field === undefined) return null;
      const holder = outer.map((name) => record[name]).find(isObject) ?? (outer.length === 0 ? record : {});
      const said = own.map((name) => holder[name]).find((value) => value !== undefined && value !== null);
      return field.convert(said) ?? null;
    },
    parse(record, origin) {
      const normalized = normalize(record, origin);
      if (normalized === null)
        return { ok: false, issues: [{ field: '', message: 'not a JSON object' }], key: null, partial: {} };
      // A key that is computed from other fields would be that of a row all of whose fields are empty.
      if (normalized.isBlank)
        return { ok: false, issues: [{ field: '', message: 'no documented field' }], key: null, partial: {} };
      const converted = convert(normalized.known);
      if (converted === null) {
        // zod says which column cannot be read, and why.
        const issues = (schema.safeParse(normalized.known).error?.issues ?? []).map(({ path, message }) => ({
          field: path.join('.'),
          message,
        }));
        return { ok: false, issues, ...readable(normalized, key, fields, derive) };
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
 * An object with a member for each column, to be spread into new ones. Objects that grow key by key end up as hash tables
 * in V8: twice the memory (2.4 instead of 1.0 KB a row) and five times as long to fill (45 instead of 9 us a row).
 */
function blank<T>(columns: readonly WireField[], value: T): Record<string, T> {
  const object = JSON.parse(`{${columns.map(([name]) => `${JSON.stringify(name)}:null`).join(',')}}`);
  for (const [name] of columns) object[name] = value;
  return object;
}

/** The names a field goes by on the wire, and those of the object that carries it. */
interface Places {
  readonly outer: readonly string[];
  readonly own: readonly string[];
}

const NOWHERE: Places = { outer: [], own: [] };

function placesOf(column: string, { wire = column, also, inside }: Field): Places {
  return { outer: inside === undefined ? [] : spellings(inside), own: [wire, ...also].flatMap(spellings) };
}

/** Wire name, in both spellings, -> its column, or the names inside a wire object. */
type Names = ReadonlyMap<string, string | Names>;

function wireNames(wire: readonly WireField[]): Names {
  const names = new Map<string, string | Map<string, string>>();
  for (const [column, field] of wire) {
    const { own } = placesOf(column, field);
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

/**
 * Fills `known` with what the names know and returns the rest, if any. The API writes the same field in snake_case here and
 * in camelCase there; the first value that is not null wins.
 */
function collect(
  record: Readonly<Record<string, unknown>>,
  names: Names,
  known: Record<string, unknown>,
  isRepeated: (name: string, value: unknown) => boolean = () => false,
): Record<string, unknown> | null {
  let extra: Record<string, unknown> | null = null;
  // Without a prototype, so that a field called `__proto__` is a field like any other.
  const keep = (name: string, value: unknown) => {
    extra ??= Object.setPrototypeOf({}, null) as Record<string, unknown>;
    extra[name] = value;
  };
  for (const name in record) {
    const value = record[name];
    const target = names.get(name);
    if (typeof target === 'string') {
      if (known[target] === undefined || known[target] === null) known[target] = value;
      else if (value !== null && value !== known[target]) keep(name, value);
    } else if (target !== undefined && isObject(value)) {
      const inside = collect(value, target, known);
      if (inside !== null) keep(name, inside);
    } else if (target === undefined ? !isRepeated(name, value) : value !== null) {
      keep(name, value);
    }
  }
  return extra;
}

/** Times without zone come out of their schema as text; here they become instants. */
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

/** What can be read of a record that failed: with its key known, such a reject still counts as seen. */
function readable(
  { known }: Normalized,
  key: readonly string[],
  fields: Fields,
  derive: (row: Record<string, ColumnValue>) => Row,
): { readonly key: string | null; readonly partial: Row } {
  const partial: Record<string, ColumnValue> = {};
  const unreadable = new Set<string>();
  for (const [name, field] of Object.entries(fields)) {
    if (field.derive !== undefined) continue;
    const value = field.convert(known[name]);
    if (value !== undefined) partial[name] = value;
    else unreadable.add(name);
  }
  // A derived key is made of other fields; with one of them unreadable it would be another row's key.
  const doubtful = key.some(
    (name) => unreadable.has(name) || (fields[name]?.derive !== undefined && unreadable.size > 0),
  );
  const complete = doubtful ? partial : derive({ ...partial });
  const whole = !doubtful && !key.some((name) => lacks(fields, name, complete[name]));
  return { key: whole ? keyOf(key, complete) : null, partial };
}
