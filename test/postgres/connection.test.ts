import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext, TLSSocket } from 'node:tls';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { coerceError } from '../../src/core/errors.ts';
import { createPool, withClient } from '../../src/postgres/connection/pool.ts';
import { createTestDatabase } from '../support/postgres.ts';

const { pool, url, name } = await createTestDatabase();

/** What a query through this URL answers, or the message it fails with. */
async function ask(target: string, sql = 'select 1 as one'): Promise<unknown> {
  try {
    const asked = createPool(target, { max: 1, applicationName: 'test' });
    return await withClient(asked, async (client) => (await client.query(sql)).rows).finally(() => asked.end());
  } catch (error) {
    return coerceError(error).message;
  }
}

describe('settings of the database', () => {
  test('do not affect what a connection reads and writes', async () => {
    const settings = {
      datestyle: "'German'",
      extra_float_digits: '0',
      timezone: "'Asia/Kolkata'",
      bytea_output: "'escape'",
      jit: 'on',
    };
    for (const [setting, value] of Object.entries(settings)) {
      await pool.query(`alter database ${name} set ${setting} = ${value}`);
    }
    onTestFinished(() => pool.query(`alter database ${name} reset all`).then(() => {}));
    expect(
      await ask(
        url,
        `select '2026-01-02 03:04:05Z'::timestamptz as at, 0.1::float8 + 0.2 as sum, '\\x00ff'::bytea as bytes, current_setting('jit') as jit`,
      ),
    ).toEqual([{ at: new Date('2026-01-02T03:04:05Z'), sum: 0.1 + 0.2, bytes: Buffer.from([0, 255]), jit: 'off' }]);
  });

  test('query_timeout of the driver is ignored, after which a statement would go on unnoticed', async () => {
    const patient = new URL(url);
    patient.searchParams.set('query_timeout', '50');
    expect(await ask(patient.href, 'select 1 as one from pg_sleep(0.3)')).toEqual([{ one: 1 }]);
    patient.searchParams.set('sslmode', 'disable');
    expect(await ask(patient.href, 'select 1 as one from pg_sleep(0.3)')).toEqual([{ one: 1 }]);
  });

  test('that make it read-only are named as a possible reason', async () => {
    await pool.query(`alter database ${name} set default_transaction_read_only = on`);
    onTestFinished(() => pool.query(`alter database ${name} reset all`).then(() => {}));
    expect(await ask(url, 'create table mine ()')).toMatch(
      /must name the primary.*default_transaction_read_only is on/,
    );
  });
});

/** Runs a module in a process of its own; answers what it printed to stderr once it has ended by itself. */
async function runModule(source: string): Promise<string> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', source]);
  let said = '';
  child.stderr.on('data', (data) => {
    said += data;
  });
  await new Promise((done) => child.on('close', done));
  return said;
}

const POOL = JSON.stringify(join(import.meta.dirname, '../../src/postgres/connection/pool.ts'));

test('a process that has no password for the server leaves at once, not when the server gives up after a minute', async () => {
  const { rows } = await pool.query<{ authentication_timeout: string }>('show authentication_timeout');
  expect(rows).toEqual([{ authentication_timeout: '1min' }]);
  const nameless = new URL(url);
  nameless.password = '';
  const said = await runModule(`import { createPool, withClient } from ${POOL};
    const pool = createPool(${JSON.stringify(nameless.href)}, { max: 1, applicationName: 'test' });
    await withClient(pool, (client) => client.query('select 1')).catch((error) => console.error(error.message));`);
  expect(said).toMatch(/requires a password for user "postgres", and DATABASE_URL has none/);
}, 30_000);

test('a process with nothing else to do waits for the connection of another caller that failed', async () => {
  const said = await runModule(`import { createPool, withClient } from ${POOL};
    const pool = createPool(${JSON.stringify(url)}, { max: 1, applicationName: 'test' });
    const failed = withClient(pool, (client) => client.query('select nothing')).catch(() => console.error('failed'));
    const waiting = withClient(pool, (client) => client.query('select 42 as n'));
    await failed;
    console.error((await waiting).rows[0].n);
    await pool.end();
    console.error('ended');`);
  expect(said).toBe('failed\n42\nended\n');
});

