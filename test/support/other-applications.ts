import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import type pg from 'pg';
import { PgBoss } from 'pg-boss';
import { onTestFinished } from 'vitest';
import type { TestDatabase } from './postgres.ts';

/** Migrates as version 0.1 did: by drizzle's own migrator, with its default journal. */
export async function migrateByDrizzle(pool: pg.Pool, folder: string): Promise<void> {
  await migrate(drizzle(pool), { migrationsFolder: folder });
}

/** Deploys another application that uses drizzle: one migration for each time, which makes a table of its name. */
export async function deployOther(pool: pg.Pool, migrations: Readonly<Record<string, string>>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'other-migrations-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const entries = Object.entries(migrations).map(([tag, at], idx) => ({
    idx,
    version: '7',
    when: Date.parse(at),
    tag,
    breakpoints: true,
  }));
  await mkdir(join(folder, 'meta'));
  await writeFile(
    join(folder, 'meta', '_journal.json'),
    JSON.stringify({ version: '7', dialect: 'postgresql', entries }),
  );
  for (const { tag } of entries) await writeFile(join(folder, `${tag}.sql`), `create table public.${tag} (id int)`);
  await migrateByDrizzle(pool, folder);
}

/** The queue of version 0.1, or of another application: pg-boss in its default schema, with one queue and one job. */
export async function startDefaultQueue({ url }: TestDatabase, queue: string): Promise<void> {
  const boss = new PgBoss({ connectionString: url, schedule: false, supervise: false });
  await boss.start();
  await boss.createQueue(queue);
  await boss.send(queue, { account: 'a', stream: 's' });
  await boss.stop({ graceful: false });
}
