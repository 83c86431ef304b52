import type { TestProject } from 'vitest/node';
import { createPool } from '../../src/postgres/connection/pool.ts';
import { migrate } from '../../src/postgres/schema/migrate.ts';
import { bindViews, clockOf, installClock } from './clock.ts';
import { startTestServer } from './database-server.ts';
import { type Clone, databaseName, dropDatabase, dropOldDatabases, withAdmin } from './databases.ts';

declare module 'vitest' {
  interface ProvidedContext {
    readonly postgres: Pick<Clone, 'template' | 'strategy'> & { readonly serverUrl: string };
  }
}

/** One server for the run and one migrated template, which every test file clones. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startTestServer();
  const template = databaseName('template');
  await withAdmin(server.url, async (admin) => {
    await dropOldDatabases(admin);
    await admin.query(`create database ${template}`);
    // Before the migrations, so that defaults and views mean this clock as well.
    await admin.query(clockOf(template, 0));
  });
  const url = new URL(server.url);
  url.pathname = template;
  await withAdmin(url.href, installClock);
  const pool = createPool(url.href, { max: 1, applicationName: 'test-template' });
  await migrate(pool).finally(() => pool.end());
  await withAdmin(url.href, bindViews);
  project.provide('postgres', { serverUrl: server.url, template, strategy: server.strategy });
  return async () => {
    await withAdmin(server.url, (admin) => dropDatabase(admin, template));
    await server.stop();
  };
}
