import type { ClientBase } from 'pg';
import type { Scope } from '../../core/account.ts';
import type { Stream } from '../../core/stream/stream.ts';
import { type Pool, type PoolClient, withClient } from '../connection/pool.ts';
import { lostSession } from '../connection/readiness.ts';

/** Timing of the heartbeat of a run. */
export interface Heartbeat {
  /** Interval between two heartbeats. */
  readonly beatMs: number;
  /** A holder without heartbeat for this time loses its lock. */
  readonly staleMs: number;
}

export const HEARTBEAT: Heartbeat = { beatMs: 10_000, staleMs: 45_000 };

/** Stream and project to be locked. */
export interface Lock {
  readonly stream: Stream;
  readonly scope: Pick<Scope, 'projectId'>;
  /** A holder without heartbeat for this time loses its lock. */
  readonly staleMs?: number;
  /** Settings of the session while it holds the lock. */
  readonly settings?: Readonly<Record<string, string>>;
}

function lockName({ stream, scope }: Lock): string {
  return `security-sync/${stream.name}/${scope.projectId}`;
}

/**
 * Ensures one writer per stream and project across processes, by a session advisory lock on the connection that writes.
 * A holder that loses the connection loses the lock, so a paused process whose lock was taken over cannot write
 * afterwards. Returns false if another process holds the lock. Uses no second connection: behind a pooler that has none
 * left, processes that wait for a lock would otherwise keep its holder from working.
 */
export async function takeLock(
  client: PoolClient,
  { stream, scope, staleMs = HEARTBEAT.staleMs, settings = {} }: Lock,
): Promise<boolean> {
  const lock = { stream, scope, settings };
  if (await tryLock(client, lock)) return true;
  if (!(await terminateStaleHolder(client, { stream, scope, staleMs }))) return false;
  // The terminated backend needs a moment to exit.
  for (let attempt = 0; attempt < 20; attempt += 1) {
    if (await tryLock(client, lock)) return true;
    await client.query('select pg_sleep(0.1)');
  }
  return false;
}

/**
 * Also resets the settings of the lock. Throws a `DatabaseError` if this session does not hold the lock (any more).
 */
export async function releaseLock(client: ClientBase, lock: Lock): Promise<void> {
  // `set_config` with null is `reset`.
  const resets = Object.keys(lock.settings ?? {}).map((name) => `, set_config('${name}', null, false)`);
  const { rows } = await client.query<{ held: boolean }>(
    `select pg_advisory_unlock(hashtextextended($1, 0)) as held${resets.join('')}`,
    [lockName(lock)],
  );
  if (rows[0]?.held !== true) throw lostSession();
}

async function tryLock(client: ClientBase, lock: Lock): Promise<boolean> {
  const sets = Object.entries(lock.settings ?? {}).map(
    ([name, value]) => `, case when locked then set_config('${name}', '${value}', false) end`,
  );
  const { rows } = await client.query<{ locked: boolean }>(
    `select locked${sets.join('')} from (select pg_try_advisory_lock(hashtextextended($1, 0)) as locked offset 0) attempt`,
    [lockName(lock)],
  );
  return rows[0]?.locked === true;
}

/**
 * Terminates the backend that holds the lock if its run has no heartbeat, or if it has no run (it was paused before the
 * begin or after the end of one) and has been idle as long. The same role is sufficient for that.
 */
async function terminateStaleHolder(
  client: ClientBase,
  { stream, scope, staleMs }: Required<Omit<Lock, 'settings'>>,
): Promise<boolean> {
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
}

/**
 * Works under the lock of a stream without a run: no row in `sync.runs`. Returns `busy` if another process has the
 * lock.
 */
export function withStreamLock<T>(
  pool: Pool,
  lock: Lock,
  work: (client: PoolClient) => Promise<T>,
): Promise<T | 'busy'> {
  return withClient(pool, async (client) => {
    if (!(await takeLock(client, lock))) return 'busy';
    const result = await work(client);
    // If `work` throws, the connection is closed, which releases the lock.
    await releaseLock(client, lock);
    return result;
  });
}
