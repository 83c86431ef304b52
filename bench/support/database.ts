import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { createPool } from '../../src/postgres/connection/pool.ts';
import { startEmbeddedPostgres } from '../../src/postgres/embedded/server.ts';
import { migrate } from '../../src/postgres/schema/migrate.ts';

export interface BenchServer {
  readonly url: string;
  /** Provides a new, migrated database and drops it afterwards. */
  withDatabase<T>(fn: (pool: pg.Pool, url: string) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/**
 * BENCH_DATABASE_URL, else the embedded server with Postgres' default settings, including durable commits as in
 * production.
 */
export async function openServer(): Promise<BenchServer> {
  const given = process.env.BENCH_DATABASE_URL;
  const directory = join(tmpdir(), `security-sync-bench-${userInfo().uid}`, 'postgres');
  const embedded = given === undefined ? await startEmbeddedPostgres(directory) : null;
  const url = given ?? embedded?.url ?? '';
  const admin = new pg.Client({ connectionString: url });
  await admin.connect();
  let made = 0;
  return {
    url,
    async withDatabase(fn) {
      made += 1;
      const name = `security_sync_bench_${process.pid}_${made}`;
      await admin.query(`create database ${name}`);
      const own = new URL(url);
      own.pathname = name;
      const pool = createPool(own.href, { max: 6, applicationName: 'bench' });
      try {
        await migrate(pool);
        return await fn(pool, own.href);
      } finally {
        await pool.end();
        await admin.query(`drop database ${name} with (force)`);
      }
    },
    async close() {
      await admin.end();
      await embedded?.release();
    },
  };
}
