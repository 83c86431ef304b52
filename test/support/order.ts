import type pg from 'pg';
import { expect } from 'vitest';
import type { Stream } from '../../src/core/stream/stream.ts';
import { qualified } from '../../src/postgres/rows/statements.ts';
import type { Sandbox } from '../../src/sandbox/server/server.ts';
import { streams } from '../../src/streams/index.ts';
import { scope } from './engine.ts';
import { tableOf } from './truth.ts';

/** Whether the bookkeeping is consistent: runs, versions, locks and the quota. */

/** Nothing is locked, no run is under way, the counters add up, and no version of a row overlaps another. */
export async function expectOrder(pool: pg.Pool): Promise<void> {
  const { rows: locks } = await pool.query(
    `select pid from pg_locks where locktype = 'advisory' and granted
       and database = (select oid from pg_database where datname = current_database())`,
  );
  expect(locks, 'locks left').toEqual([]);
  const { rows: odd } = await pool.query(
    `select id, stream, status, records, inserted, updated, unchanged, rejected, stale from sync.runs
     where status = 'running' or finished_at is null or records <> inserted + updated + unchanged + rejected + stale`,
  );
  expect(odd, 'runs without an end or whose counters do not add up').toEqual([]);
  await expectVersions(pool);
}

/** Closed versions neither overlap nor repeat, and a swept row has exactly one that ends with it. */
export async function expectVersions(pool: pg.Pool): Promise<void> {
  const kept = streams.filter(({ history }) => history !== null);
  const { rows: used } = await pool.query<{ name: string }>(
    kept
      .map(
        (stream) => `select '${stream.name}' as name where exists (select from ${tableOf(stream)}_history)
           or exists (select from ${tableOf(stream)} where _deleted_at is not null)`,
      )
      .join(' union all '),
  );
  const names = new Set(used.map(({ name }) => name));
  for (const stream of kept) {
    // Without a closed version and without a mark there is nothing to compare.
    if (!names.has(stream.name)) continue;
    const table = tableOf(stream);
    const keys = ['project_id', ...stream.key];
    const same = (a: string, b: string) => keys.map((name) => `${a}.${name} = ${b}.${name}`).join(' and ');
    const { rows } = await pool.query(
      `select 'overlap' as fault, ${keys.map((name) => `a.${name}`).join(', ')} from ${table}_history a join ${table}_history b
         on ${same('a', 'b')} and a._valid_from < b._valid_from and a._valid_to > b._valid_from
       union all
       select 'empty', ${keys.join(', ')} from ${table}_history where _valid_to <= _valid_from
       union all
       select 'later than the row', ${keys.map((name) => `a.${name}`).join(', ')} from ${table}_history a join ${table} t
         on ${same('a', 't')} where t._deleted_at is null and a._valid_to > t._changed_at
       union all
       select 'not closed once', ${keys.map((name) => `t.${name}`).join(', ')} from ${table} t
         where t._deleted_at is not null and 1 <> (
           select count(*) from ${table}_history a where ${same('a', 't')} and a._valid_to = t._deleted_at)`,
    );
    expect(rows.slice(0, 3), `versions in ${table}_history`).toEqual([]);
  }
}

/** How many rows are marked, by table. */
export async function tombstones(pool: pg.Pool, stream: Stream, projectId = scope.projectId): Promise<number> {
  const { rows } = await pool.query<{ n: number }>(
    `select count(*)::int as n from ${tableOf(stream)} where project_id = $1 and _deleted_at is not null`,
    [projectId],
  );
  return rows[0]?.n ?? 0;
}

/** Requests that the runs say they made, all together. */
export async function requestsSaid(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ n: number }>('select coalesce(sum(requests), 0)::int as n from sync.runs');
  return rows[0]?.n ?? 0;
}

/** Runs of one stream in one scope that went on at the same time. */
export async function overlappingRuns(pool: pg.Pool): Promise<readonly unknown[]> {
  const { rows } = await pool.query(
    `select a.stream, a.project_id, a.id, a.owner, a.status, b.id as other, b.owner as other_owner, b.status as other_status from sync.runs a
     join sync.runs b on b.stream = a.stream and b.project_id = a.project_id and b.id > a.id
     where b.started_at < coalesce(a.finished_at, 'infinity')`,
  );
  return rows;
}

/** Operations that were called more often than `limit` times in any window of a minute, and calls that were throttled. */
export function quotaBreaches(sandbox: Sandbox, limit: number, windowMs = 60_000): readonly string[] {
  const breaches: string[] = [];
  for (const [operation = '', calls] of Map.groupBy(sandbox.requests.entries(), (entry) => entry.operation)) {
    const throttled = calls.filter(({ status }) => status === 429).length;
    const most = Math.max(
      ...calls.map(({ time }, index) => calls.slice(index).filter((call) => call.time < time + windowMs).length),
    );
    if (throttled > 0 || most > limit) breaches.push(`${operation}: ${most} within a window, ${throttled} throttled`);
  }
  return breaches;
}

/** Versions of a row that hold at the same time, or that say the same as the one before. */
export async function doubleVersions(pool: pg.Pool): Promise<readonly string[]> {
  const found: string[] = [];
  for (const { name, table, history, key, fields } of streams) {
    if (history === null) continue;
    const identity = ['project_id', ...key].join(', ');
    const content = Object.entries(fields).flatMap(([field, { volatile, derive }]) =>
      volatile || derive !== undefined ? [] : [field],
    );
    const { rows } = await pool.query<{ wrong: number }>(
      `with versions as (
         select ${identity}, _valid_from, _valid_to, row(${content.join(', ')})::text as content from ${qualified(history)}
         union all
         select t.${identity.replaceAll(', ', ', t.')}, h.last, 'infinity', row(${content.map((field) => `t.${field}`).join(', ')})::text from ${qualified(table)} t
         join (select ${identity}, max(_valid_to) as last from ${qualified(history)} group by ${identity}) h using (${identity}) where t._deleted_at is null
       ), pairs as (
         select *, lead(_valid_from) over w as next_from, lead(content) over w as next_content from versions window w as (partition by ${identity} order by _valid_from, _valid_to)
       )
       select count(*)::int as wrong from pairs where next_from < _valid_to or next_content = content`,
    );
    if ((rows[0]?.wrong ?? 0) > 0) found.push(`${name}: ${rows[0]?.wrong}`);
  }
  return found;
}
