import { expect, onTestFinished, test, vi } from 'vitest';
import { loadConfig } from '../../src/config/config.ts';
import { createReadings } from '../../src/ops/readings.ts';
import { createPool, withClient, withReading } from '../../src/postgres/connection/pool.ts';
import { streams } from '../../src/streams/index.ts';
import { scope } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { startProxy } from '../support/tcp-proxy.ts';

const { pool, url } = await createTestDatabase();

const active = async (text: string) =>
  (await pool.query("select 1 from pg_stat_activity where state = 'active' and query = $1", [text])).rowCount;

test('a query of status or the page ends within seconds after its client has gone', async () => {
  const { hostname, port } = new URL(url);
  const proxy = await startProxy(hostname, Number(port));
  const through = new URL(url);
  through.host = `127.0.0.1:${proxy.port}`;
  const client = createPool(through.href, { max: 1, applicationName: 'gone' });
  const question = 'select pg_sleep(60)';
  const answer = withReading(client, (one) => one.query(question)).then(
    () => 'answered',
    () => 'lost',
  );
  await expect.poll(() => active(question)).toBe(1);
  const began = performance.now();
  await proxy.cut();
  expect(await answer).toBe('lost');
  await expect.poll(() => active(question)).toBe(0);
  // Its own limit of 15 s would have come later.
  expect(performance.now() - began).toBeLessThan(10_000);
  await client.end();
});

test('of eight concurrent readings two have a connection at a time, and a run gets the third of the pool', async () => {
  const small = createPool(url, { max: 3, applicationName: 'page' });
  const gate = Promise.withResolvers<void>();
  let now = 0;
  let most = 0;
  const readings = Array.from({ length: 8 }, () =>
    withReading(small, async () => {
      now += 1;
      most = Math.max(most, now);
      await gate.promise;
      now -= 1;
    }),
  );
  await expect.poll(() => now).toBe(2);
  await withClient(small, (run) => run.query('select 1'));
  gate.resolve();
  await Promise.all(readings);
  expect({ now, most }).toEqual({ now: 0, most: 2 });
  await small.end();
});

test('a scrape says within 8 s that the database does not answer if no connection is free, before Prometheus gives up', async () => {
  const single = createPool(url, { max: 1, applicationName: 'scrape' });
  const env = {
    HUAWEICLOUD_SDK_AK: 'AK',
    HUAWEICLOUD_SDK_SK: 'sk',
    HUAWEICLOUD_SDK_PROJECT_ID: scope.projectId,
    HW_REGION_NAME: scope.region,
  };
  const { isUp } = createReadings(single, await loadConfig({ streams, env }), streams);
  expect(await isUp()).toBe(true);
  const held = await single.connect();
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const answer = isUp();
  await vi.advanceTimersByTimeAsync(8_000);
  expect(await answer).toBe(false);
  held.release();
  vi.useRealTimers();
  await single.end();
});

test('a query has a timeout and is read-only, and neither setting stays on its connection', async () => {
  await withReading(pool, async (client) => {
    expect((await client.query('show statement_timeout')).rows).toEqual([{ statement_timeout: '15s' }]);
    expect((await client.query('show client_connection_check_interval')).rows).toEqual([
      { client_connection_check_interval: '1s' },
    ]);
  });
  await expect(withReading(pool, (client) => client.query('truncate sync.runs'))).rejects.toThrow(/read-only/);
  const { rows } = await pool.query('show statement_timeout');
  expect(rows).toEqual([{ statement_timeout: '0' }]);
});

test('a query that takes longer than the limit of readings is told as such, not as a setting of the role', async () => {
  const slow = withReading(pool, (client) => client.query("set local statement_timeout = '5ms'; select pg_sleep(5)"));
  await expect(slow).rejects.toThrow(
    /^Postgres needed more than 15 s for a query on the bookkeeping: it is overloaded/,
  );
});
