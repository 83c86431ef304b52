import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { SchemaError } from '../../src/core/errors.ts';
import { createPool } from '../../src/postgres/connection/pool.ts';
import { assertFit } from '../../src/postgres/connection/readiness.ts';
import { migrate, migrationState } from '../../src/postgres/schema/migrate.ts';
import { CLOCK_SCHEMA } from '../support/clock.ts';
import { migrationsFolder } from '../support/migrations-folder.ts';
import { createDatabaseOfTest } from '../support/postgres.ts';

const SCHEMAS = ['bi', 'dbss', 'drizzle', 'hss', 'sync'];
const empty = () => createDatabaseOfTest({ empty: true });

/** A migrations folder of one step per text, the first at second 1. */
async function folderOf(steps: readonly string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'migrations-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const entries = steps.map((_, idx) => ({
    idx,
    version: '7',
    when: (idx + 1) * 1000,
    tag: `000${idx}`,
    breakpoints: true,
  }));
  await cp(new URL('../../migrations/meta', import.meta.url), join(folder, 'meta'), { recursive: true });
  await writeFile(
    join(folder, 'meta', '_journal.json'),
    JSON.stringify({ version: '7', dialect: 'postgresql', entries }),
  );
  for (const [idx, text] of steps.entries()) await writeFile(join(folder, `000${idx}.sql`), text);
  return folder;
}

describe('the committed migrations', () => {
  test('bring an empty database to the current state, once', async () => {
    const { pool } = await empty();
    expect(await migrationState(pool)).toBe('absent');
    await migrate(pool);
    expect(await migrationState(pool)).toBe('current');
    await migrate(pool);
    const journal = JSON.parse(await readFile(new URL('../../migrations/meta/_journal.json', import.meta.url), 'utf8'));
    const applied = await pool.query('select count(*) as n from sync.migrations');
    expect(applied.rows).toEqual([{ n: journal.entries.length }]);
  });

  test('may be applied by three processes at once', async () => {
    const { url } = await empty();
    const pools = Array.from({ length: 3 }, () => createPool(url, { max: 1, applicationName: 'test' }));
    const outcomes = await Promise.allSettled(pools.map((one) => migrate(one)));
    await Promise.all(pools.map((one) => one.end()));
    expect(outcomes.map((outcome) => outcome.status)).toEqual(Array(3).fill('fulfilled'));
  });

  test('keep to the schemas that are ours', async () => {
    const { pool } = await createDatabaseOfTest();
    const { rows } = await pool.query<{ name: string }>(
      "select nspname as name from pg_namespace where nspname !~ '^pg_' and nspname not in ('public', 'information_schema', $1)",
      [CLOCK_SCHEMA],
    );
    expect(SCHEMAS).toEqual(expect.arrayContaining(rows.map(({ name }) => name)));
  });
});

test('a database that lacks the newest step is behind', async () => {
  const { pool } = await empty();
  await migrate(pool, await folderOf(['select 1', 'select 2']));
  expect(await migrationState(pool, await folderOf(['select 1', 'select 2', 'select 3']))).toBe('behind');
});

test('a database with steps this program does not know is refused, and left as it is', async () => {
  const { pool } = await empty();
  await migrate(pool, await folderOf(['select 1', 'select 2']));
  const older = await folderOf(['select 1']);
  expect(await migrationState(pool, older)).toBe('newer');
  await expect(migrate(pool, older)).rejects.toThrow(/migrated by a newer version of security-sync/);
  await expect(migrate(pool, older)).rejects.toBeInstanceOf(SchemaError);
});

test('a failed step is a SchemaError with the reason, and is rolled back', async () => {
  const { pool } = await empty();
  const broken = await folderOf(['create table public.half ();--> statement-breakpoint\nselect 1 / 0']);
  await expect(migrate(pool, broken)).rejects.toThrow(/a migration failed: .*division by zero/);
  expect((await pool.query("select to_regclass('public.half') as half")).rows).toEqual([{ half: null }]);
  expect(await migrationState(pool, broken)).toBe('absent');
});

