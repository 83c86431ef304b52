import { hostname } from 'node:os';
import type { ClientBase, Pool } from 'pg';
import { z } from 'zod';
import type { Scope } from '../../core/account.ts';
import { DatabaseError } from '../../core/errors.ts';
import type { Attempt, RunLog } from '../../core/ports.ts';
import type { Store, StreamRun } from '../../core/store.ts';
import { type Dialect, FIRST_DIALECT, fixedListings } from '../../core/stream/endpoint.ts';
import type { Stream, StreamScope } from '../../core/stream/stream.ts';
import { LEAST_DISTANCE_MS } from '../../core/sweep.ts';
import { toDatabaseError } from '../connection/database-error.ts';
import { connect, readStored, withClient } from '../connection/pool.ts';
import { qualified, quote } from '../rows/statements.ts';
import type { DialectRow, ListingRow, RunRow } from '../schema/tables.ts';
import { seeEdits } from '../schema/triggers.ts';
import { readStates } from './bookkeeping.ts';
import { HEARTBEAT, type Heartbeat, takeLock } from './lock.ts';
import { PostgresRun, RUN_SETTINGS } from './postgres-run.ts';
import { childListings } from './sweep.ts';

interface StoreOptions {
  /** Zone of times without one. */
  readonly timeZone: string;
  /** Timing of the heartbeat; shorter in tests. */
  readonly heartbeat?: Heartbeat;
}

/** The database for the engine. */
export function createStore(pool: Pool, { timeZone, heartbeat = HEARTBEAT }: StoreOptions): Store {
  const owner = `${hostname()}:${process.pid}`;
  return {
    open: (stream, scope) => open(pool, { stream, scope }, { owner, timeZone, heartbeat }),
    childListings: (parent, scope) => withClient(pool, (client) => childListings(client, parent, scope)),
    certifiedAt: (stream, scope) => certifiedAt(pool, stream, scope),
    states: (stream, scope) => withClient(pool, (client) => readStates(client, stream, scope)),
    dialect: (stream, scope) => dialect(pool, stream, scope),
    liveValues: (stream, scope, column) => liveValues(pool, { stream, scope }, column),
    goneValues: (stream, scope, column) => goneValues(pool, { stream, scope }, column),
  };
}

async function open(
  pool: Pool,
  { stream, scope }: StreamScope,
  { owner, timeZone, heartbeat }: Required<StoreOptions> & { readonly owner: string },
): Promise<StreamRun | 'busy'> {
  const client = await connect(pool);
  try {
    if (!(await takeLock(client, { stream, scope, staleMs: heartbeat.staleMs, settings: RUN_SETTINGS }))) {
      client.release();
      return 'busy';
    }
    const edits = await seeEdits(client, stream, scope);
    const { id: runId, ...unfinished } = await beginRun(client, { stream, scope }, owner);
    return new PostgresRun({
      pool,
      client,
      stream,
      scope,
      runId,
      timeZone,
      ...unfinished,
      edits,
      beatMs: heartbeat.beatMs,
    });
  } catch (error) {
    client.release(true);
    throw toDatabaseError(error, pool.options.connectionString);
  }
}

/**
 * Age from which the results of unfinished runs are not reused: about the time that 24 scopes of a lane take in turn.
 */
const STALE_CHAIN = "interval '6 hours'";

type BegunRun = Pick<RunRow, 'id'> & Pick<StreamRun, 'skipCertifiedSince' | 'skipWalkedSince'>;

/**
 * Inserts the run, closes runs of processes that are gone, and returns the start of the chain of unfinished runs directly
 * before this one; null if the last run finished, or the chain is too old. For `skipWalkedSince`, a failed run ends the
 * chain: its walks may have failed for a reason that is over. One statement, which sees the runs as they were before.
 */
async function beginRun(client: ClientBase, { stream, scope }: StreamScope, owner: string): Promise<BegunRun> {
  const since = (failed: string) => `(
    select case when max(beat_at) > now() - ${STALE_CHAIN}
      then max(started_at) filter (where last_beat_at is null or started_at > last_beat_at + ${STALE_CHAIN}) end
    from (
      select started_at, beat_at, lag(beat_at) over (order by started_at, id) as last_beat_at from sync.runs
      where stream = $1 and project_id = $2 and started_at > coalesce((
        select max(started_at) from sync.runs where stream = $1 and project_id = $2
          and (status in ('succeeded', 'incomplete') and (reason is distinct from 'interrupted' or error is not null) ${failed})), '-infinity')
    ) unfinished)`;
  const { rows } = await client.query<BegunRun>(
    `with abandoned as (
       update sync.runs set status = 'abandoned', finished_at = now(),
         error = 'the process that ran it is gone, or lost its connection to the database'
       where stream = $1 and project_id = $2 and status = 'running'
     ), begun as (
       insert into sync.runs (stream, account, region, project_id, status, started_at, beat_at, owner, backend_pid)
       values ($1, $3, $4, $2, 'running', now(), now(), $5, pg_backend_pid()) returning id
     )
     select id, ${since('')} as "skipCertifiedSince", ${since("or status = 'failed'")} as "skipWalkedSince" from begun`,
    [stream.name, scope.projectId, scope.account, scope.region, owner],
  );
  const [run] = rows;
  if (run === undefined) throw new DatabaseError('Postgres did not answer with the id of the new run');
  return run;
}

