import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { MigrationMeta } from 'drizzle-orm/migrator';
import type pg from 'pg';
import type { ClientBase } from 'pg';
import { z } from 'zod';
import { DatabaseError, SchemaError, SyncError } from '../../core/errors.ts';
import { counted } from '../../core/text.ts';
import { toDatabaseError } from '../connection/database-error.ts';
import { ADVISORY_LOCKS, withClient, withTransaction } from '../connection/pool.ts';
import { assertEncoding } from '../connection/readiness.ts';
import {
  appliedObjects,
  applyScript,
  objectsOfMigrations,
  type RepeatableScript,
  readScript,
  scriptState,
  viewsOf,
} from './repeatable.ts';
import { DroppedViews } from './replace-view.ts';

// Loaded as CommonJS for the reason given in core/stream/table.ts.
const require = createRequire(import.meta.url);
const { readMigrationFiles }: typeof import('drizzle-orm/migrator') = require('drizzle-orm/migrator');

/** `newer`: the database has migrations that this program does not know. */
export type MigrationState = 'absent' | 'behind' | 'current' | 'newer';

const MIGRATIONS = fileURLToPath(new URL('../../../migrations', import.meta.url));

/** A migrations folder: steps that are applied once, and the script that is applied after every change. */
interface Schema {
  readonly folder: string;
  /** Times of the steps, which identify them (see {@link appliedAt}). Only an upgrade reads the steps themselves. */
  readonly times: readonly number[];
  readonly script: RepeatableScript;
}

/**
 * How long one statement waits for a lock. While a migration waits behind a long query, all later statements wait
 * behind it. So it gives up early and tries again.
 */
const LOCK_TIMEOUT = '3s';
const ATTEMPTS = 10;
const BETWEEN_ATTEMPTS_MS = 2_000;

/**
 * Upgrades the database to this program's schema in one transaction. Safe to call from several processes at once. Keeps
 * views and grants of others that depend on the schema `bi`. `attempts`: how often it waits for locks that others hold.
 * Throws a `SchemaError` if only a person can help.
 */
export async function migrate(
  pool: pg.Pool,
  folder: string = MIGRATIONS,
  { attempts = ATTEMPTS }: { readonly attempts?: number } = {},
): Promise<void> {
  const schema = readFolder(folder);
  // Checked first, so that an up-to-date database requires no rights.
  if ((await withClient(pool, (client) => stateOf(client, schema))) === 'current') return;
  for (let attempt = 1; ; attempt += 1) {
    try {
      await withTransaction(pool, (client) => migrateInTurn(client, schema, pool.options.connectionString));
      return;
    } catch (error) {
      const isLocked = error instanceof SyncError && LOCKED.has(String(error.context.code));
      if (!isLocked) throw error;
      if (attempt === attempts) throw await lockedOut(pool, attempts, error);
      await sleep(BETWEEN_ATTEMPTS_MS);
    }
  }
}

/** The time limit for a lock, and a deadlock with a transaction that locks tables in another order. */
const LOCKED: ReadonlySet<string> = new Set(['55P03', '40P01']);

async function migrateInTurn(client: pg.ClientBase, schema: Schema, url: string | undefined): Promise<void> {
  await assertEncoding(client);
  await client.query('select pg_advisory_xact_lock($1)', [ADVISORY_LOCKS.migration]);
  const before = await stateOf(client, schema);
  if (before === 'newer') {
    throw new SchemaError(
      'the database was migrated by a newer version of security-sync: run that version or a newer one',
    );
  }
  if (before === 'current') return;
  await client.query(`set local lock_timeout = '${LOCK_TIMEOUT}'`);
  await upgrade(client, schema, url);
  if ((await stateOf(client, schema)) !== 'current')
    throw new Error('the migrations did not bring the schema up to date');
}

