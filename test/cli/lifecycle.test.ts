import { beforeEach, describe, expect, test } from 'vitest';
import { directoryFor, runCli, startCli } from '../support/cli.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { requests, sandboxWith } from '../support/small-sandbox.ts';
import { wipe } from '../support/world.ts';

/** The command as a process that is interrupted or killed; more in processes.long and lifecycle.long. */

const database = await createTestDatabase();
beforeEach(() => wipe(database));

describe('Ctrl-C', () => {
  test('ends a sync cleanly, and the next one resumes', async () => {
    const sandbox = await sandboxWith({ events: 2_000, latencyMs: 60 });
    const cwd = await directoryFor({ sandbox, databaseUrl: database.url });
    const running = startCli(['sync', '--json', 'hss_cluster_events'], { cwd });
    await requests(sandbox, 'ListClusterEvents', 3);
    running.child.kill('SIGINT');
    const { code, stdout, stderr } = await running.result;
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ ok: false });
    const events = JSON.parse(stdout).runs.find(({ stream }: { stream: string }) => stream === 'hss_cluster_events');
    expect(events).toMatchObject({ status: 'incomplete', reason: 'interrupted', error: null });
    expect(events.inserted).toBeGreaterThan(0);
    expect(events.inserted).toBeLessThan(2_000);
    expect(stderr).not.toMatch(/^\s+at |uncaught/im);
    const next = await runCli(['sync', '--json', 'hss_cluster_events'], { cwd });
    expect(next.code).toBe(0);
    const count = async (rows: string) => (await database.pool.query(`select from ${rows}`)).rowCount;
    expect(await count('hss.cluster_events')).toBe(2_000);
    expect(await count("sync.runs where status = 'running'")).toBe(0);
  });
});