/** Rejects of a parent count against its certificate, because they may hide a list of its children. */
async function certifiedAt(pool: Pool, stream: Stream, scope: Scope): Promise<Date | null> {
  const { parent } = stream;
  const wanted =
    parent === undefined
      ? fixedListings(stream)
      : await withClient(pool, (client) => childListings(client, parent, scope));
  if (wanted.length === 0 && parent !== undefined) return certifiedAt(pool, parent.stream, scope);
  const { rows } = await withClient(pool, (client) =>
    client.query<{ certified: number; oldest: ListingRow['certified_at'] }>(
      `select count(*)::int as certified, min(certified_at) as oldest from sync.listings
       where project_id = $1 and stream = $2 and certificate = 'complete' and listing = any($3)
         and coalesce((evidence->>'rejects')::int, 0) = 0`,
      [scope.projectId, stream.name, wanted.map(({ key }) => key)],
    ),
  );
  const [row] = rows;
  return row?.certified === wanted.length ? row.oldest : null;
}

const spellingsSchema = z.record(z.string(), z.unknown());

async function dialect(pool: Pool, stream: Stream, scope: Scope): Promise<Dialect> {
  const { rows } = await withClient(pool, (client) =>
    client.query<Pick<DialectRow, 'generation' | 'spellings'>>(
      'select generation, spellings from sync.dialects where project_id = $1 and stream = $2',
      [scope.projectId, stream.name],
    ),
  );
  const [row] = rows;
  if (row === undefined) return FIRST_DIALECT;
  // Earlier versions stored the index of a spelling, which depended on their order. These are determined again.
  const stored = Object.entries(readStored(spellingsSchema, row.spellings) ?? {});
  const spellings = stored.flatMap(([name, value]) => (typeof value === 'string' ? [[name, value] as const] : []));
  return { generation: row.generation, spellings: Object.fromEntries(spellings) };
}

async function liveValues(pool: Pool, { stream, scope }: StreamScope, column: string): Promise<readonly string[]> {
  const { rows } = await withClient(pool, (client) =>
    client.query<{ value: string }>(
      `select distinct ${quote(column)} as value from ${qualified(stream.table)} where project_id = $1 and _deleted_at is null`,
      [scope.projectId],
    ),
  );
  return rows.map(({ value }) => value);
}

async function goneValues(pool: Pool, { stream, scope }: StreamScope, column: string): Promise<readonly string[]> {
  const { rows } = await withClient(pool, (client) =>
    client.query<{ value: string }>(
      `select ${quote(column)} as value from ${qualified(stream.table)} where project_id = $1 group by 1
       having bool_and(_deleted_at is not null and _deleted_at <= now() - $2 * interval '1 millisecond')`,
      [scope.projectId, LEAST_DISTANCE_MS],
    ),
  );
  return rows.map(({ value }) => value);
}

/**
 * A running run is not an attempt yet: if its process died, the stream must be tried again, and if not, its lock
 * protects it. Runs that were stopped on purpose or whose process died are no attempts either, but count as served.
 * $1 streams, $2 projects.
 */
const LAST_ATTEMPTS = `
select s.stream, p.project_id as "projectId", (extract(epoch from now() - served.at) * 1000)::float8 as "servedMs",
  served.status = 'running' as "isRunning", (extract(epoch from now() - tried.at) * 1000)::float8 as "ageMs", tried.refusal,
  exists (select from sync.runs r where r.stream = s.stream and r.project_id = p.project_id and r.certificate = 'complete') as "wasComplete"
from unnest($1::text[]) s(stream)
cross join unnest($2::text[]) p(project_id)
cross join lateral (
  select r.started_at as at, r.status from sync.runs r where r.stream = s.stream and r.project_id = p.project_id
  order by r.started_at desc limit 1) served
left join lateral (
  select r.started_at as at, r.evidence ->> 'refusal' as refusal from sync.runs r where r.stream = s.stream and r.project_id = p.project_id
    and (r.status in ('succeeded', 'failed') or r.status = 'incomplete' and (r.reason is distinct from 'interrupted' or r.error is not null))
  order by r.started_at desc limit 1) tried on true`;

/** Reads the last attempts from `sync.runs`. */
export function createRunLog(pool: Pool): RunLog {
  return {
    lastAttempts: ({ streams, projects }) =>
      withClient(pool, async (client) => (await client.query<Attempt>(LAST_ATTEMPTS, [streams, projects])).rows),
  };
}
