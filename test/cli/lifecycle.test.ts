import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { createStore } from '../../src/postgres/run/store.ts';
import { type SandboxOptions, startSandbox } from '../../src/sandbox/server/server.ts';
import { hssProtectedClusters } from '../../src/streams/hss/protected-clusters.ts';
import { directoryFor, runCli, startCli, temporaryDirectory } from '../support/cli.ts';
import { scope } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { wipe } from '../support/world.ts';

/** The command as it lives: interrupted, killed, run twice, and next to another one. */

const PROJECT = join(import.meta.dirname, '..', '..');

const database = await createTestDatabase();
beforeEach(() => wipe(database));
/** The demo with an estate that is read in seconds. */
const DEMO = [
  'demo',
  '--clusters',
  '3',
  '--events',
  '100',
  '--vulnerabilities',
  '30',
  '--reports',
  '20',
  '--hosts',
  '6',
];
const SMALL: SandboxOptions = { hosts: 6, clusters: 3, events: 60, vulnerabilities: 6, instances: 1, reports: 5 };

async function sandboxWith(options: SandboxOptions = {}) {
  const sandbox = await startSandbox({ ...SMALL, ...options });
  onTestFinished(() => sandbox.close());
  return sandbox;
}

/** Waits until the sandbox has seen `count` requests. */
async function requests(sandbox: Awaited<ReturnType<typeof sandboxWith>>, operation: string, count: number) {
  await expect.poll(() => sandbox.requests.count(operation), { interval: 10 }).toBeGreaterThanOrEqual(count);
}

async function countIn(url: string, table: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ n: number }>(`select count(*)::int as n from ${table}`);
    return rows[0]?.n ?? -1;
  } finally {
    await client.end();
  }
}

describe('the embedded database', () => {
  test('is the same for two syncs and one that was killed between them', { timeout: 120_000 }, async () => {
    const sandbox = await sandboxWith({ events: 400, latencyMs: 20 });
    const cwd = await directoryFor({ sandbox });
    const sync = async () => {
      const { code, stdout } = await startCli(['sync', 'hss_cluster_events', '--json'], { cwd }).result;
      const runs: { stream: string; inserted: number; certificate: string }[] = JSON.parse(stdout).runs;
      return { code, ...runs.find(({ stream }) => stream === 'hss_cluster_events') };
    };
    expect(await sync()).toMatchObject({ code: 0, inserted: 400, certificate: 'complete' });
    sandbox.requests.clear();
    const killed = startCli(['sync', 'hss_cluster_events', '--full'], { cwd });
    await requests(sandbox, 'ListClusterEvents', 1);
    killed.child.kill('SIGKILL');
    await killed.result;
    expect(await sync()).toMatchObject({ code: 0, inserted: 0, certificate: 'complete' });
  });
});

