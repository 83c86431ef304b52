import type { Pool } from 'pg';
import type { Scope } from '../../core/account.ts';
import type { ColumnValue } from '../../core/stream/fields.ts';
import { parseJson } from '../../core/stream/json.ts';
import { keyOf, keyPart, type Row } from '../../core/stream/record.ts';
import type { Stream, StreamScope } from '../../core/stream/stream.ts';
import type { ValidRow } from '../../core/stream/validate.ts';
import type { LiveRow, StoredRow, StrayMembers, TableClaims, TableReader } from '../../core/verify.ts';
import { withClient } from '../connection/pool.ts';
import { qualified, quote, typeOf } from '../rows/statements.ts';
import { CERTIFIED_SINCE } from '../run/bookkeeping.ts';
import type { ListingRow } from '../schema/tables.ts';
import { strayMembers } from '../schema/triggers.ts';

/** Number of rows to fetch at once, so that memory stays limited. */
const SLICE = 5_000;

type Received = Readonly<Record<string, unknown>>;

/** Read-only access to the tables. */
export function createTableReader(pool: Pool): TableReader {
  return {
    claims: (stream, scope) => readClaims(pool, stream, scope),
    rowsLike: (stream, scope, rows) => rowsLike(pool, { stream, scope }, rows),
    liveRows: (stream, scope, columns) => liveRows(pool, { stream, scope }, columns),
    strayMembers: (stream, scope) => readStrayMembers(pool, { stream, scope }),
    valuesOf: (stream, scope, column) => valuesOf(pool, { stream, scope }, column),
  };
}

async function readClaims(pool: Pool, stream: Stream, scope: Scope): Promise<TableClaims> {
  return withClient(pool, async (client) => {
    const now = await client.query<{ now: Date; complete: boolean }>(
      `select now() as now, exists (select from sync.runs
         where project_id = $1 and stream = $2 and certificate = 'complete') as complete`,
      [scope.projectId, stream.name],
    );
    const { rows } = await client.query<{ listing: ListingRow['listing']; since: Date | null }>(
      `select l.listing, ${CERTIFIED_SINCE} as since from sync.listings l where l.project_id = $1 and l.stream = $2`,
      [scope.projectId, stream.name],
    );
    return {
      startedAt: now.rows[0]?.now ?? new Date(),
      certified: new Map(rows.map(({ listing, since }) => [listing, since])),
      wasComplete: now.rows[0]?.complete === true,
    };
  });
}

async function rowsLike(
  pool: Pool,
  { stream, scope }: StreamScope,
  rows: readonly ValidRow[],
): Promise<ReadonlyMap<string, StoredRow>> {
  const keys = stream.key.map((name) => rows.map(({ row }) => keyPart(row[name])));
  const given = stream.key.map((name, index) => `$${index + 2}::${typeOf(stream, name)}[]`);
  const match = stream.key.map((name) => `s.${quote(name)} = i.${quote(name)}`);
  // Forces one index lookup for each key, independent of the planner's statistics.
  const found = await withClient(pool, (client) =>
    client.query<Received>(
      `select ${selected(stream, Object.keys(stream.fields))}
       from unnest(${given.join(', ')}) as i(${stream.key.map(quote).join(', ')})
       cross join lateral (select * from ${qualified(stream.table)} s
         where s.project_id = $1 and ${match.join(' and ')} limit 1) t`,
      [scope.projectId, ...keys],
    ),
  );
  return new Map(found.rows.map((row) => storedRow(stream, row)).map((row) => [row.key, row]));
}

async function* liveRows(
  pool: Pool,
  { stream, scope }: StreamScope,
  columns: readonly string[],
): AsyncGenerator<readonly LiveRow[]> {
  const names = stream.key.map((name) => `t.${quote(name)}`);
  let after: readonly unknown[] = [];
  for (;;) {
    const beyond =
      after.length === 0 ? '' : ` and (${names.join(', ')}) > (${names.map((_, index) => `$${index + 2}`).join(', ')})`;
    const { rows } = await withClient(pool, (client) =>
      client.query<Received>(
        `select ${selected(stream, columns)} from ${qualified(stream.table)} t
         where t.project_id = $1 and t._deleted_at is null${beyond} order by ${names.join(', ')} limit ${SLICE}`,
        [scope.projectId, ...after],
      ),
    );
    yield rows.map((row) => storedRow(stream, row));
    const last = rows.at(-1);
    if (last === undefined || rows.length < SLICE) return;
    after = stream.key.map((name) => last[name]);
  }
}

async function readStrayMembers(pool: Pool, { stream, scope }: StreamScope): Promise<readonly StrayMembers[]> {
  const found: StrayMembers[] = [];
  for (const members of stream.memberLists) {
    const { rows } = await withClient(pool, (client) =>
      client.query<Received & Pick<StrayMembers, 'stored' | 'listed'>>(strayMembers(stream, members), [
        scope.projectId,
      ]),
    );
    const { name: table } = members.table;
    for (const { stored, listed, ...key } of rows) {
      const row = Object.fromEntries(Object.entries(key).map(([name, value]) => [name, columnValue(value)]));
      found.push({ row, table, stored, listed });
    }
  }
  return found;
}

async function valuesOf(pool: Pool, { stream, scope }: StreamScope, column: string): Promise<readonly string[]> {
  const { rows } = await withClient(pool, (client) =>
    client.query<{ value: string }>(
      `select distinct ${quote(column)} as value from ${qualified(stream.table)} where project_id = $1 and ${quote(column)} is not null`,
      [scope.projectId],
    ),
  );
  return rows.map(({ value }) => value);
}

/** Reads JSON as text, because the driver's JSON parser loses digits beyond 2^53. */
function selected(stream: Stream, columns: readonly string[]): string {
  const types = new Map(stream.table.columns.map((column) => [column.name, column.type]));
  const wanted = columns.map((name) =>
    types.get(name) === 'jsonb' ? `t.${quote(name)}::text as ${quote(name)}` : `t.${quote(name)}`,
  );
  return [
    ...wanted,
    "t._extra::text as _extra, encode(t._hash, 'hex') as _hash, t._first_seen_at, t._changed_at, t._deleted_at",
  ].join(', ');
}

function storedRow(stream: Stream, received: Received): StoredRow {
  const row: Row = Object.fromEntries(
    Object.entries(stream.fields)
      .filter(([name]) => name in received)
      .map(([name, { type }]) => [name, columnValue(type === 'jsonb' ? decoded(received[name]) : received[name])]),
  );
  return {
    key: keyOf(stream.key, row),
    row,
    extra: decoded(received._extra),
    hash: String(received._hash),
    firstSeenAt: instant(received._first_seen_at),
    changedAt: instant(received._changed_at),
    deletedAt: received._deleted_at === null ? null : instant(received._deleted_at),
  };
}

function decoded(text: unknown): unknown {
  return typeof text === 'string' ? parseJson(text) : null;
}

function columnValue(value: unknown): ColumnValue {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'bigint':
    case 'boolean':
    case 'object':
      return value;
    default:
      return null;
  }
}

function instant(value: unknown): Date {
  return value instanceof Date ? value : new Date(Number.NaN);
}