/** The error after the last attempt, with the sessions that hold locks on our tables. */
async function lockedOut(pool: pg.Pool, attempts: number, error: SyncError): Promise<SchemaError> {
  const { rows } = await withClient(pool, (client) =>
    client.query<{ session: string }>(
      `select distinct format('process %s of %s%s, on %s', a.pid, a.usename, ' (' || nullif(a.application_name, '') || ')',
         string_agg(distinct l.relation::regclass::text, ', ')) as session
       from pg_locks l join pg_class c on c.oid = l.relation join pg_namespace n on n.oid = c.relnamespace
       join pg_stat_activity a on a.pid = l.pid
       where l.granted and c.relkind in ('r', 'v') and n.nspname in ('hss', 'dbss', 'sync', 'bi') and l.pid <> pg_backend_pid()
         and a.xact_start < pg_catalog.now() - interval '3 seconds'
       group by a.pid, a.usename, a.application_name`,
    ),
  );
  const who = rows.map(({ session }) => session).join('; ');
  return new SchemaError(
    `the migration gave up after ${counted(attempts, 'attempt')}, because other sessions hold locks on the tables` +
      `${who === '' ? '' : `: ${who}`}. End them (pg_terminate_backend) or try again later; nothing was changed`,
    error.context,
    { cause: error },
  );
}

async function upgrade(client: pg.ClientBase, schema: Schema, url: string | undefined): Promise<void> {
  try {
    const steps = readMigrationFiles({ migrationsFolder: schema.folder });
    const applied = await appliedAt(client, schema.times);
    const pending = pendingSteps(applied, steps);
    if (applied.size > 0) await ensureJournal(client, steps);
    const before = (await appliedObjects(client)) ?? objectsOfMigrations(steps.flatMap(({ sql }) => sql));
    const wanted = Object.fromEntries(schema.script.objects.map(({ name, hash }) => [name, hash]));
    const dropped = new DroppedViews(client, viewsOf({ ...before, ...wanted }));
    await dropped.remember();
    for (const step of pending) await applyStep(client, steps, { step, dropped });
    await applyScript(client, schema.script, { before, migrated: pending.length > 0, dropped });
    await dropped.restore();
  } catch (error) {
    throw asSchemaError(error, url);
  }
}

/** SQLSTATEs if a view reads a column that a migration changes: 2BP01, or 0A000 for a change of type. */
const VIEW_IN_THE_WAY = /^(2BP01|0A000)$/;

async function applyStep(
  client: pg.ClientBase,
  steps: readonly MigrationMeta[],
  { step, dropped }: Pending,
): Promise<void> {
  await client.query('savepoint step');
  try {
    await runStep(client, step);
  } catch (error) {
    if (!VIEW_IN_THE_WAY.test(codeOf(error))) throw error;
    await client.query('rollback to savepoint step');
    await dropped.drop();
    await runStep(client, step);
  }
  // The first migration creates the schema that contains the journal.
  await ensureJournal(client, steps);
  await recordStep(client, step);
  await client.query('release savepoint step');
}

interface Pending {
  readonly step: MigrationMeta;
  readonly dropped: DroppedViews;
}

