import { expect, onTestFinished, test } from 'vitest';
import { installQueue } from '../../src/postgres/coordination/lane-queue.ts';
import { migrationState } from '../../src/postgres/schema/migrate.ts';
import { startSandbox } from '../../src/sandbox/server/server.ts';
import { READ_BY_DEFAULT } from '../support/engine.ts';
import { migrationsFolder } from '../support/migrations-folder.ts';
import { migrateByDrizzle } from '../support/other-applications.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { createRoles } from '../support/reader.ts';
import { readyOf, startReplica, writeConfig } from '../support/replica.ts';

const old = await createTestDatabase({ empty: true });
const granted = await createTestDatabase();
const newer = await createTestDatabase();

const sandboxOf = async () => {
  const sandbox = await startSandbox({
    hosts: 2,
    clusters: 4,
    events: 50,
    vulnerabilities: 4,
    instances: 1,
    reports: 5,
  });
  onTestFinished(() => sandbox.close());
  return sandbox;
};

test('a database of the first version with rows in it is migrated while two replicas start at once', async () => {
  await migrateByDrizzle(old.pool, await migrationsFolder({ first: 1, script: null }));
  await old.pool.query(
    `insert into hss.protected_clusters (project_id, region, account, cluster_id, _hash, _first_seen_at, _changed_at)
     values ('another', 'r', 'a', 'kept', '', now(), now())`,
  );
  const configFile = await writeConfig({
    databaseUrl: old.url,
    sandbox: await sandboxOf(),
    streams: ['hss_protected_clusters'],
  });
  const replicas = await Promise.all([startReplica(configFile), startReplica(configFile)]);
  await expect.poll(() => Promise.all(replicas.map(readyOf))).toEqual(['ready', 'ready']);
  expect(await migrationState(old.pool)).toBe('current');
  expect(
    (await old.pool.query("select cluster_id from hss.protected_clusters where project_id = 'another'")).rows,
  ).toEqual([{ cluster_id: 'kept' }]);
  expect(await Promise.all(replicas.map((replica) => replica.stop()))).toEqual([0, 0]);
});

test('the service runs as the writer role, which may not create or drop anything', async () => {
  await installQueue(granted.url);
  const { writer, names } = await createRoles(granted);
  await expect(writer.query('create table sync.mine (id int)')).rejects.toThrow('permission denied');
  const databaseUrl = new URL(granted.url);
  databaseUrl.username = names.writer;
  databaseUrl.password = names.writer.replace('writer_', '');
  const more = ['retention: { runs: 1d, rejects: 1d, history: 1d }'];
  const replica = await startReplica(
    await writeConfig({ databaseUrl: databaseUrl.href, sandbox: await sandboxOf(), more }),
    { LOG_LEVEL: 'debug' },
  );
  await expect.poll(() => readyOf(replica)).toBe('ready');
  const succeeded = async () =>
    (await granted.pool.query("select distinct stream from sync.runs where status = 'succeeded'")).rowCount;
  await expect.poll(succeeded).toBe(READ_BY_DEFAULT.length);
  expect((await fetch(replica.url)).status).toBe(200);
  expect(await (await fetch(`${replica.url}/metrics`)).text()).toMatch(/^security_sync_database_up 1$/m);
  expect(await replica.stop()).toBe(0);
  expect(replica.output()).not.toMatch(/permission denied|must be owner|lacks a privilege/);
});

test('old code with a newer schema exits with 3 and one line', async () => {
  await newer.pool.query("insert into sync.migrations (hash, applied) values ('of tomorrow', 4102444800000)");
  const replica = await startReplica(await writeConfig({ databaseUrl: newer.url, sandbox: await sandboxOf() }));
  expect(await replica.ended).toBe(3);
  expect(replica.output()).toContain(
    'security-sync: the database was migrated by a newer version of security-sync: run that version or a newer one',
  );
  expect(replica.output()).not.toContain('    at ');
});
