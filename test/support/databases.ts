import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { machineNow } from './clock.ts';

const PREFIX = 'security_sync_test_';

/** A name that says when it was made by the clock of the machine, so that a later run can clear away what failed runs kept. */
export function databaseName(purpose: string): string {
  return `${PREFIX}${Math.floor(machineNow() / 1000)}_${purpose}_${randomBytes(4).toString('hex')}`;
}

export async function withAdmin<T>(serverUrl: string, fn: (admin: pg.Client) => Promise<T>): Promise<T> {
  const admin = new pg.Client({ connectionString: serverUrl });
  await admin.connect();
  try {
    return await fn(admin);
  } finally {
    await admin.end();
  }
}

export async function dropDatabase(admin: pg.Client, name: string): Promise<void> {
  await admin.query(`drop database if exists ${name} with (force)`);
}

/** Names of the databases of this run, and of earlier ones that failed. */
export async function testDatabases(admin: pg.Client): Promise<readonly string[]> {
  const { rows } = await admin.query<{ name: string }>(
    'select datname as name from pg_database where datname like $1',
    [`${PREFIX.replaceAll('_', '\\_')}%`],
  );
  return rows.map(({ name }) => name);
}

/** Databases of failed tests stay for a day. */
export async function dropOldDatabases(admin: pg.Client): Promise<void> {
  const oldest = machineNow() / 1000 - 86_400;
  for (const name of await testDatabases(admin)) {
    if (Number(name.slice(PREFIX.length).split('_')[0]) < oldest) await dropDatabase(admin, name);
  }
}

/** A database to be made. */
export interface Clone {
  readonly name: string;
  readonly template: string;
  readonly strategy: 'file_copy' | 'wal_log';
}

/** Clones the template. Postgres refuses while the last connection to it is still closing. */
export async function cloneDatabase(admin: pg.Client, { name, template, strategy }: Clone): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await admin.query(`create database ${name} template ${template} strategy ${strategy}`);
      return;
    } catch (error) {
      const busy = error instanceof pg.DatabaseError && error.code === '55006';
      if (!busy || attempt === 50) throw error;
      await new Promise((done) => setTimeout(done, 50));
    }
  }
}
