import type { ClientBase } from 'pg';
import type { Scope } from '../../core/account.ts';
import type { Stream } from '../../core/stream/stream.ts';
import { type Pool, type PoolClient, withClient } from '../connection/pool.ts';
import { lostSession } from '../connection/readiness.ts';

export interface Heartbeat {
  /** How often a holder says that it is alive. */
  readonly beatMs: number;
  /** A holder that has not been heard of for this long is taken over. */
  readonly staleMs: number;
}

export const HEARTBEAT: Heartbeat = { beatMs: 10_000, staleMs: 45_000 };

/** What is locked. */
export interface Lock {
  readonly stream: Stream;
  readonly scope: Pick<Scope, 'projectId'>;
  /** A holder that has not been heard of for this long is taken over. */
  readonly staleMs?: number;
}

function lockName({ stream, scope }: Lock): string {
  return `security-sync/${stream.name}/${scope.projectId}`;
}

/**
 * One writer per stream and scope, across processes: a session advisory lock on the connection that writes. A holder
 * that loses the connection loses the right with it, so a holder that was paused and taken over cannot write when it wakes.
 */
export async function takeLock(
  pool: Pool,
  client: PoolClient,
  { stream, scope, staleMs = HEARTBEAT.staleMs }: Lock,
): Promise<boolean> {
  const name = lockName({ stream, scope });
  if (await tryLock(client, name)) return true;
  if (!(await terminateStaleHolder(pool, { stream, scope, staleMs }))) return false;
  // The backend needs a moment to die; two seconds are plenty on a loaded server.
  for (let attempt = 0; attempt < 20; attempt += 1) {
    if (await tryLock(client, name)) return true;
    await client.query('select pg_sleep(0.1)');
  }
  return false;
}

/** Throws a `DatabaseError` when this session does not hold the lock (any more). */
export async function releaseLock(client: ClientBase, lock: Lock): Promise<void> {
  const { rows } = await client.query<{ held: boolean }>('select pg_advisory_unlock(hashtextextended($1, 0)) as held', [
    lockName(lock),
  ]);
  if (rows[0]?.held !== true) throw lostSession();
}

async function tryLock(client: ClientBase, name: string): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>(
    'select pg_try_advisory_lock(hashtextextended($1, 0)) as locked',
    [name],
  );
  return rows[0]?.locked === true;
}

/**
 * Ends the backend that holds the lock when its run has stopped beating, or when it has none (it was paused just before it
 * began or after it ended) and has done nothing for as long. Needs no more than being the same role.
 */
async function terminateStaleHolder(pool: Pool, { stream, scope, staleMs }: Required<Lock>): Promise<boolean> {
  return withClient(pool, async (client) => {
    const { rows } = await client.query<{ terminated: boolean }>(
      `with key as (select hashtextextended($1, 0) as key), stale as (select now() - make_interval(secs => $4) as since)
       select pg_terminate_backend(l.pid) as terminated
       from key, stale, pg_locks l
       left join sync.runs r on r.stream = $2 and r.project_id = $3 and r.status = 'running' and r.backend_pid = l.pid
       where l.locktype = 'advisory' and l.granted and l.objsubid = 1
         and l.database = (select oid from pg_database where datname = current_database())
         and l.classid::bigint = (key.key >> 32) & 4294967295 and l.objid::bigint = key.key & 4294967295
         and (r.beat_at < stale.since or r.id is null and exists (select from pg_stat_activity a
           where a.pid = l.pid and a.state <> 'active'
             and a.state_change < pg_catalog.now() - make_interval(secs => $4)))`,
      [lockName({ stream, scope }), stream.name, scope.projectId, staleMs / 1_000],
    );
    return rows.some(({ terminated }) => terminated);
  });
}

/** Works under the lock of a stream's runs without being one: no row in `sync.runs`, nothing for `status` to show. */
export function withStreamLock<T>(
  pool: Pool,
  lock: Lock,
  work: (client: PoolClient) => Promise<T>,
): Promise<T | 'busy'> {
  return withClient(pool, async (client) => {
    if (!(await takeLock(pool, client, lock))) return 'busy';
    const result = await work(client);
    // Where work throws, the connection is closed, and the lock goes with it.
    await releaseLock(client, lock);
    return result;
  });
}
