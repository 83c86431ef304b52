import type { PgTable } from 'drizzle-orm/pg-core';
import { getTableConfig } from '../core/drizzle.ts';
import type { Stream } from '../core/stream.ts';
import { SYSTEM_COLUMN_ABOUT } from '../core/table.ts';
import { QUOTA_COMMENTS } from './quota-tables.ts';
import { qualified, quote } from './statements.ts';
import { SYSTEM_COMMENTS } from './system-comments.ts';

/** `COMMENT ON` for every table and column the definitions know: object -> statement. BI tools show them. */
export function commentStatements(streams: readonly Stream[]): ReadonlyMap<string, string> {
  const statements = new Map<string, string>();
  const comment = (object: string, about: string) =>
    statements.set(object, `COMMENT ON ${object} IS '${about.replaceAll("'", "''")}';`);
  for (const stream of streams) {
    commentTable(stream, stream.table, stream.about, comment);
    if (stream.history !== null)
      commentTable(
        stream,
        stream.history,
        `Earlier versions of the rows of ${getTableConfig(stream.table).name}: ${stream.about}`,
        comment,
      );
  }
  for (const [table, { about, columns }] of Object.entries({ ...SYSTEM_COMMENTS, ...QUOTA_COMMENTS })) {
    comment(`TABLE "sync".${quote(table)}`, about);
    for (const [column, text] of Object.entries(columns))
      comment(`COLUMN "sync".${quote(table)}.${quote(column)}`, text);
  }
  return statements;
}

function commentTable(
  stream: Stream,
  table: PgTable,
  about: string,
  comment: (object: string, about: string) => void,
): void {
  comment(`TABLE ${qualified(table)}`, about);
  for (const { name } of getTableConfig(table).columns) {
    const text = stream.fields[name]?.about ?? SYSTEM_COLUMN_ABOUT[name];
    if (text === undefined) throw new Error(`${stream.name}.${name} has no description`);
    comment(`COLUMN ${qualified(table)}.${quote(name)}`, text);
  }
}

/** The statements whose object is not commented like that by the migrations so far. */
export function missingComments(wanted: ReadonlyMap<string, string>, migrations: string): readonly string[] {
  const present = new Map<string, string>();
  for (const [statement, object] of migrations.matchAll(
    /^COMMENT ON ((?:TABLE|COLUMN) [^\n]*?) IS '(?:[^']|'')*';$/gm,
  )) {
    if (object !== undefined) present.set(object, statement);
  }
  return [...wanted]
    .filter(([object, statement]) => present.get(object) !== statement)
    .map(([, statement]) => statement);
}
