import type { PgTable } from 'drizzle-orm/pg-core';
import type pg from 'pg';
import type { Stream } from '../../src/core/stream/stream.ts';
import { getTableConfig } from '../../src/core/stream/table.ts';
import { qualified, quote } from '../../src/postgres/rows/statements.ts';

/** Makes the tables of a stream that only a test defines. */
export async function createTables(pool: pg.Pool, { table, history }: Stream): Promise<void> {
  for (const one of history === null ? [table] : [table, history]) await pool.query(createTable(one));
}

function createTable(table: PgTable): string {
  const { columns, primaryKeys } = getTableConfig(table);
  const lines = columns.map((one) => `${quote(one.name)} ${one.getSQLType()}${one.notNull ? ' not null' : ''}`);
  const keys = primaryKeys.map((key) => `primary key (${key.columns.map(({ name }) => quote(name)).join(', ')})`);
  return `create table ${qualified(table)} (${[...lines, ...keys].join(', ')})`;
}
