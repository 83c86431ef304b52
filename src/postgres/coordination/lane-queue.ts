import type { Pool } from 'pg';
import type { ConstructorOptions, PgBoss } from 'pg-boss';
import { coerceError, DatabaseError, SchemaError } from '../../core/errors.ts';
import {
  type Attempt,
  HIGHEST_PRIORITY,
  type KeptPlaces,
  type Lane,
  type LaneHandler,
  type LaneQueue,
  type Logger,
  laneKey,
  type RunLog,
  type SendOptions,
} from '../../core/ports.ts';
import { isObject } from '../../core/stream/json.ts';
import { toDatabaseError } from '../connection/database-error.ts';
import { createPool, withClient } from '../connection/pool.ts';
import { quote } from '../rows/statements.ts';

/**
 * Name of the queue of a configuration. Each configuration has its own, so that no service takes lanes that it cannot
 * serve. If two configurations share a project (while one replaces the other), both may queue its lanes; the run lock
 * and the stored runs prevent that they are read twice.
 */
export function queueOf(configuration: string): string {
  return `lanes-${configuration}`;
}

/**
 * Schema of the queue. Not `pgboss`, the library's default: all applications in the database that use the library share
 * that one, and the newest version upgrades it for all.
 */
export const QUEUE_SCHEMA = 'security_sync_queue';

const QUEUE_OPTIONS = {
  // By default, dead workers are detected after 15 minutes. 10 s is the minimum.
  heartbeatSeconds: 10,
  // After this time a second job would start beside a running one. The heartbeat detects dead workers earlier.
  expireInSeconds: 23 * 3_600,
  retryLimit: 5,
  retryDelay: 2,
  retryBackoff: true,
  retryDelayMax: 60,
  deleteAfterSeconds: 86_400,
} as const;

/**
 * Prefix of the connection's name; the configuration follows, so that services see each other. Earlier versions used it
 * alone.
 */
const APPLICATION_NAME = 'security-sync queue';

/** Interval between checks for dead workers. pg-boss's default of 60 s would add to the heartbeat. */
const SUPERVISE_SECONDS = 5;

/** Different polling intervals make replicas take turns. With equal ones, the same replica would always be first. */
const pollSeconds = () => 0.8 + 0.6 * Math.random();

const STOP_MS = 8_000;

/** Lowest priority of a frequent lane in the queue's table. */
const FREQUENT_FROM = HIGHEST_PRIORITY + 1;

const QUEUE_CONNECTIONS = 3;

/** Minimum interval between equal log messages, because every poll fails during an outage. */
const REPEAT_AFTER_MS = 30_000;

/** Dependencies of a queue. */
export interface QueueParts {
  /** For reading the queue's table. */
  readonly pool: Pool;
  readonly url: string;
  readonly logger: Logger;
  /** Fingerprint of the configuration, the same for all replicas. */
  readonly configuration: string;
  /** Maximum number of lanes that this process serves concurrently. */
  readonly concurrency: number;
  /** How many of them are kept for a kind of lanes; none if absent. */
  readonly kept?: KeptPlaces;
  /** Lanes that wait for the same requests: those of the accounts behind one address share a quota for each stream. */
  readonly sharing?: LaneSharing;
}

/** How many lanes of one stream a process serves concurrently. */
export interface LaneSharing {
  /** More would wait for the same requests, in places that lanes of other streams could use. */
  readonly lanesOfStream: number;
  /** The requests of the account are counted. */
  readonly isMetered: (account: string) => boolean;
}

/**
 * The queue of lanes in the database, with pg-boss. With policy `exclusive` and the lane as singleton key, any replica
 * can queue a lane, and only one works on it.
 */
export class PostgresLaneQueue implements LaneQueue {
  readonly #parts: QueueParts;
  readonly #queue: string;
  readonly #lastLogged = new Map<string, number>();
  #boss: Boss | null = null;
  #stopping: Promise<void> | null = null;

  constructor(parts: QueueParts) {
    this.#parts = parts;
    this.#queue = queueOf(parts.configuration);
  }

