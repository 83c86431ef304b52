import type { ClientBase, PoolClient } from 'pg';
import { DatabaseError, SchemaError } from '../../core/errors.ts';
import type { Clock, Logger } from '../../core/ports.ts';
import { toDatabaseError } from './database-error.ts';
import { connect, type Pool, withClient } from './pool.ts';

/** Codes of errors that waiting may resolve: no answer, or not ready. Wrong names and passwords are not among them. */
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
/** Interval between log messages while waiting. */
const LOG_EVERY_MS = 60_000;

/** The database is not reachable, or not ready, at present. */
export function isAway(error: unknown): error is DatabaseError {
  return (
    error instanceof DatabaseError &&
    (!('code' in error.context) || error.context.code === null || AWAY.has(String(error.context.code)))
  );
}

/** Dependencies of `waitForDatabase`. */
export interface WaitParts {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly patienceMs?: number;
}

/**
 * Waits up to `patienceMs` (default one minute) for a database that is starting. Throws after that, and for other
 * errors.
 */
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

/** Interval between checks whether the database is reachable again. */
const PROBE_MS = 1_000;

/** A logger that reports outages of the database. */
export interface OutageLog extends Logger {
  /** Sets the pool that is checked for the end of an outage. */
  watch(pool: Pool): void;
  /** Stops checking. */
  stop(): void;
}

/**
 * A logger that reports an outage of the database twice: at its start and at its end. During the outage, messages with
 * an `err` that says so go to the level `debug`, because every part of the service reports them.
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
    logger.info({ awaySeconds: Math.round((performance.now() - awaySince) / 1000) }, 'the database is reachable again');
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
      // The message is sufficient; the stack would only show the caller.
      if (pool === null || !isAway(err))
        return logger[level]({ ...fields, err: undefined, error: err.message }, message);
      if (awaySince !== null) return logger.debug(fields, message);
      awaySince = performance.now();
      logger.warn(
        { error: err.message },
        'the database is unreachable; the service keeps trying, and logs when it is reachable again',
      );
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
 * Refuses a database that cannot store the data (its encoding lacks Chinese characters), and a pooler that shares
 * sessions. Throws a `SchemaError` with advice. Leaves two connections open, which most commands need.
 */
export async function assertFit(pool: Pool): Promise<void> {
  const [ours, other] = await connectTwice(pool);
  let isFit = false;
  try {
    await assertEncoding(ours);
    await assertSessions(ours, other);
    isFit = true;
  } catch (error) {
    throw toDatabaseError(error, pool.options.connectionString);
  } finally {
    ours.release(!isFit);
    other.release(!isFit);
  }
}

/** Opens two connections at the same time. */
async function connectTwice(pool: Pool): Promise<readonly [PoolClient, PoolClient]> {
  const both = [connect(pool), connect(pool)] as const;
  try {
    return await Promise.all(both);
  } catch (error) {
    for (const one of both) {
      one.then(
        (client) => client.release(),
        () => {},
      );
    }
    throw error;
  }
}

/** Requires UTF8, because texts of the API are in any script. Throws a `SchemaError`. */
export async function assertEncoding(client: ClientBase): Promise<void> {
  const { rows } = await client.query<{ encoding: string; name: string }>(
    'select pg_encoding_to_char(encoding) as encoding, datname as name from pg_database where datname = current_database()',
  );
  const [database] = rows;
  if (database === undefined || database.encoding === 'UTF8') return;
  throw new SchemaError(
    `the database "${database.name}" is encoded ${database.encoding}, which cannot hold all texts of the API: create one with ` +
      `CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0, and change DATABASE_URL`,
  );
}

const POOLER =
  'DATABASE_URL points to a pooler that shares sessions between clients (PgBouncer: pool_mode = ' +
  'transaction or statement). Locks and settings of a session are lost there, so two processes could write the same table: ' +
  'connect to Postgres itself or to a pool with pool_mode = session';

/** Number of checks: a pooler with several server connections may return the same one by chance, the more so while others use it. */
const ROUNDS = 8;

/** Time limit: a pooler with a single server connection has none left while the other client is in a transaction. */
const PATIENCE_MS = 5_000;

/**
 * Requires that sessions are not shared: while another client is in a transaction, the same backend must still serve
 * our session. A pooler that shares backends has given ours to the other client. Throws a `SchemaError`.
 */
async function assertSessions(ours: ClientBase, other: ClientBase): Promise<void> {
  const before = await backendOf(ours);
  for (let round = 0; round < ROUNDS; round += 1) {
    // A pooler gives the transaction a backend of its own with the first statement that reaches it.
    await other.query('begin; select 1');
    const during = await backendOf(ours, PATIENCE_MS);
    await other.query('rollback');
    if (during !== before) throw new SchemaError(POOLER);
  }
}

/** Process id of the backend; null if none answers in time. */
async function backendOf(client: ClientBase, withinMs?: number): Promise<number | null> {
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

/** Error for a session that lost its lock: a pooler replaced the session during the run. */
export function lostSession(): DatabaseError {
  return new DatabaseError(`the lock of the run was lost: ${POOLER}`);
}

/** A difference above this is not caused by slow answers. */
const NOTABLE_MS = 5_000;

/**
 * The database time, which all replicas share, so that due times and ages do not depend on the clock of one machine. It
 * is the clock of the process, corrected by the last result of {@link DatabaseClock.measure}.
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

  /** Compares the two clocks. Call it regularly, because either clock may be corrected. */
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
