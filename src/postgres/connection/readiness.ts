import type { ClientBase, PoolClient } from 'pg';
import { DatabaseError, SchemaError } from '../../core/errors.ts';
import type { Clock, Logger } from '../../core/ports.ts';
import { connect, type Pool, withClient } from './pool.ts';

/** The server does not answer yet, or not fully. Wrong names and passwords are not among them: waiting does not mend those. */
const AWAY = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'EAI_AGAIN',
  'ENOENT',
  'EPIPE',
  '57P01',
  '57P02',
  '57P03',
  '53300',
]);

const BETWEEN_MS = 2_000;
/** A wait is logged when it begins, and then this often. */
const LOG_EVERY_MS = 60_000;

/** Whether an error says that the database cannot be reached at present, or not fully. */
export function isAway(error: unknown): error is DatabaseError {
  return (
    error instanceof DatabaseError &&
    (!('code' in error.context) || error.context.code === null || AWAY.has(String(error.context.code)))
  );
}

export interface WaitParts {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly patienceMs?: number;
}

/** Waits a minute for a database that starts at the same time as the service; then, and for anything else, throws. */
export async function waitForDatabase({ pool, clock, logger, signal, patienceMs = 60_000 }: WaitParts): Promise<void> {
  const until = clock.now() + patienceMs;
  let loggedAt = Number.NEGATIVE_INFINITY;
  for (;;) {
    try {
      await withClient(pool, (client) => client.query('select 1'));
      return;
    } catch (error) {
      if (!isAway(error) || clock.now() >= until) throw error;
      if (clock.now() >= loggedAt + LOG_EVERY_MS) {
        logger.warn({ error: error.message }, 'waiting for the database');
        loggedAt = clock.now();
      }
      await clock.sleep(BETWEEN_MS, signal);
    }
  }
}

/** How often it is tried whether a database that went away is back. */
const PROBE_MS = 1_000;

export interface OutageLog extends Logger {
  /** Where to find out that the database is back; until then an outage has no end. */
  watch(pool: Pool): void;
  /** Ends the looking. */
  stop(): void;
}

/**
 * A logger that tells of an outage of the database twice: when it begins, and when it is over. Everything that works with the
 * database complains on its own meanwhile; what says (`err`) that the database is away is left to the level `debug`.
 */
export function outageLog(logger: Logger): OutageLog {
  let pool: Pool | null = null;
  let awaySince: number | null = null;
  let timer: NodeJS.Timeout | null = null;

  async function probe(): Promise<void> {
    if (pool === null) return;
    try {
      await withClient(pool, (client) => client.query('select 1'));
    } catch {
      return;
    }
    if (awaySince === null) return;
    logger.info({ awaySeconds: Math.round((performance.now() - awaySince) / 1000) }, 'the database is back');
    awaySince = null;
    stop();
  }

  function stop(): void {
    if (timer !== null) clearInterval(timer);
    timer = null;
  }

  const through =
    (level: 'warn' | 'error'): Logger['warn'] =>
    (fields, message) => {
      const err: unknown = 'err' in fields ? fields.err : null;
      if (!(err instanceof DatabaseError)) return logger[level](fields, message);
      // The message says it all; a stack would only show how it was asked for.
      if (pool === null || !isAway(err))
        return logger[level]({ ...fields, err: undefined, error: err.message }, message);
      if (awaySince !== null) return logger.debug(fields, message);
      awaySince = performance.now();
      logger.warn({ error: err.message }, 'the database is away; the service goes on trying, and says when it is back');
      timer ??= setInterval(() => void probe(), PROBE_MS);
      timer.unref();
    };

  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: through('warn'),
    error: through('error'),
    watch: (watched) => {
      pool = watched;
    },
    stop,
  };
}

/**
 * Refuses a database that cannot hold the data (its encoding has no Chinese names) and a pooler between us and it that
 * gives sessions away. Throws a `SchemaError` that says what to do.
 */
export async function assertFit(pool: Pool): Promise<void> {
  await withClient(pool, assertEncoding);
  await assertSessions(pool);
}

