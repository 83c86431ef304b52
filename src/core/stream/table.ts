import { createRequire } from 'node:module';
import type { PgColumnBuilderBase, PgSchema, PgTable } from 'drizzle-orm/pg-core';
import type { ColumnType, Fields } from './fields.ts';

/**
 * Drizzle, loaded as CommonJS. As ES modules the same files cost 180 MB of memory and 0.4 s at every start: Node reads
 * drizzle's package.json (180 KB) again for each of its 150 modules. Measured on Node 24.21: 238 MB resident after
 * `import('drizzle-orm/pg-core')`, 59 MB after `require`.
 */
// drizzle-kit turns this file into CommonJS, where only `__filename` is known.
const require = createRequire(import.meta.filename ?? __filename);

const sqlOf: typeof import('drizzle-orm/sql') = require('drizzle-orm/sql');
const pgCore: typeof import('drizzle-orm/pg-core') = require('drizzle-orm/pg-core');

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

export const { sql } = sqlOf;

export const hss: PgSchema<string> = pgSchema<string>('hss');
export const dbss: PgSchema<string> = pgSchema<string>('dbss');
/** The service's own bookkeeping. */
export const sync: PgSchema<string> = pgSchema<string>('sync');

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

/** Every data table starts with these; every key leads with `project_id`, so a cluster can distribute by it. */
const scopeColumns = () => ({ project_id: text().notNull(), region: text().notNull(), account: text().notNull() });

/** Filled in by the writer. A stream never mentions them. */
const systemColumns = () => ({
  _extra: jsonb(),
  _hash: bytea().notNull(),
  _first_seen_at: timestamptz().notNull(),
  _changed_at: timestamptz().notNull(),
  _deleted_at: timestamptz(),
});

/** What the system columns mean, for `COMMENT ON` and the catalogue. */
export const SYSTEM_COLUMN_ABOUT: Readonly<Record<string, string>> = {
  project_id: 'Id of the Huawei Cloud project the row was listed in.',
  region: 'Region of the project when the row was last written; the views of bi show the configured one.',
  account:
    'Name of the account (the set of credentials) that last wrote the row; the views of bi show the configured one.',
  _extra: 'Fields of the answer that the definition does not know, as received.',
  _hash: 'Fingerprint of the row as received; rows with the same fingerprint are not written again.',
  _first_seen_at: 'When the row was first read.',
  _changed_at: 'When a documented, non-volatile field of the row was last seen to change.',
  _deleted_at: 'When a certified walk first found that the API lists the row no longer; null while it is listed.',
  _valid_from: 'When this version was first seen.',
  _valid_to: 'When the version that followed was seen, or the row was listed no longer.',
};

export interface TableDefinition {
  readonly schema: PgSchema<string>;
  readonly name: string;
  /** Columns of the primary key after `project_id`. */
  readonly key: readonly string[];
  /** Columns that get an index together with `project_id`. */
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

/** The table a stream fills. Names of keys and indexes are written out: Postgres cuts generated ones at 63 characters. */
export function streamTable(definition: TableDefinition): PgTable {
  const { schema, name, key, indexes = [] } = definition;
  return schema.table(name, { ...dataColumns(definition), ...systemColumns() }, (table) => [
    primaryKey({ name: `${name}_pk`, columns: pick(table, ['project_id', ...key]) }),
    ...indexes.map((columns) => index(`${name}_${columns.join('_')}_idx`).on(...pick(table, columns))),
  ]);
}

/** Closed versions of the rows of a stream's table; the current version is in the table itself. */
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

/** Columns by name, at least one: what Drizzle's key and index builders ask for. */
function pick<C>(table: Readonly<Record<string, C>>, names: readonly string[]): [C, ...C[]] {
  const [first, ...rest] = names.map((name) => {
    const column = table[name];
    if (column === undefined) throw new Error(`no column "${name}" in the table`);
    return column;
  });
  if (first === undefined) throw new Error('a key or an index needs at least one column');
  return [first, ...rest];
}
