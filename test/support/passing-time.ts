import type pg from 'pg';
import { streams } from '../../src/streams/index.ts';
import { tableOf } from './truth.ts';

const RUN_TIMES = ['started_at', 'beat_at', 'finished_at', 'certified_at', 'first_looked_at'];
const LIST_TIMES = ['certified_at', 'certified_since', 'walked_at', 'changed_at'];
const VERSION_TIMES = ['_valid_from', '_valid_to'];
const ROW_TIMES = ['_first_seen_at', '_changed_at', '_deleted_at'];

/**
 * As if so much time had passed since everything in the database: its clock cannot be set, so what it remembers becomes
 * older instead.
 */
export async function letPass(pool: pg.Pool, ms: number): Promise<void> {
  const earlier = (names: readonly string[]) =>
    names.map((name) => `${name} = ${name} - ${ms} * interval '1 millisecond'`).join(', ');
  await pool.query(`update sync.runs set ${earlier(RUN_TIMES)}`);
  await pool.query(
    `update sync.listings set ${earlier(LIST_TIMES)},
       missing = (select jsonb_agg(jsonb_set(d, '{lastAt}', to_jsonb((d->>'lastAt')::float8 - ${ms}))) from jsonb_array_elements(missing) d),
       evidence = case when evidence ? 'confirmFrom'
         then jsonb_set(evidence, '{confirmFrom}', to_jsonb((evidence->>'confirmFrom')::float8 - ${ms})) else evidence end`,
  );
  const times = new Map(
    streams.flatMap((stream) => [
      [tableOf(stream), ROW_TIMES] as const,
      ...(stream.history === null ? [] : [[`${tableOf(stream)}_history`, VERSION_TIMES] as const]),
    ]),
  );
  // Only tables that ever had a row: planning a statement for each of the others takes longer than all the rest.
  const { rows } = await pool.query<{ name: string }>(
    'select name from unnest($1::text[]) name where pg_relation_size(name::regclass) > 0',
    [[...times.keys()]],
  );
  await pool.query(rows.map(({ name }) => `update ${name} set ${earlier(times.get(name) ?? [])}`).join('; '));
}
