import type { Pool } from 'pg';
import { expect, onTestFinished } from 'vitest';
import { openApp, openService } from '../../src/app.ts';
import { loadConfig } from '../../src/config/config.ts';
import { openDatabase } from '../../src/database.ts';
import { createMetrics } from '../../src/ops/metrics.ts';
import { startOpsServer } from '../../src/ops/server.ts';
import { startSandbox } from '../../src/sandbox/server/server.ts';
import { streams } from '../../src/streams/index.ts';
import { quietLogger } from './engine.ts';
import { freePort, writeConfig } from './replica.ts';

/** What keeps a process alive: sockets, timers, servers. */
const handles = () =>
  process
    .getActiveResourcesInfo()
    .filter((name) => name !== 'TTYWrap' && name !== 'PipeWrap')
    .sort();

/** Starts and stops a service in this process `times` times, and counts what is left of it. */
export async function startAndStop(
  { pool, url }: { readonly pool: Pool; readonly url: string },
  times: number,
): Promise<void> {
  const sandbox = await startSandbox({ clusters: 2, events: 10, vulnerabilities: 2, instances: 1, reports: 2 });
  onTestFinished(() => sandbox.close());
  const port = await freePort();
  const file = await writeConfig({
    databaseUrl: url,
    sandbox,
    schedule: '*/1 * * * * *',
    more: [`server: { port: ${port} }`],
  });
  const config = await loadConfig({ streams, file, env: {} });
  const cycle = async () => {
    const database = await openDatabase(config, quietLogger);
    const metrics = createMetrics();
    const ops = await startOpsServer({
      config,
      pool: database.pool,
      streams,
      logger: quietLogger,
      metrics,
      state: () => 'running',
    });
    const app = await openApp({
      config,
      logger: quietLogger,
      database,
      instrumentQuota: metrics.instrumentQuota,
      watchSource: metrics.watchSource,
    });
    const service = openService(app, { logger: quietLogger, onReport: metrics.onReport });
    await service.start();
    await Promise.all([service.stop(), service.stop()]);
    await app.close();
    await ops.close();
    await database.close();
  };
  const sockets = () => handles().filter((name) => name === 'TCPSocketWrap');
  await cycle();
  // Both ends of a connection close a moment later.
  await expect.poll(sockets).toEqual([]);
  const before = handles();
  const listeners =
    process.listenerCount('SIGTERM') + process.listenerCount('uncaughtException') + process.listenerCount('exit');
  for (let time = 1; time < times; time += 1) await cycle();
  await expect.poll(sockets).toEqual([]);
  expect(handles()).toEqual(before);
  expect(
    process.listenerCount('SIGTERM') + process.listenerCount('uncaughtException') + process.listenerCount('exit'),
  ).toBe(listeners);
  const { rows } = await pool.query(
    "select count(*)::int as left from pg_stat_activity where application_name like 'security-sync%' and datname = current_database()",
  );
  expect(rows).toEqual([{ left: 0 }]);
}
