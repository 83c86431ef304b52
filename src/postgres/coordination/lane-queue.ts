import type { Pool } from 'pg';
import type { ConstructorOptions, PgBoss } from 'pg-boss';
import { coerceError, DatabaseError, SchemaError } from '../../core/errors.ts';
import {
  type Lane,
  type LaneHandler,
  type LaneQueue,
  type LaneToSend,
  type Logger,
  laneKey,
  type SendOptions,
} from '../../core/ports.ts';
import { isObject } from '../../core/stream/json.ts';
import { toDatabaseError } from '../connection/database-error.ts';
import { createPool, withClient } from '../connection/pool.ts';
import { Dispatcher, type DispatchOptions, FREQUENT_FROM, HEARTBEAT_SECONDS } from './dispatcher.ts';

/**
 * Name of the queue of a configuration. Each configuration has its own, so that no service takes lanes that it cannot
 * serve. If two configurations share a project (while one replaces the other), both may queue its lanes; the run lock
 * and the stored runs prevent them from being read twice.
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
  heartbeatSeconds: HEARTBEAT_SECONDS,
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
export const QUEUE_APPLICATION = 'security-sync queue';

/** Interval between checks for dead workers. pg-boss's default of 60 s would add to the heartbeat. */
const SUPERVISE_SECONDS = 5;

const QUEUE_CONNECTIONS = 2;

/** Minimum interval between equal log messages, because every poll fails during an outage. */
const REPEAT_AFTER_MS = 30_000;

/** Dependencies of a queue. */
export interface QueueParts extends DispatchOptions {
  /** For reading the queue's table. */
  readonly pool: Pool;
  readonly url: string;
  readonly logger: Logger;
  /** Fingerprint of the configuration, the same for all replicas. */
  readonly configuration: string;
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
  #dispatcher: Dispatcher | null = null;
  #stopping: Promise<void> | null = null;

  constructor(parts: QueueParts) {
    this.#parts = parts;
    this.#queue = queueOf(parts.configuration);
  }

  async start(handle: LaneHandler): Promise<void> {
    const opened = await this.#open();
    const { boss } = opened;
    try {
      await boss.start();
      await boss.createQueue(this.#queue, { ...QUEUE_OPTIONS, policy: 'exclusive' });
      // Creating does not change an existing queue, for example one of an earlier version.
      await boss.updateQueue(this.#queue, QUEUE_OPTIONS);
      this.#boss = opened;
      if (this.#stopping !== null) return await opened.close();
      const onError = (error: unknown) => this.#complain(error);
      this.#dispatcher = new Dispatcher({ ...this.#parts, boss, queue: this.#queue, handle, onError });
      this.#dispatcher.start();
    } catch (error) {
      await opened.close();
      throw asQueueError(error, this.#parts.url);
    }
  }

  async send(lane: Lane, options: SendOptions): Promise<boolean> {
    return (await this.#insert([{ lane, ...options }])) > 0;
  }

  async sendAll(lanes: readonly LaneToSend[]): Promise<void> {
    if (lanes.length > 0) await this.#insert(lanes);
  }

  /** Returns the number of lanes that were queued. */
  async #insert(lanes: readonly LaneToSend[]): Promise<number> {
    if (this.#boss === null) throw new DatabaseError('the queue has not been started');
    const jobs = lanes.map(({ lane: { account, stream }, priority, isFrequent = false, delayMs }) => ({
      data: { account, stream },
      singletonKey: laneKey({ account, stream }),
      priority: isFrequent ? FREQUENT_FROM + priority : priority,
      ...(this.#parts.sharing?.isMetered(account) === true ? { group: { id: stream } } : {}),
      // In seconds, because a timestamp would be of this process's clock, but the queue uses the database clock.
      ...(delayMs > 0 ? { startAfter: delayMs / 1_000 } : {}),
    }));
    try {
      return (await this.#boss.boss.insert(this.#queue, jobs, { returnId: true }))?.length ?? 0;
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
    this.#stopping ??= this.#shutDown();
    return this.#stopping;
  }

  async #shutDown(): Promise<void> {
    await this.#dispatcher?.stop();
    await this.#boss?.close();
  }

  async #open(): Promise<Boss> {
    const onError = (error: Error) => this.#complain(error);
    const opened = await openBoss(
      this.#parts.url,
      // Polls and heartbeats are short, so all lanes share few connections.
      {
        max: QUEUE_CONNECTIONS,
        onError,
        name: `${QUEUE_APPLICATION} ${this.#parts.configuration}`,
      },
      { superviseIntervalSeconds: SUPERVISE_SECONDS, monitorIntervalSeconds: SUPERVISE_SECONDS },
    );
    opened.boss.on('warning', ({ message }) => this.#parts.logger.info({ warning: message }, 'warning of the queue'));
    return opened;
  }

  #complain(thrown: unknown): void {
    const error = withItsClass(thrown) ?? toDatabaseError(coerceError(thrown), this.#parts.url);
    const now = Date.now();
    if (now - (this.#lastLogged.get(error.message) ?? 0) < REPEAT_AFTER_MS) return;
    this.#lastLogged.clear();
    this.#lastLogged.set(error.message, now);
    this.#parts.logger.warn({ err: error }, 'the queue failed; it keeps trying');
  }
}

/** pg-boss emits copies of some errors, without their class. Restores a DatabaseError; null for others. */
function withItsClass(thrown: unknown): DatabaseError | null {
  if (!isObject(thrown) || thrown.name !== 'DatabaseError' || !isObject(thrown.context)) return null;
  return new DatabaseError(String(thrown.message), {
    code: typeof thrown.context.code === 'string' ? thrown.context.code : null,
  });
}

interface Boss {
  readonly boss: PgBoss;
  close(): Promise<void>;
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
    async close() {
      await boss.stop({ graceful: false }).catch(onError);
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
    await close();
  }
}

/** A missing right stops the service, because waiting does not help. */
function asQueueError(thrown: unknown, url: string): Error {
  const error = toDatabaseError(thrown, url);
  if (!(error instanceof DatabaseError && error.context.code === '42501')) return error;
  return new SchemaError(`the queue cannot be set up: ${error.message}`, error.context, { cause: error });
}
