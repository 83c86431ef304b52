import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startSandbox } from '../../src/sandbox/server/server.ts';
import { streams } from '../../src/streams/index.ts';
import { directoryFor, runCli, startCli, temporaryDirectory } from '../support/cli.ts';
import { MACHINE_CLOCK } from '../support/clock.ts';

/** The command with a database of its own: the demo, and syncs into the embedded database, killed and run twice. */

const PROJECT = join(import.meta.dirname, '..', '..');

/** The demo with an estate that is read in seconds. */
const DEMO = [
  'demo',
  '--clusters',
  '3',
  '--events',
  '100',
  '--vulnerabilities',
  '16',
  '--reports',
  '20',
  '--hosts',
  '20',
];

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
    const sandbox = await startSandbox({
      hosts: 6,
      clusters: 3,
      events: 400,
      vulnerabilities: 6,
      instances: 1,
      reports: 5,
      latencyMs: 20,
    });
    onTestFinished(() => sandbox.close());
    const cwd = await directoryFor({ sandbox });
    const sync = async () => {
      const { code, stdout } = await startCli(['sync', 'hss_cluster_events', '--json'], { cwd }).result;
      const runs: { stream: string; inserted: number; certificate: string }[] = JSON.parse(stdout).runs;
      return { code, ...runs.find(({ stream }) => stream === 'hss_cluster_events') };
    };
    expect(await sync()).toMatchObject({ code: 0, inserted: 400, certificate: 'complete' });
    sandbox.requests.clear();
    const killed = startCli(['sync', 'hss_cluster_events', '--full'], { cwd });
    await expect.poll(() => sandbox.requests.count('ListClusterEvents'), { interval: 10 }).toBeGreaterThan(0);
    killed.child.kill('SIGKILL');
    await killed.result;
    expect(await sync()).toMatchObject({ code: 0, inserted: 0, certificate: 'complete' });
  });
});

/** Tables of lists, and of the lists inside their rows, that have no rows. Tables of earlier versions fill with changes. */
async function emptyTables(url: string): Promise<readonly string[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string; isEmpty: boolean }>(
      `select format('%I.%I', schemaname, tablename) as name, (xpath('/row/empty/text()', query_to_xml(
         format('select not exists (select from %I.%I) as empty', schemaname, tablename), false, true, '')))[1]::text = 'true' as "isEmpty"
       from pg_tables where schemaname in ('hss', 'dbss') and tablename not like '%\\_history' order by 1`,
    );
    expect(rows.length).toBeGreaterThanOrEqual(streams.length);
    return rows.flatMap(({ name, isEmpty }) => (isEmpty ? [name] : []));
  } finally {
    await client.end();
  }
}

describe('the demo', () => {
  test('has its own database, status page and configuration, refuses a second demo in its directory, and starts after one that was killed', {
    timeout: 360_000,
  }, async () => {
    const cwd = await temporaryDirectory();
    const demo = startCli([...DEMO, '--status-port', '0'], { cwd, env: MACHINE_CLOCK });
    const told = await demo.until(/Polling every/);
    const [, config = ''] = /Config: +(.*)\n/.exec(told) ?? [];
    const [, page = ''] = /Status: +(.*)\n/.exec(told) ?? [];
    expect(config).toBe(join(cwd, '.data', 'demo', 'security-sync.yaml'));
    expect(await readdir(join(cwd, '.data')), 'the service has no database here').toEqual(['demo']);
    expect((await fetch(page)).status).toBe(200);
    const [, url = ''] = /Database: +(.*)\n/.exec(told) ?? [];
    const operations = await countIn(url, 'hss.image_vulnerability_operations');
    expect(operations).toBeGreaterThan(0);
    expect(await emptyTables(url), 'tables of lists without rows').toEqual([]);
    const second = await startCli(DEMO, { cwd }).result;
    expect(second.code).toBe(2);
    expect(second.stderr).toContain(`a demo is already running in ${join(cwd, '.data', 'demo')}: stop it`);
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

test.each(['check', 'plan'])(
  'security-sync %s works where there is no database, says so, and leaves none behind',
  async (command) => {
    const sandbox = await startSandbox({
      hosts: 6,
      clusters: 3,
      events: 30,
      vulnerabilities: 8,
      instances: 1,
      reports: 5,
    });
    onTestFinished(() => sandbox.close());
    const cwd = await directoryFor({ sandbox });
    const temporary = await temporaryDirectory();
    const { code, stdout, stderr } = await runCli([command], { cwd, env: { TMPDIR: temporary } });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.split('\n')[0]).toBe(
      `Database: none yet; security-sync sync creates one in ${join(cwd, '.data', 'postgres')}`,
    );
    expect(await readdir(cwd)).toEqual(['security-sync.yaml']);
    expect(await readdir(temporary)).toEqual([]);
  },
);
