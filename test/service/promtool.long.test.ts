import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { loadConfig } from '../../src/config/config.ts';
import { createMetrics } from '../../src/ops/metrics.ts';
import { startOpsServer } from '../../src/ops/server.ts';
import { installQueue } from '../../src/postgres/coordination/lane-queue.ts';
import { streams } from '../../src/streams/index.ts';
import { quietLogger } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { freePort } from '../support/replica.ts';
import { tool } from '../support/tool.ts';

const promtool = tool('promtool', 'apt-get install prometheus (Debian), or the archive of prometheus.io/download');
const RULES = join(import.meta.dirname, '..', '..', 'deploy', 'prometheus');
const run = (args: readonly string[], input = '') =>
  spawnSync(promtool(), args, { cwd: RULES, input, encoding: 'utf8' });

test('the alert rules fire as documented, with two replicas, one and none', () => {
  const { status, stdout, stderr } = run(['test', 'rules', 'rules.test.yml']);
  expect(status, `${stdout}${stderr}`).toBe(0);
});

test('the alert rules pass the lint of promtool', () => {
  const { status, stdout, stderr } = run(['check', 'rules', '--lint=all', '--lint-fatal', 'rules.yml']);
  expect(status, `${stdout}${stderr}`).toBe(0);
});

test('what /metrics answers passes promtool check metrics without a remark', async () => {
  const database = await createTestDatabase();
  await installQueue(database.url);
  const metrics = createMetrics();
  const config = await loadConfig({
    streams,
    env: {
      DATABASE_URL: database.url,
      HUAWEICLOUD_SDK_AK: 'AK',
      HUAWEICLOUD_SDK_SK: 'SK',
      HUAWEICLOUD_SDK_PROJECT_ID: '11111111111111111111111111111111',
      HW_REGION_NAME: 'cn-north-4',
      SECURITY_SYNC_PORT: String(await freePort()),
    },
  });
  const ops = await startOpsServer({
    config,
    pool: database.pool,
    streams,
    logger: quietLogger,
    metrics,
    state: () => 'running',
  });
  onTestFinished(() => ops.close());
  const text = await (await fetch(`${ops.url}/metrics`)).text();
  expect(text).toContain('security_sync_certificate_missing{');
  const { status, stdout, stderr } = run(['check', 'metrics'], text);
  expect({ status, says: `${stdout}${stderr}` }).toEqual({ status: 0, says: '' });
});
