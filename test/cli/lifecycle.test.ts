import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { directoryFor, runCli, startCli, temporaryDirectory } from '../support/cli.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { requests, sandboxWith } from '../support/small-sandbox.ts';
import { wipe } from '../support/world.ts';

/** The command as a process that is interrupted or killed; more in processes.long and lifecycle.long. */

const PROJECT = join(import.meta.dirname, '..', '..');

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

/** Says on stderr that the program itself begins to be loaded, which takes most of a start. */
const WATCH_LOADING = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module';
  registerHooks({
    load(url, context, next) {
      if (url.endsWith('/cli/program.ts')) process.stderr.write('loading\\n');
      return next(url, context);
    },
  });`)}`;

test('Ctrl-C in the first second of a start is a clean stop', async () => {
  const cwd = await temporaryDirectory();
  const env = { NODE_OPTIONS: `--import=${WATCH_LOADING}` };
  const running = startCli(['sandbox', '--events', '5', '--port', '0'], { cwd, env });
  running.child.stderr?.on('data', (text: string) => {
    if (text.includes('loading')) running.child.kill('SIGINT');
  });
  const { code, stderr } = await running.result;
  expect([code, running.child.signalCode, stderr]).toEqual([0, null, 'loading\n']);
});

test('output that cannot be written is a failure', async () => {
  const cwd = await temporaryDirectory();
  const [main, node] = [join(PROJECT, 'src', 'main.ts'), process.execPath];
  for (const args of ['--json streams', 'streams --markdown']) {
    const shell = spawn('sh', ['-c', `'${node}' '${main}' ${args} > /dev/full`], {
      cwd,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    for await (const text of shell.stderr.setEncoding('utf8')) said += text;
    if (shell.exitCode === null) await once(shell, 'exit');
    expect([args, shell.exitCode, said]).toEqual([
      args,
      1,
      expect.stringMatching(/^security-sync: the output cannot be written: .*ENOSPC.*\n$/),
    ]);
  }
});
