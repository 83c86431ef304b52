import type { Pool } from 'pg';
import { DatabaseError } from '../../core/errors.ts';
import type { Clock, Logger } from '../../core/ports.ts';
import { withClient } from './pool.ts';

/** Nobody answers yet, or not yet for long. Wrong names and passwords do not get better by waiting. */
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
  for (;;) {
    try {
      await withClient(pool, (client) => client.query('select 1'));
      return;
    } catch (error) {
      if (!isAway(error) || clock.now() >= until) throw error;
      logger.warn({ error: error.message }, 'waiting for the database');
      await clock.sleep(BETWEEN_MS, signal);
    }
  }
}
