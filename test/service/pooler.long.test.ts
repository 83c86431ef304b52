import { execFileSync, spawn } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createPool, withClient } from '../../src/postgres/connection/pool.ts';
import { assertFit } from '../../src/postgres/connection/readiness.ts';
import { startSandbox } from '../../src/sandbox/server/server.ts';
import { READ_BY_DEFAULT } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { readyOf, startReplica, writeConfig } from '../support/replica.ts';

/** PgBouncer in front of the database. It is a program of the operating system: `apt-get install pgbouncer`. */

const database = await createTestDatabase({ max: 20 });

const program = (() => {
  for (const path of [
    '/usr/sbin/pgbouncer',
    '/usr/bin/pgbouncer',
    '/usr/local/bin/pgbouncer',
    '/opt/homebrew/bin/pgbouncer',
  ]) {
    try {
      execFileSync(path, ['--version'], { stdio: 'ignore' });
      return path;
    } catch {}
  }
  throw new Error('this test needs PgBouncer: apt-get install pgbouncer (or brew install pgbouncer)');
})();

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Starts PgBouncer with these settings; answers the URL of the database through it. */
async function bouncer(settings: Readonly<Record<string, string | number>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'pgbouncer-'));
  await chmod(folder, 0o777);
  const behind = new URL(database.url);
  const port = await freePort();
  const lines = Object.entries({
    listen_addr: '127.0.0.1',
    listen_port: port,
    auth_type: 'any',
    unix_socket_dir: '',
    max_client_conn: 200,
    logfile: join(folder, 'log'),
    ...settings,
  }).map(([key, value]) => `${key} = ${value}`);
  const target = `host=${behind.hostname} port=${behind.port} user=${behind.username} password='${decodeURIComponent(behind.password)}'`;
  const file = join(folder, 'pgbouncer.ini');
  await writeFile(file, `[databases]\n* = ${target}\n[pgbouncer]\n${lines.join('\n')}\n`);
  await chmod(file, 0o644);
  // It refuses to run as root.
  const child = spawn(program, userInfo().uid === 0 ? ['-u', 'nobody', file] : [file], { stdio: 'ignore' });
  onTestFinished(async () => {
    child.kill('SIGTERM');
    if (child.exitCode === null) await new Promise((done) => child.on('close', done));
    await rm(folder, { recursive: true, force: true });
  });
  const url = new URL(database.url);
  url.port = String(port);
  const answers = async () => {
    const pool = createPool(url.href, { max: 1, applicationName: 'test' });
    return withClient(pool, (client) => client.query('select 1'))
      .then(
        () => 'answers',
        (error: unknown) => String(error),
      )
      .finally(() => pool.end());
  };
  await expect.poll(answers, { timeout: 10_000 }).toBe('answers');
  return url.href;
}

async function fitness(url: string): Promise<string> {
  const pool = createPool(url, { max: 4, applicationName: 'test' });
  return assertFit(pool)
    .then(
      () => 'fit',
      (error: unknown) => String(error),
    )
    .finally(() => pool.end());
}

test.each([
  ['one server connection', { pool_mode: 'transaction', default_pool_size: 1 }],
  ['many server connections', { pool_mode: 'transaction', default_pool_size: 20 }],
  ['many server connections in turn', { pool_mode: 'transaction', default_pool_size: 20, server_round_robin: 1 }],
])('a pooler that shares sessions after each transaction is recognized with %s', async (_name, settings) => {
  expect(await fitness(await bouncer(settings))).toMatch(
    /SchemaError: DATABASE_URL points to a pooler.*pool_mode = session/,
  );
});

test('a pooler that shares sessions is recognized while other clients use it', async () => {
  const url = await bouncer({ pool_mode: 'transaction', default_pool_size: 20, server_round_robin: 1 });
  const others = createPool(url, { max: 10, applicationName: 'test' });
  let isOver = false;
  const busy = Array.from({ length: 10 }, async () => {
    while (!isOver) await withClient(others, (client) => client.query('select pg_sleep(random() * 0.02)'));
  });
  try {
    for (let round = 0; round < 10; round += 1) expect(await fitness(url)).toContain('points to a pooler');
  } finally {
    isOver = true;
    await Promise.all(busy);
    await others.end();
  }
});

test('run and sync end with 3 behind such a pooler and say what to do', async () => {
  const url = await bouncer({ pool_mode: 'transaction', default_pool_size: 20 });
  const sandbox = await startSandbox({ clusters: 4, events: 50, vulnerabilities: 4, instances: 1, reports: 5 });
  onTestFinished(() => sandbox.close());
  const replica = await startReplica(await writeConfig({ databaseUrl: url, sandbox }));
  expect(await replica.ended).toBe(3);
  expect(replica.output()).toContain('connect to Postgres itself or to a pool with pool_mode = session');
});

test('two replicas work behind a pooler in session mode, and leave no lock behind', async () => {
  const url = await bouncer({ pool_mode: 'session', default_pool_size: 100 });
  expect(await fitness(url)).toBe('fit');
  const sandbox = await startSandbox({ clusters: 4, events: 300, vulnerabilities: 4, instances: 1, reports: 5 });
  onTestFinished(() => sandbox.close());
  const configFile = await writeConfig({ databaseUrl: url, sandbox });
  const replicas = await Promise.all([startReplica(configFile), startReplica(configFile)]);
  await expect.poll(() => Promise.all(replicas.map(readyOf)), { timeout: 240_000 }).toEqual(['ready', 'ready']);
  const complete = async () =>
    (await database.pool.query("select distinct stream from sync.runs where certificate = 'complete'")).rowCount;
  await expect.poll(complete, { timeout: 240_000 }).toBe(READ_BY_DEFAULT.length);
  expect(await Promise.all(replicas.map((replica) => replica.stop()))).toEqual([0, 0]);
  const overlaps = await database.pool.query(
    `select from sync.runs a join sync.runs b on a.stream = b.stream and a.project_id = b.project_id and a.id < b.id
       and b.started_at < a.finished_at`,
  );
  expect(overlaps.rowCount).toBe(0);
  const locks = async () =>
    (
      await database.pool.query(
        "select from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())",
      )
    ).rowCount;
  await expect.poll(locks, { timeout: 10_000 }).toBe(0);
});
