import { createRequire } from 'node:module';
import type { PgColumnBuilderBase, PgSchema, PgTable } from 'drizzle-orm/pg-core';
import type { ColumnType, Fields } from './fields.ts';

/**
 * Drizzle, loaded as CommonJS. Loading it as ES modules takes far more memory and time at every start, because Node
 * reads drizzle's package.json again for each of its modules (docs/performance.md).
 */
// drizzle-kit compiles this file to CommonJS, where only `__filename` is defined.
const require = createRequire(import.meta.filename ?? __filename);

const sqlOf: typeof import('drizzle-orm/sql') = require('drizzle-orm/sql');
const pgCore: typeof import('drizzle-orm/pg-core') = require('drizzle-orm/pg-core');

/** Column types and table builders of Drizzle, loaded as CommonJS (see `require` above). */
export const {
  bigint,
  boolean,
  customType,
  doublePrecision,
  getTableConfig,
  index,
  integer,
  jsonb,
  pgSchema,
  primaryKey,
  text,
  timestamp,
} = pgCore;

/** SQL fragments of Drizzle. */
export const { sql } = sqlOf;

/** Tables of the HSS streams. */
export const hss: PgSchema<string> = pgSchema<string>('hss');
/** Tables of the DBSS streams. */
export const dbss: PgSchema<string> = pgSchema<string>('dbss');
/** The service's own bookkeeping. */
export const sync: PgSchema<string> = pgSchema<string>('sync');

/** A time with zone, in milliseconds. */
export const timestamptz = () => timestamp({ withTimezone: true, precision: 3 });

const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' });

const COLUMN: Record<ColumnType, () => PgColumnBuilderBase> = {
  text: () => text(),
  bigint: () => bigint({ mode: 'bigint' }),
  'double precision': () => doublePrecision(),
  boolean: () => boolean(),
  timestamptz,
  jsonb: () => jsonb(),
};

/**
 * First columns of every data table. Every key starts with `project_id`, so that a sharded Postgres (Citus) can
 * distribute tables by it.
 */
const scopeColumns = () => ({ project_id: text().notNull(), region: text().notNull(), account: text().notNull() });

/** Columns that the writer fills. Streams never declare them. */
const systemColumns = () => ({
  _extra: jsonb(),
  _hash: bytea().notNull(),
  _first_seen_at: timestamptz().notNull(),
  _changed_at: timestamptz().notNull(),
  _deleted_at: timestamptz(),
});

/** Descriptions of the system columns, for `COMMENT ON` and the catalogue. */
export const SYSTEM_COLUMN_ABOUT: Readonly<Record<string, string>> = {
  project_id: 'Id of the Huawei Cloud project the row was listed in.',
  region: 'Region of the project when the row was last written; the views of bi show the configured one.',
  account:
    'Name of the account (the set of credentials) that last wrote the row; the views of bi show the configured one.',
  _extra: 'Fields of the answer that the definition does not know, as received.',
  _hash: 'Fingerprint of the row as received; rows with the same fingerprint are not written again.',
  _first_seen_at: 'When the row was first read.',
  _changed_at: 'When a documented, non-volatile field of the row was last seen to change.',
  _deleted_at:
    'When the service marked the row as gone: the API no longer lists it or its parent. Null while it is live.',
  _valid_from: 'When this version was first seen.',
  _valid_to: 'When the next version was first seen, or the row was no longer listed.',
};

/** A table as a stream declares it. */
export interface TableDefinition {
  readonly schema: PgSchema<string>;
  readonly name: string;
  /** Columns of the primary key after `project_id`. */
  readonly key: readonly string[];
  /** Columns to be indexed together with `project_id`. */
  readonly indexes?: readonly (readonly string[])[];
  readonly fields: Fields;
}

