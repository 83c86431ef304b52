import { expect, onTestFinished, test } from 'vitest';
import { startSandbox } from '../../src/sandbox/server/server.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { startReplica, writeConfig } from '../support/replica.ts';

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

test('old code with a newer schema exits with 3 and one line', async () => {
  await newer.pool.query("insert into sync.migrations (hash, applied) values ('of tomorrow', 4102444800000)");
  const replica = await startReplica(await writeConfig({ databaseUrl: newer.url, sandbox: await sandboxOf() }));
  expect(await replica.ended).toBe(3);
  expect(replica.output()).toContain(
    'security-sync: the database was migrated by a newer version of security-sync: run that version or a newer one',
  );
  expect(replica.output()).not.toContain('    at ');
});
