import type { ClientBase } from 'pg';
import { z } from 'zod';
import type { Scope } from '../../core/account.ts';
import type { SweepBasis } from '../../core/store.ts';
import { fixedListings, inZone, type Listing, listingsUnder } from '../../core/stream/endpoint.ts';
import type { Parent, Stream } from '../../core/stream/stream.ts';
import {
  confirmedUntil,
  type Doubt,
  keyBesidesList,
  keyText,
  LEAST_DISTANCE_MS,
  type MissingRow,
  type ParentList,
} from '../../core/sweep.ts';
import type { StreamConnection } from '../rows/row-writer.ts';
import { keyPartSql, qualified, quote, typeOf } from '../rows/statements.ts';
import type { ListingRow } from '../schema/tables.ts';

/** Number of keys to fetch at once, so that memory stays limited. */
const SLICE = 10_000;

/** The live rows of a listing, and those among them that a walk missed. */
export interface Absence {
  readonly live: number;
  readonly liveByEnterprise: ReadonlyMap<string, number>;
  readonly missing: readonly MissingRow[];
}

const NOTHING_MISSING: Absence = { live: 0, liveByEnterprise: new Map(), missing: [] };

/** Key columns as `k0`, `k1`, ... */
type LiveKey = Readonly<Record<`k${number}`, string | null>> & {
  readonly enterprise: string | null;
  readonly time: Date | null;
};

/** Finds the live rows of a listing that are not in `seen`. Needs a transaction. */
export async function findMissing(
  { client, stream, scope }: StreamConnection,
  listing: Listing,
  { seen, stored, within }: Pick<SweepBasis, 'seen' | 'stored' | 'within'>,
): Promise<Absence> {
  const hasEnterprise = 'enterprise_project_id' in stream.fields;
  // Every parameter is a column. Without this filter, rows of other lists would count as missing.
  const filters = Object.entries(listing.params);
  const values: (string | Date)[] = [scope.projectId, ...filters.map(([, value]) => value)];
  const equals = filters.map(([name], index) => `${quote(name)} = $${index + 2}`);
  // Rows outside the window belong to another window, or may have aged out.
  const time = within === undefined ? null : quote(within.column);
  if (within !== undefined) {
    equals.push(
      `${time} >= $${values.push(new Date(within.missedFrom))} and ${time} < $${values.push(new Date(within.rows.end))}`,
    );
  }
  const isPart = stream.split !== undefined && stream.split.parameter in listing.params;
  // If several indexes fit, a planner without statistics takes any of them, and then reads all rows of the project for
  // each of hundreds of parts (docs/performance.md). `offset 0` hides all conditions but one from it.
  const [indexed, others] = isPart
    ? [equals, ['project_id = $1', '_deleted_at is null']]
    : [['project_id = $1', '_deleted_at is null', ...equals], ['true']];
  const from = `from (select * from ${qualified(stream.table)} where ${indexed.join(' and ')} offset 0) t where ${others.join(' and ')}`;
  if (stored !== null) {
    const { rows } = await client.query<{ live: number }>(`select count(*)::int as live ${from}`, values);
    // The walk's rows are all live, so an equal number means that no other row is.
    if (rows[0]?.live === stored) return NOTHING_MISSING;
  }
  const missing: (MissingRow & { readonly at: Date | null })[] = [];
  let oldest = Number.POSITIVE_INFINITY;
  const liveByEnterprise = new Map<string, number>();
  let live = 0;
  // A cursor without order: paging by key would scan the primary key index through all rows of the project for every
  // part. The cursor ends with its transaction.
  await client.query(
    `declare live no scroll cursor for
     select ${stream.key.map((name, index) => `${keyPartSql(stream, name)} as k${index}`).join(', ')}, ${hasEnterprise ? 'enterprise_project_id' : 'null::text'} as enterprise,
       ${time ?? 'null'}::timestamptz as time ${from}`,
    values,
  );
  for (;;) {
    const { rows } = await client.query<LiveKey>(`fetch ${SLICE} from live`);
    for (const { enterprise, time: at, ...row } of rows) {
      const key = stream.key.map((_, index) => row[`k${index}`] ?? '');
      live += 1;
      if (enterprise !== null) liveByEnterprise.set(enterprise, (liveByEnterprise.get(enterprise) ?? 0) + 1);
      if (seen.has(keyText(key))) oldest = Math.min(oldest, at?.getTime() ?? oldest);
      else missing.push({ key, enterpriseProjectId: enterprise, at });
    }
    if (rows.length < SLICE) break;
  }
  if (within?.mayAgeOut !== true) return { live, liveByEnterprise, missing };
  const aged = missing.filter(({ at }) => (at?.getTime() ?? 0) < oldest);
  for (const { enterpriseProjectId: project } of aged) {
    if (project !== null) liveByEnterprise.set(project, (liveByEnterprise.get(project) ?? 0) - 1);
  }
  const left = missing.filter(({ at }) => (at?.getTime() ?? 0) >= oldest);
  return { live: live - aged.length, liveByEnterprise, missing: left };
}

