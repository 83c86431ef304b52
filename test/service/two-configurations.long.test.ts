import { expect, onTestFinished, test } from 'vitest';
import { DEMO_PROJECT, startSandbox } from '../../src/sandbox/server/server.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { readyOf, startReplica, writeConfig } from '../support/replica.ts';

const { pool, url } = await createTestDatabase();
const OTHER = { ...DEMO_PROJECT, id: '0f3c1e7a9b2d4c5e8f6a7b8c9d0e1f2a' };

test('two services with different configurations on one database read their own projects, and none takes lanes of the other', async () => {
  const sandbox = await startSandbox({ projects: [DEMO_PROJECT, OTHER], clusters: 3, events: 10 });
  onTestFinished(() => sandbox.close());
  const replicaFor = async (project: typeof DEMO_PROJECT) =>
    startReplica(
      await writeConfig({
        databaseUrl: url,
        sandbox,
        projects: [project],
        streams: ['hss_protected_clusters'],
        schedule: '*/2 * * * * *',
      }),
    );
  const first = await replicaFor(DEMO_PROJECT);
  await expect.poll(() => readyOf(first)).toBe('ready');
  const second = await replicaFor(OTHER);
  await expect.poll(() => readyOf(second)).toBe('ready');

  const looks = async () => {
    const { rows } = await pool.query<{ id: string; looks: number }>(
      "select project_id as id, sum(looks)::int as looks from sync.runs where status <> 'running' group by 1",
    );
    return new Map(rows.map((row) => [row.id, row.looks]));
  };
  const since = await looks();
  for (const { id } of [DEMO_PROJECT, OTHER])
    await expect.poll(async () => (await looks()).get(id) ?? 0).toBeGreaterThan((since.get(id) ?? 0) + 2);

  const { rows: jobs } = await pool.query<{ queue: string; done: number }>(
    "select name as queue, count(*)::int as done from security_sync_queue.job where state = 'completed' group by 1",
  );
  const total = [...(await looks()).values()].reduce((sum, one) => sum + one, 0);
  expect(jobs).toHaveLength(2);
  expect(
    jobs.reduce((sum, { done }) => sum + done, 0),
    'a job that was done without a run was of a lane that its service could not serve',
  ).toBeLessThanOrEqual(total);
  expect(second.output()).toContain('another service with a different configuration reads these projects');
  expect(second.output()).toContain(DEMO_PROJECT.id);
  const depth = /security_sync_queue_jobs\{state="(active|created|retry)"\} ([2-9])/;
  expect(await (await fetch(`${first.url}/metrics`)).text()).not.toMatch(depth);
  expect(await Promise.all([first.stop(), second.stop()])).toEqual([0, 0]);
  for (const { output } of [first, second]) expect(output()).not.toMatch(/"level":"(warn|error)"/);
});
