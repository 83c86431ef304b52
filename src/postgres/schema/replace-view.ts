import type { ClientBase } from 'pg';
import { quote } from '../rows/statements.ts';
import type { ViewsAside } from './views-aside.ts';

interface ViewColumnType {
  readonly name: string;
  readonly type: number;
  readonly modifier: number;
}

/**
 * Brings one view to its definition (`sql`: `CREATE OR REPLACE VIEW` and its comments). `CREATE OR REPLACE` keeps
 * grants and whatever others have built on the view, but only appends columns: so columns that are there keep their
 * places, and a view of which a column goes or changes its type is set aside and made anew.
 */
export async function replaceView(
  client: ClientBase,
  view: string,
  { sql, aside }: { readonly sql: string; readonly aside: ViewsAside },
): Promise<void> {
  const { query, comments } = partsOf(sql);
  const present = await columnsOf(client, view);
  const wanted = await columnsOfQuery(client, query);
  const keeps = present.every((column) => wanted.some((other) => isSame(column, other)));
  if (!keeps) await aside.take([view]);
  const inPlace = !keeps || present.every((column, index) => column.name === wanted[index]?.name);
  await client.query(`create or replace view ${view} as\n${inPlace ? query : reordered(query, present, wanted)}`);
  await client.query(comments);
}

function partsOf(sql: string): { readonly query: string; readonly comments: string } {
  const [, query, comments] = /^CREATE OR REPLACE VIEW \S+ AS\n(.*?);\n(COMMENT ON VIEW .*)$/s.exec(sql) ?? [];
  if (query === undefined || comments === undefined) throw new Error(`not the statements of a view: ${sql}`);
  return { query, comments };
}

function isSame(one: ViewColumnType, other: ViewColumnType): boolean {
  return one.name === other.name && one.type === other.type && one.modifier === other.modifier;
}

function reordered(query: string, present: readonly ViewColumnType[], wanted: readonly ViewColumnType[]): string {
  const names = new Set([...present, ...wanted].map(({ name }) => name));
  return `select ${[...names].map(quote).join(', ')} from (\n${query}\n) as v`;
}

/** Columns of a view in their order; none when it does not exist. */
async function columnsOf(client: ClientBase, view: string): Promise<readonly ViewColumnType[]> {
  const { rows } = await client.query<ViewColumnType>(
    `select attname as name, atttypid::bigint as type, atttypmod as modifier
     from pg_attribute where attrelid = to_regclass($1) and attnum > 0 and not attisdropped order by attnum`,
    [view],
  );
  return rows;
}

async function columnsOfQuery(client: ClientBase, query: string): Promise<readonly ViewColumnType[]> {
  const { fields } = await client.query(`select * from (\n${query}\n) as v limit 0`);
  return fields.map(({ name, dataTypeID, dataTypeModifier }) => ({
    name,
    type: dataTypeID,
    modifier: dataTypeModifier,
  }));
}
