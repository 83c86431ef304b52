import { expect, test } from 'vitest';
import { DatabaseError } from '../../src/core/errors.ts';
import type { Logger } from '../../src/core/ports.ts';
import { createLogger } from '../../src/logger.ts';

/** What `log` writes, as text and decoded. */
async function written(log: (logger: Logger) => void, level: 'debug' | 'info' = 'info', pretty = false) {
  let text = '';
  const stream = {
    write(line: string) {
      text += line;
    },
  };
  log(await createLogger({ level, to: stream, pretty }));
  if (pretty) return { text, lines: [] };
  const lines: Record<string, unknown>[] = text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  return { text, lines };
}

test('a line is one JSON object with level, time and message', async () => {
  const { lines } = await written((logger) =>
    logger.info({ stream: 'hss_cluster_events', total: 12345678901234567890n }, 'done'),
  );
  expect(lines).toEqual([
    {
      level: 'info',
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      stream: 'hss_cluster_events',
      total: expect.anything(),
      msg: 'done',
    },
  ]);
});

test('lines below the level are not written', async () => {
  expect((await written((logger) => logger.debug({}, 'detail'))).lines).toHaveLength(0);
  expect((await written((logger) => logger.debug({}, 'detail'), 'debug')).lines).toHaveLength(1);
});

test.for([
  { headers: { anything: 's3cret' } },
  { request: { Authorization: 's3cret' } },
  { 'X-Auth-Token': 's3cret' },
  { a: [{ b: { x_security_token: 's3cret' } }] },
  { account: { auth: { secretKey: 's3cret', accessKey: 's3cret' } } },
  { secret_access_key: 's3cret', password: 's3cret', token: 's3cret', securityToken: 's3cret', SK: 's3cret' },
  { err: Object.assign(new Error('failed'), { config: { password: 's3cret' } }) },
  { error: new DatabaseError('away', {}, { cause: Object.assign(new Error('inner'), { token: 's3cret' }) }) },
  { url: 'postgres://user:s3cret@db:5432/x', note: 'from postgres://user:s3cret@db:5432/x?sslmode=require' },
])('no secret is written: %j', async (fields) => {
  const { text } = await written((logger) => logger.error(fields, 'cannot reach postgres://user:s3cret@db/x'));
  expect(text).toContain('cannot reach postgres://user:***@db/x');
  expect(text).not.toContain('s3cret');
});

test('an error keeps its name, message, context and cause, under any key', async () => {
  const error = new DatabaseError('away', { code: '57P03' }, { cause: new Error('inner') });
  const { lines } = await written((logger) => logger.warn({ problem: error }, 'x'));
  expect(lines[0]?.problem).toMatchObject({
    type: 'DatabaseError',
    message: 'away',
    context: { code: '57P03' },
    cause: { type: 'Error', message: 'inner' },
  });
});

test('only name, message, code, stack and plain values of a foreign error are written, never its objects', async () => {
  const client = { _events: {}, secretKey: 3, saslSession: { salt: 's' } };
  const lost = Object.assign(new Error('Connection terminated unexpectedly'), { code: '57P01', client });
  const { text, lines } = await written((logger) => logger.warn({ err: lost }, 'a database connection was lost'));
  expect(lines[0]?.err).toEqual({
    type: 'Error',
    message: 'Connection terminated unexpectedly',
    code: '57P01',
    stack: expect.stringContaining('logger.test.ts'),
  });
  expect(text).not.toContain('saslSession');
});

test('an expected error has no stack, and neither has its cause', async () => {
  const cause = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED', address: '127.0.0.1' });
  const error = new DatabaseError('no Postgres answers', { code: 'ECONNREFUSED' }, { cause });
  const { lines } = await written((logger) => logger.warn({ err: error }, 'x'));
  expect(lines[0]?.err).toEqual({
    type: 'DatabaseError',
    message: 'no Postgres answers',
    recovery: 'retry-later',
    context: { code: 'ECONNREFUSED' },
    cause: { type: 'Error', message: 'connect ECONNREFUSED', code: 'ECONNREFUSED' },
  });
});

const STEERING = '\u001b[2J\u009b31mred\u0007\r\u202egnp.exe\b';

test('a terminal control character stays data in a line for programs', async () => {
  const { text, lines } = await written((logger) => logger.info({ name: STEERING }, STEERING));
  expect(lines[0]).toMatchObject({ name: STEERING, msg: STEERING });
  expect(text).not.toMatch(/[\u0080-\u009f\u202e]/);
});

test('a terminal control character is escaped in a line for people', async () => {
  const { text } = await written((logger) => logger.info({ name: STEERING }, `see ${STEERING}`), 'info', true);
  const own = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g');
  expect(text.replace(own, '')).toContain('see \\u001b[2J\\u009b31mred\\u0007\\r\\u202egnp.exe\\b');
  expect(text.replace(own, '')).not.toMatch(/[^\n\P{Cc}]/u);
});

test('dates are written as instants, and a circular reference ends', async () => {
  const circle: { self?: unknown; at: Date } = { at: new Date(0) };
  circle.self = circle;
  const { lines } = await written((logger) => logger.info({ circle }, 'x'));
  expect(lines[0]?.circle).toMatchObject({ at: '1970-01-01T00:00:00.000Z' });
});
