import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startSandbox } from '../../src/sandbox/server/server.ts';
import { directoryFor, runCli } from '../support/cli.ts';
import { createTestDatabase } from '../support/postgres.ts';

const database = await createTestDatabase();

it('the target is the same in the views, the plan and the status: the configured one, or what the schedule can reach', async () => {
  const sandbox = await startSandbox();
  onTestFinished(() => sandbox.close());
  const cwd = await directoryFor({ sandbox, databaseUrl: database.url });
  await appendFile(
    join(cwd, 'security-sync.yaml'),
    'streams: { hss_protected_clusters: { target: 45m }, hss_kubernetes_clusters: { schedule: "0 * * * *", target: 10m } }\n',
  );
  const names = ['dbss_audit_instances', 'hss_kubernetes_clusters', 'hss_protected_clusters'];
  expect(await runCli(['sync', '--json', ...names], { cwd })).toMatchObject({ code: 0 });

  const { rows } = await database.pool.query<{ stream: string; seconds: number }>(
    'select stream, target_seconds::int as seconds from bi.stream_freshness order by stream',
  );
  const expected = { dbss_audit_instances: 1_800, hss_kubernetes_clusters: 7_200, hss_protected_clusters: 2_700 };
  expect(Object.fromEntries(rows.map(({ stream, seconds }) => [stream, seconds]))).toEqual(expected);

  const status: { streams: { stream: string; target_seconds: number }[] } = JSON.parse(
    (await runCli(['status', '--json'], { cwd })).stdout,
  );
  expect(Object.fromEntries(status.streams.map((row) => [row.stream, row.target_seconds]))).toEqual(expected);

  const plan: { lanes: { stream: string; targetMs: number }[] } = JSON.parse(
    (await runCli(['plan', '--json'], { cwd })).stdout,
  );
  const planned = plan.lanes.filter(({ stream }) => names.includes(stream));
  expect(Object.fromEntries(planned.map(({ stream, targetMs }) => [stream, targetMs / 1_000]))).toEqual(expected);
});
