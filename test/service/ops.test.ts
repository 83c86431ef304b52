import { Gauge } from 'prom-client';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Config, loadConfig } from '../../src/config/config.ts';
import type { Logger } from '../../src/core/ports.ts';
import type { RunReport } from '../../src/core/store.ts';
import { createMetrics } from '../../src/ops/metrics.ts';
import { type OpsServer, startOpsServer } from '../../src/ops/server.ts';
import { installQueue, QUEUE_SCHEMA } from '../../src/postgres/coordination/lane-queue.ts';
import { streams } from '../../src/streams/index.ts';
import { quietLogger, scope } from '../support/engine.ts';
import { addPoison, POISON } from '../support/poison.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { freePort } from '../support/replica.ts';

const database = await createTestDatabase();
const metrics = createMetrics();
let config: Config;
let ops: OpsServer;

const env = (port: number) => ({
  DATABASE_URL: database.url,
  HUAWEICLOUD_SDK_AK: 'AK',
  HUAWEICLOUD_SDK_SK: 'SK',
  HUAWEICLOUD_SDK_PROJECT_ID: '11111111111111111111111111111111',
  HW_REGION_NAME: 'cn-north-4',
  SECURITY_SYNC_PORT: String(port),
});

beforeAll(async () => {
  await installQueue(database.url);
  await addPoison(database.pool);
  config = await loadConfig({ streams, env: env(await freePort()), file: undefined });
  ops = await startOpsServer({
    config,
    pool: database.pool,
    streams,
    logger: quietLogger,
    metrics,
    state: () => 'running',
  });
});
afterAll(() => ops.close());

const get = async (path: string) => {
  const response = await fetch(`${ops.url}${path}`);
  return { status: response.status, headers: response.headers, text: await response.text() };
};

const report: RunReport = {
  stream: 'hss_cluster_events',
  account: 'default',
  region: 'cn-north-4',
  project_id: '11111111111111111111111111111111',
  status: 'incomplete',
  certificate: 'incomplete',
  certified_at: null,
  reason: 'moving',
  walk: 'full',
  requests: 3,
  throttled: 1,
  records: 7,
  inserted: 4,
  updated: 2,
  unchanged: 1,
  deleted: 0,
  rejected: 0,
  duration_ms: 1500,
  error: null,
};

describe('/livez and /readyz', () => {
  test('report that the service is alive and ready', async () => {
    expect(await get('/livez')).toMatchObject({ status: 200 });
    const { status, text } = await get('/readyz');
    expect(JSON.parse(text)).toEqual({ ready: true, checks: { database: 'ok', migrations: 'ok', service: 'ok' } });
    expect(status).toBe(200);
  });

  test('a newer schema and a stopping service are not ready, with the reason', async () => {
    await database.pool.query("insert into sync.migrations (hash, applied) values ('x', 4102444800000)");
    const { status, text } = await get('/readyz');
    await database.pool.query("delete from sync.migrations where hash = 'x'");
    expect(status).toBe(503);
    expect(JSON.parse(text).checks.migrations).toContain('newer than this program');
  });
});

