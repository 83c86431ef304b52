import type { PgTable } from 'drizzle-orm/pg-core';
import { z } from 'zod';
import type { Endpoint } from './endpoint.ts';
import type { ColumnValue, Field, Fields } from './fields.ts';
import { cleanJson } from './json.ts';
import { isObject, type Paging } from './paging.ts';
import { historyTable, streamTable, type TableDefinition } from './table.ts';
import { instantIn } from './time-zone.ts';
import type { OrderColumn } from './walk/order.ts';

export type Row = Readonly<Record<string, ColumnValue>>;

/** A list endpoint and the table it fills, as a stream file writes it down. */
export interface StreamDefinition {
  readonly name: string;
  /** What a row is, in one sentence: the comment of the table. */
  readonly about: string;
  /** The public document the definition was read from. */
  readonly document: string;
  readonly endpoint: Endpoint;
  readonly paging: Paging;
  /** Parameters of the lists a scope has, when it is more than one. */
  readonly listings?: readonly Readonly<Record<string, string>>[];
  readonly parent?: Parent;
  readonly table: TableDefinition;
  /** Columns the server may sort by: immutable, or only ever moving to the newest end. */
  readonly order: readonly OrderColumn[];
  /** The list only grows: a row that is listed no more aged out, it was not deleted. */
  readonly appendOnly?: boolean;
  /** Closed versions of changed rows are kept. */
  readonly history?: boolean;
  /** How a list longer than its cap is cut: by an immutable column of its rows, whose values another stream lists. */
  readonly split?: Split;
  /**
   * Column of `timestamptz` that moves with every change of a row: it tells older content from newer, and where the list
   * is sorted by it, a look at the newest end finds everything that changed.
   */
  readonly version?: string;
  /** Cron expression (UTC). */
  readonly schedule: string;
  /** How often a full walk renews the certificate, in ms. */
  readonly reconcileEveryMs: number;
  /** How old its data may get before it is called stale, in ms. */
  readonly targetMs: number;
}

export interface Parent {
  readonly stream: Stream;
  /** Parameter of the child's listing -> column of the parent's table. */
  readonly params: Readonly<Record<string, string>>;
  /** Parent rows whose listings change most: asked for first. Without it all of them are. */
  readonly hot?: { readonly column: string; readonly value: string };
}

export interface Split {
  readonly parameter: string;
  readonly stream: Stream;
  readonly column: string;
}

/** What the engine sees. */
export interface Stream extends Omit<StreamDefinition, 'table' | 'listings' | 'history'> {
  readonly table: PgTable;
  readonly history: PgTable | null;
  /** Columns of the primary key after `project_id`. */
  readonly key: readonly string[];
  readonly fields: Fields;
  readonly listings: readonly Readonly<Record<string, string>>[];
  /** Record to row or to the reasons why not. Stamps what the record lacks from the listing's parameters. */
  parse(record: unknown, origin: Origin): Parsed;
  /** The documented members a record has, by column name, and what it has besides them; null when it is no object. */
  normalize(record: unknown, origin: Origin): Normalized | null;
}

/** Where a record was listed. */
export interface Origin {
  readonly projectId: string;
  readonly region: string;
  /** Parameters of the listing, in their stored spelling. */
  readonly params: Readonly<Record<string, string>>;
  /** Zone of times that name none: an IANA name or an offset. */
  readonly timeZone: string;
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
}

/** One listing per live row of the parent; `params` maps a parameter of this stream to a column of the parent. */
export function childOf(
  stream: Stream,
  params: Readonly<Record<string, string>>,
  hot?: NonNullable<Parent['hot']>,
): Parent {
  for (const column of [...Object.values(params), ...(hot === undefined ? [] : [hot.column])]) {
    if (!(column in stream.fields)) throw new Error(`${stream.name} has no column "${column}"`);
  }
  return hot === undefined ? { stream, params } : { stream, params, hot };
}

/** Identity of a row within its table and project: the text of its key columns. */
export function keyOf(key: readonly string[], row: Row): string {
  const [only] = key;
  if (key.length === 1 && only !== undefined) return String(row[only]);
  return key.map((column) => String(row[column])).join('\u0001');
}