function dataColumns(definition: TableDefinition): Record<string, PgColumnBuilderBase> {
  const fields = Object.entries(definition.fields).map(([name, field]): [string, PgColumnBuilderBase] => [
    name,
    definition.key.includes(name) && field.type === 'text' ? text().notNull() : COLUMN[field.type](),
  ]);
  return { ...scopeColumns(), ...Object.fromEntries(fields) };
}

/**
 * The table of a stream. Names of keys and indexes are explicit, because Postgres truncates generated ones at 63
 * characters.
 */
export function streamTable(definition: TableDefinition): PgTable {
  const { schema, name, key, indexes = [] } = definition;
  return schema.table(name, { ...dataColumns(definition), ...systemColumns() }, (table) => [
    primaryKey({ name: `${name}_pk`, columns: pick(table, ['project_id', ...key]) }),
    ...indexes.map((columns) => index(`${name}_${columns.join('_')}_idx`).on(...pick(table, columns))),
  ]);
}

/** Earlier versions of the rows of a stream's table. The current version is only in the table itself. */
export function historyTable(definition: TableDefinition): PgTable {
  const { schema, key } = definition;
  const name = `${definition.name}_history`;
  const columns = {
    ...dataColumns(definition),
    _extra: jsonb(),
    _valid_from: timestamptz().notNull(),
    _valid_to: timestamptz().notNull(),
  };
  return schema.table(name, columns, (table) => [
    primaryKey({ name: `${name}_pk`, columns: pick(table, ['project_id', ...key, '_valid_from']) }),
  ]);
}

/**
 * A list of objects inside a row, as a separate table with one row for each element, for joins and indexes that a
 * `jsonb` column does not allow. The column itself stays. Triggers maintain the table (`postgres/schema/triggers.ts`).
 */
export interface MembersDefinition {
  readonly name: string;
  /** What a row is, in one sentence: the comment of the table. */
  readonly about: string;
  /** Members that identify an element within its list; an element without one of them has no row. */
  readonly key: readonly string[];
  /** Texts, integers and numbers. Other values become null. */
  readonly fields: Fields;
}

/** Filled by the triggers, with the times of the row. */
const memberTimes = () => ({
  _first_seen_at: timestamptz().notNull(),
  _changed_at: timestamptz().notNull(),
  _deleted_at: timestamptz(),
});

/** Descriptions of the times of a member, for `COMMENT ON` and the catalogue. */
export const MEMBER_TIME_ABOUT: Readonly<Record<string, string>> = {
  _first_seen_at: 'When the member was first seen in the list of its row.',
  _changed_at: 'When the member last changed or reappeared.',
  _deleted_at:
    'When the member was first missing from the list, or its row was marked as gone. Null while it is listed.',
};

/** The table of the elements of a list: the key of the row, then the members of an element. */
export function membersTable(owner: TableDefinition, { name, key, fields }: MembersDefinition): PgTable {
  const columns = Object.entries({ ...pickFields(owner.fields, owner.key), ...fields }).map(
    ([column, field]): [string, PgColumnBuilderBase] => [
      column,
      [...owner.key, ...key].includes(column) && field.type === 'text' ? text().notNull() : COLUMN[field.type](),
    ],
  );
  const all = { project_id: text().notNull(), ...Object.fromEntries(columns), ...memberTimes() };
  return owner.schema.table(name, all, (table) => [
    primaryKey({ name: `${name}_pk`, columns: pick(table, ['project_id', ...owner.key, ...key]) }),
    index(`${name}_${key.join('_')}_idx`).on(...pick(table, key)),
  ]);
}

function pickFields(fields: Fields, names: readonly string[]): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => names.includes(name)));
}

/** Columns by name, at least one, in the tuple type of Drizzle's key and index builders. */
function pick<C>(table: Readonly<Record<string, C>>, names: readonly string[]): [C, ...C[]] {
  const [first, ...rest] = names.map((name) => {
    const column = table[name];
    if (column === undefined) throw new Error(`no column "${name}" in the table`);
    return column;
  });
  if (first === undefined) throw new Error('a key or an index needs at least one column');
  return [first, ...rest];
}