/**
 * Flags the missing rows that are now in another fixed list of the stream (`isRelocated`): a live row that differs from
 * the missing one only in the constants of the list was first seen since `since` and well after the row itself. `since`
 * in ms, see `relocatedSince`. Writes nothing.
 */
export async function withRelocated(
  { client, stream, scope }: StreamConnection,
  since: number | null,
  missing: readonly MissingRow[],
): Promise<readonly MissingRow[]> {
  const own = keyBesidesList(stream);
  if (missing.length === 0 || since === null || own === null) return missing;
  const value = (name: string) => `(m.value->>${stream.key.indexOf(name)})::${typeOf(stream, name)}`;
  const same = own.map((name) => `t.${quote(name)} = ${value(name)}`);
  const itself = stream.key.map((name) => `own.${quote(name)} = ${value(name)}`);
  const { rows } = await client.query<{ position: number }>(
    `select m.position::int - 1 as position from json_array_elements($2::json) with ordinality as m(value, position)
     join ${qualified(stream.table)} own on own.project_id = $1 and ${itself.join(' and ')}
     where exists (select from ${qualified(stream.table)} t
       where t.project_id = $1 and ${same.join(' and ')} and t._deleted_at is null
         and t._first_seen_at >= greatest($3::timestamptz, own._first_seen_at + $4 * interval '1 millisecond'))`,
    [scope.projectId, JSON.stringify(missing.map(({ key }) => key)), new Date(since), LEAST_DISTANCE_MS],
  );
  const relocated = new Set(rows.map(({ position }) => position));
  return missing.map((row, index) => (relocated.has(index) ? { ...row, isRelocated: true } : row));
}

/** Marks rows as gone and closes their last version, in one statement. Returns their number. */
export async function sweepRows(at: StreamConnection, rows: readonly MissingRow[]): Promise<number> {
  const { stream, scope } = at;
  let swept = 0;
  for (let start = 0; start < rows.length; start += SLICE) {
    const keys = rows.slice(start, start + SLICE).map(({ key }) => key);
    const gone = `gone as (select ${stream.key.map((name, index) => `(g.value->>${index})::${typeOf(stream, name)} as ${quote(name)}`).join(', ')} from json_array_elements($2::json) as g(value))`;
    const match = stream.key.map((name) => `t.${quote(name)} = g.${quote(name)}`).join(' and ');
    swept += await mark(at, {
      prelude: gone,
      condition: `from gone g where t.project_id = $1 and ${match}`,
      values: [scope.projectId, JSON.stringify(keys)],
    });
  }
  return swept;
}

/**
 * Marks the rows whose parent is gone, if the mark of the parent is confirmed (`confirmedUntil`), and deletes the
 * certificates of their lists. If the parent returns, its next walk restores all of them. Returns the number of marked
 * rows.
 */
export async function sweepOrphans(at: StreamConnection): Promise<number> {
  const { client, stream, scope } = at;
  if (stream.parent === undefined) return 0;
  const { params, stream: from } = stream.parent;
  const parent = qualified(from.table);
  const match = (own: (name: string) => string, type = '') =>
    Object.entries(params).map(([name, column]) => `p.${quote(column)}${type} = ${own(name)}`);
  const parents = (state: string) =>
    `exists (select from ${parent} p where p.project_id = t.project_id and ${match((name) => `t.${quote(name)}`).join(' and ')} and ${state})`;
  const until = confirmedUntil(await parentLists(client, from, scope));
  const isConfirmed = 'p._deleted_at <= $2';
  const deleted =
    until === null
      ? 0
      : await mark(at, {
          prelude: null,
          condition: `where t.project_id = $1 and ${parents(isConfirmed)} and not ${parents(`(${isConfirmed}) is not true`)}`,
          values: [scope.projectId, new Date(until)],
        });
  await client.query(
    `update sync.listings l set certificate = null, certified = null
     where project_id = $1 and stream = $2 and certificate is not null and not exists (
       select from ${parent} p where p.project_id = l.project_id and p._deleted_at is null
         and ${match((name) => `l.params->>'${name}'`, '::text').join(' and ')})`,
    [scope.projectId, stream.name],
  );
  return deleted;
}