describe('the demo', () => {
  test('has its own database, status page and configuration, refuses a second demo in its directory, and starts after one that was killed', {
    timeout: 240_000,
  }, async () => {
    const cwd = await temporaryDirectory();
    const demo = startCli([...DEMO, '--status-port', '0'], { cwd });
    const told = await demo.until(/Polling every/);
    const [, config = ''] = /Config: +(.*)\n/.exec(told) ?? [];
    const [, page = ''] = /Status: +(.*)\n/.exec(told) ?? [];
    expect(config).toBe(join(cwd, '.data', 'demo', 'security-sync.yaml'));
    expect(await readdir(join(cwd, '.data')), 'the service has no database here').toEqual(['demo']);
    expect((await fetch(page)).status).toBe(200);
    const [, url = ''] = /Database: +(.*)\n/.exec(told) ?? [];
    const operations = await countIn(url, 'hss.image_vulnerability_operations');
    expect(operations).toBeGreaterThan(0);
    const second = await startCli(DEMO, { cwd }).result;
    expect(second.code).toBe(2);
    expect(second.stderr).toContain(`a demo runs in ${join(cwd, '.data', 'demo')} already: stop it`);
    expect(await runCli(['status', '--config', config], { cwd }), 'the first goes on').toMatchObject({ code: 0 });

    // A killed one leaves a server and an estate, which the next one takes over and replaces.
    demo.child.kill('SIGKILL');
    await demo.result;
    const again = startCli([...DEMO, '--json', '--status-port', '0'], { cwd });
    const after = JSON.parse(await again.until(/\n}\n/));
    const isNew = await countIn(after.database, 'hss.image_vulnerability_operations');
    expect(isNew, 'one estate, not two').toBeLessThan(operations * 1.5);
    const impossible = 'bi.event_response_times where handled_at < create_time';
    expect(await countIn(after.database, impossible)).toBe(0);
    again.child.kill('SIGTERM');
    expect((await again.result).code).toBe(0);
    expect(await readdir(join(cwd, '.data', 'demo', 'postgres'))).not.toContain('postmaster.pid');
  });

  test('through npm, Ctrl-C is one stop: exit 0, Postgres is gone, and the last line says where the data is', {
    timeout: 120_000,
  }, async () => {
    const directory = join(await temporaryDirectory(), 'demo of mine');
    const args = ['run', 'demo', '--', '--status-port', '0', '--directory', directory];
    const npm = spawn('npm', args, { cwd: PROJECT, detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
    const group = -(npm.pid ?? 0);
    onTestFinished(() => {
      if (npm.exitCode === null) process.kill(group, 'SIGKILL');
    });
    let output = '';
    for await (const text of npm.stdout.setEncoding('utf8')) {
      const wasReading = /Reading \d+ streams/.test(output);
      output += text;
      // The terminal sends it to npm and to the demo, and npm hands it on.
      if (!wasReading && /Reading \d+ streams/.test(output)) process.kill(group, 'SIGINT');
    }
    if (npm.exitCode === null) await once(npm, 'exit');
    expect(npm.exitCode).toBe(0);
    expect(output.trimEnd().split('\n').at(-1)).toMatch(
      /^Stopped\. The data of the demo stays in .*demo of mine \(\d+ MB\)/,
    );
    expect(await readdir(join(directory, 'postgres'))).not.toContain('postmaster.pid');
  });
});

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
    expect(await countIn(database.url, 'hss.cluster_events')).toBe(2_000);
    expect(await countIn(database.url, "sync.runs where status = 'running'")).toBe(0);
  });

  test('ends a sync that waits for quota at once', async () => {
    const sandbox = await sandboxWith({ events: 2_000 });
    const cwd = await directoryFor({ sandbox, databaseUrl: database.url, requestsPerMinute: 2 });
    const running = startCli(['sync', '--json', 'hss_cluster_events'], { cwd });
    await requests(sandbox, 'ListClusterEvents', 1);
    const from = performance.now();
    running.child.kill('SIGTERM');
    expect((await running.result).code).toBe(1);
    expect(performance.now() - from).toBeLessThan(5_000);
  });
});

test('a killed sync leaves a run that the next one closes as abandoned', async () => {
  const sandbox = await sandboxWith({ events: 2_000, latencyMs: 60, seed: 3 });
  const cwd = await directoryFor({ sandbox, databaseUrl: database.url });
  const running = startCli(['sync', 'hss_cluster_events'], { cwd });
  await requests(sandbox, 'ListClusterEvents', 2);
  running.child.kill('SIGKILL');
  await running.result;
  const { code } = await runCli(['sync', '--json', 'hss_cluster_events'], { cwd });
  expect(code).toBe(0);
  expect(await countIn(database.url, "sync.runs where status = 'abandoned'")).toBe(1);
  expect(await countIn(database.url, "sync.runs where status = 'running'")).toBe(0);
});

test('a sync waits for a stream that another process is reading, then reads it itself', async () => {
  const sandbox = await sandboxWith();
  const store = createStore(database.pool, { timeZone: 'UTC' });
  const holder = await store.open(hssProtectedClusters, scope);
  expect(holder).not.toBe('busy');
  if (holder === 'busy') return;
  const cwd = await directoryFor({ sandbox, databaseUrl: database.url });
  const waiting = startCli(['sync', '--json', 'hss_protected_clusters', 'hss_cluster_security_reports'], { cwd });
  await requests(sandbox, 'ListSecurityCheckClusterReports', 1);
  expect(sandbox.requests.count('ListClusterProtectionInfo')).toBe(0);
  expect(waiting.child.exitCode).toBeNull();
  await holder.close();
  const { code, stdout } = await waiting.result;
  expect(code).toBe(0);
  expect(JSON.parse(stdout).runs).toHaveLength(2);
  expect(sandbox.requests.count('ListClusterProtectionInfo')).toBe(1);
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
  for (const args of ['streams', '--json streams', 'streams --markdown']) {
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

test('output that is only partly read is not an error', async () => {
  const { child, result } = startCli(['streams'], { cwd: await temporaryDirectory() });
  child.stdout?.destroy();
  expect(await result).toMatchObject({ code: 0, stderr: '' });
});
