import type { MigrationMeta } from 'drizzle-orm/migrator';
import type { ClientBase } from 'pg';

/**
 * Which migrations were applied: `sync.migrations`, a table of our own. Version 0.1 kept its rows in drizzle's default
 * journal, `drizzle.__drizzle_migrations`, which all applications with drizzle in one database share: each takes the
 * newest row of any of them for its own.
 */
const LEGACY = 'drizzle.__drizzle_migrations';

/**
 * What stays in drizzle's journal after the move. Version 0.1 meets a migration that it does not know and refuses to start;
 * drizzle finds a row older than any migration, so it applies all migrations of another application.
 */
const MOVED = { hash: 'security-sync moved to sync.migrations', createdAt: 1 };

/**
 * Times (`when` in the journal file) of those migrations of ours that were applied. They are told apart by that time, not
 * by their hash: a checkout that converts line ends has other hashes.
 */
export async function appliedAt(client: ClientBase, steps: readonly MigrationMeta[]): Promise<ReadonlySet<number>> {
  if (await hasJournal(client)) return new Set(await numbers(client, 'select applied as at from sync.migrations'));
  const [legacy] = await rightsOnLegacy(client);
  if (legacy?.read !== true) return new Set();
  const ours = steps.map(({ folderMillis }) => folderMillis);
  return new Set(
    await numbers(client, `select created_at as at from ${LEGACY} where created_at = any($1::bigint[])`, [ours]),
  );
}

/** False for a database that is new or still keeps its migrations in drizzle's journal. */
export async function hasJournal(client: ClientBase): Promise<boolean> {
  // Not to_regclass: it fails for a role that may not use the schema.
  const { rowCount } = await client.query(
    `select from pg_class where relnamespace = to_regnamespace('sync') and relname = 'migrations'`,
  );
  return rowCount === 1;
}

/** Makes the journal and moves our rows from drizzle's over. Rows of other applications stay as they are. */
export async function ensureJournal(client: ClientBase, steps: readonly MigrationMeta[]): Promise<void> {
  if (await hasJournal(client)) return;
  const before = await appliedAt(client, steps);
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

/** Remembers that a migration was applied. */
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