describe('/metrics', () => {
  test('follows the conventions: a help and a type for each, base units, totals only for counters', async () => {
    metrics.onReport(report);
    const { text, headers } = await get('/metrics');
    expect(headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => [name, type]));
    expect(new Set(types.keys()).size).toBe([...text.matchAll(/^# TYPE /gm)].length);
    for (const [name, type] of types) {
      expect(text).toContain(`# HELP ${name} `);
      if (!name.startsWith('security_sync_')) continue;
      expect(name, `${name} is a ${type}`).toMatch(type === 'counter' ? /_total$/ : /(?<!_total)$/);
      expect(name).not.toMatch(/_(ms|millis|minutes|percent)(_|$)/);
    }
    expect(text).toContain('security_sync_rows_total{stream="hss_cluster_events",outcome="inserted"} 4');
    expect(text).toContain(
      'security_sync_certificates_total{stream="hss_cluster_events",certificate="incomplete",reason="moving"} 1',
    );
    expect(text).toContain('security_sync_run_duration_seconds_sum{stream="hss_cluster_events"} 1.5');
    expect(text).toMatch(/^process_resident_memory_bytes \d+/m);
  });

  test('reports age, quota, queue and rejects from the database', async () => {
    const { text } = await get('/metrics');
    const labels =
      'stream="hss_cluster_events",account="default",region="cn-north-4",project_id="11111111111111111111111111111111"';
    const age = Number(new RegExp(`^security_sync_certificate_age_seconds\\{${labels}\\} (\\S+)`, 'm').exec(text)?.[1]);
    expect(age).toBeGreaterThan(3_599);
    expect(age).toBeLessThan(3_700);
    expect(text).toContain(`security_sync_certificate_missing{${labels}} 0`);
    expect(text).toContain(
      'security_sync_certificate_missing{stream="dbss_audit_reports",account="default",region="cn-north-4",project_id="11111111111111111111111111111111"} 1',
    );
    expect(text).toContain(
      'security_sync_quota_left_requests{account="default",operation="GET /v5/{project_id}/cluster-protect/events"} 3',
    );
    expect(text).toContain(
      'security_sync_quota_limit_requests{account="default",operation="GET /v5/{project_id}/cluster-protect/events"} 5',
    );
    expect(text).toContain(
      'security_sync_address_quota_left_requests{operation="GET /v5/{project_id}/cluster-protect/events",egress=""} 4',
    );
    expect(text).toContain('security_sync_queue_jobs{state="created"} 0');
    expect(text).toContain('security_sync_rejected_records{stream="hss_cluster_events"} 2');
  });

  test('omits only the gauges of a failed reading: the database is still up', async () => {
    await database.pool.query(`alter schema ${QUEUE_SCHEMA} rename to elsewhere`);
    const { status, text } = await get('/metrics');
    await database.pool.query(`alter schema elsewhere rename to ${QUEUE_SCHEMA}`);
    expect(status).toBe(200);
    expect(text).toContain('security_sync_database_up 1');
    expect(text).toContain('security_sync_reading_failed{reading="queue"} 1');
    expect(text).not.toContain('security_sync_queue_jobs{');
    expect(text).toMatch(/^security_sync_certificate_missing\{/m);
    expect(text).toMatch(/^security_sync_rejected_records\{/m);
    expect((await get('/metrics')).text).not.toContain('security_sync_reading_failed{');
  });

  test('has no label values from the API or another installation', async () => {
    const { text } = await get('/metrics');
    expect(text).not.toContain('<script');
    expect(text).not.toContain('somebody_elses');
  });
});

/** A start tag of ours: attributes in double quotes, no bracket inside. */
const TAG = /<(\w+)((?: [\w:-]+="[^"<>]*")*)>/g;

describe('the status page', () => {
  test('escapes text from attackers', async () => {
    for (const path of ['/', '/fragment']) {
      const { text } = await get(path);
      const own = text.replace(/<script>[^<]*<\/script><\/body>/, '').replace(/<style>[^<]*<\/style>/, '');
      const names = [...own.matchAll(TAG)].flatMap(([, tag, attributes = '']) => [
        tag,
        ...[...attributes.matchAll(/ ([\w:-]+)=/g)].map(([, name]) => name),
      ]);
      expect(own.replaceAll(TAG, '').replaceAll(/<\/\w+>|<!doctype html>/g, '')).not.toContain('<');
      expect(names.filter((name) => /^(on\w+|style|script|img|iframe|object|form|base)$/.test(name ?? ''))).toEqual([]);
      expect(own).toContain('&lt;script&gt;');
    }
  });

  test('shows counts and reasons of rejects, and no payload', async () => {
    const { text } = await get('/');
    expect(text).toContain('not an instant');
    expect(text).not.toContain(POISON.payload);
    expect(text).not.toContain(POISON.unknownField);
    expect(text).toContain(POISON.enumValue);
  });

  test('runs and loads nothing but its own script and style', async () => {
    const { headers, text } = await get('/');
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|\*/);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(text).not.toMatch(/<[^>]+ (src|href)="(?!data:,|[?#])/);
  });

  test('nothing can be changed through it', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
      expect((await fetch(`${ops.url}/`, { method })).status).toBe(404);
    }
    expect((await get('/../../etc/passwd')).status).toBe(404);
  });
});

test('a page that cannot be served is one line in the log, until it was served again', async () => {
  const lines: string[] = [];
  const logger: Logger = { ...quietLogger, warn: (_, message) => lines.push(String(message)) };
  const own = createMetrics();
  let isBroken = true;
  new Gauge({
    name: 'broken',
    help: 'Cannot be read at times.',
    registers: [own.registry],
    collect() {
      if (isBroken) throw new Error('no answer');
    },
  });
  const server = { ...config.server, port: await freePort() };
  const { pool } = database;
  const other = await startOpsServer({
    config: { ...config, server },
    pool,
    streams,
    logger,
    metrics: own,
    state: () => 'running',
  });
  onTestFinished(() => other.close());
  const ask = async (path = '/metrics') => (await fetch(`${other.url}${path}`)).status;
  expect([await ask(), await ask(), await ask('/metrics?again'), await ask('/livez')]).toEqual([500, 500, 500, 200]);
  expect(lines).toEqual(['a page could not be served']);
  isBroken = false;
  expect(await ask()).toBe(200);
  isBroken = true;
  expect([await ask(), await ask()]).toEqual([500, 500]);
  expect(lines).toHaveLength(2);
});

test('it listens on this machine only, unless configured otherwise', () => {
  expect(config.server.host).toBe('127.0.0.1');
  expect(ops.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
});

test('a port in use is reported in one line', async () => {
  await expect(
    startOpsServer({ config, pool: database.pool, streams, logger: quietLogger, metrics, state: () => 'running' }),
  ).rejects.toThrow(
    /^server: port \d+ of 127\.0\.0\.1 is taken by another program: set server\.port or SECURITY_SYNC_PORT$/,
  );
});

test('measuring requests leaves it to the page source whether pages may be requested in advance', () => {
  for (const isPlentiful of [true, false]) {
    const watched = createMetrics().watchSource({
      isPlentiful: () => isPlentiful,
      read: async () => await Promise.reject(new Error('no request is expected')),
    });
    expect(watched.isPlentiful(scope)).toBe(isPlentiful);
  }
});
