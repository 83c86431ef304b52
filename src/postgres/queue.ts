import type { Pool } from 'pg';
import { PgBoss } from 'pg-boss';
import { coerceError, DatabaseError } from '../core/errors.ts';
import type { Logger } from '../core/ports.ts';
import { type Lane, type LaneHandler, type LaneQueue, laneKey, type SendOptions } from '../core/queue.ts';
import { toDatabaseError } from './database-error.ts';
import { withClient } from './pool.ts';

const QUEUE = 'lanes';

const QUEUE_OPTIONS = {
  // The default notices a dead worker after 15 minutes; 10 s is the smallest it allows.
  heartbeatSeconds: 10,
  // A job that lives longer than this would be started again beside itself; the heartbeat is what finds dead ones.
  expireInSeconds: 23 * 3_600,
  retryLimit: 5,
  retryDelay: 2,
  retryBackoff: true,
  retryDelayMax: 60,
  deleteAfterSeconds: 86_400,
} as const;

/** How often dead workers are looked for; pg-boss's own 60 s would come on top of the heartbeat. */
const SUPERVISE_SECONDS = 5;

/**
 * Replicas that polled in step would leave everything to the one that is always first; with periods of their own they
 * take turns.
 */
const pollSeconds = () => 0.8 + 0.6 * Math.random();

const STOP_MS = 8_000;

/** An outage makes every poll fail; the same line is not worth reading more often. */
const REPEAT_AFTER_MS = 30_000;

export interface QueueParts {
  /** For looking into the queue. */
  readonly pool: Pool;
  readonly url: string;
  readonly logger: Logger;
  /** Lanes this process serves side by side. */
  readonly concurrency: number;
}

/**
 * The queue of lanes in the database, by pg-boss. Policy `exclusive` with the lane as singleton key is what lets any number
 * of replicas queue the same lane and one of them work on it.
 */
export class PostgresLaneQueue implements LaneQueue {
  readonly #parts: QueueParts;
  readonly #lastLogged = new Map<string, number>();
  #boss: PgBoss | null = null;
  #stopping: Promise<void> | null = null;

  constructor(parts: QueueParts) {
    this.#parts = parts;
  }

  async start(handle: LaneHandler): Promise<void> {
    const { url, concurrency } = this.#parts;
    const boss = this.#open(concurrency);
    try {
      await boss.start();
      await boss.createQueue(QUEUE, { ...QUEUE_OPTIONS, policy: 'exclusive' });
      // Creating does not change a queue that exists, such as one of an older version.
      await boss.updateQueue(QUEUE, QUEUE_OPTIONS);
      await boss.work<Lane>(
        QUEUE,
        { localConcurrency: concurrency, pollingIntervalSeconds: pollSeconds() },
        async ([job]) => {
          if (job !== undefined) await handle(job.data, job.signal);
        },
      );
      this.#boss = boss;
      if (this.#stopping !== null) await stop(boss);
    } catch (error) {
      await boss.stop({ graceful: false }).catch(() => {});
      throw toDatabaseError(error, url);
    }
  }

  async send(lane: Lane, { priority, delayMs }: SendOptions): Promise<boolean> {
    if (this.#boss === null) throw new DatabaseError('the queue is not started');
    try {
      const options = {
        singletonKey: laneKey(lane),
        priority,
        ...(delayMs > 0 ? { startAfter: new Date(Date.now() + delayMs) } : {}),
      };
      return (await this.#boss.send(QUEUE, lane, options)) !== null;
    } catch (error) {
      throw toDatabaseError(error, this.#parts.url);
    }
  }

  async pending(): Promise<ReadonlySet<string>> {
    return withClient(this.#parts.pool, async (client) => {
      const { rows } = await client.query<{ key: string }>(
        "select singleton_key as key from pgboss.job where name = $1 and state in ('created', 'retry', 'active')",
        [QUEUE],
      );
      return new Set(rows.map(({ key }) => key));
    });
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#boss === null ? Promise.resolve() : stop(this.#boss);
    return this.#stopping;
  }

  #open(concurrency: number): PgBoss {
    const boss = new PgBoss({
      connectionString: this.#parts.url,
      application_name: 'security-sync queue',
      // Workers poll and beat; neither takes long, so they share few connections.
      max: Math.min(4, concurrency + 1),
      connectionTimeoutMillis: 10_000,
      schedule: false,
      superviseIntervalSeconds: SUPERVISE_SECONDS,
      monitorIntervalSeconds: SUPERVISE_SECONDS,
    });
    // Without a listener an error would end the process; pg-boss itself goes on polling.
    boss.on('error', (error) => this.#complain(error));
    boss.on('warning', ({ message }) => this.#parts.logger.info({ warning: message }, 'the queue warns'));
    return boss;
  }

  #complain(thrown: unknown): void {
    const error = toDatabaseError(coerceError(thrown), this.#parts.url);
    const said = error.message.replace(/ \(Queue:.*/, '');
    const now = Date.now();
    if (now - (this.#lastLogged.get(said) ?? 0) < REPEAT_AFTER_MS) return;
    this.#lastLogged.clear();
    this.#lastLogged.set(said, now);
    this.#parts.logger.warn({ error: said }, 'the queue has trouble; it goes on trying');
  }
}

/** Fetching ends at once; handlers under way get a few seconds. */
async function stop(boss: PgBoss): Promise<void> {
  await boss.stop({ graceful: true, timeout: STOP_MS, close: true });
}

/** Creates or upgrades what the queue needs, for roles that may: the service itself then needs no right to do so. */
export async function installQueue(url: string): Promise<void> {
  const boss = new PgBoss({
    connectionString: url,
    application_name: 'security-sync queue',
    max: 1,
    schedule: false,
    supervise: false,
  });
  boss.on('error', () => {});
  try {
    await boss.start();
    await boss.createQueue(QUEUE, { ...QUEUE_OPTIONS, policy: 'exclusive' });
  } catch (error) {
    throw toDatabaseError(error, url);
  } finally {
    await boss.stop({ graceful: false }).catch(() => {});
  }
}