/** Names and texts of the API come in any script. */
export async function assertEncoding(client: ClientBase): Promise<void> {
  const { rows } = await client.query<{ encoding: string; name: string }>(
    'select pg_encoding_to_char(encoding) as encoding, datname as name from pg_database where datname = current_database()',
  );
  const [database] = rows;
  if (database === undefined || database.encoding === 'UTF8') return;
  throw new SchemaError(
    `the database "${database.name}" is encoded ${database.encoding}, which cannot hold all texts of the API: make one with ` +
      `CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0, and change DATABASE_URL`,
  );
}

const POOLER =
  'DATABASE_URL leads through a pooler that gives the session to others between two statements (PgBouncer: pool_mode = ' +
  'transaction or statement). Locks and settings of a session are lost there, so two processes could write the same table: ' +
  'connect to Postgres itself or to a pool with pool_mode = session';

/** How often the question is put: with several server connections the pooler may give back the same one by chance. */
const ROUNDS = 3;

/** A pooler with a single server connection has none left while the other client is in a transaction. */
const PATIENCE_MS = 5_000;

/**
 * Whether a session is ours alone: while another client is in the middle of a transaction, ours must still be served by
 * the backend that served it before. A pooler that gives backends away has lent it to the other one.
 */
async function assertSessions(pool: Pool): Promise<void> {
  const ours = await connect(pool);
  const other = await connect(pool);
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      const before = await backendOf(ours);
      await other.query('begin');
      await backendOf(other);
      const during = await backendOf(ours, PATIENCE_MS);
      await other.query('rollback');
      if (during !== before) throw new SchemaError(POOLER);
    }
  } finally {
    ours.release(true);
    other.release(true);
  }
}

/** Null when no backend serves the question in time. */
async function backendOf(client: PoolClient, withinMs?: number): Promise<number | null> {
  const asked = client
    .query<{ pid: number }>('select pg_backend_pid() as pid')
    .then(({ rows }) => rows[0]?.pid ?? null);
  if (withinMs === undefined) return asked;
  const { promise, resolve } = Promise.withResolvers<null>();
  const timer = setTimeout(() => resolve(null), withinMs);
  try {
    return await Promise.race([asked, promise]);
  } finally {
    clearTimeout(timer);
    asked.catch(() => {});
  }
}

/** A session that no longer holds its lock was exchanged for another one in the middle of the run. */
export function lostSession(): DatabaseError {
  return new DatabaseError(`the lock of the run was lost: ${POOLER}`);
}

/** From here on a difference is no matter of slow answers. */
const NOTABLE_MS = 5_000;

/**
 * The time of the database, which all replicas share: what is due and how old something is must not depend on the clock of
 * one machine. It is the process's own clock, corrected by what {@link DatabaseClock.measure} found last.
 */
export class DatabaseClock implements Clock {
  readonly #pool: Pool;
  readonly #own: Clock;
  readonly #logger: Logger;
  #aheadMs = 0;
  #isNotable = false;

  constructor({ pool, own, logger }: { readonly pool: Pool; readonly own: Clock; readonly logger: Logger }) {
    this.#pool = pool;
    this.#own = own;
    this.#logger = logger;
  }

  now(): number {
    return this.#own.now() - this.#aheadMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#own.sleep(ms, signal);
  }

  /** Compares the two clocks; to be called now and then, because either may be put right. */
  async measure(): Promise<void> {
    const { aheadMs } = await withClient(this.#pool, async (client) => {
      const before = this.#own.now();
      const { rows } = await client.query<{ now: Date }>('select clock_timestamp() as now');
      const middle = (before + this.#own.now()) / 2;
      return { aheadMs: middle - (rows[0]?.now.getTime() ?? middle) };
    });
    this.#aheadMs = aheadMs;
    const isNotable = Math.abs(aheadMs) > NOTABLE_MS;
    if (isNotable && !this.#isNotable) {
      this.#logger.warn(
        { aheadSeconds: Math.round(aheadMs / 1_000) },
        "this machine's clock differs from the database's: schedules and ages go by the database, but the API refuses " +
          'requests of a wrong clock. Set the clocks by NTP',
      );
    }
    this.#isNotable = isNotable;
  }
}
