import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { MigrationMeta } from 'drizzle-orm/migrator';
import type pg from 'pg';
import { DatabaseError, SchemaError } from '../core/errors.ts';
import { toDatabaseError } from './database-error.ts';
import { withClient, withTransaction } from './pool.ts';
import {
  appliedObjects,
  applyScript,
  objectsOfMigrations,
  type RepeatableScript,
  readScript,
  scriptState,
  viewsOf,
} from './repeatable.ts';
import { ViewsAside } from './views-aside.ts';

// As CommonJS for the reason that core/drizzle.ts gives.
const require = createRequire(import.meta.url);
const { readMigrationFiles }: typeof import('drizzle-orm/migrator') = require('drizzle-orm/migrator');

/** `newer`: the database knows migrations that this program does not. */
export type MigrationState = 'absent' | 'behind' | 'current' | 'newer';

const MIGRATIONS = fileURLToPath(new URL('../../migrations', import.meta.url));

/** Of three processes that migrate at once without it, one succeeds and two fail. */
const LOCK = 4_242_002;

/** A migrations folder: steps that are applied once, and the script that is applied whenever it changes. */
interface Schema {
  readonly steps: readonly MigrationMeta[];
  readonly script: RepeatableScript;
}

/**
 * Brings the database to this program's schema in one transaction. Any number of processes may call it at once. Views and
 * grants that others have built on the schema `bi` stay.
 */
export async function migrate(pool: pg.Pool, folder: string = MIGRATIONS): Promise<void> {
  const schema = readFolder(folder);
  // Where nothing is left to do, no right to do it is needed.
  if ((await withClient(pool, (client) => stateOf(client, schema))) === 'current') return;
  await withTransaction(pool, async (client) => {
    await client.query('select pg_advisory_xact_lock($1)', [LOCK]);
    const before = await stateOf(client, schema);
    if (before === 'newer') {
      throw new SchemaError(
        'the database was migrated by a newer version of security-sync: run that version or a newer one',
      );
    }
    if (before === 'current') return;
    await upgrade(client, schema, pool.options.connectionString);
    if ((await stateOf(client, schema)) !== 'current')
      throw new Error('the migrations did not bring the schema up to date');
  });
}

async function upgrade(client: pg.ClientBase, schema: Schema, url: string | undefined): Promise<void> {
  try {
    // Definitions of views come with qualified names.
    await client.query("set local search_path = ''");
    const pending = await pendingSteps(client, schema.steps);
    const before = (await appliedObjects(client)) ?? objectsOfMigrations(schema.steps.flatMap(({ sql }) => sql));
    const wanted = Object.fromEntries(schema.script.objects.map(({ name, hash }) => [name, hash]));
    const aside = new ViewsAside(client, viewsOf({ ...before, ...wanted }));
    await aside.remember();
    for (const step of pending) await applyStep(client, step, aside);
    await applyScript(client, schema.script, { before, migrated: pending.length > 0, aside });
    await aside.restore();
  } catch (error) {
    throw asSchemaError(error, url);
  }
}

/** A view stands in the way of a change of the columns it reads: 2BP01, and 0A000 for a change of type. */
const VIEW_IN_THE_WAY = /^(2BP01|0A000)$/;

async function applyStep(client: pg.ClientBase, step: MigrationMeta, aside: ViewsAside): Promise<void> {
  await client.query('savepoint step');
  try {
    await runStep(client, step);
  } catch (error) {
    if (!VIEW_IN_THE_WAY.test(codeOf(error))) throw error;
    await client.query('rollback to savepoint step');
    await aside.take();
    await runStep(client, step);
  }
  await client.query('release savepoint step');
}

async function runStep(client: pg.ClientBase, { sql, hash, folderMillis }: MigrationMeta): Promise<void> {
  for (const statements of sql) await client.query(statements);
  await client.query('insert into drizzle.__drizzle_migrations (hash, created_at) values ($1, $2)', [
    hash,
    folderMillis,
  ]);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

async function pendingSteps(client: pg.ClientBase, steps: readonly MigrationMeta[]): Promise<readonly MigrationMeta[]> {
  await client.query('create schema if not exists drizzle');
  await client.query(
    'create table if not exists drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint)',
  );
  const applied = await appliedAt(client);
  const newest = Math.max(0, ...applied);
  const pending = steps.filter(({ folderMillis }) => !applied.has(folderMillis));
  if (pending.some(({ folderMillis }) => folderMillis < newest)) {
    throw new SchemaError(
      'a migration is older than one that was applied before it: generate it again, so that it comes last',
    );
  }
  return pending;
}

/** How the database's schema relates to this program's. */
export async function migrationState(pool: pg.Pool, folder: string = MIGRATIONS): Promise<MigrationState> {
  const schema = readFolder(folder);
  return withClient(pool, (client) => stateOf(client, schema));
}

async function stateOf(client: pg.ClientBase, { steps, script }: Schema): Promise<MigrationState> {
  const applied = await appliedAt(client);
  if (applied.size === 0) return 'absent';
  const known = new Set(steps.map(({ folderMillis }) => folderMillis));
  if ([...applied].some((at) => !known.has(at))) return 'newer';
  if (applied.size < known.size) return 'behind';
  return (await scriptState(client, script)) === 'current' ? 'current' : 'behind';
}

/**
 * Migrations are told apart by the time in their journal, as drizzle does, not by their hash: a checkout that converts
 * line ends has other hashes.
 */
async function appliedAt(client: pg.ClientBase): Promise<ReadonlySet<number>> {
  const exists = await client.query<{ found: boolean }>(
    "select to_regclass('drizzle.__drizzle_migrations') is not null as found",
  );
  if (exists.rows[0]?.found !== true) return new Set();
  const { rows } = await client.query<{ at: number }>('select created_at as at from drizzle.__drizzle_migrations');
  return new Set(rows.map(({ at }) => Number(at)));
}

function readFolder(folder: string): Schema {
  if (!existsSync(folder)) throw new SchemaError(`the migrations are missing: there is no ${folder}`);
  return { steps: readMigrationFiles({ migrationsFolder: folder }), script: readScript(folder) };
}

/** A server that is away or lacks rights is not a fault of the migration. */
function asSchemaError(thrown: unknown, url: string | undefined): Error {
  const error = toDatabaseError(thrown, url);
  if (error instanceof SchemaError) return error;
  const elsewhere = error instanceof DatabaseError && !error.message.startsWith('Postgres refused');
  return elsewhere ? error : new SchemaError(`a migration failed: ${error.message}`, {}, { cause: thrown });
}