export function defineStream(definition: StreamDefinition): Stream {
  const { table, listings = [], ...rest } = definition;
  const { fields, key } = table;
  const wire = Object.entries(fields).filter(([, field]) => field.derive === undefined);
  const derived = Object.entries(fields).filter(([, field]) => field.derive !== undefined);
  const names = wireNames(wire);
  const absent = Object.fromEntries(wire.map(([name]) => [name, undefined]));
  const schema = z.object(Object.fromEntries(wire.map(([name, field]) => [name, field.schema])));

  const normalize = (record: unknown, { params, projectId, region }: Origin): Normalized | null => {
    if (!isObject(record)) return null;
    // Every key is there, as undefined if need be: zod takes a key that is absent altogether for a fault.
    const known: Record<string, unknown> = { ...absent };
    const extra = unknownFields();
    collect(record, names, known, extra);
    // Records repeat the scope they are listed in; only a contradiction is worth keeping.
    for (const name of ['project_id', 'projectId']) if (extra[name] === projectId) delete extra[name];
    if (extra.region === region) delete extra.region;
    for (const name of Object.keys(params)) {
      if (name in fields && (known[name] === undefined || known[name] === null)) known[name] = params[name];
    }
    return { known, extra: Object.keys(extra).length === 0 ? null : extra };
  };

  const derive = (row: Record<string, ColumnValue>): Row => {
    for (const [name, field] of derived) row[name] = field.derive?.(row) ?? null;
    return row;
  };

  return {
    ...rest,
    table: streamTable(table),
    history: definition.history === true ? historyTable(table) : null,
    key,
    fields,
    listings,
    normalize,
    parse(record, origin) {
      const normalized = normalize(record, origin);
      if (normalized === null)
        return { ok: false, issues: [{ field: '', message: 'not a JSON object' }], key: null, partial: {} };
      const converted = convert(normalized.known, wire);
      if (converted === null) {
        const issues = (schema.safeParse(normalized.known).error?.issues ?? []).map(({ path, message }) => ({
          field: path.join('.'),
          message,
        }));
        return { ok: false, issues, ...readable(normalized, key, fields, derive) };
      }
      const row = derive(placeInZone(converted, wire, origin.timeZone));
      const missing = key.filter((column) => row[column] === null || row[column] === '');
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

/** Wire name -> column, in both spellings; a wire object -> the names inside it. */
interface Names {
  readonly columns: ReadonlyMap<string, string>;
  readonly objects: ReadonlyMap<string, Names>;
}

function wireNames(wire: readonly (readonly [string, Field])[]): Names {
  const columns = new Map<string, string>();
  const objects = new Map<string, { columns: Map<string, string>; objects: Map<string, Names> }>();
  for (const [column, field] of wire) {
    let target = columns;
    if (field.inside !== undefined) {
      const inner = objects.get(field.inside) ?? { columns: new Map(), objects: new Map() };
      for (const name of spellings(field.inside)) objects.set(name, inner);
      target = inner.columns;
    }
    for (const name of [field.wire ?? column, ...field.also].flatMap(spellings)) target.set(name, column);
  }
  return { columns, objects };
}

function spellings(name: string): readonly string[] {
  return [name, name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase())];
}

/** Without a prototype, so that a field called `__proto__` is a field like any other. */
function unknownFields(): Record<string, unknown> {
  return Object.setPrototypeOf({}, null);
}

/** The API writes the same field in snake_case here and in camelCase there; the first value that is not null wins. */
function collect(
  record: Readonly<Record<string, unknown>>,
  names: Names,
  known: Record<string, unknown>,
  extra: Record<string, unknown>,
): void {
  for (const [name, value] of Object.entries(record)) {
    const column = names.columns.get(name);
    const inner = names.objects.get(name);
    if (column !== undefined) {
      if (known[column] === undefined || known[column] === null) known[column] = value;
      else if (value !== null && value !== known[column]) extra[name] = value;
    } else if (inner !== undefined && isObject(value)) {
      const innerExtra = unknownFields();
      collect(value, inner, known, innerExtra);
      if (Object.keys(innerExtra).length > 0) extra[name] = innerExtra;
    } else if (inner === undefined || value !== null) {
      extra[name] = value;
    }
  }
}

/** The columns of a record; null when one of them cannot be read, and zod then says which and why. */
function convert(
  known: Readonly<Record<string, unknown>>,
  wire: readonly (readonly [string, Field])[],
): Record<string, ColumnValue> | null {
  const row: Record<string, ColumnValue> = {};
  for (const [name, field] of wire) {
    const value = field.convert(known[name]);
    if (value === undefined) return null;
    row[name] = value;
  }
  return row;
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
  const whole =
    !doubtful && key.every((name) => complete[name] !== null && complete[name] !== undefined && complete[name] !== '');
  return { key: whole ? keyOf(key, complete) : null, partial };
}
