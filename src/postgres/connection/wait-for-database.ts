import { DatabaseError } from '../../core/errors.ts';
import type { Clock, Logger } from '../../core/ports.ts';
import { type Pool, withClient } from './pool.ts';

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
