import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { sync } from '../../src/cli/run.ts';
import { status } from '../../src/cli/status.ts';
import { biViews } from '../../src/postgres/schema/repeatable.ts';
import { startSandbox } from '../../src/sandbox/server/server.ts';
import { streams } from '../../src/streams/index.ts';
import { directoryFor } from '../support/cli.ts';
import { capturing } from '../support/cli-context.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { wipe } from '../support/world.ts';

/** Account and region are names that the configuration gives; what is stored follows when it gives others. */

const database = await createTestDatabase();
const { pool } = database;
const query = async (sql: string) => (await pool.query<Record<string, unknown>>(sql)).rows;
/** Views of rows, not of streams. */
const VIEWS = biViews(streams).filter(({ columns }) => 'account' in columns);

async function synced(names: { readonly account: string; readonly region: string }, url: string) {
  const directory = await directoryFor({ sandbox: { url }, databaseUrl: database.url });
  const file = join(directory, 'security-sync.yaml');
  const text = await readFile(file, 'utf8');
  await writeFile(
    file,
    text.replace('name: test', `name: ${names.account}`).replace(/region: [\w-]+/, `region: ${names.region}`),
  );
  const { context } = capturing(file);
  expect(await sync(context, [], {})).toBe(0);
  return file;
}

async function scopesOfViews() {
  const all = await Promise.all(
    VIEWS.map(async ({ name }) =>
      (await query(`select distinct account, region from bi.${name}`)).map((row) => ({ view: name, ...row })),
    ),
  );
  return all.flat();
}

beforeEach(async () => {
  await wipe(database);
});

test('after an account and its region were renamed in the configuration, every view shows the new names for old rows', async () => {
  const sandbox = await startSandbox({
    hosts: 6,
    clusters: 3,
    events: 60,
    vulnerabilities: 8,
    instances: 1,
    reports: 5,
  });
  onTestFinished(() => sandbox.close());
  await synced({ account: 'default', region: 'cn-north-4' }, sandbox.url);
  await pool.query(
    `insert into sync.enterprise_projects (account, id, name, enabled, seen_at)
     select distinct 'default', enterprise_project_id, 'Shop', true, now() from hss.cluster_events`,
  );
  const before = await scopesOfViews();
  const counts = () => Promise.all(VIEWS.map(({ name }) => query(`select count(*)::int as n from bi.${name}`)));
  const rows = (await counts()).flat();
  expect(before).not.toHaveLength(0);

  const file = await synced({ account: 'prod', region: 'cn-north-9' }, sandbox.url);
  expect(await scopesOfViews()).toEqual(before.map((row) => ({ ...row, account: 'prod', region: 'cn-north-9' })));
  expect((await counts()).flat().filter((_, index) => VIEWS[index]?.name !== 'sync_runs')).toEqual(
    rows.filter((_, index) => VIEWS[index]?.name !== 'sync_runs'),
  );
  expect(await query('select distinct enterprise_project from bi.cluster_events')).toEqual([
    { enterprise_project: 'Shop' },
  ]);
  // The sandbox writes the region it is asked for into the records of instances.
  const written =
    "select sum(updated)::int as rows from sync.runs where account = 'prod' and stream <> 'dbss_audit_instances'";
  expect(await query(written)).toEqual([{ rows: 0 }]);
  expect(await query('select count(*)::int as edits from sync.hand_edits')).toEqual([{ edits: 0 }]);
  const answer = capturing(file);
  expect(await status(answer.context, {})).toBe(0);
  expect(answer.text).toContain('Account prod, cn-north-9,');
  expect(answer.text).not.toContain('default');
});