/** Stored state of every list that can contain a parent; null for a list that was never walked. */
async function parentLists(client: ClientBase, from: Stream, scope: Scope): Promise<readonly (ParentList | null)[]> {
  const lists = from.parent === undefined ? fixedListings(from) : await childListings(client, from.parent, scope);
  const { rows } = await client.query<ParentListRow>(
    `select certificate, certified_at, missing, coalesce((evidence->>'rejects')::int, 0) as rejects
     from unnest($3::text[]) with ordinality as wanted(listing, place)
     left join sync.listings l on l.project_id = $1 and l.stream = $2 and l.listing = wanted.listing order by place`,
    [scope.projectId, from.name, lists.map(({ key }) => key)],
  );
  return rows.map(({ certificate, certified_at, missing, rejects }) => ({
    certificate,
    certifiedAt: certified_at?.getTime() ?? null,
    doubts: readDoubts(missing),
    rejects,
  }));
}

type ParentListRow = Pick<ListingRow, 'certificate' | 'certified_at' | 'missing'> & { readonly rejects: number };

interface Marking {
  /** A common table expression for `condition`; null for none. */
  readonly prelude: string | null;
  /** The rest of an update of the table `t`, from its `from` or `where`. */
  readonly condition: string;
  readonly values: readonly (string | Date)[];
}

async function mark({ client, stream }: StreamConnection, { prelude, condition, values }: Marking): Promise<number> {
  const history = stream.history;
  const columns =
    history === null
      ? []
      : history.columns
          .map(({ name }) => name)
          .filter((name) => !name.startsWith('_valid_'))
          .map(quote);
  const closed =
    history === null
      ? ''
      : `, closed as (insert into ${qualified(history)} (${columns.join(', ')}, _valid_from, _valid_to)
          select ${columns.map((name) => `s.${name}`).join(', ')}, s._changed_at, s._deleted_at from swept s returning 1)`;
  const { rows } = await client.query<{ swept: number }>(
    `with ${prelude === null ? '' : `${prelude}, `}swept as (
       update ${qualified(stream.table)} t set _deleted_at = greatest(date_trunc('milliseconds', now()), t._changed_at + interval '1 millisecond')
       ${condition} and t._deleted_at is null returning t.*
     )${closed} select count(*)::int as swept from swept`,
    [...values],
  );
  return rows[0]?.swept ?? 0;
}

/**
 * Parses `sync.listings.missing`. Earlier versions stored only keys; these count as missed by one walk at an unknown
 * time.
 */
export function readDoubts(stored: unknown): readonly Doubt[] {
  if (!Array.isArray(stored)) return [];
  const keys = stored.filter((one) => typeof one === 'string');
  const doubts = stored.flatMap((one) => doubtSchema.safeParse(one).data ?? []);
  return keys.length === 0 ? doubts : [...doubts, { walks: 1, lastAt: 0, keys }];
}

const doubtSchema: z.ZodType<Doubt> = z.object({ walks: z.number(), lastAt: z.number(), keys: z.array(z.string()) });

/** The lists that the live rows of a parent define. */
export async function childListings(client: ClientBase, parent: Parent, scope: Scope): Promise<readonly Listing[]> {
  const { stream, params, hot, only, timeZone } = parent;
  const names = Object.keys(params);
  const columns = names.map((name) => `${quote(params[name] ?? name)}::text`);
  const values: (string | number | readonly string[])[] = [scope.projectId];
  const at = (value: string | number | readonly string[]) => `$${values.push(value)}`;
  const conditions = Object.entries(hot ?? {}).map(([column, wanted]) =>
    typeof wanted === 'string'
      ? `${quote(column)} = ${at(wanted)}`
      : `coalesce(${quote(column)} > ${at(wanted.above)}::float8, true)`,
  );
  const isHot = conditions.length === 0 ? 'true' : `bool_or(${conditions.join(' and ')})`;
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
    return listingsUnder(parent, values, { hot: row.hot }).map((one) => ({ ...one, ...inZone(row.zone) }));
  });
}
