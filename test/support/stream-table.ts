import type pg from 'pg';
import type { Stream } from '../../src/core/stream/stream.ts';
import type { Table } from '../../src/core/stream/table.ts';
import { qualified, quote } from '../../src/postgres/rows/statements.ts';

/** Makes the tables of a stream that only a test defines. */
export async function createTables(pool: pg.Pool, { table, history }: Stream): Promise<void> {
  for (const one of history === null ? [table] : [table, history]) await pool.query(createTable(one));
}

function createTable(table: Table): string {
  const lines = table.columns.map(({ name, type, notNull, default: value }) =>
    [quote(name), type, ...(notNull ? ['not null'] : []), ...(value === undefined ? [] : [`default ${value}`])].join(
      ' ',
    ),
  );
  return `create table ${qualified(table)} (${lines.join(', ')}, primary key (${table.key.map(quote).join(', ')}))`;
}
