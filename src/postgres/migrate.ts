import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import { DatabaseError, SchemaError } from '../core/errors.ts';
import { toDatabaseError } from './database-error.ts';
import { withClient } from './pool.ts';

// As CommonJS for the reason that core/drizzle.ts gives.
const require = createRequire(import.meta.url);
const { readMigrationFiles }: typeof import('drizzle-orm/migrator') = require('drizzle-orm/migrator');
const { drizzle }: typeof import('drizzle-orm/node-postgres') = require('drizzle-orm/node-postgres');
const { migrate: applyMigrations }: typeof import('drizzle-orm/node-postgres/migrator') =
  require('drizzle-orm/node-postgres/migrator');

/** `newer`: the database knows migrations that this program does not. */
export type MigrationState = 'absent' | 'behind' | 'current' | 'newer';

const MIGRATIONS = fileURLToPath(new URL('../../migrations', import.meta.url));

/** Of three processes that migrate at once without it, one succeeds and two fail. */
const LOCK = 4_242_002;

/** Brings the database to this program's schema. Any number of processes may call it at once. */
export async function migrate(pool: pg.Pool, folder: string = MIGRATIONS): Promise<void> {
  await withClient(pool, async (client) => {
    await client.query('select pg_advisory_lock($1)', [LOCK]);
    const before = await stateOf(client, folder);
    if (before === 'newer') {
      throw new SchemaError(
        'the database was migrated by a newer version of security-sync: run that version or a newer one',
      );
    }
    // Where nothing is left to do, no right to do it is needed: drizzle would start with CREATE SCHEMA.
    if (before !== 'current') await apply(client, folder, pool.options.connectionString);
    if ((await stateOf(client, folder)) !== 'current') {
      // drizzle applies only what is younger than the youngest one applied.
      throw new SchemaError(
        'a migration is older than one that was applied before it: generate it again, so that it comes last',
      );
    }
    await client.query('select pg_advisory_unlock($1)', [LOCK]);
  });
}

async function apply(client: pg.PoolClient, folder: string, url: string | undefined): Promise<void> {
  try {
    await applyMigrations(drizzle(client), { migrationsFolder: folder });
  } catch (error) {
    throw asSchemaError(error, url);
  }
}

/** How the database's schema relates to this program's. */
export async function migrationState(pool: pg.Pool, folder: string = MIGRATIONS): Promise<MigrationState> {
  return withClient(pool, (client) => stateOf(client, folder));
}

/**
 * Migrations are told apart by the time in their journal, as drizzle does, not by their hash: a checkout that converts
 * line ends has other hashes.
 */
async function stateOf(client: pg.ClientBase, folder: string): Promise<MigrationState> {
  const known = new Set(readFolder(folder).map((migration) => migration.folderMillis));
  const exists = await client.query<{ found: boolean }>(
    "select to_regclass('drizzle.__drizzle_migrations') is not null as found",
  );
  if (exists.rows[0]?.found !== true) return 'absent';
  const { rows } = await client.query<{ at: number }>('select created_at as at from drizzle.__drizzle_migrations');
  if (rows.length === 0) return 'absent';
  if (rows.some(({ at }) => !known.has(Number(at)))) return 'newer';
  return rows.length < known.size ? 'behind' : 'current';
}

function readFolder(folder: string) {
  if (!existsSync(folder)) throw new SchemaError(`the migrations are missing: there is no ${folder}`);
  return readMigrationFiles({ migrationsFolder: folder });
}

/** A server that is away or lacks rights is not a fault of the migration. */
function asSchemaError(thrown: unknown, url: string | undefined): Error {
  const error = toDatabaseError(thrown, url);
  const elsewhere = error instanceof DatabaseError && !error.message.startsWith('Postgres refused');
  return elsewhere ? error : new SchemaError(`a migration failed: ${error.message}`, {}, { cause: thrown });
}