test('a missing folder is reported by name', async () => {
  const { pool } = await empty();
  await expect(migrate(pool, '/nowhere/migrations')).rejects.toThrow('there is no /nowhere/migrations');
});

test('a migration that waits behind a long query gives up its place in the lock queue and retries, so that others continue', async () => {
  const { pool } = await createDatabaseOfTest();
  const next = await migrationsFolder({ more: ['alter table hss.protected_clusters add column one int'] });
  const reader = await pool.connect();
  await reader.query('begin; select count(*) from hss.protected_clusters');
  const migrating = migrate(pool, next);
  const waiting = async () =>
    (await pool.query("select from pg_locks where not granted and relation = 'hss.protected_clusters'::regclass"))
      .rowCount;
  await expect.poll(waiting, { timeout: 5_000 }).toBe(1);
  // A query that comes now would wait behind the migration for as long as the reader takes.
  await pool.query('select count(*) from hss.protected_clusters');
  await reader.query('commit');
  reader.release();
  await migrating;
  expect(await migrationState(pool, next)).toBe('current');
}, 30_000);

test('a migration whose locks and those of a transaction wait for each other is tried again', async () => {
  const { pool } = await createDatabaseOfTest();
  const next = await migrationsFolder({
    more: ['alter table hss.protected_clusters add column one int; alter table hss.quotas add column one int'],
  });
  const reader = await pool.connect();
  await reader.query("begin; set local deadlock_timeout = '1min'; select count(*) from hss.quotas");
  const migrating = migrate(pool, next);
  const waiting = async () =>
    (await pool.query("select from pg_locks where not granted and relation = 'hss.quotas'::regclass")).rowCount;
  await expect.poll(waiting, { timeout: 5_000 }).toBe(1);
  // Now both wait for each other, and Postgres ends the migration, which notices the deadlock first.
  await reader.query('select count(*) from hss.protected_clusters');
  await reader.query('commit');
  reader.release();
  await migrating;
  expect(await migrationState(pool, next)).toBe('current');
}, 30_000);

test('a migration that gives up names the session that holds the lock, and changes nothing', async () => {
  const { pool } = await createDatabaseOfTest();
  const next = await migrationsFolder({ more: ['alter table hss.protected_clusters add column one int'] });
  const reader = await pool.connect();
  await reader.query("set application_name = 'nightly report'");
  await reader.query('begin; select count(*) from hss.protected_clusters');
  const { rows } = await reader.query<{ session: string }>(
    "select format('process %s of %s (nightly report)', pg_backend_pid(), current_user) as session",
  );
  const refusal = await migrate(pool, next, { attempts: 1 }).catch((error: unknown) => String(error));
  await reader.query('rollback');
  reader.release();
  expect(refusal).toBe(
    'SchemaError: the migration gave up after 1 attempt, because other sessions hold locks on the tables: ' +
      `${rows[0]?.session}, on hss.protected_clusters. End them (pg_terminate_backend) or try again later; nothing was changed`,
  );
  expect(await migrationState(pool, next)).toBe('behind');
}, 30_000);

test('a database whose encoding cannot hold Chinese names is refused with the way out', async () => {
  const { pool, url, name } = await empty();
  const latin = `${name}_latin1`;
  await pool.query(`create database ${latin} encoding 'LATIN1' locale_provider libc locale 'C' template template0`);
  const target = new URL(url);
  target.pathname = latin;
  const other = createPool(target.href, { max: 4, applicationName: 'test' });
  const refusals = [migrate(other), assertFit(other)].map((one) => one.catch((error: unknown) => String(error)));
  expect(await Promise.all(refusals)).toEqual([
    expect.stringMatching(/SchemaError: .* is encoded LATIN1, .* ENCODING 'UTF8'/),
    expect.stringMatching(/SchemaError: .* is encoded LATIN1, .* ENCODING 'UTF8'/),
  ]);
  await other.end();
  await pool.query(`drop database ${latin}`);
});
