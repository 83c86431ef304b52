import { expect, onTestFinished, test } from 'vitest';
import { startSandbox } from '../../src/sandbox/server/server.ts';
import { HOSTS, OF_EVERY_KIND } from '../support/engine.ts';
import { outage } from '../support/outage.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { readyOf, startReplica, writeConfig } from '../support/replica.ts';
import { startProxy } from '../support/tcp-proxy.ts';

const { pool, url } = await createTestDatabase();

/** A list beyond a page, short ones, and one that belongs to the rows of another. */
const SHORT = OF_EVERY_KIND.filter(({ name }) => /^dbss|cluster/.test(name));
const ONE = ['hss_cluster_events'];

test('during a database outage the service keeps running, reports it, and recovers by itself', async () => {
  await outage({ pool, url, awayMs: 2_000, streams: SHORT });
});

test('the service waits for a database that starts a little later', async () => {
  const sandbox = await startSandbox({ hosts: HOSTS, events: 10, vulnerabilities: 2 });
  onTestFinished(() => sandbox.close());
  const direct = new URL(url);
  const proxy = await startProxy(direct.hostname, Number(direct.port));
  await proxy.cut();
  direct.port = String(proxy.port);
  direct.hostname = '127.0.0.1';
  const replica = await startReplica(await writeConfig({ databaseUrl: direct.href, sandbox, streams: ONE }));
  await expect.poll(() => readyOf(replica)).toMatchObject({ checks: { service: 'starting' } });
  await proxy.restore();
  await expect.poll(() => readyOf(replica)).toBe('ready');
  expect(await replica.stop()).toBe(0);
});

test('a stop during an outage does not wait for the database', async () => {
  const sandbox = await startSandbox({ hosts: HOSTS, events: 10, vulnerabilities: 2 });
  onTestFinished(() => sandbox.close());
  const direct = new URL(url);
  const proxy = await startProxy(direct.hostname, Number(direct.port));
  direct.port = String(proxy.port);
  direct.hostname = '127.0.0.1';
  const replica = await startReplica(
    await writeConfig({ databaseUrl: direct.href, sandbox, streams: ONE, schedule: '*/2 * * * * *' }),
  );
  await expect.poll(() => readyOf(replica)).toBe('ready');
  await expect.poll(() => sandbox.requests.count('ListClusterEvents')).toBeGreaterThan(0);
  await proxy.cut();
  const began = performance.now();
  expect(await replica.stop()).toBe(0);
  expect(performance.now() - began).toBeLessThan(10_000);
});

test('after an outage of two minutes the content is at most two minutes older', async () => {
  await outage({ pool, url, awayMs: 120_000 });
});
