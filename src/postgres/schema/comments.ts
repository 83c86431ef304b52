import type { PgTable } from 'drizzle-orm/pg-core';
import { getTableConfig } from '../../core/stream/drizzle.ts';
import type { Stream } from '../../core/stream/stream.ts';
import { SYSTEM_COLUMN_ABOUT } from '../../core/stream/table.ts';
import { qualified, quote } from '../rows/statements.ts';
import { literal } from './bi/view.ts';
import { QUOTA_COMMENTS } from './quota-tables.ts';
import { SYSTEM_COMMENTS } from './system-comments.ts';

const BI_ABOUT = 'What dashboards and people may rely on: views in plain words, without JSON.';

/** `COMMENT ON` for every table and column that the definitions know, by table. BI tools show them. */
export function commentStatements(streams: readonly Stream[]): ReadonlyMap<string, readonly string[]> {
  const statements = new Map([['bi', [`COMMENT ON SCHEMA "bi" IS ${literal(BI_ABOUT)};`]]]);
  for (const stream of streams) {
    statements.set(plainName(stream.table), tableComments(stream, stream.table, stream.about));
    if (stream.history === null) continue;
    const about = `Earlier versions of the rows of ${getTableConfig(stream.table).name}: ${stream.about}`;
    statements.set(plainName(stream.history), tableComments(stream, stream.history, about));
  }
  for (const [table, { about, columns }] of Object.entries({ ...SYSTEM_COMMENTS, ...QUOTA_COMMENTS })) {
    const name = `"sync".${quote(table)}`;
    const lines = Object.entries(columns).map(([column, text]) => columnComment(name, column, text));
    statements.set(`sync.${table}`, [`COMMENT ON TABLE ${name} IS ${literal(about)};`, ...lines]);
  }
  return statements;
}

function plainName(table: PgTable): string {
  return qualified(table).replaceAll('"', '');
}

function tableComments(stream: Stream, table: PgTable, about: string): string[] {
  const columns = getTableConfig(table).columns.map(({ name }) => {
    const text = stream.fields[name]?.about ?? SYSTEM_COLUMN_ABOUT[name];
    if (text === undefined) throw new Error(`${stream.name}.${name} has no description`);
    return columnComment(qualified(table), name, text);
  });
  return [`COMMENT ON TABLE ${qualified(table)} IS ${literal(about)};`, ...columns];
}

function columnComment(table: string, column: string, text: string): string {
  return `COMMENT ON COLUMN ${table}.${quote(column)} IS ${literal(text)};`;
}
