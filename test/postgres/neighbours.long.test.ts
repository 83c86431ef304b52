import { describe, expect, it } from 'vitest';
import { installQueue, QUEUE_SCHEMA } from '../../src/postgres/coordination/lane-queue.ts';
import { migrate, migrationState } from '../../src/postgres/schema/migrate.ts';
import { shareQueue } from '../../src/postgres/schema/roles.ts';
import { migrationsFolder } from '../support/migrations-folder.ts';
import { deployOther, migrateByDrizzle, startDefaultQueue } from '../support/other-applications.ts';
import { createDatabaseOfTest, createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { createRoles } from '../support/reader.ts';

const granted = await createTestDatabase();
const { owner, writer, names } = await createRoles(granted);

let database: TestDatabase;

/** A migrated database for the test that calls this, or an empty one. */
async function open(options: { readonly empty?: boolean } = {}): Promise<void> {
  database = await createDatabaseOfTest(options);
}

const rows = async (sql: string) => (await database.pool.query(sql)).rows;
const journal = () => rows('select created_at::text as at from drizzle.__drizzle_migrations order by created_at');

/** Six migrations in the journal of drizzle, and the queue in the default schema of pg-boss. */
async function installVersion01(): Promise<void> {
  await migrateByDrizzle(database.pool, await migrationsFolder({ first: 6, script: null }));
  await startDefaultQueue(database, 'lanes');
}

describe('in a database with another application that uses drizzle', () => {
  it('is installed after it, and leaves its journal alone', async () => {
    await open({ empty: true });
    await deployOther(database.pool, { theirs: '2026-03-01' });
    const before = await journal();
    await migrate(database.pool);
    expect(await migrationState(database.pool)).toBe('current');
    expect(await journal()).toEqual(before);
  });

  it('is installed before it, and the older migrations of the other are applied', async () => {
    await open();
    await deployOther(database.pool, { theirs: '2026-03-01' });
    expect(await rows(`select to_regclass('public.theirs') is not null as there`)).toEqual([{ there: true }]);
  });

  it('stays current when the other is deployed again with newer migrations', async () => {
    await open();
    await deployOther(database.pool, { theirs: '2026-03-01', more: '2038-03-01' });
    expect(await migrationState(database.pool)).toBe('current');
    await migrate(database.pool);
  });
});

describe('a database of version 0.1', () => {
  it('moves its rows out of the journal of drizzle, in which another application has rows', async () => {
    await open({ empty: true });
    await deployOther(database.pool, { theirs: '2025-03-01' });
    await installVersion01();
    expect(await migrationState(database.pool)).toBe('behind');
    await migrate(database.pool);
    expect(await migrationState(database.pool)).toBe('current');
    // Their row, and one that makes version 0.1 refuse to start.
    expect(await journal()).toEqual([{ at: '1' }, { at: String(Date.parse('2025-03-01')) }]);
    expect(await rows('select count(*)::int as n from sync.migrations where applied_at is null')).toEqual([{ n: 6 }]);
    await deployOther(database.pool, { theirs: '2025-03-01', more: '2025-04-01' });
    expect(await rows(`select to_regclass('public.more') is not null as there`)).toEqual([{ there: true }]);
  });

  it('moves its queue to a schema of its own and changes nothing in the schema pgboss', async () => {
    await open({ empty: true });
    await installVersion01();
    await startDefaultQueue(database, 'theirs');
    const before = await rows('select name, state, data from pgboss.job order by name');
    const version = await rows('select version from pgboss.version');
    await migrate(database.pool);
    await installQueue(database.url);
    expect(await rows('select name, state, data from pgboss.job order by name')).toEqual(before);
    expect(await rows('select version from pgboss.version')).toEqual(version);
    expect(await rows(`select name from ${QUEUE_SCHEMA}.queue`)).toEqual([]);
  });
});

it('the writer role may use the queue that migrate made, without roles being given again', async () => {
  const asOwner = new URL(granted.url);
  asOwner.username = names.owner;
  asOwner.password = names.owner.replace('owner_', '');
  await installQueue(asOwner.href);
  await shareQueue(owner);
  await writer.query(`delete from ${QUEUE_SCHEMA}.job where false`);
  await writer.query(`select ${QUEUE_SCHEMA}.create_queue('lanes-a', '{"policy": "exclusive"}')`);
  await writer.query(`insert into ${QUEUE_SCHEMA}.job (name) values ('lanes-a')`);
});
