import type { Pool } from 'pg';
import { coerceError } from '../core/errors.ts';
import { type MigrationState, migrationState } from '../postgres/schema/migrate.ts';
import type { ServiceState } from '../sync/service/service.ts';

export interface Readiness {
  readonly ready: boolean;
  /** For each thing the service needs: `ok`, or what is wrong. */
  readonly checks: Readonly<Record<'database' | 'migrations' | 'service', string>>;
}

export interface HealthParts {
  readonly pool: Pool;
  readonly state: () => ServiceState;
  readonly timeoutMs?: number;
}

const MIGRATIONS: Readonly<Record<MigrationState, string>> = {
  current: 'ok',
  absent: 'the database has no schema yet',
  behind: 'the schema is older than this program: run security-sync migrate',
  newer: 'the schema is newer than this program: run the newer version',
};

/** Whether the service can work, and what keeps it from it. Never a password: the messages name host, user and database. */
export async function readiness({ pool, state, timeoutMs = 3_000 }: HealthParts): Promise<Readiness> {
  const service = state() === 'running' ? 'ok' : state();
  try {
    const migrations = MIGRATIONS[await within(timeoutMs, migrationState(pool))];
    return { ready: service === 'ok' && migrations === 'ok', checks: { database: 'ok', migrations, service } };
  } catch (error) {
    return { ready: false, checks: { database: coerceError(error).message, migrations: 'unknown', service } };
  }
}

/** A probe must answer before its caller gives up. */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`the database does not answer within ${ms / 1000} s`)), ms);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
    work.catch(() => {});
  }
}
