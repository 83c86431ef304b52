import type pg from 'pg';
import { afterAll, inject, onTestFinished, type TestContext } from 'vitest';
import { createPool } from '../../src/postgres/connection/pool.ts';
import { aheadMs, clockOf, installClock } from './clock.ts';
import { cloneDatabase, databaseName, dropDatabase, withAdmin } from './databases.ts';

/** Tables that tests may empty: all of ours but those that say which migrations and views the database has. */
export const EMPTIED_TABLES =
  "pg_tables where schemaname in ('hss', 'dbss', 'sync') and tablename not in ('migrations', 'schema_scripts')";

export interface TestDatabase {
  readonly name: string;
  readonly url: string;
  readonly pool: pg.Pool;
}

interface CloneOptions {
  readonly max?: number;
  /** An empty database instead of a clone of the migrated one. */
  readonly empty?: boolean;
}

/**
 * A database of its own, with the clock of the tests, for the calling test file: `const { pool } = await createTestDatabase()` at its top level. It is
 * dropped at the end of the file if every test in it passed; otherwise it stays, and its URL is printed.
 */
export async function createTestDatabase(options: CloneOptions = {}): Promise<TestDatabase> {
  const { database, end } = await makeDatabase(options);
  // biome-ignore lint/correctness/noEmptyPattern: vitest accepts nothing but a pattern as the first parameter.
  afterAll(({}, suite) => end(suite));
  return database;
}

/** The same for one test, which calls it: for tests that change the schema. */
export async function createDatabaseOfTest(options: CloneOptions = {}): Promise<TestDatabase> {
  const { database, end } = await makeDatabase(options);
  onTestFinished(({ task }) => end(task));
  return database;
}

interface Made {
  readonly database: TestDatabase;
  readonly end: (task: Readonly<Task>) => Promise<void>;
}

async function makeDatabase(options: CloneOptions): Promise<Made> {
  const { serverUrl, template, strategy } = inject('postgres');
  const name = databaseName('file');
  await withAdmin(serverUrl, async (admin) => {
    await cloneDatabase(admin, { name, template: options.empty ? 'template0' : template, strategy });
    await admin.query(clockOf(name, aheadMs()));
  });
  const url = new URL(serverUrl);
  url.pathname = name;
  if (options.empty) await withAdmin(url.href, installClock);
  const pool = createPool(url.href, { max: options.max ?? 10, applicationName: 'test' });
  const end: Made['end'] = async (task) => {
    await pool.end();
    if (hasFailed(task)) console.warn(`kept for inspection: ${url.href}`);
    else await withAdmin(serverUrl, (admin) => dropDatabase(admin, name));
  };
  return { database: { name, url: url.href, pool }, end };
}

type Task = TestContext['task'] | TestContext['task']['file'] | NonNullable<TestContext['task']['suite']>;

function hasFailed(task: Readonly<Task>): boolean {
  return task.result?.state === 'fail' || ('tasks' in task && task.tasks.some(hasFailed));
}
