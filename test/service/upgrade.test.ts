import { expect, onTestFinished, test } from 'vitest';
import { installQueue } from '../../src/postgres/coordination/lane-queue.ts';
import { startSandbox } from '../../src/sandbox/server/server.ts';
import { READ_BY_DEFAULT } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { createRoles } from '../support/reader.ts';
import { readyOf, startReplica, writeConfig } from '../support/replica.ts';

const newer = await createTestDatabase();
const granted = await createTestDatabase();

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

test('old code with a newer schema exits with 3 and one line', async () => {
  await newer.pool.query("insert into sync.migrations (hash, applied) values ('of tomorrow', 4102444800000)");
  const replica = await startReplica(await writeConfig({ databaseUrl: newer.url, sandbox: await sandboxOf() }));
  expect(await replica.ended).toBe(3);
  expect(replica.output()).toContain(
    'security-sync: the database was migrated by a newer version of security-sync: run that version or a newer one',
  );
  expect(replica.output()).not.toContain('    at ');
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
  expect(replica.output()).not.toMatch(/permission denied|must be owner|lacks a right/);
});