test('a command whose role may open one connection only ends with advice', async () => {
  await pool.query(`create role one_connection login password 'one' connection limit 1`);
  onTestFinished(() => pool.query('drop role one_connection').then(() => {}));
  const target = Object.assign(new URL(url), { username: 'one_connection', password: 'one' }).href;
  const readiness = JSON.stringify(join(import.meta.dirname, '../../src/postgres/connection/readiness.ts'));
  const said = await runModule(`import { createPool } from ${POOL};
    import { assertFit } from ${readiness};
    const pool = createPool(${JSON.stringify(target)}, { max: 4, applicationName: 'test' });
    await assertFit(pool).catch((error) => console.error(error.message));
    await pool.end();
    console.error('ended');`);
  expect(said).toMatch(/connection.*\nended\n$/);
});

describe('TLS, as psql means it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'security-sync-tls-'));
  const file = (path: string) => join(folder, path);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
  openssl(
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-days',
    '2',
    '-subj',
    '/CN=test ca',
  );
  openssl(
    'req',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    'server.key',
    '-out',
    'server.csr',
    '-subj',
    '/CN=another.host',
  );
  writeFileSync(file('names'), 'subjectAltName=DNS:another.host');
  openssl(
    'x509',
    '-req',
    '-in',
    'server.csr',
    '-CA',
    'ca.pem',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-days',
    '2',
    '-extfile',
    'names',
    '-out',
    'server.pem',
  );

  /** Speaks TLS for the test server, which may not, with a certificate for another host. */
  const front = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      // Every client of these tests asks for TLS first.
      socket.write('S');
      const secure = new TLSSocket(socket, {
        isServer: true,
        secureContext: createSecureContext({
          key: readFileSync(file('server.key')),
          cert: readFileSync(file('server.pem')),
        }),
      });
      const { hostname, port } = new URL(url);
      const behind = new Socket().connect(Number(port), hostname);
      for (const end of [secure, behind]) end.on('error', () => {});
      secure.pipe(behind).pipe(secure);
    });
  });
  await new Promise<void>((done) => front.listen(0, '127.0.0.1', done));
  afterAll(async () => {
    front.close();
    await rm(folder, { recursive: true, force: true });
  });
  const address = front.address();
  const through = new URL(url);
  through.port = String(typeof address === 'object' ? address?.port : 0);
  const withTls = (parameters: string) => `${through.href}?${parameters}`;
  const ONE = [{ one: 1 }];

  test.each([
    ['require encrypts and checks no certificate', 'sslmode=require', ONE],
    ['ssl=require, as drivers of other languages write it, is the same', 'ssl=require', ONE],
    ['prefer encrypts where the server can', 'sslmode=prefer', ONE],
    ['verify-ca checks who signed the certificate, not its host', 'sslmode=verify-ca&sslrootcert=CA', ONE],
    ['require with a CA file checks who signed it', 'sslmode=require&sslrootcert=CA', ONE],
    ['verify-ca refuses a certificate that another CA signed', 'sslmode=verify-ca', /certificate .* is not trusted/],
    [
      'verify-full refuses a certificate of another host',
      'sslmode=verify-full&sslrootcert=CA',
      /is for another host.*sslmode=verify-ca/,
    ],
    [
      'a CA file that is missing is named',
      'sslmode=verify-full&sslrootcert=/no/such/ca.pem',
      /sslrootcert in DATABASE_URL cannot be read: .*\/no\/such\/ca\.pem/,
    ],
    [
      'an unknown mode is refused with the modes there are',
      'sslmode=sometimes',
      /unknown sslmode "sometimes".*verify-full/,
    ],
  ])('%s', async (_name, parameters, expected) => {
    const answer = await ask(withTls(parameters.replace('CA', file('ca.pem'))));
    if (expected instanceof RegExp) expect(answer).toMatch(expected);
    else expect(answer).toEqual(expected);
  });

  test('prefer continues without TLS if the server does not support it', async () => {
    const { rows } = await pool.query<{ ssl: string }>('show ssl');
    expect(rows).toEqual([{ ssl: 'off' }]);
    expect(await ask(`${url}?sslmode=prefer`)).toEqual(ONE);
    expect(await ask(`${url}?sslmode=require`)).toMatch(/does not support TLS/);
  });

  test('the driver prints no warning in any mode', async () => {
    const said = await runModule(
      `import { createPool } from ${POOL}; createPool(${JSON.stringify(`${url}?sslmode=require`)}, { max: 1, applicationName: 'test' });`,
    );
    expect(said).toBe('');
  });
});
