import type { ClientBase } from 'pg';
import type { Scope } from '../../core/account.ts';
import { inZone, type Listing, listingsUnder } from '../../core/stream/endpoint.ts';
import type { Parent } from '../../core/stream/stream.ts';
import { qualified, quote } from '../rows/statements.ts';

/** The lists that the live rows of a parent stand for. */
export async function childListings(client: ClientBase, parent: Parent, scope: Scope): Promise<readonly Listing[]> {
  const { stream, params, hot, only, timeZone } = parent;
  const names = Object.keys(params);
  const columns = names.map((name) => `${quote(params[name] ?? name)}::text`);
  const values: (string | readonly string[])[] = [scope.projectId];
  const at = (value: string | readonly string[]) => `$${values.push(value)}`;
  const isHot = hot === undefined ? 'true' : `bool_or(${quote(hot.column)} = ${at(hot.value)})`;
  const isParent = only === undefined ? 'true' : `${quote(only.column)} = any(${at(only.values)})`;
  const { rows } = await client.query<{ params: string[]; hot: boolean; zone: string | null }>(
    `select array[${columns.join(', ')}] as params, ${isHot} as hot,
         ${timeZone === undefined ? 'null' : `max(${quote(timeZone)})`} as zone
       from ${qualified(stream.table)} where project_id = $1 and _deleted_at is null and ${isParent}
       group by ${columns.join(', ')} order by 1`,
    values,
  );
  return rows.flatMap((row) => {
    const values = Object.fromEntries(names.map((name, index) => [name, row.params[index] ?? '']));
    return listingsUnder(parent, values, row.hot).map((one) => ({ ...one, ...inZone(row.zone) }));
  });
}
