import { beforeAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/config.ts';
import type { RunReport } from '../../src/core/store.ts';
import { readGauges } from '../../src/ops/metrics.ts';
import { createReadings } from '../../src/ops/readings.ts';
import { toneOf } from '../../src/ops/standing.ts';
import { installQueue } from '../../src/postgres/coordination/lane-queue.ts';
import { DEMO_PROJECT } from '../../src/sandbox/server/server.ts';
import { testNow } from '../support/clock.ts';
import { startEngine, READ_BY_DEFAULT as streams } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';

/** A customer without database audit, without images and without clusters: nothing to read is complete, and as new as any. */

const database = await createTestDatabase();
const EMPTY = { clusters: 0, events: 0, vulnerabilities: 0, instances: 0, reports: 0, hosts: 0 };

async function installation() {
  const env = {
    DATABASE_URL: database.url,
    HUAWEICLOUD_SDK_AK: 'AK',
    HUAWEICLOUD_SDK_SK: 'SK',
    HUAWEICLOUD_SDK_PROJECT_ID: DEMO_PROJECT.id,
    HW_REGION_NAME: DEMO_PROJECT.region,
  };
  const config = await loadConfig({ streams, env, file: undefined });
  return createReadings(database.pool, config, streams);
}

describe('a project that has nothing', () => {
  let began = 0;
  beforeAll(() => installQueue(database.url));

  test('is complete in every stream, certified at the time at which its parents were read', async () => {
    began = testNow();
    const { runAll } = await startEngine(database, EMPTY);
    const reports: readonly RunReport[] = await runAll();
    for (const { stream, status, certificate, certified_at } of reports) {
      expect({ stream, status, certificate }).toEqual({ stream, status: 'succeeded', certificate: 'complete' });
      expect(Date.parse(certified_at ?? ''), stream).toBeGreaterThan(began - 5_000);
    }
    const at = new Map(reports.map(({ stream, certified_at }) => [stream, certified_at]));
    expect(at.get('dbss_audit_reports')).toBe(at.get('dbss_audit_instances'));
  });

  test('has no certificate of 1970 in /metrics: none is late', async () => {
    const registry = await readGauges(await installation());
    const values = async (name: string) => (await registry.getSingleMetric(name)?.get())?.values ?? [];
    const limits = await values('security_sync_certificate_limit_seconds');
    const ages = await values('security_sync_certificate_age_seconds');
    expect(ages).toHaveLength(streams.length);
    for (const { labels, value } of ages) {
      const limit = limits.find((one) => one.labels.stream === labels.stream)?.value ?? 0;
      expect(value, String(labels.stream)).toBeLessThan(limit);
    }
    for (const { value } of await values('security_sync_certificate_missing')) expect(value).toBe(0);
  });

  test('is not red on the status page', async () => {
    const { scopes } = await (await installation()).page({ project: null, group: null });
    const tones = scopes.map((scope) => [scope.stream, toneOf(scope)]);
    expect(tones).toEqual(streams.map(({ name }) => [name, 'good']));
  });

  test('has no certificate of 1970 in bi.stream_freshness', async () => {
    const { rows } = await database.pool.query<{ stream: string; certified_at: Date }>(
      "select stream, certified_at from bi.stream_freshness where certificate = 'complete' order by stream",
    );
    expect(rows.map(({ stream }) => stream)).toEqual(streams.map(({ name }) => name).sort());
    for (const { stream, certified_at } of rows) expect(certified_at.getTime(), stream).toBeGreaterThan(began - 5_000);
  });

  test('has no run with a time of 1970', async () => {
    const { rows } = await database.pool.query("select stream from sync.runs where certified_at < '2000-01-01'");
    expect(rows).toEqual([]);
  });
});