async function runStep(client: pg.ClientBase, { sql }: MigrationMeta): Promise<void> {
  for (const statements of sql) await client.query(statements);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

function pendingSteps(applied: ReadonlySet<number>, steps: readonly MigrationMeta[]): readonly MigrationMeta[] {
  const newest = Math.max(0, ...applied);
  const pending = steps.filter(({ folderMillis }) => !applied.has(folderMillis));
  if (pending.some(({ folderMillis }) => folderMillis < newest)) {
    throw new SchemaError(
      'a migration is older than one that was applied before it: generate it again, so that it comes last',
    );
  }
  return pending;
}

/** Compares the database's schema with this program's. */
export async function migrationState(pool: pg.Pool, folder: string = MIGRATIONS): Promise<MigrationState> {
  const schema = readFolder(folder);
  return withClient(pool, (client) => stateOf(client, schema));
}

async function stateOf(client: pg.ClientBase, { times, script }: Schema): Promise<MigrationState> {
  const applied = await appliedAt(client, times);
  if (applied.size === 0) return 'absent';
  const known = new Set(times);
  if ([...applied].some((at) => !known.has(at))) return 'newer';
  if (applied.size < known.size || !(await hasJournal(client))) return 'behind';
  return (await scriptState(client, script)) === 'current' ? 'current' : 'behind';
}

function readFolder(folder: string): Schema {
  if (!existsSync(folder)) throw new SchemaError(`the migrations are missing: there is no ${folder}`);
  const { entries } = journalFile.parse(JSON.parse(readFileSync(join(folder, 'meta', '_journal.json'), 'utf8')));
  return { folder, times: entries.map(({ when }) => when), script: readScript(folder) };
}

/** The part of drizzle-kit's journal of a migrations folder that is read here. */
const journalFile = z.object({ entries: z.array(z.object({ when: z.number() })) });

/** An unreachable server or a missing right is not an error of the migration. */
function asSchemaError(thrown: unknown, url: string | undefined): Error {
  const error = toDatabaseError(thrown, url);
  if (error instanceof SchemaError) return error;
  const elsewhere = error instanceof DatabaseError && !error.message.startsWith('Postgres refused');
  const context = error instanceof SyncError ? error.context : {};
  return elsewhere ? error : new SchemaError(`a migration failed: ${error.message}`, context, { cause: thrown });
}

/**
 * The applied migrations are in `sync.migrations`. Version 0.1 stored them in drizzle's default journal,
 * `drizzle.__drizzle_migrations`. All applications with drizzle in one database share that journal, and each takes the
 * newest row of any of them for its own.
 */
const LEGACY = 'drizzle.__drizzle_migrations';

/**
 * The row that stays in drizzle's journal after the move. Version 0.1 finds an unknown migration and refuses to start.
 * Drizzle finds a row older than any migration, so it applies all migrations of another application.
 */
const MOVED = { hash: 'security-sync moved to sync.migrations', createdAt: 1 };

/**
 * Times (`when` in the journal file) of our applied migrations. The time identifies a migration, not its hash, because
 * a checkout that converts line ends changes the hashes.
 */
export async function appliedAt(client: ClientBase, times: readonly number[]): Promise<ReadonlySet<number>> {
  if (await hasJournal(client)) return new Set(await numbers(client, 'select applied as at from sync.migrations'));
  const [legacy] = await rightsOnLegacy(client);
  if (legacy?.read !== true) return new Set();
  return new Set(
    await numbers(client, `select created_at as at from ${LEGACY} where created_at = any($1::bigint[])`, [times]),
  );
}

/** False for a new database, and for one with migrations in drizzle's journal only. */
export async function hasJournal(client: ClientBase): Promise<boolean> {
  // Not to_regclass, which fails for a role without rights on the schema.
  const { rowCount } = await client.query(
    `select from pg_class where relnamespace = to_regnamespace('sync') and relname = 'migrations'`,
  );
  return rowCount === 1;
}

/** Creates the journal and moves our rows from drizzle's. Rows of other applications stay. */
export async function ensureJournal(client: ClientBase, steps: readonly MigrationMeta[]): Promise<void> {
  if (await hasJournal(client)) return;
  const before = await appliedAt(
    client,
    steps.map(({ folderMillis }) => folderMillis),
  );
  await client.query('create schema if not exists sync');
  await client.query(
    'create table sync.migrations (applied bigint primary key, hash text not null, applied_at timestamptz)',
  );
  const moved = steps.filter(({ folderMillis }) => before.has(folderMillis));
  await client.query(
    'insert into sync.migrations (applied, hash) select * from json_to_recordset($1) as m("folderMillis" bigint, hash text)',
    [JSON.stringify(moved)],
  );
  const [legacy] = await rightsOnLegacy(client);
  if (moved.length === 0 || legacy?.write !== true) return;
  await client.query(`delete from ${LEGACY} where created_at = any($1::bigint[])`, [[...before]]);
  await client.query(`insert into ${LEGACY} (hash, created_at) values ($1, $2)`, [MOVED.hash, MOVED.createdAt]);
}

/** Records an applied migration. */
export async function recordStep(client: ClientBase, { folderMillis, hash }: MigrationMeta): Promise<void> {
  await client.query('insert into sync.migrations (applied, hash, applied_at) values ($1, $2, now())', [
    folderMillis,
    hash,
  ]);
}

async function numbers(client: ClientBase, sql: string, values: readonly unknown[] = []): Promise<readonly number[]> {
  const { rows } = await client.query<{ at: number }>(sql, [...values]);
  return rows.map(({ at }) => Number(at));
}

async function rightsOnLegacy(client: ClientBase): Promise<readonly { read: boolean; write: boolean }[]> {
  const { rows } = await client.query<{ read: boolean; write: boolean }>(
    `select has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select') as read,
       has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'delete')
         and has_table_privilege(c.oid, 'insert') as write
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'drizzle' and c.relname = '__drizzle_migrations'`,
  );
  return rows;
}