  async start(handle: LaneHandler): Promise<void> {
    const { url, concurrency, sharing, kept = { frequent: 0, others: 0 } } = this.#parts;
    // pg-boss refuses a limit above the number of places of a worker. The limit of the last worker, which has most, counts.
    const groupOf = (places: number) =>
      sharing === undefined ? {} : { localGroupConcurrency: Math.min(sharing.lanesOfStream, places) };
    const opened = await this.#open(concurrency);
    const { boss } = opened;
    try {
      await boss.start();
      await boss.createQueue(this.#queue, { ...QUEUE_OPTIONS, policy: 'exclusive' });
      // Creating does not change an existing queue, for example one of an earlier version.
      await boss.updateQueue(this.#queue, QUEUE_OPTIONS);
      const kinds = [
        { localConcurrency: kept.frequent, minPriority: FREQUENT_FROM },
        { localConcurrency: kept.others, maxPriority: HIGHEST_PRIORITY },
        { localConcurrency: concurrency - kept.frequent - kept.others },
      ];
      for (const places of kinds.filter(({ localConcurrency }) => localConcurrency > 0))
        await boss.work<Lane>(
          this.#queue,
          { ...places, pollingIntervalSeconds: pollSeconds(), ...groupOf(places.localConcurrency) },
          async ([job]) => {
            if (job !== undefined) await handle(job.data, job.signal);
          },
        );
      this.#boss = opened;
      if (this.#stopping !== null) await opened.close({ graceful: true });
    } catch (error) {
      await opened.close({ graceful: false });
      throw asQueueError(error, url);
    }
  }

  async send(lane: Lane, { priority, isFrequent = false, delayMs }: SendOptions): Promise<boolean> {
    if (this.#boss === null) throw new DatabaseError('the queue has not been started');
    try {
      const options = {
        singletonKey: laneKey(lane),
        priority: isFrequent ? FREQUENT_FROM + priority : priority,
        ...(this.#parts.sharing?.isMetered(lane.account) === true ? { group: { id: lane.stream } } : {}),
        // In seconds, because a timestamp would be of this process's clock, but the queue uses the database clock.
        ...(delayMs > 0 ? { startAfter: delayMs / 1_000 } : {}),
      };
      return (await this.#boss.boss.send(this.#queue, lane, options)) !== null;
    } catch (error) {
      throw toDatabaseError(error, this.#parts.url);
    }
  }

  async pending(): Promise<ReadonlySet<string>> {
    return withClient(this.#parts.pool, async (client) => {
      const { rows } = await client.query<{ key: string }>(
        `select singleton_key as key from ${QUEUE_SCHEMA}.job where name = $1 and state in ('created', 'retry', 'active')`,
        [this.#queue],
      );
      return new Set(rows.map(({ key }) => key));
    });
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#boss === null ? Promise.resolve() : this.#boss.close({ graceful: true });
    return this.#stopping;
  }

  async #open(concurrency: number): Promise<Boss> {
    const onError = (error: Error) => this.#complain(error);
    const opened = await openBoss(
      this.#parts.url,
      // Polls and heartbeats are short, so workers share few connections.
      {
        max: Math.min(QUEUE_CONNECTIONS, concurrency + 1),
        onError,
        name: `${APPLICATION_NAME} ${this.#parts.configuration}`,
      },
      { superviseIntervalSeconds: SUPERVISE_SECONDS, monitorIntervalSeconds: SUPERVISE_SECONDS },
    );
    opened.boss.on('warning', ({ message }) => this.#parts.logger.info({ warning: message }, 'warning of the queue'));
    return opened;
  }

  #complain(thrown: unknown): void {
    const error = withItsClass(thrown) ?? toDatabaseError(coerceError(thrown), this.#parts.url);
    const said = error.message.replace(/ \(Queue:.*/, '');
    const now = Date.now();
    if (now - (this.#lastLogged.get(said) ?? 0) < REPEAT_AFTER_MS) return;
    this.#lastLogged.clear();
    this.#lastLogged.set(said, now);
    this.#parts.logger.warn({ err: error }, 'the queue failed; it keeps trying');
  }
}

/**
 * pg-boss emits a copy of the error without its class and with a note on the worker. Restores a DatabaseError; null for
 * others.
 */
function withItsClass(thrown: unknown): DatabaseError | null {
  if (!isObject(thrown) || thrown.name !== 'DatabaseError' || !isObject(thrown.context)) return null;
  const message = String(thrown.message).replace(/ \(Queue:.*/, '');
  return new DatabaseError(message, { code: typeof thrown.context.code === 'string' ? thrown.context.code : null });
}

interface Boss {
  readonly boss: PgBoss;
  /** Stops fetching at once. With `graceful`, running handlers get a few seconds. */
  close(how: { readonly graceful: boolean }): Promise<void>;
}

/** Opens pg-boss with our own pool, so that its connections have the same settings as all others. */
async function openBoss(
  url: string,
  { max, onError, name }: { readonly max: number; readonly onError: (error: Error) => void; readonly name: string },
  options: ConstructorOptions,
): Promise<Boss> {
  const pool = createPool(url, { max, applicationName: name, onError });
  // Loaded on demand: commands that only read the queue start without the library.
  const { PgBoss } = await import('pg-boss');
  const boss = new PgBoss({
    ...options,
    schema: QUEUE_SCHEMA,
    schedule: false,
    db: { executeSql: (text, values) => withClient(pool, (client) => client.query(text, values)) },
  });
  // Without a listener an error would end the process. pg-boss continues polling.
  boss.on('error', onError);
  return {
    boss,
    async close({ graceful }) {
      await boss.stop(graceful ? { graceful, timeout: STOP_MS } : { graceful }).catch(onError);
      await pool.end();
    },
  };
}

/**
 * Creates or upgrades the queue's schema, with the rights of the caller; then the service itself needs no such right.
 */
export async function installQueue(url: string): Promise<void> {
  const setUp = { max: 1, onError: () => {}, name: 'security-sync migrate' };
  const { boss, close } = await openBoss(url, setUp, { supervise: false });
  try {
    await boss.start();
  } catch (error) {
    throw asQueueError(error, url);
  } finally {
    await close({ graceful: false });
  }
}

/** A missing right stops the service, because waiting does not help. */
function asQueueError(thrown: unknown, url: string): Error {
  const error = toDatabaseError(thrown, url);
  if (!(error instanceof DatabaseError && error.context.code === '42501')) return error;
  return new SchemaError(`the queue cannot be set up: ${error.message}`, error.context, { cause: error });
}

/**
 * Fingerprints of the configurations of running services, which each keep a connection with this name. An empty text
 * for a service of a version that does not state its configuration.
 */
export async function servingConfigurations(pool: Pool): Promise<readonly string[]> {
  const { rows } = await withClient(pool, (client) =>
    client.query<{ configuration: string }>(
      `select distinct ltrim(substr(application_name, $2)) as configuration from pg_stat_activity
       where datname = current_database() and starts_with(application_name, $1) order by 1`,
      [APPLICATION_NAME, APPLICATION_NAME.length + 1],
    ),
  );
  return rows.map(({ configuration }) => configuration);
}

/**
 * Gives every role that may write the schema `sync` the same rights on the queue. Does nothing unless called by its
 * owner.
 */
export async function shareQueue(pool: Pool): Promise<void> {
  await withClient(pool, async (client) => {
    const { rows } = await client.query<{ role: string }>(
      `select distinct pg_get_userbyid(a.grantee) as role
       from pg_class c, aclexplode(c.relacl) a, pg_namespace n
       where c.oid = to_regclass('sync.runs') and a.privilege_type = 'INSERT' and a.grantee not in (0, c.relowner)
         and n.nspname = $1 and pg_has_role(n.nspowner, 'usage')`,
      [QUEUE_SCHEMA],
    );
    for (const { role } of rows) {
      const to = `schema ${QUEUE_SCHEMA} to ${quote(role)}`;
      await client.query(`grant usage on ${to}`);
      await client.query(`grant select, insert, update, delete on all tables in ${to}`);
      await client.query(`grant usage, select on all sequences in ${to}`);
      const later = `alter default privileges in schema ${QUEUE_SCHEMA}`;
      await client.query(`${later} grant select, insert, update, delete on tables to ${quote(role)}`);
      await client.query(`${later} grant usage, select on sequences to ${quote(role)}`);
    }
  });
}

/**
 * A running run is not an attempt yet: if its process died, the stream must be tried again, and if not, its lock
 * protects it. Runs that were stopped on purpose or whose process died are no attempts either, but count as served.
 * Skips through the index from one stream and project to the next, because each tick runs this query and runs are kept
 * for months.
 */
const LAST_ATTEMPTS = `
with recursive scopes as (
  (select stream, project_id from sync.runs order by stream, project_id limit 1)
  union all
  select n.stream, n.project_id from scopes s cross join lateral (
    select r.stream, r.project_id from sync.runs r where (r.stream, r.project_id) > (s.stream, s.project_id)
    order by r.stream, r.project_id limit 1) n
)
select s.stream, s.project_id as "projectId", (extract(epoch from now() - served.at) * 1000)::float8 as "servedMs",
  (extract(epoch from now() - tried.at) * 1000)::float8 as "ageMs", tried.refusal,
  exists (select from sync.runs r where r.stream = s.stream and r.project_id = s.project_id and r.certificate = 'complete') as "wasComplete"
from scopes s
cross join lateral (
  select r.started_at as at from sync.runs r where r.stream = s.stream and r.project_id = s.project_id
  order by r.started_at desc limit 1) served
left join lateral (
  select r.started_at as at, r.evidence ->> 'refusal' as refusal from sync.runs r where r.stream = s.stream and r.project_id = s.project_id
    and (r.status in ('succeeded', 'failed') or r.status = 'incomplete' and (r.reason is distinct from 'interrupted' or r.error is not null))
  order by r.started_at desc limit 1) tried on true`;

/** Reads the last attempts from `sync.runs`. */
export function createRunLog(pool: Pool): RunLog {
  return {
    lastAttempts: () => withClient(pool, async (client) => (await client.query<Attempt>(LAST_ATTEMPTS)).rows),
  };
}
