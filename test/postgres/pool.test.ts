import { createServer, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { DatabaseError, SyncError } from '../../src/core/errors.ts';
import { createPool, withClient, withTransaction } from '../../src/postgres/connection/pool.ts';
import { createTestDatabase } from '../support/postgres.ts';

const { pool, url } = await createTestDatabase();
await pool.query('create table numbers (n bigint primary key)');

function changed(change: (url: URL) => void): string {
  const other = new URL(url);
  change(other);
  return other.href;
}

/** The message a user reads when the database is at `target`. */
async function complaint(target: string): Promise<string> {
  const refused = createPool(target, { max: 1, applicationName: 'test' });
  onTestFinished(() => refused.end());
  const error: unknown = await withClient(refused, (client) => client.query('select 1')).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(DatabaseError);
  return error instanceof SyncError ? error.message : '';
}

describe('waiting for a connection', () => {
  function withFakeTimers(): void {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
  }

  test('takes up to a minute while other work holds all of them', async () => {
    const single = createPool(url, { max: 1, applicationName: 'test' });
    const held = await single.connect();
    withFakeTimers();
    const patient = withClient(single, (client) => client.query('select 1 as one'));
    await vi.advanceTimersByTimeAsync(59_000);
    held.release();
    expect((await patient).rows).toEqual([{ one: 1 }]);
    const again = await single.connect();
    const late = withClient(single, (client) => client.query('select 1')).catch(String);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await late).toMatch(/DatabaseError: no connection to Postgres at .* became free in time/);
    again.release();
    vi.useRealTimers();
    await single.end();
  });

  /** The URL of a server that does this with each connection. */
  async function serverThat(accept: (socket: Socket) => void): Promise<string> {
    const server = createServer(accept);
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    onTestFinished(() => void server.close());
    const address = server.address();
    return `postgres://u:p@127.0.0.1:${typeof address === 'object' ? address?.port : 0}/db`;
  }

  test('takes up to a minute where a pooler accepts the connection and has none to the server', async () => {
    const asked = Promise.withResolvers<void>();
    const url = await serverThat((socket) => {
      // AuthenticationOk and ReadyForQuery, then no answer to the first statement.
      socket.once('data', () => {
        socket.write(Buffer.from('520000000800000000' + '5a0000000549', 'hex'));
        socket.once('data', () => asked.resolve());
      });
    });
    withFakeTimers();
    const told = complaint(url);
    await asked.promise;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await told).toMatch(/^no connection to Postgres at .* became free in time: .*default_pool_size/);
  });

  test('ends after ten seconds if a new one cannot be opened', async () => {
    const url = await serverThat(() => {});
    withFakeTimers();
    const told = complaint(url);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await told).toMatch(/^Postgres at 127\.0\.0\.1:\d+ does not answer in time/);
  });
});

test('64-bit integers come as numbers, and as bigint where a number would lose digits', async () => {
  const { rows } = await pool.query(
    "select 7::bigint as small, 9007199254740993::bigint as large, '2026-01-02 03:04:05.678Z'::timestamptz as at",
  );
  expect(rows).toEqual([{ small: 7, large: 9007199254740993n, at: new Date('2026-01-02T03:04:05.678Z') }]);
});

test('a transaction commits what it wrote', async () => {
  await withTransaction(pool, (client) => client.query('insert into numbers values (1)'));
  expect((await pool.query('select n from numbers where n = 1')).rows).toEqual([{ n: 1 }]);
});

test('a failed transaction is rolled back, and its error is rethrown unchanged', async () => {
  const failed = withTransaction(pool, async (client) => {
    await client.query('insert into numbers values (2)');
    throw new TypeError('a bug');
  });
  await expect(failed).rejects.toThrow(TypeError);
  expect((await pool.query('select n from numbers where n = 2')).rows).toEqual([]);
});

test('a held connection can run several transactions, including failed ones', async () => {
  await withClient(pool, async (client) => {
    await withTransaction(client, () => client.query('select 1 / 0')).catch(() => {});
    await withTransaction(client, () => client.query('insert into numbers values (3)'));
  });
  expect((await pool.query('select n from numbers where n = 3')).rows).toEqual([{ n: 3 }]);
});

test('an error of the server is a DatabaseError with its SQLSTATE', async () => {
  const refused = withClient(pool, (client) => client.query('insert into numbers values (9), (9)'));
  await expect(refused).rejects.toMatchObject({ name: 'DatabaseError', context: { code: '23505' } });
});

test('a connection that is terminated, in use or idle, is an error of the next query and no crash', async () => {
  const lost = withClient(pool, async (client) => {
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    await pool.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
    await client.query('select pg_sleep(5)');
  });
  await expect(lost).rejects.toThrow(/ended the connection|was lost/);
  await pool.query(
    'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
  );
  expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
});

test('a refused connection names the port and what to check', async () => {
  const text = await complaint(changed((target) => Object.assign(target, { port: '1' })));
  expect(text).toMatch(/^no Postgres answers at .*:1: is it running/);
});

test('a wrong password is reported with the user, and never printed', async () => {
  const text = await complaint(changed((target) => Object.assign(target, { password: 'not-this-one' })));
  expect(text).toMatch(/refuses user "\w+": check user and password/);
  expect(text).not.toContain('not-this-one');
});

test('a missing database is reported with the command that creates it', async () => {
  const text = await complaint(changed((target) => Object.assign(target, { pathname: 'nowhere' })));
  expect(text).toContain('createdb nowhere');
});

test('a missing right is reported with the right and the role', async () => {
  await pool.query('drop role if exists pool_test_guest');
  await pool.query("create role pool_test_guest login password 'guest'");
  onTestFinished(async () => {
    await pool.query('drop role pool_test_guest');
  });
  const guest = createPool(
    changed((target) => Object.assign(target, { username: 'pool_test_guest', password: 'guest' })),
    {
      max: 1,
      applicationName: 'test',
    },
  );
  const denied = withClient(guest, (client) => client.query('create schema mine')).finally(() => guest.end());
  await expect(denied).rejects.toThrow(/user "pool_test_guest" lacks a privilege: permission denied for database/);
});

test('connections that are opened at the same time all do without TLS where the server has none and may', async () => {
  const preferring = createPool(
    changed((target) => target.searchParams.set('sslmode', 'prefer')),
    { max: 3, applicationName: 'test' },
  );
  onTestFinished(() => preferring.end());
  const asked = [1, 2, 3].map((n) => withClient(preferring, (client) => client.query('select $1::int as n', [n])));
  expect((await Promise.all(asked)).map(({ rows }) => rows)).toEqual([[{ n: 1 }], [{ n: 2 }], [{ n: 3 }]]);
});

test('an unknown host and an invalid URL are reported as such', async () => {
  expect(await complaint('postgres://user:pw@nowhere.invalid:5432/db')).toMatch(/nowhere\.invalid/);
  const noUrl = 'postgres://user:pa ss#word@host:port/db';
  for (const bad of [noUrl, 'postgres://user:p@ss/word@host:5432/db'])
    expect(() => createPool(bad, { max: 1, applicationName: 'test' })).toThrow(/DATABASE_URL is not of the form/);
});

test('a server without TLS and a server that hangs up are told apart', async () => {
  const server = createServer((socket) => socket.end());
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => void server.close());
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  expect(await complaint(`postgres://u:p@127.0.0.1:${port}/db`)).toMatch(/connection to Postgres at .* was lost/);
  expect(await complaint(changed((target) => target.searchParams.set('sslmode', 'no-verify')))).toMatch(
    /does not support TLS/,
  );
});
