import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import { expect, onTestFinished } from 'vitest';
import type { Stream } from '../../src/core/stream/stream.ts';
import { startSandbox } from '../../src/sandbox/server/server.ts';
import { HOSTS, READ_BY_DEFAULT } from './engine.ts';
import { doubleVersions, overlappingRuns } from './order.ts';
import { readyOf, startReplica, writeConfig } from './replica.ts';
import { startProxy } from './tcp-proxy.ts';
import { unshown } from './truth.ts';

export interface Outage {
  readonly pool: Pool;
  readonly url: string;
  readonly awayMs: number;
  /** What the service reads: everything that is read by default when absent. */
  readonly streams?: readonly Stream[];
}

/** Takes the database away from a service in the middle of its work, for a while, and asks for everything it promised. */
export async function outage({ pool, url, awayMs, streams = READ_BY_DEFAULT }: Outage): Promise<void> {
  const sandbox = await startSandbox({
    hosts: HOSTS,
    clusters: 6,
    events: 1_000,
    vulnerabilities: 8,
    instances: 2,
    reports: 30,
    latencyMs: 200,
    // Handling histories of vulnerabilities that are still open are asked for weekly; what changes there is not due here.
    churnMix: { event: 60, handled: 20, report: 10, rescan: 10 },
  });
  onTestFinished(() => sandbox.close());
  const direct = new URL(url);
  const proxy = await startProxy(direct.hostname, Number(direct.port));
  const throughProxy = new URL(url);
  throughProxy.hostname = '127.0.0.1';
  throughProxy.port = String(proxy.port);
  const configFile = await writeConfig({
    databaseUrl: throughProxy.href,
    sandbox,
    streams: streams.map(({ name }) => name),
    // Two dozen lists are asked for in ten seconds and more.
    schedule: streams.length > 10 ? '*/15 * * * * *' : '*/3 * * * * *',
  });
  const replica = await startReplica(configFile);
  await expect.poll(() => readyOf(replica)).toBe('ready');
  await expect.poll(() => sandbox.requests.count('ListClusterEvents')).toBeGreaterThan(3);

  await proxy.cut();
  await expect
    .poll(() => readyOf(replica))
    .toMatchObject({ ready: false, checks: { database: expect.stringContaining(`127.0.0.1:${proxy.port}`) } });
  expect(JSON.stringify(await readyOf(replica))).not.toContain(direct.password);
  expect((await fetch(`${replica.url}/livez`)).status).toBe(200);
  const page = await fetch(replica.url);
  expect(page.status).toBe(503);
  expect(await page.text()).toContain('no Postgres answers');
  expect(await (await fetch(`${replica.url}/metrics`)).text()).toMatch(/^security_sync_database_up 0$/m);
  sandbox.estate.step(50);
  await sleep(awayMs);
  expect(replica.process.exitCode).toBeNull();

  const restoredAt = performance.now();
  await proxy.restore();
  await expect.poll(() => readyOf(replica)).toBe('ready');
  await expect.poll(() => unshown(pool, sandbox, streams), { interval: 500, timeout: 600_000 }).toEqual([]);
  console.log(
    `all tables were right again ${Math.round(performance.now() - restoredAt)} ms after the database was back`,
  );
  await expect.poll(() => replica.output()).toContain('the database is reachable again');
  const complaints = replica
    .output()
    .split('\n')
    .filter((line) => /database|queue|the run failed|lane|connection/.test(line) && /warn|error/i.test(line));
  expect(complaints).toEqual([expect.stringContaining('the database is unreachable')]);
  expect(replica.output()).not.toMatch(/^\s+at /m);
  expect(await replica.stop()).toBe(0);
  expect(await overlappingRuns(pool)).toEqual([]);
  expect(await doubleVersions(pool)).toEqual([]);
}
