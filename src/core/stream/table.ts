import { createRequire } from 'node:module';
import type { PgColumnBuilderBase, PgTable } from 'drizzle-orm/pg-core';
import type { ColumnType, Fields } from './fields.ts';

/** Schema of the HSS streams. */
export const hss = 'hss';
/** Schema of the DBSS streams. */
export const dbss = 'dbss';

/** A table in the database. */
export interface Table {
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly Column[];
  /** Columns of the primary key. */
  readonly key: readonly string[];
  /** Columns of the other indexes. */
  readonly indexes: readonly (readonly string[])[];
}

/** A column of a table. */
export interface Column {
  readonly name: string;
  readonly type: SqlType;
  readonly notNull: boolean;
  /** SQL; absent without a default. */
  readonly default?: string;
}

/** Postgres types of columns. */
export type SqlType = Exclude<ColumnType, 'timestamptz'> | 'timestamp (3) with time zone' | 'bytea';

function columnOf(name: string, type: ColumnType | 'bytea', notNull: boolean): Column {
  return { name, type: type === 'timestamptz' ? 'timestamp (3) with time zone' : type, notNull };
}

const PROJECT_ID = columnOf('project_id', 'text', true);

/**
 * First columns of every data table. Every key starts with `project_id`, so that a sharded Postgres (Citus) can
 * distribute tables by it.
 */
const SCOPE_COLUMNS = [PROJECT_ID, columnOf('region', 'text', true), columnOf('account', 'text', true)];

const EXTRA = columnOf('_extra', 'jsonb', false);

/** When a row or a member was first seen, changed, and marked as gone. */
const TIMES = [
  columnOf('_first_seen_at', 'timestamptz', true),
  columnOf('_changed_at', 'timestamptz', true),
  columnOf('_deleted_at', 'timestamptz', false),
];

/**
 * The writer copies new rows without their times. The default has one value for all rows of a statement, whereas that of
 * a member is the time of its row.
 */
const TIMES_OF_ROW = TIMES.map((column) => (column.notNull ? { ...column, default: 'statement_timestamp()' } : column));

/** Columns that the writer fills. Streams never declare them. */
const SYSTEM_COLUMNS = [EXTRA, columnOf('_hash', 'bytea', true), ...TIMES_OF_ROW];

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
  readonly schema: string;
  readonly name: string;
  /** Columns of the primary key after `project_id`. */
  readonly key: readonly string[];
  /** Columns to be indexed together with `project_id`. */
  readonly indexes?: readonly (readonly string[])[];
  readonly fields: Fields;
}

function columnsOf(fields: Fields, key: readonly string[]): readonly Column[] {
  return Object.entries(fields).map(([name, { type }]) => columnOf(name, type, key.includes(name) && type === 'text'));
}

/** The table of a stream. */
export function streamTable({ schema, name, key, fields, indexes = [] }: TableDefinition): Table {
  const columns = [...SCOPE_COLUMNS, ...columnsOf(fields, key), ...SYSTEM_COLUMNS];
  return { schema, name, columns, key: ['project_id', ...key], indexes };
}

/** Earlier versions of the rows of a stream's table. The current version is only in the table itself. */
export function historyTable({ schema, name, key, fields }: TableDefinition): Table {
  const times = ['_valid_from', '_valid_to'].map((time) => columnOf(time, 'timestamptz', true));
  return {
    schema,
    name: `${name}_history`,
    columns: [...SCOPE_COLUMNS, ...columnsOf(fields, key), EXTRA, ...times],
    key: ['project_id', ...key, '_valid_from'],
    indexes: [],
  };
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

/** Descriptions of the times of a member, for `COMMENT ON` and the catalogue. */
export const MEMBER_TIME_ABOUT: Readonly<Record<string, string>> = {
  _first_seen_at: 'When the member was first seen in the list of its row.',
  _changed_at: 'When the member last changed or reappeared.',
  _deleted_at:
    'When the member was first missing from the list, or its row was marked as gone. Null while it is listed.',
};

/** The table of the elements of a list: the key of the row, then the members of an element. Triggers fill it. */
export function membersTable(owner: TableDefinition, { name, key, fields }: MembersDefinition): Table {
  const ownerKey = Object.fromEntries(Object.entries(owner.fields).filter(([column]) => owner.key.includes(column)));
  return {
    schema: owner.schema,
    name,
    columns: [PROJECT_ID, ...columnsOf({ ...ownerKey, ...fields }, [...owner.key, ...key]), ...TIMES],
    key: ['project_id', ...owner.key, ...key],
    indexes: [key],
  };
}

/** The tables of a stream. */
export interface StreamTables {
  readonly table: Table;
  /** The table of earlier versions; null if they are not kept. */
  readonly history: Table | null;
  /** The tables of its members, by column. */
  readonly memberTables: Readonly<Record<string, Table>>;
}

/**
 * The tables as Drizzle declares them: `table`, `history` and those of members, by column. Stream files export them,
 * and drizzle-kit generates the migrations from these exports. Nothing else uses Drizzle; the bundle leaves it out.
 */
export function drizzleTables({ table, history, memberTables }: StreamTables): Readonly<Record<string, PgTable>> {
  const tables = { table, ...(history === null ? {} : { history }), ...memberTables };
  return Object.fromEntries(Object.entries(tables).map(([name, one]) => [name, drizzleTable(one)]));
}

/** Loaded as CommonJS: as ES modules it takes far more memory and time (docs/performance.md). */
function drizzle(): typeof import('drizzle-orm/pg-core') {
  // drizzle-kit compiles this file to CommonJS, where only `__filename` is defined.
  return createRequire(import.meta.filename ?? __filename)('drizzle-orm/pg-core');
}

function sql(): typeof import('drizzle-orm').sql {
  return createRequire(import.meta.filename ?? __filename)('drizzle-orm').sql;
}

/** Names of keys and indexes are explicit, because Postgres truncates generated ones at 63 characters. */
function drizzleTable({ schema, name, columns, key, indexes }: Table): PgTable {
  const { index, pgSchema, primaryKey } = drizzle();
  const builders = Object.fromEntries(columns.map((column) => [column.name, builderOf(column)]));
  return pgSchema(schema).table(name, builders, (table) => [
    primaryKey({ name: `${name}_pk`, columns: pick(table, key) }),
    ...indexes.map((one) => index(`${name}_${one.join('_')}_idx`).on(...pick(table, one))),
  ]);
}

function builderOf({ type, notNull, default: value }: Column): PgColumnBuilderBase {
  const builder = drizzle().customType<{ data: unknown }>({
    dataType: () => type,
    // Drizzle's own type for JSON does the same; the driver would send a list as an array of Postgres.
    toDriver: (value) => (type === 'jsonb' ? JSON.stringify(value) : value),
  })();
  const filled = value === undefined ? builder : builder.default(sql().raw(value));
  return notNull ? filled.notNull() : filled;
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
